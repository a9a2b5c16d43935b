/* tests/unit/observe/support_exchange.h — an exchange that has just ended, as a driver would leave
 * it, filled by hand. Defaults: GET / HTTP/1.1 from 192.0.2.7, 200 with 5 of 5 bytes, begun 3 ms
 * ago, no agent, no referer. */
#ifndef SUPPORT_EXCHANGE_H
#define SUPPORT_EXCHANGE_H

#include "exchange/exchange.h"

struct ended {
    struct exchange exchange;
    struct exchange_services services;
    struct fields fields;
    struct field lines[8];
    struct peer_address peer;
};

void ended_init(struct ended *ended);
/** Asked by a proxy that is believed, for this address, or for this name. */
void ended_client(struct ended *ended, const struct peer_address *address, const char *name);
void ended_target(struct ended *ended, struct span target);
void ended_agent(struct ended *ended, struct span agent);
void ended_referer(struct ended *ended, struct span referer);

#endif
