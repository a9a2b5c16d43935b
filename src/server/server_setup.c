/* server/server_setup.c — the set-up calls: listeners, routes, middleware, the access log. Set-up
 * thread, before the run. All go through settle(), which keeps the first failure for
 * galley_server_run(). */
#include "base/alloc.h"
#include "base/error.h"
#include "exchange/route_gate.h"

#include "server/server_state.h"

/* The first failure is kept for galley_server_run(). */
static int settle(galley_server *srv, int rc, const galley_error *err)
{
    if (rc != GALLEY_OK && srv->first_error.code == GALLEY_OK) {
        srv->first_error = *err;
        srv->first_error.code = rc;
    }
    return rc;
}

/* What no server can remember. */
static int check_setting_up(galley_server *srv)
{
    if (!srv) {
        return GALLEY_EINVAL;
    }
    if (server_is_forked(srv)) {
        return GALLEY_EFORKED;
    }
    pthread_mutex_lock(&srv->lock);
    bool is_so = srv->progress.phase == SERVER_SETTING_UP;
    pthread_mutex_unlock(&srv->lock);
    return is_so ? GALLEY_OK : GALLEY_ESTATE;
}

static int add_listener(galley_server *srv, const char *text, galley_tls *tls, galley_error *err)
{
    struct address address;
    int rc = address_parse(&address, span_of(text), err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    size_t count = srv->addresses.count;
    struct server_listener *grown = mem_resize(srv->addresses.list, (count + 1) * sizeof *grown);
    if (!grown) {
        return error_set(err, GALLEY_ENOMEM, "listen %s: out of memory", text);
    }
    srv->addresses.list = grown;
    rc = listener_open(&grown[count].socket, &address, err);
    if (rc == GALLEY_OK) {
        grown[count].tls = tls;
        grown[count].watch = NULL;
        srv->addresses.count++;
    }
    return rc;
}

static int listen_by(galley_server *srv, const char *address, galley_tls *tls)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = address ? add_listener(srv, address, tls, &err)
                 : error_set(&err, GALLEY_EINVAL, "listen: no address was given");
    return settle(srv, rc, &err);
}

int galley_server_listen(galley_server *srv, const char *address)
{
    return listen_by(srv, address, NULL);
}

int galley_server_listen_tls(galley_server *srv, const char *address, galley_tls *tls)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    if (rc == GALLEY_OK && !tls) {
        rc = error_set(&err, GALLEY_EINVAL, "listen: no certificates were given");
        return settle(srv, rc, &err);
    }
    return rc == GALLEY_OK ? listen_by(srv, address, tls) : rc;
}

int galley_server_proxy_from(galley_server *srv, const char *network)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = network ? networks_add(&srv->addresses.proxies, span_of(network), &err)
                 : error_set(&err, GALLEY_EINVAL, "proxy from: no network was given");
    return settle(srv, rc, &err);
}

static int believe(struct forwarding *forwarding, struct span network, int header,
                   galley_error *err)
{
    if (header != GALLEY_FORWARDED_X && header != GALLEY_FORWARDED_RFC7239) {
        return error_set(err, GALLEY_EINVAL, "forwarded from: no header has the number %d", header);
    }
    enum forwarded_family family = header == GALLEY_FORWARDED_X ? FORWARDED_X : FORWARDED_RFC7239;
    if (forwarding->networks.count > 0 && forwarding->family != family) {
        return error_set(err, GALLEY_EINVAL, "forwarded from: one server believes one header");
    }
    int rc = networks_add(&forwarding->networks, network, err);
    if (rc == GALLEY_OK) {
        forwarding->family = family;
    }
    return rc;
}

int galley_server_forwarded_from(galley_server *srv, const char *network, int header)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = network ? believe(&srv->addresses.forwarding, span_of(network), header, &err)
                 : error_set(&err, GALLEY_EINVAL, "forwarded from: no network was given");
    return settle(srv, rc, &err);
}

int galley_server_port(const galley_server *srv, unsigned index)
{
    return srv && index < srv->addresses.count
               ? (int)listener_port(&srv->addresses.list[index].socket)
               : GALLEY_EINVAL;
}

galley_str galley_server_address(const galley_server *srv, unsigned index)
{
    if (!srv || index >= srv->addresses.count) {
        return (galley_str){NULL, 0};
    }
    const char *name = srv->addresses.list[index].socket.name;
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
    target->compresses = false; /* files are compressed once, and kept */
    return target->arg ? GALLEY_OK
                       : error_set(err, GALLEY_EINVAL,
                                   "route: galley_static_serve needs a galley_static as its arg");
}

static int make_gate(struct route_target *target, galley_error *err)
{
    if (target->max_running == 0) {
        return GALLEY_OK;
    }
    target->gate = route_gate_create(target->max_running, target->max_waiting);
    return target->gate ? GALLEY_OK : error_set(err, GALLEY_ENOMEM, "route: out of memory");
}

/* The target's gate is the router's if it is added, else it goes. */
static int make_target(galley_server *srv, struct route_target *target,
                       const galley_route_options *opt, galley_error *err)
{
    if (!target->handler) {
        return error_set(err, GALLEY_EINVAL, "route: no handler was given");
    }
    int rc = server_route_from_options(target, opt, &srv->config, err);
    if (rc == GALLEY_OK) {
        rc = adjust_for_static(target, err);
    }
    return rc == GALLEY_OK ? make_gate(target, err) : rc;
}

int galley_server_route(galley_server *srv, const char *pattern, galley_handler *fn, void *arg,
                        const galley_route_options *opt)
{
    galley_error err = {0};
    struct route_target target = {.handler = fn, .arg = arg};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = pattern ? make_target(srv, &target, opt, &err)
                 : error_set(&err, GALLEY_EINVAL, "route: no pattern was given");
    if (rc == GALLEY_OK) {
        rc = router_add(srv->routes->router, span_of(pattern), &target, &err);
    }
    if (rc != GALLEY_OK) {
        route_gate_destroy(target.gate);
    }
    return settle(srv, rc, &err);
}

int galley_server_fallback(galley_server *srv, galley_handler *fn, void *arg,
                           const galley_route_options *opt)
{
    galley_error err = {0};
    struct route_target target = {.handler = fn, .arg = arg};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    rc = make_target(srv, &target, opt, &err);
    if (rc == GALLEY_OK) {
        rc = router_set_fallback(srv->routes->router, &target, &err);
    }
    if (rc != GALLEY_OK) {
        route_gate_destroy(target.gate);
    }
    return settle(srv, rc, &err);
}

static int add_middleware(galley_server *srv, const char *prefix, galley_middleware *fn, void *arg,
                          galley_error *err)
{
    if (!prefix || !fn) {
        return error_set(err, GALLEY_EINVAL, "middleware: no %s was given",
                         prefix ? "function" : "prefix");
    }
    return router_use(srv->routes->router, span_of(prefix), fn, arg, err);
}

int galley_server_use(galley_server *srv, const char *prefix, galley_middleware *fn, void *arg)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    return rc == GALLEY_OK ? settle(srv, add_middleware(srv, prefix, fn, arg, &err), &err) : rc;
}

int galley_server_access_log(galley_server *srv, const galley_access_log_options *opt)
{
    galley_error err = {0};
    int rc = check_setting_up(srv);
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct access_log *log = access_log_create(opt, &srv->log, &err);
    if (log) {
        access_log_destroy(atomic_exchange(&srv->access_log, log));
    }
    return settle(srv, log ? GALLEY_OK : err.code, &err);
}
