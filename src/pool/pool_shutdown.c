/* pool/pool_shutdown.c — the ways a pool ends (drain, discard, free, detach) and waiting for its
 * jobs. Threads outside the pool; several may call at once. A close is one bit in the queue's tail;
 * everything after it may be repeated. */
#include "pool/futex.h"
#include "pool/pool_state.h"
#include "pool/worker_self.h"

#include <string.h>

/* What the report counts from. */
static void close_queue(struct galley_pool *pool)
{
    pthread_mutex_lock(&pool->control);
    if (!pool->is_closed) {
        pool->finished_before = pool_total_finished(pool);
        pool->dropped_before = pool_total_dropped(pool) + pool_total_expired(pool);
        pool->is_closed = true;
        job_queue_close(&pool->queue);
    }
    pthread_mutex_unlock(&pool->control);
}

/* Jobs that nobody has taken. One whose submitter is between claim and publish is left to the
 * workers, which drop it since is_discarding is set. */
static void drop_queued(struct galley_pool *pool)
{
    struct queued_job job;
    atomic_store(&pool->is_discarding, true);
    while (job_queue_take(&pool->queue, &job)) {
        pool_drop(pool, NULL, &job, GALLEY_DROP_SHUTDOWN);
    }
}

static void close_pool(struct galley_pool *pool, int mode)
{
    close_queue(pool);
    gate_open_all(&pool->room); /* blocked submitters get GALLEY_ECLOSED */
    if (mode == GALLEY_DISCARD) {
        drop_queued(pool);
    }
    sleepers_wake_all(&pool->sleepers);
    gate_open_all(&pool->idle);
}

/* Workers that have not ended. */
static unsigned workers_left(struct galley_pool *pool)
{
    return atomic_load(&pool->refs) - 1; /* partner: leave_pool in worker.c */
}

static bool wait_for_workers(struct galley_pool *pool, int64_t deadline_ns)
{
    for (;;) {
        uint32_t refs = atomic_load(&pool->refs);
        if (refs == 1) {
            return true;
        }
        if (futex_deadline_passed(deadline_ns)) {
            return false;
        }
        futex_wait(&pool->refs, refs, deadline_ns);
    }
}

/* Their last steps do not wait for anything, so neither does this for long. */
static void join_threads(struct galley_pool *pool)
{
    pthread_mutex_lock(&pool->control);
    for (unsigned i = 0; i < pool->config.threads && !pool->is_joined; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pool->is_joined = true;
    pthread_mutex_unlock(&pool->control);
}

static void fill_report(struct galley_pool *pool, galley_shutdown_report *report)
{
    if (!report) {
        return;
    }
    galley_shutdown_report own = {
        .size = report->size,
        .ran = pool_total_finished(pool) - pool->finished_before,
        .dropped = pool_total_dropped(pool) + pool_total_expired(pool) - pool->dropped_before,
        .still_running = workers_left(pool),
    };
    memcpy(report, &own, own.size < sizeof own ? own.size : sizeof own);
}

int galley_pool_shutdown(galley_pool *pool, int mode, int64_t timeout_ms,
                         galley_shutdown_report *report)
{
    int rc = pool_check(pool);
    if (rc) {
        return rc;
    }
    if ((mode != GALLEY_DRAIN && mode != GALLEY_DISCARD) ||
        (report && report->size < sizeof report->size)) {
        return GALLEY_EINVAL;
    }
    if (worker_self_is_of(pool)) {
        return GALLEY_EDEADLK;
    }
    int64_t deadline_ns = futex_deadline(timeout_ms);
    close_pool(pool, mode);
    if (wait_for_workers(pool, deadline_ns)) {
        join_threads(pool);
    } else {
        rc = GALLEY_ETIMEDOUT;
    }
    fill_report(pool, report);
    return rc;
}

void galley_pool_free(galley_pool *pool)
{
    if (!pool) {
        return;
    }
    if (worker_self_is_of(pool)) {
        galley_pool_detach(pool); /* to wait would be to wait for oneself */
        return;
    }
    if (!pool_is_forked(pool)) {
        galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL);
    }
    pool_release(pool);
}

static void detach_threads(struct galley_pool *pool)
{
    pthread_mutex_lock(&pool->control);
    for (unsigned i = 0; i < pool->config.threads && !pool->is_joined; i++) {
        pthread_detach(pool->workers[i].thread);
    }
    pool->is_detached = true;
    pthread_mutex_unlock(&pool->control);
}

void galley_pool_detach(galley_pool *pool)
{
    if (!pool) {
        return;
    }
    if (pool_is_forked(pool)) {
        pool_release(pool);
        return;
    }
    close_pool(pool, GALLEY_DISCARD);
    detach_threads(pool);
    if (atomic_fetch_sub(&pool->refs, 1) == 1) { /* partner: leave_pool */
        pool_release(pool);
    }
}

int galley_pool_wait(galley_pool *pool, int64_t timeout_ms)
{
    int rc = pool_check(pool);
    if (rc) {
        return rc;
    }
    if (worker_self_is_of(pool)) {
        return GALLEY_EDEADLK;
    }
    int64_t deadline_ns = futex_deadline(timeout_ms);
    gate_enter(&pool->idle);
    for (;;) {
        uint32_t seen = gate_look(&pool->idle);
        if (pool_is_idle(pool)) {
            break;
        }
        if (futex_deadline_passed(deadline_ns)) {
            rc = GALLEY_ETIMEDOUT;
            break;
        }
        gate_wait(&pool->idle, seen, deadline_ns);
    }
    gate_leave(&pool->idle);
    return rc;
}
