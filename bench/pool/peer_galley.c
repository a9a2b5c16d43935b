/* bench/pool/peer_galley.c — galley's own pool, through its public header only. */
#include "adapter.h"

#include <galley/pool.h>
#include <stdio.h>
#include <stdlib.h>

static void version(char *out, size_t size)
{
    uint32_t number = galley_version(); /* 0xMMmmpp */
    snprintf(out, size, "%u.%u.%u", number >> 16, number >> 8 & 0xff, number & 0xff);
}

static struct peer_pool *create(unsigned workers, size_t capacity)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = workers;
    options.queue_capacity = capacity;
    return (struct peer_pool *)galley_pool_open(&options, NULL);
}

static galley_pool *pool_of(struct peer_pool *pool)
{
    return (galley_pool *)pool;
}

static void run_job(void *arg)
{
    struct bench_job *job = arg;
    job->run(job);
}

static void end(struct peer_pool *pool)
{
    galley_pool_free(pool_of(pool));
}

static void discard(struct peer_pool *pool)
{
    (void)galley_pool_shutdown(pool_of(pool), GALLEY_DISCARD, GALLEY_FOREVER, NULL);
    galley_pool_free(pool_of(pool));
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    return galley_pool_execute(pool_of(pool), run_job, job);
}

static int try_submit(struct peer_pool *pool, struct bench_job *job)
{
    return galley_pool_try_execute(pool_of(pool), run_job, job);
}

/* ---- fork/join ------------------------------------------------------------------------------- */

static void fan(struct peer_pool *pool, struct bench_job *const *jobs, size_t count)
{
    galley_group group;
    galley_task tasks[PEER_FORK_MAX];
    galley_group_init(&group, pool_of(pool));
    for (size_t i = 0; i < count; i++) {
        galley_group_spawn(&group, &tasks[i], run_job, jobs[i]);
    }
    if (galley_group_wait(&group, GALLEY_FOREVER) != 0) {
        abort();
    }
}

struct root {
    peer_task_fn *fn;
    void *arg;
};

static void run_root(void *arg)
{
    const struct root *root = arg;
    root->fn(root->arg);
}

/* As a job, so that as many threads work on it as with the peers: this one only waits. */
static void root(struct peer_pool *pool, peer_task_fn *fn, void *arg)
{
    struct root whole = {fn, arg};
    if (galley_pool_execute(pool_of(pool), run_root, &whole) != 0 ||
        galley_pool_wait(pool_of(pool), GALLEY_FOREVER) != 0) {
        abort();
    }
}

static void *element(void *args, size_t stride, size_t index)
{
    return (char *)args + index * stride;
}

/* On its own, so that the usual fork of two does not carry room for sixteen. */
static void fork_two(struct peer_pool *pool, peer_task_fn *fn, void *first, void *second)
{
    galley_group group;
    galley_task task;
    galley_group_init(&group, pool_of(pool));
    galley_group_spawn(&group, &task, fn, second);
    fn(first);
    if (galley_group_wait(&group, GALLEY_FOREVER) != 0) {
        abort();
    }
}

static void fork_many(struct peer_pool *pool, peer_task_fn *fn, void *args, size_t stride,
                      size_t count)
{
    galley_group group;
    galley_task tasks[PEER_FORK_MAX];
    galley_group_init(&group, pool_of(pool));
    for (size_t i = count - 1; i > 0; i--) {
        galley_group_spawn(&group, &tasks[i], fn, element(args, stride, i));
    }
    fn(args);
    if (galley_group_wait(&group, GALLEY_FOREVER) != 0) {
        abort();
    }
}

static void fork_all(struct peer_pool *pool, peer_task_fn *fn, void *args, size_t stride,
                     size_t count)
{
    if (count == 2) {
        fork_two(pool, fn, args, element(args, stride, 1));
    } else if (count > 0) {
        fork_many(pool, fn, args, stride, count);
    }
}

static void parallel_for(struct peer_pool *pool, size_t begin, size_t end_, size_t grain,
                         peer_range_fn *fn, void *arg)
{
    if (galley_parallel_for(pool_of(pool), begin, end_, grain, fn, arg) != 0) {
        abort();
    }
}

const struct peer bench_peer = {
    .name = "galley",
    .version = version,
    .create = create,
    .destroy = end,
    .drain = end,
    .discard = discard,
    .submit = submit,
    .try_submit = try_submit,
    .submit_nested = try_submit,
    .fan = fan,
    .root = root,
    .fork = fork_all,
    .parallel_for = parallel_for,
};
