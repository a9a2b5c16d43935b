/* bench/pool/peer_apr.c — the thread pool of the Apache Portable Runtime (apr-util). All threads are
 * asked for at the start and kept while idle. It has no wait; the rows count. */
#include "adapter.h"

#include <apr_general.h>
#include <apr_thread_pool.h>
#include <apu_version.h>
#include <stdio.h>
#include <stdlib.h>

struct peer_pool {
    apr_pool_t *memory;
    apr_thread_pool_t *threads;
};

static void version(char *out, size_t size)
{
    snprintf(out, size, "%s", apu_version_string());
}

static struct peer_pool *create(unsigned workers, size_t capacity)
{
    (void)capacity; /* has no bound */
    struct peer_pool *pool = calloc(1, sizeof *pool);
    if (!pool || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool->memory, NULL) != APR_SUCCESS) {
        free(pool);
        return NULL;
    }
    if (apr_thread_pool_create(&pool->threads, workers, workers, pool->memory) != APR_SUCCESS) {
        apr_pool_destroy(pool->memory);
        free(pool);
        return NULL;
    }
    apr_thread_pool_idle_max_set(pool->threads, workers);
    return pool;
}

/* What is queued is dropped. */
static void destroy(struct peer_pool *pool)
{
    apr_thread_pool_destroy(pool->threads);
    apr_pool_destroy(pool->memory);
    free(pool);
}

static void *APR_THREAD_FUNC run_job(apr_thread_t *thread, void *data)
{
    (void)thread;
    struct bench_job *job = data;
    job->run(job);
    return NULL;
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    return apr_thread_pool_push(pool->threads, run_job, job, APR_THREAD_TASK_PRIORITY_NORMAL, NULL);
}

const struct peer bench_peer = {
    .name = "APR",
    .version = version,
    .create = create,
    .destroy = destroy,
    .discard = destroy,
    .submit = submit,
    .submit_nested = submit,
};
