/* exchange/stream.h — a response that any number of threads write to, and that goes on when its
 * handler has returned: events, logs, the output of an upgraded connection.
 *
 * Bytes go writers -> pending -> response.body (on the loop) -> driver; of both together no more
 * than buffer_bytes wait, so that a slow reader costs no more than that. The object is counted and
 * not in the exchange's memory: writers may hold it for as long as they like. While it is attached
 * it posts to its loop, under its lock; once detached it never touches the loop or the exchange
 * again. References: its maker's, the exchange's, that of a post under way.
 *
 * The public handles are in public_stream.c; other rooms use this directly. */
#ifndef EXCHANGE_STREAM_H
#define EXCHANGE_STREAM_H

#include "base/chain.h"
#include "loop/loop.h"

#include <pthread.h>
#include <stdatomic.h>

struct exchange;

struct stream_options {
    size_t buffer_bytes;   /* that may wait */
    uint32_t heartbeat_ms; /* a comment line of text/event-stream so often; 0: none */
    void (*hung_up)(
        void *arg); /* once, on the loop, if it was attached to it: nobody reads any more,
                                    and what uses the loop must end now; may be NULL */
    void (*ended)(
        void *arg); /* once, behind that, when it is detached: on the loop, or, if a stopping server
                                 could not wait, on the thread that held the exchange; may be NULL */
    void (*stopping)(void *arg); /* on the loop, instead of stream_close(), when the server drains;
                                    may be NULL */
    void *arg;
    struct response_field *fields[2]; /* for the head, put there when nothing can fail any more; may
                                         be NULL: see response_prepare_field() */
};

struct stream {
    atomic_uint refs; /* acq_rel on the last one */
    pthread_mutex_t lock;
    struct stream_options options;
    struct loop_post post;
    struct exchange *exchange; /* of the loop, and whoever holds the exchange; NULL: detached */
    struct timer heartbeat;    /* the loop's */

    /* under the lock */
    struct loop *loop;    /* NULL: detached, or about to be: nothing is posted any more */
    struct chain pending; /* written, not taken by the loop */
    uint64_t in_flight;   /* taken by the loop, not yet by the client */
    bool is_posted;
    bool is_closed;   /* writes fail */
    bool is_mid_line; /* the last byte was no line end: no comment may follow it */
    bool has_failed;  /* memory was out on the loop: the response cannot be whole */
};

/* ---- any thread, with a reference ---- */

/** All of it or nothing. 0, GALLEY_EFULL, GALLEY_ECLOSED, GALLEY_ENOMEM. Never waits. */
int stream_write(struct stream *stream, const void *data, size_t len);
/** Bytes that wait; 0 when nobody takes them any more. */
size_t stream_waiting(struct stream *stream);
bool stream_is_open(struct stream *stream);
/** The response ends behind what was written. */
void stream_close(struct stream *stream);
/** Have the post run on the stream's loop. False: it is attached no more, and nothing happens. */
bool stream_post(struct stream *stream, struct loop_post *post);
/** The loop that it is attached to, or NULL; for use on that loop only. */
struct loop *stream_loop(struct stream *stream);
void stream_ref(struct stream *stream);
void stream_unref(struct stream *stream);

/* ---- the exchange's owner ---- */

/** Make the response of the exchange, whose status and fields are set, a stream. The result has a
 *  reference of the caller's. NULL: out of memory, and nothing happened. */
struct stream *stream_begin(struct exchange *exchange, const struct stream_options *options);
/** It ends, if there is one: writers fail, `ended` is called. Also by who frees an orphan. */
void stream_detach(struct exchange *exchange);

/* ---- the loop ---- */

/** The handler has returned and the stream goes on, or ends behind what was written. respond() or
 *  pieces() may be called inside. */
void stream_flow(struct exchange *exchange, bool is_end);
/** All that was taken has been sent. pieces() may be called inside. */
void stream_sent(struct exchange *exchange);
/** The server drains: the stream would never end by itself. */
void stream_stop(struct stream *stream);
/** Nobody reads any more: writers fail, nothing is posted any more. */
void stream_hang_up(struct stream *stream);
/** Of an exchange that somebody else may hold: its stream, or NULL. */
struct stream *stream_of(const struct exchange *exchange);

#endif
