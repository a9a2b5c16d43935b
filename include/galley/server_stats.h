/*
 * galley/server_stats.h — looking into a server: what happened, what memory it may take, why
 * connections closed. Included by galley/server.h, whose words about fork() count here, too. What says
 * nothing else may be called by any thread and does not block.
 */
#ifndef GALLEY_SERVER_STATS_H
#define GALLEY_SERVER_STATS_H

#include <galley/pool.h>
#include <galley/route.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What happened so far. Each number is exact, but they are not of one instant. */
typedef struct galley_server_stats {
    size_t size;                   /* set to sizeof before the call          */
    uint64_t accepted;             /* connections                            */
    uint64_t requests;             /* whose head was complete                */
    uint64_t responses[6];         /* by class: responses[2] is 2xx          */
    uint64_t shed_full, shed_late; /* 503: no room to wait; waited too long  */
    uint64_t bytes_in, bytes_out;  /* on the wire                            */
    uint64_t stalls;               /* handlers that held a loop too long     */
    uint64_t mistakes;             /* handlers whose result made no sense    */
    unsigned connections;          /* open now                               */
    unsigned active;               /* requests being answered now            */
    unsigned deferred;             /* of those: held by deferrals            */
    unsigned streams;              /* of those: streams, sources, WebSockets */
} galley_server_stats;

/** A snapshot. Any thread, also after the end. 0, GALLEY_EINVAL. */
GALLEY_API int galley_server_get_stats(const galley_server *srv, galley_server_stats *stats);

/**
 * What memory of the process a server may take, by its options, routes, sites and log: sums of
 * sizes and limits, nothing is measured. Not in it: what the program allocates by itself, pools of
 * its own, what a handler asks for beside galley_alloc() (streams, WebSockets), the C library's
 * waste, and the kernel's part of a connection.
 */
typedef struct galley_memory_plan {
    size_t size;           /* set to sizeof before the call                                   */
    uint64_t limit_bytes;  /* of the control group, which other processes may share; 0: none   */
    unsigned connections;  /* max_connections, given or chosen                                 */
    unsigned loops;        /* event loops                                                      */
    unsigned threads;      /* all, the loops among them                                        */
    uint64_t idle_bytes;   /* a connection, always; and while it has a request, besides ...    */
    uint64_t input_bytes;  /* ... what was received, and the request itself                    */
    uint64_t memory_bytes; /* ... max_memory_bytes: galley_alloc(), fields, text               */
    uint64_t body_bytes;   /* ... the body, by the route that takes most                       */
    uint64_t output_bytes; /* ... answers that wait to be sent                                 */
    uint64_t loop_bytes;   /* a loop, with what it keeps for the next request                  */
    uint64_t cache_bytes;  /* contents of files, of all sites and of galley_res_file()         */
    uint64_t log_bytes;    /* the access log                                                   */
    uint64_t pool_bytes;   /* the server's own pools: workers and queues                       */
    uint64_t stack_bytes;  /* of those threads, touched at least ...                           */
    uint64_t stack_reserved_bytes; /* ... and reserved, in none of the sums                    */
    uint64_t fixed_bytes; /* all that does not depend on connections                          */
    uint64_t least_bytes; /* fixed, every connection, and a request at its limits for each
                              loop and worker: what must fit                                   */
    uint64_t most_bytes;  /* fixed, and every connection with all its requests at their limits */
    unsigned streams;     /* requests of a connection at once: max_streams, or 1 where nobody speaks
                             HTTP/2; each has memory and body of its own                       */
} galley_memory_plan;

/**
 * The plan as things are set up now; UINT64_MAX stands for a sum that has no bound. A start is
 * refused when least_bytes is over limit_bytes, and a warning is logged when it is over half of it.
 * Where max_connections is left to the server, they get at most half of what the rest leaves of
 * limit_bytes.
 *
 * 0, GALLEY_EINVAL (NULL, or plan->size too small), GALLEY_EFORKED. The thread that sets the server
 * up; any thread once it runs. Reads a few small files of the system.
 */
GALLEY_API int galley_server_get_memory_plan(const galley_server *srv, galley_memory_plan *plan);

/**
 * Walk every counter there is: why connections closed, which deadlines were
 * missed, which requests were refused. Start with *it = 0; false at the end.
 * Names are stable, e.g. "closed_idle_timeout"; valid until
 * galley_server_free(). The set of names changes when the server starts. Any
 * thread.
 */
GALLEY_API bool galley_server_next_counter(const galley_server *srv, size_t *it, const char **name,
                                           uint64_t *value);

/**
 * The pool in use, for galley_pool_get_stats() and galley_pool_get_workers();
 * NULL before the start, and after an end that had to leave it to a handler that
 * never returned.
 */
GALLEY_API galley_pool *galley_server_pool(galley_server *srv);

#ifdef __cplusplus
}
#endif
#endif
