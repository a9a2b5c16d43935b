/* net/networks.h — a list of networks, to ask whether a peer is one of them: who may speak for
 * others by the PROXY protocol or by Forwarded. Filled on the set-up thread, then read-only and
 * for any thread. */
#ifndef NET_NETWORKS_H
#define NET_NETWORKS_H

#include "net/address.h"

struct network {
    uint8_t bytes[16];
    uint8_t family; /* AF_INET, AF_INET6, AF_UNIX */
    uint8_t bits;
};

/** Zeroed: empty. */
struct networks {
    struct network *list;
    unsigned count;
};

/** "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "unix" (whoever connects to a unix socket). A network
 *  with bits set behind its prefix is refused: it is a mistake. 0, GALLEY_EINVAL or GALLEY_ENOMEM
 *  with a sentence. */
int networks_add(struct networks *networks, struct span text, galley_error *err);
void networks_finish(struct networks *networks);

bool networks_contain(const struct networks *networks, const struct peer_address *peer);

#endif
