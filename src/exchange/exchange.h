/* exchange/exchange.h — one request with its response: the meeting place of protocol drivers below
 * and handlers above.
 *
 * One owner at a time: loop -> the thread that runs the handler -> loop. The handler is called
 * once; the response ends exactly once (exchange_end), however it ends. struct galley_request and
 * struct galley_response of the public API are this struct seen from two sides.
 *
 * Life: driver fills `request` (spans over its receive buffer) -> exchange_dispatch() asks the
 * server for a route -> body is read if the route wants it -> handler runs (on the loop: at once;
 * on the pool: after exchange_retain() copied the head) -> the result becomes a response ->
 * driver->respond() -> the driver gives the exchange up, by exchange_end() or
 * exchange_client_gone(), once.
 *
 * Memory: on the loop's fast path one exchange object is used again for each request and nothing is
 * allocated. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/chain.h"
#include "base/counter.h"
#include "base/list.h"
#include "base/log.h"
#include "http/fields.h"
#include "http/method.h"
#include "http/target.h"
#include "loop/loop.h"
#include "net/address.h"

#include <galley/pool.h>
#include <galley/route.h>
#include <galley/stream.h>

#include "exchange/request.h"
#include "exchange/response.h"

struct exchange;
struct exchange_end_hook;
struct exchange_pool;
struct route_target;

/** What a protocol driver offers. All on the loop. After any of these returned the exchange may be
 * gone. */
struct exchange_driver {
    /** The response is decided: write its head and what is in response.body. That is the whole
     *  body, unless is_begun and not pieces_ended: then pieces() will tell of more, a worker still
     *  runs, and the driver may change response.body only and allocate nothing from the arena.
     *  length -1: chunked, or up to the end of the connection. */
    void (*respond)(struct exchange *exchange);
    /** The dispatcher wants the body: say 100 Continue if the client waits for it, and feed
     * exchange_body_piece(). */
    void (*read_body)(struct exchange *exchange);
    /** More pieces of a streamed response are in exchange->response.body, or it has ended
     * (response.pieces_ended). */
    void (*pieces)(struct exchange *exchange);
    /** Give the response up in the middle: the connection is reset. */
    void (*abort)(struct exchange *exchange, int galley_code);
    /** There is room again for the body: exchange_body_piece() had asked to pause. */
    void (*resume_body)(struct exchange *exchange);
    /** Answer with a page of the driver's own and forget the exchange, as after
     *  exchange_client_gone(), which the caller calls: its owner does not let go in time. If a part
     *  of the response was sent, the connection is reset. */
    void (*give_up)(struct exchange *exchange, int status);
};

/** Counts of one loop, written there. */
struct exchange_counters {
    struct counter shed_full; /* 503: the pool's queue was full */
    struct counter shed_late; /* 503: waited too long for a worker */
    struct counter stalls;    /* handlers that held the loop too long */
    struct counter mistakes;  /* handlers that returned garbage or gave two bodies */
    struct counter broken;    /* responses given up in the middle */
};

/** What the server offers to drivers and handlers: given at construction, the same for all
 * exchanges of a loop. */
struct exchange_services {
    /** Find the route, set exchange->route, then call exchange_want_body(), exchange_run() or
     * exchange_reject(). */
    void (*dispatch)(void *ctx, struct exchange *exchange);
    /** Called once for each exchange, before its memory goes: access log and counters. */
    void (*ended)(void *ctx, const struct exchange *exchange);
    /** Give the answer for galley_res_file(): `path` is the program's choice, the status stands in
     *  the response. The exchange is suspended and retained: call exchange_resume() once, now or
     *  later. NULL: 404. */
    void (*send_file)(void *ctx, struct exchange *exchange, struct span path);
    void *ctx;
    struct loop *loop;
    unsigned loop_index; /* 0 .. loops-1 */
    galley_pool *pool;   /* for handlers; NULL in tests: run at once */
    galley_pool *
        file_pool; /* for the file system, so that sleeping handlers cannot delay a cold file; NULL in tests */
    struct chain_pool *chains;
    const struct log_sink *log;
    struct exchange_counters *counters; /* NULL: not counted */
    uint32_t queue_timeout_ms;          /* accepted by the pool -> started, else 503; 0: no limit */
    uint32_t queue_target_ms;           /* a longer queue is shed down to it; 0: no such rule */
    const char *spool_dir;              /* of EXCHANGE_BODY_SPOOL's files; NULL: "/tmp" */
    uint32_t stall_warn_ms;  /* a handler that holds the loop longer is reported; 0: no */
    size_t max_memory_bytes; /* arena of one exchange; 0: no limit */
    const char *server_name; /* Server field; NULL: none */
};

