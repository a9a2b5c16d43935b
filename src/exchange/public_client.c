/* exchange/public_client.c — galley_req_client(), galley_req_client_addr(), galley_req_scheme(),
 * galley_req_forwarded_host(): who asks, and for what, where proxies that are believed stand between
 * (client.h). On the handler's thread. */
#include "exchange/exchange.h"
#include "exchange/public_str.h"

#include <galley/forwarded.h>

static const galley_str nothing = {NULL, 0};

static const struct client *believed(const galley_request *rq)
{
    return exchange_client(exchange_of_request(rq));
}

static struct span make_text(struct exchange *exchange, const struct client *client)
{
    char text[ADDRESS_TEXT_MAX];
    if (client->address.family == 0) {
        return arena_copy(&exchange->arena, span_make(client->name, client->name_len));
    }
    size_t len = peer_address_format(text, &client->address);
    return arena_copy(&exchange->arena, span_make(text, len));
}

galley_str galley_req_client(const galley_request *rq)
{
    if (!rq || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    if (!exchange_client(exchange)) {
        return galley_req_peer(rq);
    }
    struct client *client = &exchange->client;
    if (!client->text.ptr) {
        client->text = make_text(exchange, client);
    }
    return str_of(client->text);
}

int galley_req_client_addr(const galley_request *rq, struct sockaddr_storage *addr, socklen_t *len)
{
    if (!rq || !addr || !len || !exchange_of_request(rq)->request.peer) {
        return GALLEY_EINVAL;
    }
    if (!OWNER_OK(exchange_of_request(rq))) {
        return GALLEY_ESTATE;
    }
    const struct client *client = believed(rq);
    if (!client) {
        return galley_req_peer_addr(rq, addr, len);
    }
    if (client->address.family == 0) {
        return GALLEY_ENOTFOUND;
    }
    *len = peer_address_to(&client->address, addr);
    return GALLEY_OK;
}

galley_str galley_req_scheme(const galley_request *rq)
{
    if (!rq || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    const struct client *client = believed(rq);
    bool is_told = client && client->scheme != FORWARDED_NO_SCHEME;
    bool is_https = is_told ? client->scheme == FORWARDED_HTTPS : galley_req_is_tls(rq);
    return str_of(is_https ? SPAN("https") : SPAN("http"));
}

galley_str galley_req_forwarded_host(const galley_request *rq)
{
    if (!rq || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    const struct client *client = believed(rq);
    return client ? str_of(client->host) : nothing;
}
