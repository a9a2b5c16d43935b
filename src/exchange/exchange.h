/* exchange/exchange.h — one request with its response: the meeting place of protocol drivers below and handlers above.
 *
 * One owner at a time: loop -> the thread that runs the handler -> loop. The handler is called once; the response ends
 * exactly once (exchange_end), however it ends. struct galley_request and struct galley_response of the public API are
 * this struct seen from two sides.
 *
 * Life: driver fills `request` (spans over its receive buffer) -> exchange_dispatch() asks the server for a route ->
 * body is read if the route wants it -> handler runs (on the loop: at once; on the pool: after exchange_retain() copied the
 * head) -> exchange_finish(result) -> driver->respond() -> exchange_end().
 *
 * Memory: on the loop's fast path one exchange object is used again for each request and nothing is allocated. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/chain.h"
#include "base/counter.h"
#include "base/log.h"
#include "http/fields.h"
#include "http/method.h"
#include "http/target.h"
#include "loop/loop.h"
#include "loop/offload.h"
#include "net/address.h"

#include "exchange/request.h"
#include "exchange/response.h"

struct exchange;
struct route_target;

/** What a protocol driver offers. All on the loop. */
struct exchange_driver {
    /** The response is decided (status, fields, body chain or the start of pieces): write it. */
    void (*respond)(struct exchange *exchange);
    /** The dispatcher wants the body: say 100 Continue if the client waits for it, and feed exchange_body_piece(). */
    void (*read_body)(struct exchange *exchange);
    /** More pieces of a streamed response are in exchange->response.body, or it has ended (response.pieces_ended). */
    void (*pieces)(struct exchange *exchange);
    /** Give the response up in the middle: the connection is reset. */
    void (*abort)(struct exchange *exchange, int galley_code);
};

/** What the server offers to drivers and handlers: given at construction, the same for all exchanges of a loop. */
struct exchange_services {
    /** Find the route, set exchange->route, then call exchange_run() or exchange_want_body(). */
    void (*dispatch)(void *ctx, struct exchange *exchange);
    /** Called once for each exchange, before its memory goes: access log and counters. */
    void (*ended)(void *ctx, const struct exchange *exchange);
    /** Give the answer for GALLEY_RES_FILE: open `path` (the program's choice), answer later. See response.h. */
    void (*send_file)(void *ctx, struct exchange *exchange, struct span path);
    void *ctx;
    struct loop *loop;
    unsigned loop_index; /* 0 .. loops-1 */
    galley_pool *pool;   /* for handlers; NULL in tests: run at once */
    galley_pool *
        file_pool; /* for the file system, so that sleeping handlers cannot delay a cold file; NULL in tests */
    struct chain_pool *chains;
    const struct log_sink *log;
    uint32_t queue_timeout_ms; /* accepted by the pool -> started, else 503 */
    size_t max_memory_bytes;   /* arena of one exchange */
    const char *server_name;   /* Server field; NULL: none */
};

/** Where a request is answered: what the router found. Immutable while the server runs. */
struct route_target {
    galley_handler *handler;
    void *arg;
    bool on_loop;
    uint8_t
        body_mode; /* GALLEY_BODY_BUFFER or GALLEY_BODY_REFUSE; EXCHANGE_BODY_DISCARD for files */
    uint64_t max_body_bytes;
    const char *label;
    galley_pool *pool; /* NULL: the services' */
};
enum { EXCHANGE_BODY_DISCARD = 16 };

enum exchange_state {
    EXCHANGE_FREE,
    EXCHANGE_NEW,       /* being filled by the driver, or dispatched */
    EXCHANGE_BODY,      /* waits for the request body */
    EXCHANGE_HANDLING,  /* a handler on the loop runs */
    EXCHANGE_QUEUED,    /* waits for or runs on a worker */
    EXCHANGE_SUSPENDED, /* somebody will call exchange_resume() on the loop */
    EXCHANGE_RESPONDING,
    EXCHANGE_ENDED,
};

struct exchange {
    struct request request;
    struct response response;
    const struct exchange_driver *driver;
    void *driver_ctx; /* the driver's (its connection or stream) */
    const struct exchange_services *services;
    const struct route_target *route;
    struct arena arena;
    struct offload offload;
    struct loop_post post;
    struct exchange_end_hook *end_hooks; /* galley_on_end, newest first */
    _Atomic bool should_stop;            /* galley_should_stop() of the handler; relaxed: a hint */
    uint8_t state;
    bool is_retained;    /* the head lives in the arena; the exchange may outlive the turn */
    bool client_is_gone; /* no response can be sent any more */
    int64_t began_ms;
    uint64_t bytes_sent; /* of the response, as far as known at the end */
    struct exchange *next_free;
};

/** Exchange objects of one loop; objects return here and are used again. */
struct exchange_pool {
    struct exchange *free;
    const struct exchange_services *services;
    unsigned live;
};
void exchange_pool_init(struct exchange_pool *pool, const struct exchange_services *services);
void exchange_pool_finish(struct exchange_pool *pool);

/* ---- for drivers --------------------------------------------------------------------------------------- */

/** A fresh exchange in EXCHANGE_NEW; NULL: out of memory. */
struct exchange *exchange_create(struct exchange_pool *pool, const struct exchange_driver *driver,
                                 void *driver_ctx);
/** The head is filled in and framing is decided: find the route and go. respond() may be called inside. */
void exchange_dispatch(struct exchange *exchange);
/** Answer with this status without asking anybody (malformed request, limit passed). respond() is called inside. */
void exchange_reject(struct exchange *exchange, int status);
/** A piece of the request body. 0, or a status (413, 507…) with which the driver must answer through
 *  exchange_reject() and close. */
int exchange_body_piece(struct exchange *exchange, struct span piece);
/** The body is complete: the handler runs. */
void exchange_body_end(struct exchange *exchange);
/** The client can no longer be answered; a running handler is told by galley_should_stop(). The driver must not be called
 *  any more: exchange_end() is called by the exchange itself when its owner lets go. */
void exchange_client_gone(struct exchange *exchange);
/** The response has been handed over whole (or given up): run hooks, log, release. */
void exchange_end(struct exchange *exchange, struct exchange_pool *pool);
/** The streamed response's output queue is empty again: writers may go on. */
void exchange_pieces_wanted(struct exchange *exchange);
/** May the exchange end as soon as its body chain has been moved out (nothing in the chain points into its memory)? */
bool exchange_may_end_early(const struct exchange *exchange);

/* ---- for the dispatcher and handlers inside galley ------------------------------------------------------ */

/** Run route->handler, on the loop or the pool as the route says. */
void exchange_run(struct exchange *exchange);
/** Read the body first (by the route's mode and limit), then run. 413 at once when the declared length is over. */
void exchange_want_body(struct exchange *exchange);
/** Copy the head into the arena, so that the exchange may outlive this turn. 0 or GALLEY_ENOMEM. */
int exchange_retain(struct exchange *exchange);
/** In a handler on the loop: the answer comes later by exchange_resume(); the handler's return value is then ignored. Retains.
 *  0 or GALLEY_ENOMEM. */
int exchange_suspend(struct exchange *exchange);
/** On the loop: end of a suspension; `result` is a handler result. */
void exchange_resume(struct exchange *exchange, int result);
/** The status that a handler result stands for (http.h's table). */
int exchange_status_of(int result);

static inline struct exchange *exchange_of_request(const galley_request *rq)
{
    return (struct exchange *)(uintptr_t)rq;
}
static inline struct exchange *exchange_of_response(const galley_response *rs)
{
    return (struct exchange *)(uintptr_t)rs;
}

#endif
