/* tls/tls_peer.h — what OpenSSL knows of a connection whose handshake is done, as a copy that other
 * threads may read. On the connection's loop. */
#ifndef TLS_TLS_PEER_H
#define TLS_TLS_PEER_H

#include "net/tls_facts.h"

#include <openssl/types.h>

/** One reference, for tls_facts_unref(). NULL: no memory. */
struct tls_facts *tls_peer_facts(const SSL *ssl);

/** The most that one takes of the heap; clients_show_certificates: there is a rule for clients. */
uint64_t tls_peer_most_bytes(bool clients_show_certificates);

#endif
