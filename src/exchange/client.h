/* exchange/client.h — who asks: the connection's other end, or whom a proxy speaks for that the server
 * believes. Looked up once for a request, when somebody wants to know, at the latest when the
 * exchange is retained; on the thread that owns the exchange. Servers that believe nobody pay for
 * nothing; of a request from elsewhere nothing is read. */
#ifndef EXCHANGE_CLIENT_H
#define EXCHANGE_CLIENT_H

#include "base/span.h"
#include "http/forwarded.h"
#include "net/address.h"
#include "net/networks.h"

struct exchange;

/** Who may speak for others, and in which fields. Read-only while the server runs. */
struct forwarding {
    struct networks networks;
    enum forwarded_family family;
};

enum client_state {
    CLIENT_NOT_ASKED,
    CLIENT_IS_PEER, /* the other end is believed by nobody */
    CLIENT_IS_TOLD, /* exchange.client */
};

struct client {
    struct peer_address address; /* family 0: nobody knows it, there is a name */
    uint8_t scheme;              /* enum forwarded_scheme */
    uint8_t name_len;
    char name[FORWARDED_NAME_MAX]; /* "unknown", "_hidden" */
    struct span host;              /* as galley_req_host() gives one; ptr NULL: none */
    struct span text;              /* of galley_req_client(), when it has been asked for */
};

/** Whom the proxy at the other end speaks for; NULL: it is none that is believed, the client is the
 *  peer. Cannot fail. */
const struct client *exchange_client(struct exchange *exchange);

#endif
