/* pool/worker.c — a worker's thread: how it is made, named, ended, and replaced when a job ends it.
 * worker_create_thread runs on the thread that opens the pool, or on the dying worker; all else on
 * the worker. */
#include "pool/worker.h"

#include "base/clock.h"
#include "pool/futex.h"
#include "pool/pool_state.h"
#include "pool/worker_self.h"

#include <signal.h>
#include <stdio.h>

static void *worker_main(void *arg);

/* Everything but what the CPU raises at the thread itself: those would kill the process blocked or
 * not. */
static void fill_worker_mask(sigset_t *mask)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(mask);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset(mask, faults[i]);
    }
}

/* A new thread inherits the mask of its maker; there is no moment at which it could get a
 * signal. */
static int create_masked(struct worker *worker, const pthread_attr_t *attributes,
                         pthread_t *ret_thread)
{
    sigset_t mask, before;
    fill_worker_mask(&mask);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int error = worker->pool->config.create_thread(ret_thread, attributes, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int worker_create_thread(struct worker *worker)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);
    if (error) {
        return error;
    }
    error = pthread_attr_setstacksize(&attributes, worker->pool->config.stack_size);
    if (!error) {
        error = create_masked(worker, &attributes, &thread);
    }
    pthread_attr_destroy(&attributes);
    if (!error) {
        worker->thread = thread;
    }
    return error;
}

/* "name-12": the name gives way, not the index, by which threads are told apart. */
static void name_thread(const struct worker *worker)
{
    char name[POOL_NAME_BYTES];
    int keep = POOL_NAME_BYTES - 1 - snprintf(NULL, 0, "-%u", worker->index);
    if (snprintf(name, sizeof name, "%.*s-%u", keep, worker->pool->config.name, worker->index) <
        0) {
        return;
    }
    pthread_setname_np(pthread_self(), name); /* for people: no harm if it fails */
}

static bool is_told_to_go(struct galley_pool *pool)
{
    for (;;) {
        uint32_t start =
            atomic_load_explicit(&pool->start, memory_order_acquire); /* partner: pool_create */
        if (start != START_WAIT) {
            return start == START_GO;
        }
        futex_wait(&pool->start, START_WAIT, FUTEX_NO_DEADLINE);
    }
}

static void tell_thread(struct worker *worker, uint32_t kind)
{
    if (pool_wants(worker->pool, kind)) {
        pool_tell(worker->pool,
                  (galley_pool_event){.kind = kind, .worker = (int32_t)worker->index});
    }
}

static void begin(struct worker *worker)
{
    const struct pool_config *config = &worker->pool->config;
    worker_self_set(worker);
    atomic_store_explicit(&worker->since_ms, clock_mono_ms(), memory_order_relaxed);
    atomic_store_explicit(&worker->state, WORKER_LOOKING, memory_order_relaxed);
    if (config->thread_start) {
        config->thread_start(worker->index, config->thread_ctx);
    }
    tell_thread(worker, GALLEY_EV_THREAD_START);
}

static void stop(struct worker *worker)
{
    const struct pool_config *config = &worker->pool->config;
    if (config->thread_stop) {
        config->thread_stop(worker->index, config->thread_ctx);
    }
    tell_thread(worker, GALLEY_EV_THREAD_STOP);
    worker_self_set(NULL);
}

/* The pool may be gone when this returns. */
static void drop_reference(struct galley_pool *pool)
{
    uint32_t left =
        atomic_fetch_sub(&pool->refs, 1) - 1; /* partner: wait_for_workers in pool_shutdown.c */
    if (left == 0) {
        pool_release(pool); /* detached, and this was the last */
    } else if (left == 1) {
        futex_wake(
            &pool->refs,
            FUTEX_EVERYONE); /* only the owner is left, who joins this thread before it frees */
    }
}

/* The worker is over. */
static void leave_pool(struct worker *worker)
{
    atomic_store_explicit(&worker->since_ms, clock_mono_ms(), memory_order_relaxed);
    atomic_store_explicit(&worker->state, WORKER_ENDED, memory_order_relaxed);
    drop_reference(worker->pool);
}

static void run_and_end(struct worker *worker);

/* One stretch of a worker's work on a thread. */
struct stretch {
    struct worker *worker;
    bool is_over;
};

/* A new thread for the worker, or an errno. The dying one will be joined by it, unless nobody joins
 * any more. */
static int create_successor(struct worker *worker)
{
    struct galley_pool *pool = worker->pool;
    atomic_fetch_add(&pool->refs,
                     1); /* the successor may end, and be the last, before this returns */
    pthread_mutex_lock(&pool->control); /* shutdown and detach must not see half a change */
    worker->replaces = pthread_self();
    worker->has_predecessor = !pool->is_detached;
    int error = worker_create_thread(worker);
    if (!error && pool->is_detached) {
        pthread_detach(worker->thread);
    }
    pthread_mutex_unlock(&pool->control);
    drop_reference(pool);
    return error;
}

/* A job (or a callback) called pthread_exit, which it must not: the thread cannot be kept, the
 * worker can. Runs on the dying thread. */
static void replace_thread(void *arg)
{
    struct stretch *stretch = arg;
    if (stretch->is_over) {
        return; /* a second exit, in the stretch below, unwinds through here again, and the pool may be gone */
    }
    struct worker *worker = stretch->worker;
    struct galley_pool *pool = worker->pool;
    if (pool_is_forked(pool)) {
        return;
    }
    stretch->is_over = true;
    seat_abandon_service(worker->seat);
    if (worker->is_in_job) {
        worker_finish_job(worker);
    }
    if (worker->dropping) {
        pool_account_drop(pool, worker, &worker->current, worker->dropping);
    }
    if (worker->is_ending) {
        leave_pool(worker);
        return;
    }
    stop(worker);
    atomic_fetch_add_explicit(&pool->replaced, 1, memory_order_relaxed);
    if (create_successor(worker) != 0) {
        run_and_end(
            worker); /* no new thread: the dying one goes on for as long as the pool lives */
    }
}

/* The worker's work, guarded against jobs that end the thread. */
static void run_and_end(struct worker *worker)
{
    struct stretch stretch = {.worker = worker};
    pthread_cleanup_push(replace_thread, &stretch);
    begin(worker);
    worker_loop(worker);
    worker->is_ending = true;
    if (!pool_is_forked(worker->pool)) {
        sleepers_wake_all(
            &worker->pool->sleepers); /* they sleep with the queue's end still ahead */
        stop(worker);
    }
    pthread_cleanup_pop(0);
    if (!pool_is_forked(worker->pool)) {
        leave_pool(worker);
    }
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    if (!is_told_to_go(worker->pool)) {
        return NULL;
    }
    if (worker->has_predecessor) {
        pthread_join(worker->replaces, NULL);
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    name_thread(worker);
    run_and_end(worker);
    return NULL;
}
