/* tests/unit/observe/support_exchange.c — see the header. */
#include "support_exchange.h"

void ended_init(struct ended *ended)
{
    memset(ended, 0, sizeof *ended);
    fields_init(&ended->fields, ended->lines, 8);
    ended->peer = (struct peer_address){.bytes = {192, 0, 2, 7}, .port = 4711, .family = AF_INET};
    struct request *request = &ended->exchange.request;
    request->method = METHOD_GET;
    request->method_name = SPAN("GET");
    request->raw_target = SPAN("/");
    request->version = 11;
    request->fields = &ended->fields;
    request->peer = &ended->peer;
    ended->exchange.services = &ended->services;
    ended->exchange.has_responded = true;
    ended->exchange.response.status = 200;
    ended->exchange.response.length = 5;
    ended->exchange.bytes_sent = 5;
    ended->exchange.began_ms = 1000;
}

void ended_target(struct ended *ended, struct span target)
{
    ended->exchange.request.raw_target = target;
}

void ended_agent(struct ended *ended, struct span agent)
{
    (void)fields_add_id(&ended->fields, FIELD_USER_AGENT, SPAN("User-Agent"), agent);
}

void ended_referer(struct ended *ended, struct span referer)
{
    (void)fields_add_id(&ended->fields, FIELD_REFERER, SPAN("Referer"), referer);
}

void ended_client(struct ended *ended, const struct peer_address *address, const char *name)
{
    struct client *client = &ended->exchange.client;
    ended->exchange.client_state = CLIENT_IS_TOLD;
    client->address = address ? *address : (struct peer_address){0};
    client->name_len = name ? (uint8_t)strlen(name) : 0;
    memcpy(client->name, name ? name : "", client->name_len);
}
