/* pool/pool.c — makes a pool whole or not at all, and releases it. Runs on the thread that opens
 * the pool; release runs on the owner's thread, or on the last worker of a detached pool.
 * No worker does anything, not even a callback, before all threads exist: they wait for
 * pool->start. */
#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "pool/cpu.h"
#include "pool/futex.h"
#include "pool/pool_state.h"
#include "pool/worker.h"

#include <string.h>
#include <time.h>

enum { ROOM_PARTS = 8, MAX_ROOM_BATCH = 64 };

galley_pool *galley_pool_new(unsigned threads, galley_error *err)
{
    if (threads == 0) {
        error_set(err, GALLEY_EINVAL, "a pool needs at least one thread, 0 were asked for");
        return NULL;
    }
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = threads;
    return galley_pool_open(&options, err);
}

static int configure(struct pool_config *config, const galley_pool_options *opt, galley_error *err)
{
    unsigned cpus = cpu_count_affinity();
    if (pool_config_needs_quota(opt, cpus)) {
        cpus = cpu_count_usable(&cgroup_system_paths);
    }
    return pool_config_from_options(config, opt, cpus, err);
}

galley_pool *galley_pool_open(const galley_pool_options *opt, galley_error *err)
{
    struct pool_config config;
    return configure(&config, opt, err) == GALLEY_OK ? pool_create(&config, err) : NULL;
}

/* So many free slots are worth a wake-up: a small part of the queue. */
static uint64_t room_batch_of(uint64_t capacity)
{
    uint64_t batch = capacity / ROOM_PARTS;
    uint64_t most = batch < MAX_ROOM_BATCH ? batch : MAX_ROOM_BATCH;
    return most ? most : 1;
}

static void init_plain_fields(struct galley_pool *pool, const struct pool_config *config)
{
    const uint32_t timed_kinds = GALLEY_EV_START | GALLEY_EV_FINISH | GALLEY_EV_DROP;
    pool->config = *config;
    pool->fork_generation = fork_guard_generation();
    pool->keeps_times = config->wants_timing || (config->observe & timed_kinds);
    gate_init(&pool->room);
    pool->room_batch = room_batch_of(config->queue_capacity);
    gate_init(&pool->idle);
    pthread_mutex_init(&pool->control,
                       NULL); /* cannot fail for a mutex without attributes on Linux */
}

/* Memory of the pool; what was not made yet is NULL, so that release can undo any part of it. */
static galley_pool *allocate(const struct pool_config *config)
{
    struct galley_pool *pool = mem_alloc_aligned(alignof(struct galley_pool), sizeof *pool);
    if (!pool) {
        return NULL;
    }
    init_plain_fields(pool, config);
    pool->workers =
        mem_alloc_aligned(alignof(struct worker), config->threads * sizeof *pool->workers);
    if (!pool->workers || job_queue_init(&pool->queue, config->queue_capacity) != 0 ||
        sleepers_init(&pool->sleepers, config->threads) != 0 ||
        pool_make_seats(pool, config->threads) != 0) {
        pool_release(pool);
        return NULL;
    }
    for (unsigned i = 0; i < config->threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
        pool->workers[i].seat = &pool->seats[i];
        pool->workers[i].state = WORKER_LOOKING;
    }
    return pool;
}

static uint64_t pool_bytes(const struct pool_config *config)
{
    uint64_t each = sizeof(struct worker) + sizeof(struct sleeper) + sizeof(struct seat);
    return mem_cost(sizeof(struct galley_pool)) + config->threads * mem_cost(each) +
           POOL_GUEST_SEATS * mem_cost(sizeof(struct seat)) +
           mem_cost(config->queue_capacity * sizeof(struct job_slot));
}

int galley_pool_get_plan(const galley_pool_options *opt, galley_pool_plan *plan)
{
    struct pool_config config;
    if (!plan || plan->size < sizeof plan->size || configure(&config, opt, NULL) != GALLEY_OK) {
        return GALLEY_EINVAL;
    }
    galley_pool_plan own = {
        .size = plan->size,
        .threads = config.threads,
        .queue_capacity = (size_t)config.queue_capacity,
        .memory_bytes = pool_bytes(&config),
        .stack_bytes = (uint64_t)config.threads * config.stack_size,
    };
    memcpy(plan, &own, plan->size < sizeof own ? plan->size : sizeof own);
    return GALLEY_OK;
}

/* A submitter that was blocked when the pool was closed has been woken, and is on its way out
 * through the gate. */
static void wait_for_leavers(struct galley_pool *pool)
{
    const struct timespec pause = {.tv_nsec = 50000};
    while (!pool_is_forked(pool) &&
           (atomic_load(&pool->room.waiters) || atomic_load(&pool->idle.waiters))) {
        nanosleep(&pause, NULL);
    }
}

void pool_release(struct galley_pool *pool)
{
    wait_for_leavers(pool);
    sleepers_finish(&pool->sleepers);
    job_queue_finish(&pool->queue);
    mem_free(pool->seats);
    mem_free(pool->workers);
    pthread_mutex_destroy(&pool->control);
    mem_free(pool);
}

/* Tell the threads that wait to go or to give up. */
static void give_start_signal(struct galley_pool *pool, enum start_signal signal)
{
    atomic_store_explicit(&pool->start, signal, memory_order_release); /* partner: is_told_to_go */
    futex_wake(&pool->start, FUTEX_EVERYONE);
}

static void abort_threads(struct galley_pool *pool, unsigned count)
{
    give_start_signal(pool, START_ABORT);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
}

static int pin_thread(const struct worker *worker, galley_error *err)
{
    const struct pool_config *config = &worker->pool->config;
    if (!config->cpus) {
        return 0;
    }
    int cpu = config->cpus[worker->index % config->cpu_count];
    int error = cpu_pin(worker->thread, cpu);
    return error ? error_set_sys(err, error, "pool \"%s\": pin thread %u to CPU %d", config->name,
                                 worker->index, cpu)
                 : 0;
}

/* All threads, or at least min_threads of them; else none. */
static int start_threads(struct galley_pool *pool, galley_error *err)
{
    struct pool_config *config = &pool->config;
    unsigned made = 0;
    int error = 0, rc = 0;
    while (made < config->threads && (error = worker_create_thread(&pool->workers[made])) == 0) {
        rc = pin_thread(&pool->workers[made++], err);
        if (rc) {
            break;
        }
    }
    if (!rc && error && (made == 0 || made < config->min_threads)) {
        rc = error_set_sys(err, error, "pool \"%s\": start thread %u of %u", config->name, made + 1,
                           config->threads);
    }
    if (rc) {
        abort_threads(pool, made);
        return rc;
    }
    config->threads = made;
    config->cpus = NULL; /* the caller's array may end now */
    atomic_store(&pool->refs, made + 1);
    give_start_signal(pool, START_GO);
    return 0;
}

galley_pool *pool_create(const struct pool_config *config, galley_error *err)
{
    int error = fork_guard_start();
    if (error) {
        error_set_sys(err, error, "pool \"%s\": watch for fork()", config->name);
        return NULL;
    }
    struct galley_pool *pool = allocate(config);
    if (!pool) {
        error_set(err, GALLEY_ENOMEM,
                  "pool \"%s\": out of memory for a queue of %llu and %u workers", config->name,
                  (unsigned long long)config->queue_capacity, config->threads);
        return NULL;
    }
    if (start_threads(pool, err) != 0) {
        pool_release(pool);
        return NULL;
    }
    return pool;
}
