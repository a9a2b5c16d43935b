/* server/server_tls.c — certificate files are watched by the first loop of each server that listens by
 * them, once for each galley_tls. */
#include "base/error.h"

#include "server/server_state.h"

/* Is it the first listener that has this one, and are there files to watch? */
static bool is_to_be_watched(const struct server_addresses *addresses, unsigned index)
{
    const galley_tls *tls = addresses->list[index].tls;
    for (unsigned i = 0; i < index; i++) {
        if (addresses->list[i].tls == tls) {
            return false;
        }
    }
    return tls && tls->options.is_watched && galley_tls_file(tls, 0);
}

int server_tls_watch(struct galley_server *srv, galley_error *err)
{
    struct server_addresses *addresses = &srv->addresses;
    for (unsigned i = 0; i < addresses->count && !srv->test; i++) {
        if (!is_to_be_watched(addresses, i)) {
            continue;
        }
        struct server_listener *listener = &addresses->list[i];
        listener->watch =
            tls_watch_create(listener->tls, srv->loops[0].loop, srv->pools.file, &srv->log);
        if (!listener->watch) {
            return error_set(err, GALLEY_ENOMEM, "server: out of memory");
        }
    }
    return GALLEY_OK;
}

void server_tls_unwatch(struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count; i++) {
        if (srv->addresses.list[i].watch) {
            tls_watch_stop(srv->addresses.list[i].watch);
        }
    }
}

void server_tls_forget(struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count; i++) {
        tls_watch_destroy(srv->addresses.list[i].watch);
        srv->addresses.list[i].watch = NULL;
    }
}