/** Where a request is answered: what the router found. Immutable while the server runs. */
struct route_target {
    galley_handler *handler;
    void *arg;
    bool on_loop;
    bool never_stalls; /* a handler of galley's own: its time on the loop is not measured */
    uint8_t body_mode; /* GALLEY_BODY_…; EXCHANGE_BODY_DISCARD for files */
    uint64_t max_body_bytes;
    uint32_t timeout_ms;     /* of the whole exchange; 0: none */
    uint32_t max_running;    /* handlers and deferrals at once; 0: no limit */
    uint32_t max_waiting;    /* of those, in the gate */
    struct route_gate *gate; /* keeps them apart; NULL without max_running */
    const char *label;
    galley_pool *pool;                         /* NULL: the services' */
    const struct route_middleware *middleware; /* what may stand before it, outermost first */
    unsigned middleware_count;
};
enum {
    EXCHANGE_BODY_BUFFER = 0,
    EXCHANGE_BODY_SPOOL = 1,
    EXCHANGE_BODY_STREAM = 2,
    EXCHANGE_BODY_REFUSE = 3,
    EXCHANGE_BODY_DISCARD = 16
};

/** One galley_server_use(): stands before the handler of requests whose path is prefix or below. */
struct route_middleware {
    struct span prefix; /* without a slash at its end; empty: all */
    galley_middleware *fn;
    void *arg;
};

enum exchange_state {
    EXCHANGE_FREE,
    EXCHANGE_NEW,      /* being filled by the driver, or dispatched */
    EXCHANGE_BODY,     /* waits for the request body */
    EXCHANGE_WAITING,  /* for its turn at its route's gate */
    EXCHANGE_HANDLING, /* a handler on the loop runs */
    EXCHANGE_QUEUED,   /* held elsewhere: waits for or runs on a worker, or is deferred */
    EXCHANGE_FLOWING, /* the handler has returned; a stream, a source or a sink goes on, on the loop */
    EXCHANGE_SUSPENDED, /* somebody will call exchange_resume() on the loop */
    EXCHANGE_RESPONDING,
    EXCHANGE_ENDED,
};

/** Between a loop and the worker that has its exchange: whoever changes it from RUNNING owns the
 * end. */
enum exchange_job_state {
    EXCHANGE_JOB_NONE,
    EXCHANGE_JOB_RUNNING,  /* queued or running */
    EXCHANGE_JOB_RETURNED, /* the worker has let go; its post is on the way to the loop */
    EXCHANGE_JOB_ORPHANED, /* the loop has let go: the worker frees the exchange */
};

/** What a worker has of an exchange: the last owner's word is `state`. */
struct exchange_job {
    galley_handler *handler; /* copies: the route may be gone when an orphan starts */
    void *arg;
    struct exchange_keeper *keeper; /* of an orphan */
    struct loop_post post;          /* the way back */
    int result;
    int dropped;           /* 0, or GALLEY_DROP_… */
    _Atomic uint8_t state; /* enum exchange_job_state; acq_rel on both sides */
};

struct exchange {
    struct request request;
    struct response response;
    const struct exchange_driver *driver;
    void *driver_ctx; /* the driver's (its connection or stream) */
    const struct exchange_services *services;
    const struct route_target *route;
    struct arena arena;
    struct exchange_job job;
    struct exchange_end_hook *end_hooks; /* galley_on_end, newest first */
    struct exchange_pool *pool;
    struct list live;             /* in pool->live_list */
    galley_stop_flag should_stop; /* galley_should_stop() of the handler */
    _Atomic bool is_abandoned;    /* nobody waits for the answer: do not start; relaxed: a hint */
    uint8_t state;
    bool is_retained;      /* the head lives in the arena; the exchange may outlive the turn */
    bool client_is_gone;   /* no response can be sent any more */
    bool in_handler;       /* a handler on the loop, or send_file, has not returned yet */
    bool has_early_result; /* exchange_resume() came before it did */
    bool is_misused;       /* the handler gave two bodies */
    bool was_dispatched;   /* exchange_dispatch() was called */
    bool has_responded;    /* driver->respond was called */
    bool was_shed;         /* 503 because the server was too busy */
    int early_result;
    int64_t began_ms;    /* of the loop's clock */
    uint64_t bytes_sent; /* of the response, as far as known at the end */
    struct exchange *next_free;
};

