/* tls/tls_set.h — the certificates and rules in use at one time. A set is built aside and checked
 * whole; from then on nobody changes it, and all loops read it without a lock.
 *
 * Two kinds of SSL_CTX: the front, which connections are made from and which has no certificate, so
 * that no handshake gets past the choice of an identity; and one for each identity, that is each
 * combination of certificates and rule which some name leads to. The front owns the set: the last
 * connection that was made from it ends the set, on that connection's loop. */
#ifndef TLS_TLS_SET_H
#define TLS_TLS_SET_H

#include "tls/tls_certs.h"
#include "tls/tls_client_rule.h"
#include "tls/tls_options.h"
#include "tls/tls_tickets.h"

#include <stdatomic.h>

enum { TLS_KINDS = 5 }; /* of keys: RSA, RSA-PSS, ECDSA, Ed25519, Ed448 */

struct tls_set;

/** What a client gets for the name it asks for. */
struct tls_identity {
    SSL_CTX *ssl_ctx;
    struct tls_set *set;
    unsigned pairs[TLS_KINDS]; /* numbers of set->pairs, one a kind */
    unsigned pair_count;
    const struct tls_client_rule *rule; /* NULL: no client is asked */
    bool has_certificate;               /* for the name, not the default one */
    bool signs_slowly;                  /* with one of its keys: for other threads than loops */
};

struct tls_set {
    atomic_uint left; /* written by who gives up a reference; partner: whoever ends the set */
    const struct tls_options *options; /* outlive every connection, as the tickets do */
    struct tls_tickets *tickets;       /* NULL: none */
    struct tls_pair *pairs;            /* the self-signed one last */
    unsigned pair_count;
    struct tls_client_rule *rules; /* in the order of the options */
    struct tls_identity **identities;
    unsigned identity_count;
    struct tls_names deep;       /* wildcards of rules: where names far below them lead */
    struct tls_names names;      /* which identity a name leads to */
    struct tls_identity *other;  /* where every other name leads */
    struct tls_identity front;   /* ssl_ctx has no certificate; not owned */
    EVP_MD *sha256;              /* fetched once: no handshake searches for it */
    unsigned char protocols[16]; /* for ALPN, RFC 7301 §3.1 */
    unsigned protocols_len;
};

/** Reads every file. *ret_front is one reference to a front; freeing it frees the set, too. The
 *  self-signed certificate of `before` (NULL: none) goes on while it is young. 0, GALLEY_EINVAL,
 *  GALLEY_ESYS, GALLEY_ENOMEM. */
int tls_set_build(SSL_CTX **ret_front, const struct tls_options *options,
                  struct tls_tickets *tickets, const struct tls_set *before, galley_error *err);
/** The set of a front or of an identity. */
struct tls_set *tls_set_of(const SSL_CTX *ssl_ctx);
/** Before a reference to a front goes that others may outlive: what this thread has read of the set
 *  was read before its end. Of an identity's SSL_CTX, too; of one that is not ours nothing happens. */
void tls_set_leave(const SSL_CTX *ssl_ctx);
/** Where a name leads; it is in lower case, or missing. */
struct tls_identity *tls_set_identity(const struct tls_set *set, struct span name);
/** The identity of a connection; the front before a name was seen. */
const struct tls_identity *tls_identity_of(const SSL *ssl);

/** tls_identities.c: one for every name, from pairs and rules. 0, GALLEY_EINVAL, GALLEY_ENOMEM. */
int tls_set_make_identities(struct tls_set *set, galley_error *err);
/** tls_set.c: an SSL_CTX with what all have in common. NULL: no memory. */
SSL_CTX *tls_set_new_ssl_ctx(struct tls_set *set, struct tls_identity *identity);
/** tls_hello.c: what is asked of us during a handshake. */
void tls_hello_attach(SSL_CTX *ssl_ctx, struct tls_identity *identity);

/** What tls_hello.c asks a connection's BIO by BIO_ctrl(): may the handshake pause behind the
 *  ClientHello, to go on on another thread? 1: it may; SSL_do_handshake() then says
 *  SSL_ERROR_WANT_CLIENT_HELLO_CB, and is called again. OpenSSL's own BIOs know nothing of it: 0. */
enum { TLS_BIO_MAY_PAUSE = 0x67616c };

#endif
