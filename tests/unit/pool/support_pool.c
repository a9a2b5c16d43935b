/* tests/unit/pool/support_pool.c — see support_pool.h. */
#include "support_pool.h"

#include "pool/pool_state.h"

#include <time.h>

void nap(void)
{
    const struct timespec pause = {.tv_nsec = 200000};
    nanosleep(&pause, NULL);
}

void latch_init(struct latch *latch)
{
    sem_init(&latch->begun, 0, 0);
    sem_init(&latch->release, 0, 0);
}

static void sem_take(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

void latch_job(void *arg)
{
    struct latch *latch = arg;
    sem_post(&latch->begun);
    sem_take(&latch->release);
}

void latch_await(struct latch *latch)
{
    sem_take(&latch->begun);
}

void latch_release(struct latch *latch)
{
    sem_post(&latch->release);
}

galley_pool *pool_of(unsigned threads, size_t queue_capacity)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    galley_error err;
    options.threads = threads;
    options.queue_capacity = queue_capacity;
    galley_pool *pool = galley_pool_open(&options, &err);
    if (!pool) {
        test_fail(__FILE__, __LINE__, "no pool: %s", err.message);
    }
    return pool;
}

galley_pool *pool_all_busy(unsigned threads, size_t queue_capacity, struct latch *latch)
{
    latch_init(latch);
    galley_pool *pool = pool_of(threads, queue_capacity);
    for (unsigned i = 0; i < threads; i++) {
        EXPECT_INT(galley_pool_execute(pool, latch_job, latch), 0);
        latch_await(latch);
    }
    return pool;
}

void count_job(void *atomic_counter)
{
    atomic_fetch_add((_Atomic unsigned *)atomic_counter, 1);
}

void count_drop(void *atomic_counter, int why)
{
    (void)why;
    atomic_fetch_add((_Atomic unsigned *)atomic_counter, 1);
}

galley_pool_stats stats_of(galley_pool *pool)
{
    galley_pool_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_pool_get_stats(pool, &stats), 0);
    return stats;
}

static void *submit(void *arg)
{
    struct submitter *submitter = arg;
    submitter->result = galley_pool_execute(submitter->pool, submitter->fn, submitter->arg);
    atomic_store(&submitter->is_done, true);
    return NULL;
}

void submitter_start(struct submitter *submitter)
{
    EXPECT_INT(pthread_create(&submitter->thread, NULL, submit, submitter), 0);
}

int submitter_join(struct submitter *submitter)
{
    pthread_join(submitter->thread, NULL);
    return submitter->result;
}

void await_blocked(galley_pool *pool, unsigned count)
{
    AWAIT(atomic_load(&pool->room.waiters) == count);
}
