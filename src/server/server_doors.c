/* server/server_doors.c — what is spoken at each listener: a loop's own table of openers and
 * protocols, which its connections choose from. Made with the loop, on the thread that starts the
 * server; used on the loop.
 *
 * The program's galley_tls is asked for its certificates anew for each connection, so that a reload
 * counts from the next one on. */
#include "base/alloc.h"
#include "base/error.h"

#include "server/server_state.h"

enum { HTTP_1, HTTP_2, PLAIN };

static SSL_CTX *take_context(void *arg)
{
    return tls_context_acquire(arg);
}

/* With TLS the client chooses by ALPN (RFC 7301), and who does not gets the first one; without, its
 * first bytes tell (RFC 9113 §3.3). */
static void choose_protocols(struct server_door *door, const struct tls_options *tls)
{
    bool has_h1 = tls && tls->offers_http1;
    bool has_h2 = tls && tls->offers_h2;
    bool is_told_apart = !tls && !door->loop->server->config.no_plain_h2;
    bool is_h2_only = tls && !has_h1;
    const struct protocol *const *spoken = door->loop->drivers.spoken;
    door->entry.protocols = &spoken[is_told_apart ? PLAIN : is_h2_only ? HTTP_2 : HTTP_1];
    door->entry.protocol_count = tls ? (unsigned)has_h1 + has_h2 : 1;
}

static void make_door(struct server_door *door, struct server_loop *loop, galley_tls *tls)
{
    const struct networks *proxies = &loop->server->addresses.proxies;
    door->loop = loop;
    door->entry.proxies = proxies->count > 0 ? proxies : NULL;
    choose_protocols(door, tls ? &tls->options : NULL);
    if (tls) {
        tls_opener_init(&door->opener, loop->drivers.tls, take_context, tls);
        door->entry.opener = &door->opener.opener;
    }
}

int server_doors_make(struct server_loop *loop, unsigned count, galley_error *err)
{
    struct galley_server *srv = loop->server;
    loop->doors = mem_alloc_zero(count, sizeof *loop->doors);
    if (!loop->doors) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    loop->door_count = count;
    struct server_drivers *drivers = &loop->drivers;
    drivers->spoken[HTTP_1] = h1_driver_protocol(drivers->h1);
    drivers->spoken[HTTP_2] = h2_driver_protocol(drivers->h2);
    drivers->spoken[PLAIN] = &drivers->plain.protocol;
    for (unsigned i = 0; i < count; i++) {
        make_door(&loop->doors[i], loop, srv->test ? NULL : srv->addresses.list[i].tls);
    }
    return GALLEY_OK;
}

void server_doors_free(struct server_loop *loop)
{
    mem_free(loop->doors);
    loop->doors = NULL;
    loop->door_count = 0;
}
