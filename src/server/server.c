/* server/server.c — a server's making and its end; see galley/server.h. The thread that made it,
 * before and after the run. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"
#include "exchange/queue_shedder.h"
#include "exchange/route_gate.h"

#include "server/server_state.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

static int init_sync(galley_server *srv)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&srv->lock, NULL);
    int rc = pthread_condattr_init(&attributes);
    if (rc == 0) {
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&srv->ended, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return -rc;
}

static void release_routes(struct exchange_keeper *keeper)
{
    struct server_routes *routes = CONTAINER_OF(keeper, struct server_routes, keeper);
    size_t it = 0;
    for (struct route_target *target; (target = router_next(routes->router, &it)) != NULL;) {
        route_gate_destroy(target->gate);
    }
    queue_shedder_destroy_list(routes->shedders);
    router_destroy(routes->router);
    mem_free(routes);
}

static struct server_routes *make_routes(void)
{
    struct server_routes *routes = mem_alloc_zero(1, sizeof *routes);
    if (routes) {
        atomic_init(&routes->keeper.refs, 1);
        routes->keeper.release = release_routes;
        routes->router = router_create();
    }
    if (routes && !routes->router) {
        mem_free(routes);
        routes = NULL;
    }
    return routes;
}

static int init(galley_server *srv, const galley_server_options *opt, galley_error *err)
{
    srv->stop_fd = -1;
    server_posts_init(&srv->posts);
    if (init_sync(srv) != 0) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    int rc = server_config_from_options(&srv->config, opt, err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    server_log_init(srv, opt);
    srv->routes = make_routes();
    srv->names = server_counter_names_make();
    if (!srv->routes || !srv->names) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    srv->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return srv->stop_fd < 0 ? error_set_sys(err, errno, "server: eventfd") : GALLEY_OK;
}

void server_listeners_close(galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count; i++) {
        listener_close(
            &srv->addresses.list[i].socket); /* the name stays, for galley_server_address() */
    }
}

static void release(galley_server *srv)
{
    server_listeners_close(srv);
    server_log_finish(srv);
    fd_close(&srv->stop_fd);
    if (srv->routes) {
        exchange_keeper_unref(&srv->routes->keeper);
    }
    server_posts_finish(&srv->posts);
    server_config_finish(&srv->config);
    mem_free(srv->names);
    mem_free(srv->addresses.list);
    networks_finish(&srv->addresses.proxies);
    networks_finish(&srv->addresses.forwarding.networks);
    mem_free(srv->sites.list);
    pthread_cond_destroy(&srv->ended);
    pthread_mutex_destroy(&srv->lock);
    mem_free(srv);
}

galley_server *galley_server_new(const galley_server_options *opt, galley_error *err)
{
    galley_server *srv = mem_alloc_zero(1, sizeof *srv);
    if (!srv) {
        error_set(err, GALLEY_ENOMEM, "server: out of memory");
        return NULL;
    }
    if (init(srv, opt, err) != GALLEY_OK) {
        release(srv);
        return NULL;
    }
    return srv;
}

void galley_server_free(galley_server *srv)
{
    if (!srv || server_is_forked(srv)) {
        return; /* in a child: the parent's sockets and files hang on it */
    }
    if (srv->progress.has_thread) { /* its last words are about the rest of what is here */
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        (void)galley_server_join(srv, GALLEY_FOREVER, NULL);
    }
    if (srv->test) {
        test_client_lose_server(srv->test);
    }
    server_pools_free(srv);
    server_admission_free(srv);
    if (!srv->file_system_hangs) {
        mem_free(srv->loops);
        mem_free(srv->loop_handles);
    }
    release(srv);
}

galley_pool *galley_server_pool(galley_server *srv)
{
    return srv ? atomic_load_explicit(&srv->pool, memory_order_acquire) : NULL;
}
