/* server/server_drivers.c — the protocols that a loop speaks: made with the loop, as far as the
 * listeners want them, on the thread that starts the server; counted while they live and
 * afterwards. */
#include "base/error.h"

#include "server/server_state.h"

/* A test client speaks HTTP/1.1 and nothing else. */
bool server_has_tls(const struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->addresses.count && !srv->test; i++) {
        if (srv->addresses.list[i].tls) {
            return true;
        }
    }
    return false;
}

int server_drivers_make(struct server_loop *loop, galley_error *err)
{
    const struct server_config *config = &loop->server->config;
    struct server_drivers *drivers = &loop->drivers;
    const struct h1_options h1 = {
        .limits = &config->limits,
        .max_requests = config->max_requests_per_connection,
    };
    const struct h2_options h2 = {
        .limits = &config->limits,
        .max_requests = config->max_requests_per_connection,
        .max_streams = config->max_streams,
    };
    bool has_tls = server_has_tls(loop->server);
    drivers->h1 = h1_driver_create(&loop->exchanges, &h1);
    drivers->h2 = drivers->h1 ? h2_driver_create(&loop->exchanges, &h2) : NULL;
    drivers->tls = has_tls ? tls_shared_create(loop->loop) : NULL;
    if (!drivers->h2 || (has_tls && !drivers->tls)) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    if (has_tls) {
        tls_shared_use_pool(drivers->tls, loop->server->pools.tls, &loop->conns.count);
    }
    preface_choice_init(&drivers->plain, h1_driver_protocol(drivers->h1),
                        h2_driver_protocol(drivers->h2), h2_preface());
    return GALLEY_OK;
}

void server_drivers_finish(struct server_drivers *drivers)
{
    if (drivers->h1) {
        drivers->h1_counters = *h1_driver_counters(drivers->h1);
        h1_driver_destroy(drivers->h1);
        drivers->h1 = NULL;
    }
    if (drivers->h2) {
        drivers->h2_counters = *h2_driver_counters(drivers->h2);
        h2_driver_destroy(drivers->h2);
        drivers->h2 = NULL;
    }
    tls_shared_destroy(drivers->tls);
    drivers->tls = NULL;
}

const struct h1_counters *server_h1_counters(const struct server_drivers *drivers)
{
    return drivers->h1 ? h1_driver_counters(drivers->h1) : &drivers->h1_counters;
}

const struct h2_counters *server_h2_counters(const struct server_drivers *drivers)
{
    return drivers->h2 ? h2_driver_counters(drivers->h2) : &drivers->h2_counters;
}
