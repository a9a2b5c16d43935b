/* exchange/client.c — see client.h. The walk begins at the other end of the connection, or whom the
 * PROXY protocol named there. While the last one is believed, the next element to the left is taken:
 * it was written by that one. The first that is not believed is the client: what stands left of it
 * may be its own invention. If all are believed it is the leftmost; without the field, the proxy asks
 * for itself.
 *
 * What is malformed ends the walk, and the client is "unknown", as one that a proxy does not want to
 * name: it has no address, so no rule that goes by addresses lets it in. The proxy that wrote it
 * would be the other choice, and then whoever makes a proxy write nonsense would have the proxy's
 * rights. A status 400 would hit those who can do nothing for it. */
#include "exchange/client.h"

#include "http/host.h"

#include "exchange/exchange.h"

static void name_client(struct client *client, struct span name)
{
    client->address = (struct peer_address){0};
    client->name_len = (uint8_t)name.len; /* at most FORWARDED_NAME_MAX */
    memcpy(client->name, name.ptr, name.len);
}

static void take_hop(struct client *client, const struct forwarded_hop *hop)
{
    switch (hop->kind) {
    case FORWARDED_MALFORMED:
    case FORWARDED_UNKNOWN:
        name_client(client, SPAN("unknown"));
        break;
    case FORWARDED_NAME:
        name_client(client, span_make(hop->name, hop->name_len));
        break;
    case FORWARDED_IPV4:
    case FORWARDED_IPV6:
        client->address = (struct peer_address){
            .port = hop->port,
            .family = hop->kind == FORWARDED_IPV4 ? AF_INET : AF_INET6,
        };
        memcpy(client->address.bytes, hop->bytes, sizeof hop->bytes);
        break;
    }
}

static struct span host_copy(struct arena *arena, struct span value)
{
    struct host host;
    return value.ptr && host_parse(value, &host) == 0
               ? request_lower_copy(arena, host_bare_name(&host))
               : SPAN_NONE;
}

static void find(struct exchange *exchange, const struct forwarding *forwarding)
{
    struct request *request = &exchange->request;
    struct client *client = &exchange->client;
    struct forwarded_walk walk;
    struct forwarded_hop hop = {.kind = FORWARDED_UNKNOWN};
    client->address = *request->peer;
    client->name_len = 0;
    client->text = SPAN_NONE;
    forwarded_begin(&walk, request->fields, forwarding->family);
    while (networks_contain(&forwarding->networks, &client->address) &&
           forwarded_next(&walk, &hop)) {
        take_hop(client, &hop);
    }
    forwarded_complete(&walk, &hop);
    client->scheme = (uint8_t)hop.scheme;
    client->host = host_copy(&exchange->arena, hop.host);
}

/* The services are gone when an orphan asks; but then the exchange was retained, and somebody has
 * asked before. */
static enum client_state look(struct exchange *exchange)
{
    const struct forwarding *forwarding = exchange->services->forwarding;
    const struct request *request = &exchange->request;
    if (!forwarding || !request->peer || !request->fields ||
        !networks_contain(&forwarding->networks, request->peer)) {
        return CLIENT_IS_PEER;
    }
    find(exchange, forwarding);
    return CLIENT_IS_TOLD;
}

const struct client *exchange_client(struct exchange *exchange)
{
    if (exchange->client_state == CLIENT_NOT_ASKED) {
        exchange->client_state = (uint8_t)look(exchange);
    }
    return exchange->client_state == CLIENT_IS_TOLD ? &exchange->client : NULL;
}
