/* server/server_pools.c — the handlers' pool and the file threads: made at the start, drained after
 * the loops have nothing left, given up when a job never returns. The running thread. Two pools, so
 * that sleeping handlers cannot delay a cold file. */
#include "base/clock.h"
#include "base/error.h"

#include "server/server_state.h"

enum { SLICE_MS = 20, FILE_GRACE_MS = 2000 };

int server_pools_make(struct galley_server *srv, galley_error *err)
{
    galley_pool *pool = srv->config.pool;
    srv->owns_pool = !pool;
    if (!pool) {
        pool =
            galley_pool_open(srv->config.has_pool_options ? &srv->config.pool_options : NULL, err);
        if (!pool) {
            return err->code;
        }
    }
    /* Release: its threads exist. Pairs with galley_server_pool(). */
    atomic_store_explicit(&srv->pool, pool, memory_order_release);
    galley_pool_options files = GALLEY_POOL_OPTIONS_INIT;
    files.threads = srv->config.file_threads;
    files.name = "galley-file";
    srv->file_pool = galley_pool_open(&files, err);
    return srv->file_pool ? GALLEY_OK : err->code;
}

static bool stops_now(const struct galley_server *srv)
{
    return atomic_load_explicit(&srv->stop_wanted, memory_order_acquire) == SERVER_STOPS_NOW ||
           srv->drain.deadline_passed;
}

/* In slices, because a second stop must end it at once. True when all workers have been joined. */
static bool drain_pool(struct galley_server *srv, galley_pool *pool)
{
    int64_t deadline_ms = srv->drain.deadline_ms;
    while (!stops_now(srv) && (deadline_ms == 0 || clock_mono_ms() < deadline_ms)) {
        if (galley_pool_shutdown(pool, GALLEY_DRAIN, SLICE_MS, NULL) == GALLEY_OK) {
            return true;
        }
    }
    return galley_pool_shutdown(pool, GALLEY_DISCARD, SLICE_MS, NULL) == GALLEY_OK;
}

void server_pools_detach(struct galley_server *srv)
{
    galley_pool *pool = atomic_load_explicit(&srv->pool, memory_order_relaxed);
    if (srv->owns_pool && pool) {
        atomic_store_explicit(&srv->pool, NULL, memory_order_release);
        galley_pool_detach(pool);
    }
}

void server_pools_drain(struct galley_server *srv)
{
    galley_pool *pool = atomic_load_explicit(&srv->pool, memory_order_relaxed);
    if (srv->owns_pool && pool && !drain_pool(srv, pool)) {
        /* Jobs that the program itself gave to this pool: they know nothing of the server. */
        server_pools_detach(srv);
    }
    /* The file threads end what they read; only a file system that hangs is given up. */
    if (srv->file_pool &&
        galley_pool_shutdown(srv->file_pool, GALLEY_DRAIN, FILE_GRACE_MS, NULL) != GALLEY_OK) {
        galley_pool_detach(srv->file_pool);
        srv->file_pool = NULL;
        srv->file_system_hangs = true;
    }
}

void server_pools_free(struct galley_server *srv)
{
    galley_pool *pool = atomic_exchange(&srv->pool, NULL);
    if (srv->owns_pool) {
        galley_pool_free(pool);
    }
    galley_pool_free(srv->file_pool);
    srv->file_pool = NULL;
}
