/* bench/pool/rows.h — the measurements. Each makes its pool, measures one thing, checks that the
 * work was done, and leaves figures with out_…(). One measurement a process. */
#ifndef BENCH_POOL_ROWS_H
#define BENCH_POOL_ROWS_H

#include "adapter.h"

#include <stdint.h>

/** What a measurement is told. */
struct bench {
    unsigned workers;
    unsigned variant; /* of the row: producers, load in percent, length of a job … */
    unsigned divisor; /* 1: the whole; more: a shorter run                         */
    struct peer_pool *pool;
};

/** Queue bound for the pools that have one, where a row does not need another. */
enum { DEFAULT_CAPACITY = 4096 };

/** Make the pool of this measurement; ends the program when that fails. */
void bench_open(struct bench *bench, size_t capacity);
/** End it, if the pool can be ended. */
void bench_close(struct bench *bench);
/** Call produce on `count` threads that may submit; returns when all have returned. */
void bench_producers(struct bench *bench, unsigned count, peer_produce_fn *produce, void *arg);
/** What a producing thread does at its end. */
void bench_leave(struct bench *bench);
/** Submit, and count a refusal as wrong. */
void bench_submit(struct bench *bench, struct bench_job *job);

typedef void row_fn(struct bench *bench);
row_fn row_empty;                                       /* variant: producers         */
row_fn row_idle_latency, row_loaded_latency, row_mixed; /* variant: load in percent   */
row_fn row_work;                                        /* variant: us of a job       */
row_fn row_fib, row_queens, row_uneven, row_fan, row_nested;
row_fn row_overload;
row_fn row_drain, row_discard, row_create, row_refused_thread; /* variant of create: threads */
row_fn row_memory, row_idle_cpu, row_forked, row_signals;

#endif
