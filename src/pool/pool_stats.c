/* pool/pool_stats.c — counting jobs, telling the observer, and looking in. Any thread; takes no
 * lock. The numbers live in each worker's own cache lines and are summed when somebody asks. */
#include "pool/pool_state.h"

#include "base/clock.h"

#include <limits.h>
#include <string.h>

void pool_tell(struct galley_pool *pool, galley_pool_event event)
{
    event.queued = job_queue_length(&pool->queue);
    pool->config.observer(pool->config.observer_ctx, &event);
}

void pool_note_length(struct galley_pool *pool, size_t length)
{
    uint64_t peak = atomic_load_explicit(&pool->queue_peak, memory_order_relaxed);
    uint64_t most = length < pool->queue.capacity ? length : pool->queue.capacity;
    while (most > peak &&
           !atomic_compare_exchange_weak_explicit(&pool->queue_peak, &peak, most,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void pool_account_drop(struct galley_pool *pool, struct worker *worker,
                       const struct queued_job *job, int why)
{
    if (pool_wants(pool, GALLEY_EV_DROP)) {
        pool_tell(pool, (galley_pool_event){.kind = GALLEY_EV_DROP,
                                            .worker = worker ? (int32_t)worker->index : -1,
                                            .job = job_number(job->ticket),
                                            .label = job->job.label,
                                            .wait_ns = clock_mono_ns() - job->stamp_ns,
                                            .why = why});
    }
    if (!worker) {
        counter_add_shared(&pool->dropped, 1);
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
        return;
    }
    worker->dropping = 0;
    counter_add(why == GALLEY_DROP_EXPIRED ? &worker->expired : &worker->dropped, 1);
    uint64_t done = atomic_load_explicit(&worker->done, memory_order_relaxed);
    atomic_store_explicit(&worker->done, done + 1, memory_order_release);
}

void pool_drop(struct galley_pool *pool, struct worker *worker, const struct queued_job *job,
               int why)
{
    if (worker) {
        worker->dropping = why;
    }
    if (job->job.drop) {
        job->job.drop(job->job.arg, why);
    }
    if (!pool_is_forked(pool)) {
        pool_account_drop(pool, worker, job, why);
    }
}

bool pool_is_idle(struct galley_pool *pool)
{
    /* Jobs ended never outnumber jobs accepted, and both only grow. So if what had ended by some
     * moment equals what was accepted by a later one, then between the two nothing was queued or
     * running. */
    uint64_t done = atomic_load_explicit(&pool->done, memory_order_acquire);
    for (unsigned i = 0; i < pool->config.threads; i++) {
        done += atomic_load_explicit(&pool->workers[i].done, memory_order_acquire);
    }
    return done == job_queue_accepted(&pool->queue);
}

/* Sum of one counter over the workers; `offset` is its place in struct worker. */
static uint64_t sum(const struct galley_pool *pool, size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < pool->config.threads; i++) {
        const char *worker = (const char *)&pool->workers[i];
        total += counter_read((const struct counter *)(const void *)(worker + offset));
    }
    return total;
}

uint64_t pool_total_finished(struct galley_pool *pool)
{
    return sum(pool, offsetof(struct worker, finished));
}

uint64_t pool_total_dropped(struct galley_pool *pool)
{
    return sum(pool, offsetof(struct worker, dropped)) + counter_read(&pool->dropped);
}

uint64_t pool_total_expired(struct galley_pool *pool)
{
    return sum(pool, offsetof(struct worker, expired));
}

uint64_t pool_total_stolen(const struct galley_pool *pool)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < pool->seat_count; i++) {
        total += counter_read(&pool->seats[i].stolen);
    }
    return total;
}

static unsigned count_in_state(const struct galley_pool *pool, int state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->config.threads; i++) {
        count += atomic_load_explicit(&pool->workers[i].state, memory_order_relaxed) == state;
    }
    return count;
}

int galley_pool_get_stats(galley_pool *pool, galley_pool_stats *stats)
{
    int rc = pool_check(pool);
    if (rc == 0 && (!stats || stats->size < sizeof stats->size)) {
        rc = GALLEY_EINVAL;
    }
    if (rc) {
        return rc;
    }
    size_t queued = job_queue_length(&pool->queue);
    pool_note_length(pool, queued);
    galley_pool_stats own = {
        .size = stats->size,
        .threads = pool->config.threads,
        .running = count_in_state(pool, WORKER_RUNNING),
        .sleeping = count_in_state(pool, WORKER_SLEEPING),
        .queued = queued,
        .queue_capacity = (size_t)pool->queue.capacity,
        .queue_peak = (size_t)atomic_load_explicit(&pool->queue_peak, memory_order_relaxed),
        .accepted = job_queue_accepted(&pool->queue),
        .finished = pool_total_finished(pool),
        .rejected = counter_read(&pool->rejected),
        .dropped = pool_total_dropped(pool),
        .expired = pool_total_expired(pool),
        .wakeups = sum(pool, offsetof(struct worker, wakeups)),
        .wait_ns = sum(pool, offsetof(struct worker, wait_ns)),
        .run_ns = sum(pool, offsetof(struct worker, run_ns)),
        .replaced = atomic_load_explicit(&pool->replaced, memory_order_relaxed),
        .stolen = pool_total_stolen(pool),
    };
    memcpy(stats, &own, own.size < sizeof own ? own.size : sizeof own);
    return 0;
}

static galley_worker_info describe(const struct worker *worker)
{
    return (galley_worker_info){
        .state = atomic_load_explicit(&worker->state, memory_order_relaxed),
        .label = atomic_load_explicit(&worker->label, memory_order_relaxed),
        .job = atomic_load_explicit(&worker->job, memory_order_relaxed),
        .since_ms = atomic_load_explicit(&worker->since_ms, memory_order_relaxed),
        .finished = counter_read(&worker->finished),
    };
}

int galley_pool_get_workers(galley_pool *pool, galley_worker_info *out, size_t n, size_t elem)
{
    int rc = pool_check(pool);
    if (rc == 0 && n > 0 && (!out || elem == 0 || elem > INT_MAX)) {
        rc = GALLEY_EINVAL;
    }
    if (rc) {
        return rc;
    }
    char *place = (char *)out;
    for (size_t i = 0; i < n && i < pool->config.threads; i++, place += elem) {
        galley_worker_info info = describe(&pool->workers[i]);
        memset(place, 0, elem);
        memcpy(place, &info, elem < sizeof info ? elem : sizeof info);
    }
    return (int)pool->config.threads;
}

int galley_pool_is_full(galley_pool *pool)
{
    return pool_check(pool) == 0 && job_queue_length(&pool->queue) == pool->queue.capacity;
}
