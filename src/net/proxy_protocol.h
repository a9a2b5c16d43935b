/* net/proxy_protocol.h — the header that a proxy puts before a connection's bytes to say for whom
 * it speaks: HAProxy's PROXY protocol, versions 1 (text) and 2 (binary),
 * https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt. Read before anything else of the
 * connection, TLS included. Pure and restartable: the same bytes are given again, with more behind
 * them. Whether the peer may speak for others is the caller's to know (net/networks.h). Strict: two
 * readings of one header would be two clients. Any thread. */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "net/address.h"

/** Of a whole header. Version 1 ends within 107 bytes; version 2 may carry a certificate's text. */
enum { PROXY_MAX_BYTES = 4096, PROXY_V1_MAX_BYTES = 107 };

enum proxy_result {
    PROXY_WHOLE,
    PROXY_MORE, /* all right so far: at most PROXY_MAX_BYTES in all */
    PROXY_BAD,  /* no header, or a broken one: close without an answer */
};

struct proxy_header {
    size_t bytes; /* of the header: what stands behind it is the client's */
    struct peer_address
        source; /* family 0: not told ("UNKNOWN", LOCAL, other families): the peer */
    struct peer_address destination;
    unsigned version;
};

enum proxy_result proxy_header_parse(struct span bytes, struct proxy_header *ret);

#endif
