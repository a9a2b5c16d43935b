/*
 * galley/test.h — call a server without a socket, a port or a clock.
 *
 * A test client drives a server that has been set up but not started. Bytes go through the same
 * parser, router, middleware, handlers and writer as on a socket, and no further. The calling thread
 * is the event loop: a call turns it until nothing can happen any more before the test's next word,
 * and between the calls nothing runs. Handlers of the pool run on workers as always, so they may
 * block; without pool_options there is one worker, so that they run one after the other, and a
 * server has one loop and one file thread whatever its options say. Time stands still: no deadline
 * of the server's passes, but by galley_test_advance(); what depends on how long a handler was
 * queued (queue_timeout_ms, queue_target_ms) does not happen. It is 2026-01-01 00:00:00 UTC.
 *
 *     galley_test *t = galley_test_new(srv, NULL);
 *     galley_test_reply r;
 *     assert(galley_test_get(t, "/", &r) == 0 && r.status == 200);
 *     assert(strcmp(r.body.ptr, "hello\n") == 0);
 *     galley_test_free(t);
 *
 * Functions of one test client are for one thread at a time, and not for its handlers: a call from
 * inside one is GALLEY_ESTATE, or a zero value. Any number of test clients, of different servers,
 * may be used side by side.
 */
#ifndef GALLEY_TEST_H
#define GALLEY_TEST_H

#include <galley/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Drives one server. */
typedef struct galley_test galley_test;

/**
 * Take over a server that is set up: routes, middleware, options, access log, whose lines are
 * written before the call returns that caused them. It needs no galley_server_listen(). From now on
 * galley_server_run(), galley_server_start() and set-up calls return GALLEY_ESTATE, also
 * afterwards: a server runs once.
 *
 * srv: stays the caller's, to be freed after galley_test_free().
 * err: may be NULL; why it failed.
 *
 * Returns NULL on failure, as galley_server_run() would fail: the first error of a set-up call,
 * GALLEY_ENOMEM, GALLEY_ESYS (no thread for a worker, no descriptor), GALLEY_ESTATE (it runs, has run, or has a
 * test client); GALLEY_EINVAL without a server. Any thread; does not block.
 */
GALLEY_API galley_test *galley_test_new(galley_server *srv, galley_error *err) GALLEY_MUST_CHECK;

/**
 * Hang up all connections, stop the server at once and release the test client with its connections
 * and everything that was got from it; the server can then be freed. Handlers that run are waited
 * for as long as the patience lasts, then let go of as galley_server_stop() does. In the other
 * order, when the server was freed before, calls return GALLEY_ECLOSED and this one releases what
 * is left. NULL is allowed, and from inside a handler nothing happens. Blocks until handlers have
 * returned.
 */
GALLEY_API void galley_test_free(galley_test *t);

/**
 * How long calls wait, in real time, for handlers that do not return and answers that do not come:
 * ms milliseconds, GALLEY_NO_LIMIT for ever; at first 10 s. With 0 nothing is waited for: the way to
 * test a handler that waits for what the test does next. Does not block.
 *
 * Returns 0, GALLEY_EINVAL, GALLEY_ECLOSED, GALLEY_ESTATE.
 */
GALLEY_API int galley_test_set_patience(galley_test *t, uint32_t ms);

/* ---- one request, one answer -------------------------------------------------------- */

/** An answer. Views end in a NUL that is not counted; valid until the next call or get, or free. */
typedef struct galley_test_reply {
    int status;
    galley_str head; /* from the status line up to the empty line, which is left out */
    galley_str body; /* decoded: no chunk sizes; len 0 without a body                */
    bool closed;     /* the server ended the connection                              */
} galley_test_reply;

/**
 * Send one HTTP/1.1 request on a connection of its own, wait for the answer, hang up. Answers with a
 * status below 200 are passed over, but for 101, whose body is what came behind it.
 *
 * request: "GET /x", or with header lines "POST /x\nContent-Type: a/b". Host is added ("localhost"),
 *   and Content-Length, unless they are there, or Transfer-Encoding is: then the body is sent as it
 *   stands.
 * body, len: of the request; NULL and 0 for none. reply: where the answer goes.
 *
 * Returns 0 when the answer is complete and its handler has returned; GALLEY_EINVAL (a NULL, a
 * request without method or path, a line that is no header, a CR anywhere); GALLEY_ETIMEDOUT when
 * the patience ended before that, as it does where the answer never ends (see
 * galley_test_connect()) or waits for a deadline; GALLEY_ECLOSED when the connection ended before
 * the answer did, or the server was stopped; GALLEY_ETOOBIG over 64 MiB; GALLEY_EPROTO when it is
 * not HTTP; GALLEY_ENOMEM; GALLEY_ESTATE. Blocks as long as the handler does.
 */
