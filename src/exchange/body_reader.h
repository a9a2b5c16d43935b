/* exchange/body_reader.h — a request body in pieces: the loop puts them in, galley_req_read() on a
 * thread that may wait takes them out, and between them lies no more than a bounded read-ahead.
 *
 * Every exchange of a GALLEY_BODY_STREAM route whose request has a body has one, made before the
 * handler runs, so that the loop can close it at any moment. Two threads: the reader's and the
 * loop; what they share is under the lock. Posts are made as in body_writer.h: under the lock and
 * only while open, so that after body_reader_close() no reader touches the loop again. */
#ifndef EXCHANGE_BODY_READER_H
#define EXCHANGE_BODY_READER_H

#include "base/chain.h"
#include "loop/loop.h"

#include <pthread.h>

struct exchange;

enum {
    BODY_READER_HIGH = 64 * 1024, /* as many bytes or more: the driver pauses … */
    BODY_READER_LOW = 16 * 1024,  /* … until no more than these are left */
    BODY_READER_OPEN = 1          /* struct body_reader's end: more may come */
};

struct errands;

struct body_reader {
    struct loop_post post;
    struct exchange *exchange;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct chain pending; /* received, not yet read */
    uint64_t received_bytes;
    struct errands *paused; /* the reader's, while it waits (loop/errand.h) */
    int end;                /* behind pending: BODY_READER_OPEN, 0 for the end, or a code */
    bool has_begun;         /* the driver was asked for the body */
    bool is_paused;         /* the driver was told to */
    bool is_posted;         /* post stands in the mailbox */
    bool is_closed;         /* nobody waits for the answer: no post any more */
};

/** On the loop, before the handler; memory from the exchange's arena. NULL: out of memory. */
struct body_reader *body_reader_create(struct exchange *exchange);
/** On the owner, at the end. NULL is allowed. */
void body_reader_destroy(struct body_reader *reader);

/** On the loop: ask the driver for the body, unless that was done. Pieces may come inside. */
void body_reader_begin(struct body_reader *reader);
/** On the loop: 0, EXCHANGE_BODY_PAUSE (also taken), or GALLEY_ENOMEM: not taken. */
int body_reader_put(struct body_reader *reader, struct span piece);
/** On the loop: nothing follows. code 0: that was all of the body. Once. */
void body_reader_end(struct body_reader *reader, int code);
/** On the loop: a body that is not whole is GALLEY_ECLOSED now, without what has come of it. */
void body_reader_close(struct body_reader *reader);

/** On any thread that may wait, one at a time: as galley_req_read(). */
ssize_t body_reader_read(struct body_reader *reader, void *buf, size_t len);
/** Any thread. */
uint64_t body_reader_received(struct body_reader *reader);

#endif
