/*
 * galley/stream.h — requests that come bit by bit, answers that come later, from any thread, or
 * bit by bit: deferrals, sources, streams, server-sent events. No answer holds a worker while it
 * waits. Included by galley/server.h.
 *
 * Handles of deferrals and streams stay valid until they are finished, or the last reference is
 * given up, whatever becomes of the client, the connection or the server; a call with a handle that
 * has been given up is GALLEY_ESTATE, not a crash, and so is one in a child of fork(). Every
 * function accepts NULL: GALLEY_EINVAL, or NULL.
 */
#ifndef GALLEY_STREAM_H
#define GALLEY_STREAM_H

#include <galley/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reading a request body in pieces ----------------------------------------------- */

/**
 * GALLEY_BODY_STREAM, on the pool or in a deferral: wait for some bytes and copy
 * at most len of them to buf. While nobody reads, nothing is taken from the
 * connection but a bounded read-ahead, so the client is slowed down. A client
 * that waits for 100 Continue gets it at the first read (RFC 9110 §10.1.1).
 *
 * Returns how many bytes (> 0), 0 at the end of the body, or a code, the same
 * one from then on: GALLEY_ECLOSED nobody waits for the answer any more, at once;
 * and behind the bytes that came before it: GALLEY_ETOOBIG over the route's
 * limit, GALLEY_ETIMEDOUT too slow, GALLEY_EPROTO a malformed chunk or an early
 * end, GALLEY_ENOMEM. A handler may return it as its result (ETIMEDOUT is then
 * 408), or answer as it likes; the connection ends behind the answer. What a
 * handler leaves unread is skipped if it is little, else the connection ends.
 *
 * GALLEY_ESTATE on a route with another body mode, on an event loop, or once
 * galley_req_sink() was called; GALLEY_EINVAL, also for len 0. Blocks.
 */
GALLEY_API ssize_t galley_req_read(galley_request *rq, void *buf, size_t len);

/**
 * Takes a piece of the body: len > 0 bytes at data, valid during the call; len 0
 * is the end; a negative len is a code as of galley_req_read(), after which
 * nothing follows. Return 0 to go on, at the end to answer as set in rs (after a
 * code: if nothing is set, with that code), or a handler result other than 0 to
 * answer now. It may also defer, or give a file: then it is not called again,
 * and what is left of the body is treated as for any early answer. On the event
 * loop; must not block.
 */
typedef int galley_sink(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                        void *arg);

/**
 * GALLEY_BODY_STREAM, in a GALLEY_ON_LOOP handler: after the handler has
 * returned 0, hand each piece of the body to fn. A handler that returns anything
 * else answers at once and fn is never called. 0, GALLEY_EINVAL, GALLEY_ESTATE
 * (another body mode, not on a loop, a second sink), GALLEY_ENOMEM. Does not
 * block.
 */
GALLEY_API int galley_req_sink(galley_request *rq, galley_sink *fn, void *arg);

/* ---- answering later ---------------------------------------------------------------- */

/** An exchange that was taken out of its handler's hands, to be answered later. */
typedef struct galley_deferred galley_deferred;

/**
 * Keep the exchange open after the handler returns; its result is then ignored.
 * The holder of the deferral owns the exchange and may use every function on
 * its request and response, on one thread at a time; the handler must not touch
 * them once it has given the deferral to somebody else. If the client leaves
 * meanwhile the exchange stays valid until it is finished, and
 * galley_deferred_is_wanted() says so.
 *
 * In a GALLEY_ON_LOOP handler views of the request that were taken before this
 * call end with the handler: take those for the holder afterwards.
 *
 * Returns NULL when memory is out, when a body or another deferral was given
 * already, or rs is NULL. In a handler; does not block.
 */
GALLEY_API galley_deferred *galley_res_defer(galley_response *rs) GALLEY_MUST_CHECK;

/** The exchange's request; NULL for a deferral that has been finished. The holder; no wait. */
GALLEY_API galley_request *galley_deferred_request(galley_deferred *d);

/** The exchange's response; NULL for a deferral that has been finished. The holder; no wait. */
GALLEY_API galley_response *galley_deferred_response(galley_deferred *d);

/**
 * Does anybody still wait for the answer? false once the client has gone, the
 * time of the route is up, or the deferral has been finished. A client that has
 * only closed its sending side may still be reading (RFC 9112 §9.6), and is not
 * known to have gone. Any thread; does not block.
 */
GALLEY_API bool galley_deferred_is_wanted(galley_deferred *d);

