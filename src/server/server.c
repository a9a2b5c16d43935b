/* server/server.c — a server's making and setting up; see galley/server.h. Set-up thread, before
 * the run. Set-up calls go through settle(), which keeps the first failure. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"

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
    for (unsigned i = 0; i < srv->listener_count; i++) {
        listener_close(&srv->listeners[i]); /* the name stays, for galley_server_address() */
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
    server_config_finish(&srv->config);
    mem_free(srv->names);
    mem_free(srv->listeners);
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
    if (!srv) {
        return;
    }
    if (srv->progress.has_thread) {
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        (void)galley_server_join(srv, GALLEY_FOREVER, NULL);
    }
    server_pools_free(srv);
    if (!srv->file_system_hangs) {
        mem_free(srv->loops);
        mem_free(srv->loop_handles);
    }
    release(srv);
}

/* ---- set-up calls ---- */

/* The first failure is kept for galley_server_run(). */
static int settle(galley_server *srv, int rc, const galley_error *err)
{
    if (rc != GALLEY_OK && srv->first_error.code == GALLEY_OK) {
        srv->first_error = *err;
        srv->first_error.code = rc;
    }
    return rc;
}

static bool is_setting_up(galley_server *srv)
{
    pthread_mutex_lock(&srv->lock);
    bool is_so = srv->progress.phase == SERVER_SETTING_UP;
    pthread_mutex_unlock(&srv->lock);
    return is_so;
}

static int add_listener(galley_server *srv, const char *text, galley_error *err)
{
    struct address address;
    int rc = address_parse(&address, span_of(text), err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    size_t count = srv->listener_count;
    struct listener *grown = mem_resize(srv->listeners, (count + 1) * sizeof *grown);
    if (!grown) {
        return error_set(err, GALLEY_ENOMEM, "listen %s: out of memory", text);
    }
    srv->listeners = grown;
    rc = listener_open(&grown[count], &address, err);
    if (rc == GALLEY_OK) {
        srv->listener_count++;
    }
    return rc;
}

int galley_server_listen(galley_server *srv, const char *address)
{
    galley_error err = {0};
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (!is_setting_up(srv)) {
        return GALLEY_ESTATE;
    }
    int rc = address ? add_listener(srv, address, &err)
                     : error_set(&err, GALLEY_EINVAL, "listen: no address was given");
    return settle(srv, rc, &err);
}

int galley_server_port(const galley_server *srv, unsigned index)
{
    return srv && index < srv->listener_count ? (int)listener_port(&srv->listeners[index])
                                              : GALLEY_EINVAL;
}

galley_str galley_server_address(const galley_server *srv, unsigned index)
{
    if (!srv || index >= srv->listener_count) {
        return (galley_str){NULL, 0};
    }
    const char *name = srv->listeners[index].name;
    return (galley_str){name, strlen(name)};
}

/* Files are answered on the loop: what may block there is given to the file threads. */
static int adjust_for_static(struct route_target *target, galley_error *err)
{
    if (target->handler != galley_static_serve) {
        return GALLEY_OK;
    }
    target->on_loop = true;
    target->never_stalls = true;
    target->body_mode = EXCHANGE_BODY_DISCARD;
    target->pool = NULL;
    return target->arg ? GALLEY_OK
                       : error_set(err, GALLEY_EINVAL,
                                   "route: galley_static_serve needs a galley_static as its arg");
}

static int make_target(galley_server *srv, struct route_target *target,
                       const galley_route_options *opt, galley_error *err)
{
    if (!target->handler) {
        return error_set(err, GALLEY_EINVAL, "route: no handler was given");
    }
    int rc = server_route_from_options(target, opt, &srv->config, err);
    return rc == GALLEY_OK ? adjust_for_static(target, err) : rc;
}

int galley_server_route(galley_server *srv, const char *pattern, galley_handler *fn, void *arg,
                        const galley_route_options *opt)
{
    galley_error err = {0};
    struct route_target target = {.handler = fn, .arg = arg};
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (!is_setting_up(srv)) {
        return GALLEY_ESTATE;
    }
    int rc = pattern ? make_target(srv, &target, opt, &err)
                     : error_set(&err, GALLEY_EINVAL, "route: no pattern was given");
    if (rc == GALLEY_OK) {
        rc = router_add(srv->routes->router, span_of(pattern), &target, &err);
    }
    return settle(srv, rc, &err);
}

int galley_server_fallback(galley_server *srv, galley_handler *fn, void *arg,
                           const galley_route_options *opt)
{
    galley_error err = {0};
    struct route_target target = {.handler = fn, .arg = arg};
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (!is_setting_up(srv)) {
        return GALLEY_ESTATE;
    }
    int rc = make_target(srv, &target, opt, &err);
    if (rc == GALLEY_OK) {
        rc = router_set_fallback(srv->routes->router, &target, &err);
    }
    return settle(srv, rc, &err);
}

int galley_server_access_log(galley_server *srv, const galley_access_log_options *opt)
{
    galley_error err = {0};
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (!is_setting_up(srv)) {
        return GALLEY_ESTATE;
    }
    struct access_log *log = access_log_create(opt, &srv->log, &err);
    if (log) {
        access_log_destroy(atomic_exchange(&srv->access_log, log));
    }
    return settle(srv, log ? GALLEY_OK : err.code, &err);
}

galley_pool *galley_server_pool(galley_server *srv)
{
    return srv ? atomic_load_explicit(&srv->pool, memory_order_acquire) : NULL;
}