GALLEY_API int galley_test_call(galley_test *t, const char *request, const void *body, size_t len,
                                galley_test_reply *reply);

/** galley_test_call() of "GET " and the path, which may have a query. Returns and blocks as it. */
GALLEY_API int galley_test_get(galley_test *t, const char *path, galley_test_reply *reply);

/**
 * A header of the reply, by name in any case; several lines of one name are joined with ", ". Valid
 * as long as the reply. ptr NULL if there is none, memory is out, or the reply is not of t's last
 * call. Does not block.
 */
GALLEY_API galley_str galley_test_header(galley_test *t, const galley_test_reply *reply,
                                         const char *name);

/* ---- byte by byte ------------------------------------------------------------------- */

/**
 * A client's end of a connection: for requests in pieces, pipelined, cut off, hostile; for answers
 * that come later or never end. It lives until galley_test_free(), whatever becomes of the
 * connection.
 */
typedef struct galley_test_conn galley_test_conn;

/**
 * Connect from 127.0.0.1. NULL: memory is out, or the server was stopped, or t may not be used now.
 * Does not block.
 */
GALLEY_API galley_test_conn *galley_test_connect(galley_test *t) GALLEY_MUST_CHECK;

/**
 * The same from this address: "192.0.2.7", "2001:db8::7", or "unix". NULL also when it is none.
 */
GALLEY_API galley_test_conn *galley_test_connect_from(galley_test *t,
                                                      const char *address) GALLEY_MUST_CHECK;

/**
 * The client sends len bytes, copied; any bytes, cut anywhere. The loop is turned until all is
 * quiet: no handler runs or is queued, but those that wait for the client to read or to send;
 * deferrals are not waited for.
 *
 * Returns 0; GALLEY_EINVAL (NULL); GALLEY_ECLOSED when the server has ended the connection, the
 * client has hung up, or the server was freed; GALLEY_ENOMEM; GALLEY_ESTATE from inside a handler;
 * GALLEY_ETIMEDOUT when the bytes were sent, but something still ran when the patience ended.
 * Blocks that long.
 */
GALLEY_API int galley_test_send(galley_test_conn *c, const void *data, size_t len);

/**
 * A slow reader: take at most `bytes` more from the server; at first it is 64 MiB. Then, and with
 * the next three, the loop is turned as by galley_test_send().
 *
 * Returns 0, GALLEY_EINVAL, GALLEY_ECLOSED after a hang-up, GALLEY_ESTATE, GALLEY_ETIMEDOUT: done,
 * but something still ran when the patience ended. Blocks that long.
 */
GALLEY_API int galley_test_window(galley_test_conn *c, size_t bytes);

/**
 * The client sends nothing more, and reads on; the orderly way to end a connection. Returns and
 * blocks as galley_test_window().
 */
GALLEY_API int galley_test_shutdown(galley_test_conn *c);

/**
 * The client is gone, and the server can tell (on TCP: a reset): it neither reads nor sends. What it
 * has received is forgotten. Returns and blocks as galley_test_window().
 */
GALLEY_API int galley_test_hangup(galley_test_conn *c);

/**
 * Move the clock on by ms milliseconds; what falls due meanwhile happens in its order: deadlines,
 * heartbeats, galley_server_after(). With 0: let happen what another thread has caused. Returns and
 * blocks as galley_test_window(), GALLEY_ECLOSED only when the server was freed.
 */
GALLEY_API int galley_test_advance(galley_test *t, uint32_t ms);

/**
 * Everything the server has sent on this connection, as it was on the wire. Valid until the next
 * call with t or one of its connections. Empty after galley_test_hangup(); ptr NULL for NULL, or
 * when memory is out. Does not turn the loop; does not block.
 */
GALLEY_API galley_str galley_test_received(galley_test_conn *c);

/** Has the server ended the connection, or the client by a hang-up? Does not turn the loop. */
GALLEY_API bool galley_test_is_closed(galley_test_conn *c);

#ifdef __cplusplus
}
#endif
#endif
