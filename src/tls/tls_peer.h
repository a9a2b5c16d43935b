/* tls/tls_peer.h — what a handshake told about a connection and its client: for handlers, which may
 * ask on other threads than the connection's, and for the log, which is written later. So it is a
 * copy, made once on the loop when the handshake is done, and never changed. */
#ifndef TLS_TLS_PEER_H
#define TLS_TLS_PEER_H

#include "base/span.h"

#include <openssl/types.h>

struct tls_peer {
    const char *protocol;    /* "TLSv1.3"; static */
    const char *cipher;      /* "TLS_AES_128_GCM_SHA256"; static */
    struct span server_name; /* that the client asked for, as it wrote it; missing: none */
    struct span alpn;        /* "h2"; missing: none */
    bool is_resumed;
    /* A certificate that the client showed and that one of the host's authorities signed. What
     * would be longer than a text may be is missing, never cut: a part can be somebody else. */
    bool has_client;
    struct span client_subject;     /* "CN=...", RFC 4514 */
    struct span client_names;       /* "DNS:a.example email:me@a.example", separated by spaces */
    struct span client_fingerprint; /* SHA-256, "AB:CD:..." */
};

/** Of a connection whose handshake is done; mem_free gives it back. NULL: no memory. */
struct tls_peer *tls_peer_create(const SSL *ssl);

#endif
