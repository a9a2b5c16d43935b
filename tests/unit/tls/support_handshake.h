/* tests/unit/tls/support_handshake.h — a client of OpenSSL's and one of our connections, joined by
 * memory: whole handshakes without sockets, and what came of them. */
#ifndef TESTS_UNIT_TLS_SUPPORT_HANDSHAKE_H
#define TESTS_UNIT_TLS_SUPPORT_HANDSHAKE_H

#include "tls_certs.h"

#include "tls/tls_context.h"

#include <openssl/ssl.h>

/** What the client does; zeros are usual values. */
struct client_wish {
    const char *name;               /* server_name; NULL: none */
    const char *alpn;               /* "h2,http/1.1"; NULL: none */
    int version;                    /* TLS1_2_VERSION, …; 0: any */
    const char *ciphers;            /* of TLS 1.2 */
    const char *sigalgs;            /* which certificates it can check */
    const char *groups;             /* key exchange */
    const struct cert *certificate; /* to show */
    SSL_SESSION *session;           /* to resume */
    bool wants_staple;
    const char *early; /* sent as early data, whatever the session allows; NULL: nothing */
};

struct handshake {
    SSL_CTX *client_ctx;
    SSL *client;
    SSL *server;
    bool is_done;         /* on both sides */
    int alert;            /* that the client or the server got; -1: none */
    SSL_SESSION *session; /* the newest that the client was given */
};

/** Runs it to its end. */
void handshake_run(struct handshake *hs, galley_tls *tls, const struct client_wish *wish);
/** The same with a front that the caller keeps. */
void handshake_run_front(struct handshake *hs, SSL_CTX *front, const struct client_wish *wish);
void handshake_finish(struct handshake *hs);
/** Go on until neither side has anything to say. */
void handshake_pump(struct handshake *hs);
/** Run and finish; true if it came to its end. */
bool handshake_works(galley_tls *tls, const struct client_wish *wish);

/** The common name of the certificate that the client saw; static memory, per thread. */
const char *handshake_subject(const struct handshake *hs);
/** A client that asks for "a.example" sees a certificate of that common name. */
void handshake_expect_subject(galley_tls *tls, const char *subject);
/** What the client was told of ALPN; "" for nothing. Static memory, per thread. */
const char *handshake_alpn(const struct handshake *hs);

#endif
