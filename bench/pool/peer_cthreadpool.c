/* bench/pool/peer_cthreadpool.c — C-Thread-Pool, the package cthreadpool-dev, which is a header and
 * a source file to compile. */
#include "adapter.h"

#include <cthreadpool/thpool.h>
#include <stdio.h>

static void version(char *out, size_t size)
{
    snprintf(out, size, "%s", BENCH_CTHREADPOOL_VERSION);
}

static threadpool pool_of(struct peer_pool *pool)
{
    return (threadpool)(void *)pool;
}

static struct peer_pool *create(unsigned workers, size_t capacity)
{
    (void)capacity; /* has no bound */
    return (struct peer_pool *)(void *)thpool_init((int)workers);
}

/* What is queued is dropped. */
static void destroy(struct peer_pool *pool)
{
    thpool_destroy(pool_of(pool));
}

static void drain(struct peer_pool *pool)
{
    thpool_wait(pool_of(pool));
    thpool_destroy(pool_of(pool));
}

static void run_job(void *arg)
{
    struct bench_job *job = arg;
    job->run(job);
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    return thpool_add_work(pool_of(pool), run_job, job);
}

static void fan(struct peer_pool *pool, struct bench_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (submit(pool, jobs[i]) != 0) {
            return; /* the row sees that jobs are missing */
        }
    }
    thpool_wait(pool_of(pool));
}

const struct peer bench_peer = {
    .name = "C-Thread-Pool",
    .version = version,
    .create = create,
    .destroy = destroy,
    .drain = drain,
    .discard = destroy,
    .submit = submit,
    .submit_nested = submit,
    .fan = fan,
};
