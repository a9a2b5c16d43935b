/* pool/worker_loop.c — take a job, run it, again; search, then sleep when there is none. Runs on
 * the worker's thread only; holds no lock at any time, least of all while a job runs. The steps of
 * the sleep/wake protocol are named in sleepers.c. */
#include "pool/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/relax.h"
#include "pool/pool_state.h"
#include "pool/worker_self.h"

enum { NS_PER_MS = 1000000, LENGTH_LOOK_MASK = 63, SPINS_PER_LOOK = 32 };

static void set_state(struct worker *worker, enum worker_state state)
{
    atomic_store_explicit(&worker->state, state, memory_order_relaxed);
}

static void set_since(struct worker *worker, int64_t ns)
{
    atomic_store_explicit(&worker->since_ms, ns / NS_PER_MS, memory_order_relaxed);
}

static void show_job(struct worker *worker, const char *label, uint64_t number,
                     enum worker_state state)
{
    atomic_store_explicit(&worker->label, label, memory_order_relaxed);
    atomic_store_explicit(&worker->job, number, memory_order_relaxed);
    set_state(worker, state);
}

static int64_t waited_ns(const struct worker *worker)
{
    return worker->started_ns - worker->current.stamp_ns;
}

static void start_clock(struct worker *worker)
{
    worker->started_ns = clock_mono_ns();
    set_since(worker, worker->started_ns);
    counter_add(&worker->wait_ns, (uint64_t)waited_ns(worker));
}

static void begin_job(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    const struct queued_job *current = &worker->current;
    worker->is_in_job = true;
    show_job(worker, current->job.label, job_number(current->ticket), WORKER_RUNNING);
    if (pool->keeps_times) {
        start_clock(worker);
    }
    if (pool_wants(pool, GALLEY_EV_START)) {
        pool_tell(pool, (galley_pool_event){.kind = GALLEY_EV_START,
                                            .worker = (int32_t)worker->index,
                                            .job = job_number(current->ticket),
                                            .label = current->job.label,
                                            .wait_ns = waited_ns(worker)});
    }
}

void worker_finish_job(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    int64_t run_ns = 0;
    /* Its groups are waited for: their tasks would go on in memory that is gone. */
    CHECK(worker->seat->open == 0 && thread_self.seat == worker->seat);
    (void)galley_stop_flag_watch(NULL); /* whoever set it is gone with the job */
    if (pool->keeps_times) {
        int64_t now = clock_mono_ns();
        run_ns = now - worker->started_ns;
        counter_add(&worker->run_ns, (uint64_t)run_ns);
        set_since(worker, now);
    }
    if (pool_wants(pool, GALLEY_EV_FINISH)) {
        pool_tell(pool, (galley_pool_event){.kind = GALLEY_EV_FINISH,
                                            .worker = (int32_t)worker->index,
                                            .job = job_number(worker->current.ticket),
                                            .label = worker->current.job.label,
                                            .wait_ns = waited_ns(worker),
                                            .run_ns = run_ns});
    }
    show_job(worker, NULL, 0, WORKER_LOOKING);
    worker->is_in_job = false;
    counter_add(&worker->finished, 1);
    uint64_t done = atomic_load_explicit(&worker->done, memory_order_relaxed);
    atomic_store_explicit(&worker->done, done + 1, memory_order_release);
}

/* 0: run it. */
static int reason_to_drop(const struct worker *worker)
{
    if (atomic_load_explicit(&worker->pool->is_discarding, memory_order_relaxed)) {
        return GALLEY_DROP_SHUTDOWN;
    }
    int64_t expires_ms = worker->current.job.expires_ms;
    return expires_ms != 0 && clock_mono_ms() > expires_ms ? GALLEY_DROP_EXPIRED : 0;
}

static void run_job(struct worker *worker)
{
    int why = reason_to_drop(worker);
    if (why) {
        pool_drop(worker->pool, worker, &worker->current, why);
        return;
    }
    begin_job(worker);
    worker->current.job.run(worker->current.job.arg);
    if (!pool_is_forked(worker->pool)) {
        worker_finish_job(worker);
    }
}

/* The look of the sleep/wake protocol. */
static bool has_work(struct galley_pool *pool)
{
    return job_queue_has_job(&pool->queue) || pool_has_task(pool);
}