/** Exchange objects of one loop; objects return here and are used again. */
struct exchange_pool {
    struct exchange *free;
    const struct exchange_services *services;
    struct list live_list;
    unsigned live;
    unsigned free_count;
    bool is_stopping;         /* exchanges are told so from their beginning */
    _Atomic unsigned posting; /* workers inside loop_post(); acquire pairs with their release */
    void (*emptied)(struct exchange_pool *pool, void *ctx); /* live has become 0; may be NULL */
    void *emptied_ctx;
};
void exchange_pool_init(struct exchange_pool *pool, const struct exchange_services *services);
/** No exchange may be live. */
void exchange_pool_finish(struct exchange_pool *pool);
/** The server stops: galley_should_stop() becomes true in every handler. */
void exchange_pool_hint_stop(struct exchange_pool *pool);
/** Nobody waits any longer: writers are closed, jobs that have not started will not run. After this
 *  the loop must make turns until nothing is left to do, before exchange_pool_orphan(). */
void exchange_pool_abandon(struct exchange_pool *pool);
/** Something that orphans need to the end, whoever is the last to end: what their route lies in. */
struct exchange_keeper {
    atomic_uint refs; /* acq_rel on the last one */
    void (*release)(struct exchange_keeper *keeper);
};
void exchange_keeper_unref(struct exchange_keeper *keeper);
/** Let go of the exchanges that a worker still holds: it frees them when it returns, and never
 *  touches this loop again. Each holds a reference to keeper. Returns how many; pool->live counts
 *  what is on its way back in the mailbox. */
unsigned exchange_pool_orphan(struct exchange_pool *pool, struct exchange_keeper *keeper);

/* ---- for drivers ----------------------------------------------------------------------------- */

/** A fresh exchange in EXCHANGE_NEW; NULL: out of memory. */
struct exchange *exchange_create(struct exchange_pool *pool, const struct exchange_driver *driver,
                                 void *driver_ctx);
/** The head is filled in and framing is decided: find the route and go. respond() may be called
 * inside. */
void exchange_dispatch(struct exchange *exchange);
/** Answer with this status without asking anybody (malformed request, limit passed). respond() is
 * called inside. */
void exchange_reject(struct exchange *exchange, int status);
/** A piece of the request body. 0, or a status (413, 503) with which the driver must answer through
 *  exchange_reject() and close. */
int exchange_body_piece(struct exchange *exchange, struct span piece);
/** The body is complete: the handler runs. */
void exchange_body_end(struct exchange *exchange);
/** The client can no longer be answered; a running handler is told by galley_should_stop(). The
 *  driver must not be called any more and forgets the exchange: it ends now, or when its owner lets
 *  go. */
void exchange_client_gone(struct exchange *exchange);
/** The response has been handed over whole (or given up): run hooks, log, release. In
 * EXCHANGE_RESPONDING only. */
void exchange_end(struct exchange *exchange, struct exchange_pool *pool);
/** The streamed response's output queue is empty again: writers may go on. pieces() may be called
 * inside. */
void exchange_pieces_wanted(struct exchange *exchange);
/** May the exchange end as soon as its body chain has been moved out (nothing in the chain points
 * into its memory)? */
bool exchange_may_end_early(const struct exchange *exchange);

/* ---- for the dispatcher and handlers inside galley ------------------------------------------- */

/** Answer without a handler; `result` is a handler result, applied to what has been set in the
 * response. */
void exchange_answer(struct exchange *exchange, int result);
/** Run route->handler, on the loop or the pool as the route says. */
void exchange_run(struct exchange *exchange);
/** Read the body first (by the route's mode and limit), then run; at once when there is none. 413
 *  when the declared length is over, 503 when the pool has no room: before the body is read. */
void exchange_want_body(struct exchange *exchange);
/** Copy the head into the arena, so that the exchange may outlive this turn. 0 or GALLEY_ENOMEM. */
int exchange_retain(struct exchange *exchange);
/** There is no memory for that and the bytes go all the same: nothing of the head is left, not even
 * for the log. */
void exchange_forget_head(struct exchange *exchange);
/** In a handler on the loop: the answer comes later by exchange_resume(); the handler's return
 *  value is then ignored. Retains. 0 or GALLEY_ENOMEM. */
int exchange_suspend(struct exchange *exchange);
/** On the loop: end of a suspension; `result` is a handler result. */
void exchange_resume(struct exchange *exchange, int result);
/** The status that a handler result stands for (http.h's table); 0 for 0: what is set. */
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
