/* tests/unit/pool/support_pool.h — what the pool's tests share: jobs that wait to be let go, and
 * waiting for a state that another thread reaches (without timed assertions: the harness's deadline
 * ends a test that never gets there). */
#ifndef TESTS_SUPPORT_POOL_H
#define TESTS_SUPPORT_POOL_H

#include "test.h"

#include <galley/pool.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* A job that says it has begun and then waits. */
struct latch {
    sem_t begun;
    sem_t release;
};
void latch_init(struct latch *latch);
void latch_job(void *latch);
void latch_await(struct latch *latch);   /* until one more job has begun */
void latch_release(struct latch *latch); /* let one job go */

/* A pool whose every worker waits in `latch`. */
galley_pool *pool_all_busy(unsigned threads, size_t queue_capacity, struct latch *latch);
galley_pool *pool_of(unsigned threads, size_t queue_capacity);

void count_job(void *atomic_counter);
void count_drop(void *atomic_counter, int why);
galley_pool_stats stats_of(galley_pool *pool);

/* Look again and again, with short sleeps, until it is true. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            nap();                                                                                 \
        }                                                                                          \
    } while (0)
void nap(void);

/* Submit from a thread of its own, which may block. */
struct submitter {
    pthread_t thread;
    galley_pool *pool;
    galley_fn *fn;
    void *arg;
    int result;
    _Atomic bool is_done;
};
void submitter_start(struct submitter *submitter);
int submitter_join(struct submitter *submitter);
/* Until `count` submitters wait at the gate. */
void await_blocked(galley_pool *pool, unsigned count);

#endif
