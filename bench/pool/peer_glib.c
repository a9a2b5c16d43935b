/* bench/pool/peer_glib.c — GLib's GThreadPool, exclusive, as its manual advises for a fixed set of
 * threads. It has no wait; the rows count. */
#include "adapter.h"

#include <glib.h>
#include <stdio.h>

static void version(char *out, size_t size)
{
    snprintf(out, size, "%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
}

static void run_job(gpointer data, gpointer user_data)
{
    (void)user_data;
    struct bench_job *job = data;
    job->run(job);
}

static GThreadPool *pool_of(struct peer_pool *pool)
{
    return (GThreadPool *)(void *)pool;
}

static struct peer_pool *create(unsigned workers, size_t capacity)
{
    (void)capacity; /* has no bound */
    GError *error = NULL;
    GThreadPool *pool = g_thread_pool_new(run_job, NULL, (gint)workers, TRUE, &error);
    if (error) { /* there may be a pool all the same */
        g_error_free(error);
        if (pool) {
            g_thread_pool_free(pool, TRUE, TRUE);
        }
        return NULL;
    }
    return (struct peer_pool *)(void *)pool;
}

static void drain(struct peer_pool *pool)
{
    g_thread_pool_free(pool_of(pool), FALSE, TRUE);
}

static void discard(struct peer_pool *pool)
{
    g_thread_pool_free(pool_of(pool), TRUE, TRUE);
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    return g_thread_pool_push(pool_of(pool), job, NULL) ? 0 : -1;
}

const struct peer bench_peer = {
    .name = "GLib",
    .version = version,
    .create = create,
    .destroy = drain,
    .drain = drain,
    .discard = discard,
    .submit = submit,
    .submit_nested = submit,
};
