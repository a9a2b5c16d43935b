/* server/server_admission.c — what a server has besides its loops to hold its own under load: a
 * shedder for each pool that handlers run on, and the thread that sees handlers hold their loop. On
 * the thread that runs the server; exchange/queue_shedder.h and exchange/stall_watch.h say more. */
#include "base/error.h"
#include "exchange/queue_shedder.h"
#include "exchange/stall_watch.h"

#include "server/server_state.h"

/* They belong to the routes, for a handler that never returns keeps both. */
static int make_shedders(struct galley_server *srv)
{
    struct server_routes *routes = srv->routes;
    galley_pool *pool = atomic_load_explicit(&srv->pool, memory_order_relaxed);
    uint32_t target_ms = srv->config.queue_target_ms;
    srv->shedder = queue_shedder_of_pool(&routes->shedders, pool, target_ms);
    bool has_all = srv->shedder != NULL;
    size_t it = 0;
    for (struct route_target *target; (target = router_next(routes->router, &it)) != NULL;) {
        if (target->pool) {
            target->shedder = queue_shedder_of_pool(&routes->shedders, target->pool, target_ms);
            has_all &= target->shedder != NULL;
        }
    }
    return has_all ? GALLEY_OK : GALLEY_ENOMEM;
}

int server_admission_make(struct galley_server *srv, galley_error *err)
{
    const struct server_config *config = &srv->config;
    int rc = config->queue_target_ms ? make_shedders(srv) : GALLEY_OK;
    /* In a simulated world nothing runs beside the test. */
    if (rc == GALLEY_OK && config->stall_warn_ms && !srv->test) {
        srv->stall_watch = stall_watch_create(config->loops, config->stall_warn_ms, &srv->log);
        rc = srv->stall_watch ? GALLEY_OK : GALLEY_ENOMEM;
    }
    return rc == GALLEY_OK ? GALLEY_OK : error_set(err, rc, "server: out of memory");
}

int server_admission_start(struct galley_server *srv, galley_error *err)
{
    int rc = srv->stall_watch ? stall_watch_start(srv->stall_watch) : 0;
    return rc == 0 ? GALLEY_OK : error_set_sys(err, -rc, "server: thread of the stall watch");
}

void server_admission_stop(struct galley_server *srv)
{
    stall_watch_stop(srv->stall_watch);
}

void server_admission_free(struct galley_server *srv)
{
    stall_watch_destroy(srv->stall_watch);
    srv->stall_watch = NULL;
}
