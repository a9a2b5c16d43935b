/* exchange/body_writer.h — a response in pieces: a handler on a worker writes, the loop sends, and
 * neither holds more than BODY_WRITER_HIGH bytes that the client has not taken.
 *
 * Every exchange that goes to a worker has one, made before, so that the loop can close it at any
 * moment. Two threads: the worker (begin, write) and the loop (the rest); what they share is under
 * the lock. Bytes go worker -> pending -> response.body (on the loop) -> driver. A post is made
 * under the lock and only while open: after body_writer_close() the worker never touches the loop
 * again. */
#ifndef EXCHANGE_BODY_WRITER_H
#define EXCHANGE_BODY_WRITER_H

#include "base/chain.h"
#include "loop/loop.h"

#include <pthread.h>

struct deferred;
struct early_hints;
struct errands;
struct exchange;
struct stream;

enum { BODY_WRITER_HIGH = 256 * 1024 };

struct body_writer {
    struct loop_post post;
    struct exchange *exchange;
    pthread_mutex_t lock;
    pthread_cond_t room;
    struct stream *stream;     /* which the loop must hang up on when it closes this */
    struct deferred *deferred; /* which it must tell */
    struct chain pending;      /* written, not yet taken by the loop */
    uint64_t in_flight;        /* taken by the loop, not yet by the client */
    bool is_posted;            /* post stands in the mailbox */
    struct errands *paused;    /* the worker's, while it waits for room (loop/errand.h) */
    struct early_hints *hints; /* which the loop has not sent yet, oldest first */
    bool takes_hints;          /* the client gets early hints; from the beginning */
    bool is_begun;             /* the head may be sent */
    bool is_closed;            /* the client has gone: writes fail */
    bool has_failed;           /* memory was out: the response cannot be whole */
};

/** On the loop, before the worker has the exchange; memory from its arena. NULL: out of memory. */
struct body_writer *body_writer_create(struct exchange *exchange);
/** On the owner, at the end. NULL is allowed. */
void body_writer_destroy(struct body_writer *writer);

/** On the worker: the head may be sent. 0, GALLEY_ECLOSED. */
int body_writer_begin(struct body_writer *writer);
/** On the owner's thread: to be sent before the head. 0, GALLEY_ECLOSED. */
int body_writer_hint(struct body_writer *writer, struct early_hints *hints);
/** On the owner's thread: waits for room. 0, GALLEY_ECLOSED, GALLEY_ENOMEM; if a part has been
 *  taken then, the next call fails, and the response is not whole. On a loop nothing waits: GALLEY_EFULL, and nothing was taken. */
int body_writer_write(struct body_writer *writer, const void *data, size_t len);

/** On the owner's thread: what the loop must know of when the client goes. False: it has gone, and
 *  the server perhaps with it; nothing is remembered. */
bool body_writer_attach_stream(struct body_writer *writer, struct stream *stream);
bool body_writer_attach_deferred(struct body_writer *writer, struct deferred *deferred);
/** On the loop: what was attached; NULL. */
struct stream *body_writer_stream(struct body_writer *writer);

/** On the loop: the worker's next call fails, a waiting one returns. */
void body_writer_close(struct body_writer *writer);
/** On the loop: all that was taken has been sent. True when there is more now in response.body. */
bool body_writer_sent(struct body_writer *writer);
/** On the loop, after the worker returned: take the rest. False when the response cannot be
 * whole. */
bool body_writer_finish(struct body_writer *writer);

#endif
