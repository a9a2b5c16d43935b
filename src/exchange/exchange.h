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
#include "base/list.h"
#include "http/fields.h"
#include "http/method.h"
#include "http/target.h"
#include "loop/loop.h"
#include "net/address.h"

#include <galley/pool.h>
#include <galley/stream.h>

#include "exchange/client.h"
#include "exchange/exchange_body.h"
#include "exchange/owner.h"
#include "exchange/request.h"
#include "exchange/response.h"
#include "exchange/route_gate.h"
#include "exchange/services.h"

struct exchange;
struct exchange_end_hook;
struct exchange_pool;
struct stream;
struct stream_options;
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
    /** An interim answer (RFC 9110 §15.2) of these fields, which are copied, at once; before respond().
     *  Unlike the others it leaves the exchange as it is. 0, or nothing is sent: GALLEY_ECLOSED,
     *  GALLEY_ENOMEM, GALLEY_ESTATE (behind respond()), GALLEY_EINVAL (a field that must not be sent). */
    int (*interim)(struct exchange *exchange, int status, const struct response_field *fields);
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
    struct exchange_keeper *keeper; /* of an orphan: keeps its route */
    struct queue_shedder *shedder;  /* of the pool; NULL: none */
    galley_pool *pool;              /* the services', which an orphan has no more */
    int64_t queued_ms;              /* given to the pool, by clock_mono_ms() */
    struct loop_post post;          /* the way back */
    int result;
    int dropped;            /* 0, or GALLEY_DROP_… */
    struct errands *errand; /* of the job (loop/errand.h) */
    struct deferred
        *deferred; /* also when it has been finished; NULL: galley_res_defer() was not called */
    bool counts_deferred;    /* in pool->deferred; the loop's, or under the writer's lock */
    _Atomic uint8_t holders; /* the handler, the deferral; acq_rel: the last one goes back */
    _Atomic uint8_t state;   /* enum exchange_job_state; acq_rel on both sides */
};

/** When it is an exchange's turn, and until when: admission.h. */
struct exchange_turn {
    struct gate_place place; /* at the route's gate */
    struct timer timer;      /* exchange_timeout.c: of a wait at the gate, or of the whole */
    int64_t wait_ends_ms;    /* at the gate; 0: no limit */
};

/* What each request touches stands together, then what only some do. From `driver` on each request
 * begins with zeros, but for the end of `request` and what follows it. */
struct exchange {
    struct arena arena; /* kept from one to the next */
    struct response response;
    const struct exchange_driver *driver;
    void *driver_ctx; /* the driver's (its connection or stream) */
    const struct exchange_services *services;
    const struct route_target *route;
    struct exchange_pool *pool;
    struct list live;    /* in pool->live_list */
    int64_t began_ms;    /* of the loop's clock */
    uint64_t bytes_sent; /* of the response, as far as known at the end */
    uint8_t state;
    bool is_retained;      /* the head lives in the arena; the exchange may outlive the turn */
    bool client_is_gone;   /* no response can be sent any more */
    bool in_handler;       /* a handler on the loop, or send_file, has not returned yet */
    bool has_early_result; /* exchange_resume() came before it did */
    bool is_misused;       /* the handler gave two bodies */
    bool was_dispatched;   /* exchange_dispatch() was called */
    bool has_responded;    /* driver->respond was called */
    bool is_deferred;      /* galley_res_defer() was called: the handler's result does not count */
    bool counts_stream;    /* in pool->streams; the loop's */
    uint8_t hints_given;   /* by the handler: early_hints.h; the owner's */
    uint8_t client_state;  /* enum client_state */
    _Atomic bool is_abandoned;    /* nobody waits for the answer: do not start; relaxed: a hint */
    uint16_t given_up;            /* the status that driver->give_up() answered; 0: it was not */
    galley_stop_flag should_stop; /* galley_should_stop() of the handler */
    int early_result;
    struct exchange_end_hook *end_hooks; /* galley_on_end, newest first */
    struct exchange_job job;
    struct exchange_turn turn;
    struct owner owner; /* whose thread it is: exchange/owner.h */
    struct exchange *next_free;
    /** The driver's: it has ended, or the loop has let go of it for good: driver_ctx is not needed any
     *  more. Once, on the loop; NULL: nobody wants to know. */
    void (*released)(void *driver_ctx);
    struct request request;
    struct client client; /* with CLIENT_IS_TOLD */
};

/** Exchange objects of one loop; objects return here and are used again. */
struct exchange_pool {
    struct exchange *free;
    const struct exchange_services *services;
    struct list live_list;
    unsigned live;
    unsigned free_count;
    bool is_stopping; /* exchanges are told so from their beginning */
    void (*emptied)(struct exchange_pool *pool, void *ctx); /* live has become 0; may be NULL */
    void *emptied_ctx;
    /* What other threads write: a line away from what is before and behind it, whatever the
     * alignment. */
    char line_before[64];
    _Atomic unsigned posting;  /* workers inside loop_post(); acquire pairs with their release */
    _Atomic unsigned deferred; /* held by deferrals now; relaxed: for people */
    _Atomic unsigned streams;  /* streams, sources and tunnels now; relaxed: for people */
    char line_behind[64];
};
void exchange_pool_init(struct exchange_pool *pool, const struct exchange_services *services);
/** No exchange may be live. */
void exchange_pool_finish(struct exchange_pool *pool);
/** What one exchange takes besides its arena, and what a pool keeps, at most. */
uint64_t exchange_object_bytes(void);
uint64_t exchange_pool_kept_bytes(void);
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
/** For people who learn or look for a fault (--log-level=debug): a log line for the request line and one
 *  for each field, without credentials. The head is filled in, but may be refused yet. */
void exchange_show_head(const struct exchange *exchange);
/** The head is filled in and framing is decided: find the route and go. respond() may be called
 * inside. */
void exchange_dispatch(struct exchange *exchange);
/** Answer with this status without asking anybody (malformed request, limit passed). respond() is
 * called inside. */
void exchange_reject(struct exchange *exchange, int status);
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
/** In a handler of an HTTP/1.1 request, or of an extended CONNECT for the token's protocol (there the
 *  answer is 200): when it returns 0 the answer is 101 with `Upgrade: token` and
 *  the fields set so far, and then what is written to *ret_stream (exchange/stream.h), unframed, until
 *  that is closed; with it the connection ends. May be written to before; what the client sends goes
 *  to exchange_tunnel_input(). Another result answers that, and the stream ends. *ret_stream has a
 *  reference of the caller's. 0, GALLEY_EINVAL (token, or not HTTP/1.1), GALLEY_ESTATE (a body was
 *  given), GALLEY_ENOMEM. */
int exchange_upgrade(struct exchange *exchange, struct span token,
                     const struct stream_options *options, struct stream **ret_stream);
/** The pool that its handler runs on; NULL: none, it is called on the loop. Its owner, an orphan's
 *  as well. */
galley_pool *exchange_handler_pool(const struct exchange *exchange);
/** Does its owner hold it without a loop, which could not wait? */
static inline bool exchange_is_orphan(const struct exchange *exchange)
{
    /* Acquire pairs with orphan(), though who asks has seen it by other ways. */
    return atomic_load_explicit(&exchange->job.state, memory_order_acquire) ==
           EXCHANGE_JOB_ORPHANED;
}
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
