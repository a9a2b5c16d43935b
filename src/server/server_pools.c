/* server/server_pools.c — the handlers' pool, the file threads, the idle thread, the handshakes'
 * threads: made at the start, drained after the loops have nothing left, given up when a job never
 * returns. The running thread. Pools of their own, so that sleeping handlers cannot delay a cold file,
 * neither of them those who come in, and what nobody waits for delays nobody: files are compressed by a
 * thread that gets what time the others leave. */
#include "base/clock.h"
#include "base/error.h"
#include "files/file_site.h"

#include "server/server_state.h"

#include <sys/resource.h>

enum {
    SLICE_MS = 20,
    FILE_GRACE_MS = 2000,
    IDLE_QUEUE_JOBS = 1024,
    IDLE_NICE = 10,
    HANDSHAKES_QUEUED = 256 /* some 0.1 s of work with RSA-2048; who comes then is the loop's */
};

bool server_has_idle_thread(const struct galley_server *srv)
{
    size_t it = 0;
    const struct route_target *target;
    while ((target = router_next(srv->routes->router, &it)) != NULL) {
        if (target->handler == galley_static_serve && file_site_compresses(target->arg)) {
            return true;
        }
    }
    return false;
}

/* On Linux that is this thread alone. A tenth of a core is left where somebody always has something
 * to do: with less, a stop would wait for it. Who may not do so shares the core as the others do. */
static void step_back(unsigned index, void *ctx)
{
    (void)index;
    (void)ctx;
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + IDLE_NICE);
}

void server_idle_options(galley_pool_options *ret_options)
{
    *ret_options = (galley_pool_options)GALLEY_POOL_OPTIONS_INIT;
    ret_options->threads = 1;
    ret_options->queue_capacity = IDLE_QUEUE_JOBS;
    ret_options->name = "galley-idle";
    ret_options->thread_start = step_back;
}

static int make_file_pools(struct galley_server *srv, galley_error *err)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = srv->config.file_threads;
    options.name = "galley-file";
    srv->pools.file = galley_pool_open(&options, err);
    if (srv->pools.file && server_has_idle_thread(srv)) {
        server_idle_options(&options);
        srv->pools.idle = galley_pool_open(&options, err);
        return srv->pools.idle ? GALLEY_OK : err->code;
    }
    return srv->pools.file ? GALLEY_OK : err->code;
}

/* As many as loops: fewer would bound the handshakes that these had to themselves before. They do
 * nothing but count, so none of them looks for work before it sleeps. */
galley_pool_options server_tls_pool_options(const struct server_config *config)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = config->loops;
    options.queue_capacity = HANDSHAKES_QUEUED;
    options.spin_us = ~0u;
    options.name = "galley-tls";
    return options;
}

static int make_tls_pool(struct galley_server *srv, galley_error *err)
{
    if (!server_has_tls(srv)) {
        return GALLEY_OK;
    }
    const galley_pool_options options = server_tls_pool_options(&srv->config);
    srv->pools.tls = galley_pool_open(&options, err);
    return srv->pools.tls ? GALLEY_OK : err->code;
}

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
    int rc = make_file_pools(srv, err);
    return rc == GALLEY_OK ? make_tls_pool(srv, err) : rc;
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

static void end_files(struct galley_server *srv, galley_pool **pool, int mode)
{
    if (*pool && galley_pool_shutdown(*pool, mode, FILE_GRACE_MS, NULL) != GALLEY_OK) {
        galley_pool_detach(*pool);
        *pool = NULL;
        srv->file_system_hangs = true;
    }
}

void server_pools_end_tls(struct galley_server *srv)
{
    if (srv->pools.tls) {
        (void)galley_pool_shutdown(srv->pools.tls, GALLEY_DRAIN, GALLEY_FOREVER, NULL);
    }
}

void server_pools_drain(struct galley_server *srv)
{
    galley_pool *pool = atomic_load_explicit(&srv->pool, memory_order_relaxed);
    server_pools_end_tls(srv);
    if (srv->owns_pool && pool && !drain_pool(srv, pool)) {
        /* Jobs that the program itself gave to this pool: they know nothing of the server. */
        server_pools_detach(srv);
    }
    /* What was to be compressed is not; the file threads end what they read. Only a file system
     * that hangs is given up. */
    end_files(srv, &srv->pools.idle, GALLEY_DISCARD);
    end_files(srv, &srv->pools.file, GALLEY_DRAIN);
}

void server_pools_free(struct galley_server *srv)
{
    galley_pool *pool = atomic_exchange(&srv->pool, NULL);
    if (srv->owns_pool) {
        galley_pool_free(pool);
    }
    galley_pool_free(srv->pools.idle);
    galley_pool_free(srv->pools.file);
    srv->pools.idle = NULL;
    srv->pools.file = NULL;
    galley_pool_free(srv->pools.tls);
    srv->pools.tls = NULL;
}