/**
 * Hand the exchange back; result is a handler result. The deferral is gone
 * whatever is returned: 0; GALLEY_ECLOSED, nobody waited any more;
 * GALLEY_ESTATE, it had been finished before, and nothing happened;
 * GALLEY_EINVAL. Any thread; does not block.
 */
GALLEY_API int galley_deferred_finish(galley_deferred *d, int result);

/* ---- a body that is asked for ------------------------------------------------------- */

/**
 * Gives the next bytes of a body: puts at most len of them into buf and returns
 * how many, 0 at the end, or a negative code to break the response off. Runs on
 * the thread kind of its route: on the event loop it must not block, on the pool
 * each call is a job of its own and no worker is held between them.
 */
typedef ssize_t galley_source(void *buf, size_t len, void *arg);

/**
 * Let fn give the body, whenever the client has taken what was there. length as
 * for galley_res_begin(); a body of another length resets the connection. The
 * calls begin after the handler has returned 0, the first one before the head is
 * sent: if it fails the client gets an error page. end (may be NULL) is called
 * once when no more will come, also when the client has left, this call fails,
 * or the handler returns something else; on any thread, it must not block.
 * 0, GALLEY_EINVAL, GALLEY_ENOMEM, GALLEY_ESTATE. In a handler, or by the holder
 * of a deferral; does not block.
 */
GALLEY_API int galley_res_source(galley_response *rs, int status, const char *type, int64_t length,
                                 galley_source *fn, void (*end)(void *arg), void *arg);

/* ---- streams ------------------------------------------------------------------------ */

/**
 * A long-lived response that any number of threads may write to: events, logs,
 * progress. Counted: it begins with one reference, the caller's.
 */
typedef struct galley_stream galley_stream;

/** Start from GALLEY_STREAM_OPTIONS_INIT; zero means the default. */
typedef struct galley_stream_options {
    size_t size;
    size_t buffer_bytes;   /* that may wait to be sent; default 256 KiB                   */
    uint32_t heartbeat_ms; /* a comment line this often while nothing is sent, for
                              text/event-stream only; default 15 s; GALLEY_NO_LIMIT: none */
    /** Once, however it ended; st may be used, and given up, in it. On the loop (or
     *  on the thread of a handler that a stopping server could not wait for); must
     *  not block. */
    void (*closed)(galley_stream *st, void *arg);
    void *arg;
} galley_stream_options;
#define GALLEY_STREAM_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(galley_stream_options), 0, 0, 0, 0                                                  \
    }

/**
 * Begin a response of unknown length that goes on after the handler has
 * returned 0 (anything else ends it, as does galley_stream_close()). The head is
 * sent at once. type NULL: text/event-stream, with Cache-Control: no-store
 * unless that is set. opt may be NULL.
 *
 * When the server drains, streams end as if they had been closed.
 *
 * Returns NULL when memory is out, an option or the status is wrong, or a body
 * was given already. In a handler, or by the holder of a deferral; does not
 * block.
 */
GALLEY_API galley_stream *galley_res_stream(galley_response *rs, int status, const char *type,
                                            const galley_stream_options *opt) GALLEY_MUST_CHECK;

/**
 * Send len bytes; they are copied. All of it or nothing: GALLEY_EFULL when it
 * does not fit into buffer_bytes, GALLEY_ECLOSED after the end, GALLEY_ENOMEM,
 * GALLEY_EINVAL, GALLEY_ESTATE. Any thread; never waits.
 */
GALLEY_API int galley_stream_write(galley_stream *st, const void *data, size_t len);

/**
 * One server-sent event (WHATWG HTML, "Server-sent events"). id and event may be
 * NULL and must not hold a line end (GALLEY_EINVAL); data, not NULL, is split at
 * its line ends. Otherwise as galley_stream_write().
 */
GALLEY_API int galley_stream_event(galley_stream *st, const char *id, const char *event,
                                   const char *data);

/** Bytes that wait to be sent; 0 for a stream that has ended. Any thread; does not block. */
GALLEY_API size_t galley_stream_waiting(galley_stream *st);

/** Is the client still there, and the stream not closed? Any thread; does not block. */
GALLEY_API bool galley_stream_is_open(galley_stream *st);

/**
 * End the response after what has been written. Any number of times, any
 * thread; does not block; references stay valid.
 */
GALLEY_API void galley_stream_close(galley_stream *st);

/** One more reference; st again, or NULL if it was given up. Any thread; does not block. */
GALLEY_API galley_stream *galley_stream_ref(galley_stream *st);

/** Give a reference up. The last one closes the stream. NULL is allowed. Any thread; no wait. */
GALLEY_API void galley_stream_unref(galley_stream *st);

#ifdef __cplusplus
}
#endif
#endif