/* A job or a task is in hand: leave the searching, and see that the next one has a searcher. */
static void end_search(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    worker->is_searching = false;
    sleepers_search_end(&pool->sleepers);
    if (has_work(pool)) {
        sleepers_wake(&pool->sleepers, 1, SLEEPERS_NOBODY);
    }
}

/* Submitters that wait are let in when a batch of slots is free, not for every slot: with jobs that
 * take longer than a submission each would be a wake-up and two switches. Who looked and found no
 * room sees, behind its look, takes down to any length; one of them is the first below the mark. */
static void offer_room(struct galley_pool *pool)
{
    if (atomic_load(&pool->room.waiters) != 0 &&
        job_queue_length(&pool->queue) + pool->room_batch <= pool->queue.capacity) {
        gate_open_one(&pool->room);
    }
}

static bool take_job(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    if (!job_queue_take(&pool->queue, &worker->current)) {
        return false;
    }
    offer_room(pool);
    if (worker->is_searching) {
        end_search(worker);
        pool_note_length(pool, job_queue_length(&pool->queue) + 1);
    } else if ((worker->current.ticket & LENGTH_LOOK_MASK) == 0) {
        pool_note_length(pool, job_queue_length(&pool->queue) + 1);
    }
    return true;
}

/* Take the oldest task of another thread and run it. */
static bool run_stolen_task(struct worker *worker)
{
    struct loot loot;
    if (!seat_steal(worker->seat, NULL, &loot)) {
        return false;
    }
    if (worker->is_searching) {
        end_search(worker);
    }
    set_state(worker, WORKER_RUNNING);
    seat_serve(worker->seat, &loot);
    set_state(worker, WORKER_LOOKING);
    return true;
}

/* Look for work awake, for spin_ns at most; one worker at a time. True when there is something to
 * do. */
static bool spin(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    if (pool->config.spin_ns == 0) {
        return false;
    }
    if (!worker->is_searching) {
        worker->is_searching = sleepers_search(&pool->sleepers);
    }
    if (!worker->is_searching) {
        return false;
    }
    int64_t until = clock_mono_ns() + pool->config.spin_ns;
    do {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            cpu_relax();
        }
        if (has_work(pool) || job_queue_is_ended(&pool->queue)) {
            return true;
        }
    } while (clock_mono_ns() < until);
    return false;
}

static void tell_parking(struct worker *worker, uint32_t kind)
{
    if (pool_wants(worker->pool, kind)) {
        pool_tell(worker->pool,
                  (galley_pool_event){.kind = kind, .worker = (int32_t)worker->index});
    }
}

static void park(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    tell_parking(worker, GALLEY_EV_PARK);
    set_since(worker, clock_mono_ns());
    set_state(worker, WORKER_SLEEPING);
    sleepers_enter(&pool->sleepers, worker->index, worker->is_searching);
    worker->is_searching = false;
    /* The look that the protocol asks for. It may wake another than this one: one is enough. */
    if (has_work(pool) || job_queue_is_ended(&pool->queue)) {
        sleepers_wake(&pool->sleepers, 1, worker->index);
    }
    sleepers_wait(&pool->sleepers, worker->index);
    worker->is_searching = true;
    set_state(worker, WORKER_LOOKING);
    counter_add(&worker->wakeups, 1);
    tell_parking(worker, GALLEY_EV_UNPARK);
}

/* The queue has ended. First out of the searching, then wake: a worker that saw this one search
 * relies on it. */
static void let_others_end(struct worker *worker)
{
    if (worker->is_searching) {
        worker->is_searching = false;
        sleepers_search_end(&worker->pool->sleepers);
    }
    sleepers_wake_all(&worker->pool->sleepers);
}

void worker_loop(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    while (!pool_is_forked(pool)) {
        if (take_job(worker)) {
            run_job(worker);
            continue;
        }
        gate_open_all(&pool->idle); /* if this was the last job, somebody may wait for that */
        if (run_stolen_task(worker)) {
            continue;
        }
        if (job_queue_is_ended(&pool->queue)) {
            let_others_end(worker);
            return;
        }
        if (!spin(worker)) {
            park(worker);
        }
    }
}
