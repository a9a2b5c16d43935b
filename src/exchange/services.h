/* exchange/services.h — what stands round an exchange: the services of its loop, given to drivers
 * and handlers at construction, and its route. Made by the server and the router; an exchange only
 * reads them, but for the counters, which are its loop's.
 *
 * An orphan outlives its loop and so the services; what its worker needs of them and of the route
 * is copied into its job. */
#ifndef EXCHANGE_SERVICES_H
#define EXCHANGE_SERVICES_H

#include "base/chain.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/span.h"
#include "coding/compressible.h"
#include "loop/loop.h"

#include <galley/pool.h>
#include <galley/route.h>

struct exchange;
struct forwarding;
struct queue_shedder;
struct route_gate;
struct route_middleware;
struct stall_spot;

/** Counts of one loop, written there. */
struct exchange_counters {
    struct counter shed_full;   /* 503: the pool's queue was full */
    struct counter shed_late;   /* 503: waited too long for a worker */
    struct counter stalls;      /* handlers that held the loop too long */
    struct counter mistakes;    /* handlers that returned garbage or gave two bodies */
    struct counter broken;      /* responses given up in the middle */
    struct counter timeouts;    /* exchanges that took longer than their route allows */
    struct counter early_hints; /* 103 said */
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
    struct queue_shedder *shedder;      /* by that rule, for `pool`; NULL: none */
    const char *spool_dir;              /* of EXCHANGE_BODY_SPOOL's files; NULL: "/tmp" */
    uint32_t stall_warn_ms;        /* a handler that holds the loop longer is reported; 0: no */
    struct stall_spot *stall_spot; /* to be seen while it does; NULL: only afterwards */
    size_t max_memory_bytes;       /* arena of one exchange; 0: no limit */
    const char *server_name;       /* Server field; NULL: none */
    const struct forwarding *forwarding; /* proxies that speak for others; NULL: none */
    struct compressible compressible;    /* what routes compress that do */
    bool hints_over_http1;               /* 103 also to clients of HTTP/1.1 (RFC 8297 §3) */
};

/** Where a request is answered: what the router found. Immutable while the server runs. */
struct route_target {
    galley_handler *handler;
    void *arg;
    bool on_loop;
    bool never_stalls; /* a handler of galley's own: its time on the loop is not measured */
    bool decodes;      /* request bodies that come compressed: coded_body.h */
    bool compresses;   /* answers that are worth it: coded_answer.h */
    uint8_t body_mode; /* GALLEY_BODY_…; EXCHANGE_BODY_DISCARD for files */
    uint64_t max_body_bytes;
    uint32_t timeout_ms;     /* of the whole exchange; 0: none */
    uint32_t max_running;    /* handlers and deferrals at once; 0: no limit */
    uint32_t max_waiting;    /* of those, in the gate */
    struct route_gate *gate; /* keeps them apart; NULL without max_running */
    const char *label;
    galley_pool *pool;                         /* NULL: the services' */
    struct queue_shedder *shedder;             /* for that pool; NULL: none */
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

#endif
