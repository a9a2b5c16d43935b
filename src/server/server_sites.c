/* server/server_sites.c — the static sites among the routes, and the one for galley_res_file(),
 * joined to the loops and taken off again. Set-up thread, but server_sites_stop(). */
#include "base/alloc.h"
#include "base/error.h"
#include "files/file_site.h"

#include "server/server_state.h"

static bool has_site(const struct galley_server *srv, const galley_static *site)
{
    for (unsigned i = 0; i < srv->sites.count; i++) {
        if (srv->sites.list[i] == site) {
            return true;
        }
    }
    return false;
}

static int add_site(struct galley_server *srv, galley_static *site, galley_error *err)
{
    size_t count = srv->sites.count;
    galley_static **grown = mem_resize(srv->sites.list, (count + 1) * sizeof(*grown));
    if (!grown) {
        return error_set(err, GALLEY_ENOMEM, "static site: out of memory");
    }
    srv->sites.list = grown;
    srv->sites.list[srv->sites.count++] = site;
    return GALLEY_OK;
}

static int collect(struct galley_server *srv, galley_error *err)
{
    srv->sites.count = 0;
    srv->sites.replies = file_site_for_replies(err);
    int rc = srv->sites.replies ? add_site(srv, srv->sites.replies, err) : err->code;
    size_t it = 0;
    for (struct route_target *target = NULL;
         rc == GALLEY_OK && (target = router_next(srv->routes->router, &it)) != NULL;) {
        if (target->handler == galley_static_serve && !has_site(srv, target->arg)) {
            rc = add_site(srv, target->arg, err);
        }
    }
    return rc;
}

static int attach(galley_static *site, const struct file_site_env *env, galley_error *err)
{
    int rc = file_site_attach(site, env);
    if (rc == GALLEY_ESTATE) {
        return error_set(err, rc, "static site: it is joined to another server that runs");
    }
    return rc ? error_set(err, rc, "static site: %s", galley_strerror(rc)) : rc;
}

int server_sites_attach(struct galley_server *srv, galley_error *err)
{
    struct file_site_env env = {
        .loops = srv->loop_handles,
        .loop_count = srv->config.loops,
        .file_pool = srv->pools.file,
        .idle_pool = srv->pools.idle,
        .log = &srv->log,
    };
    int rc = collect(srv, err);
    while (rc == GALLEY_OK && srv->sites.attached < srv->sites.count) {
        rc = attach(srv->sites.list[srv->sites.attached], &env, err);
        srv->sites.attached += rc == GALLEY_OK;
    }
    return rc;
}

void server_sites_stop(struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->sites.attached; i++) {
        file_site_stop(srv->sites.list[i]);
    }
}

void server_sites_detach(struct galley_server *srv)
{
    while (srv->sites.attached > 0) {
        file_site_detach(srv->sites.list[--srv->sites.attached]);
    }
    galley_static_free(srv->sites.replies);
    srv->sites.replies = NULL;
    srv->sites.count = 0;
}
