/* tls/tls_context.h — what stands behind a galley_tls: the set of certificates in use, the keys of
 * tickets, and the exchange of the one while connections are made.
 *
 * tls_context_acquire() is for every loop at any time: it takes no lock. Building and exchanging
 * sets blocks and belongs on a thread that may. The context outlives every connection made from
 * it. */
#ifndef TLS_TLS_CONTEXT_H
#define TLS_TLS_CONTEXT_H

#include "tls/tls_options.h"

#include <openssl/types.h>
#include <pthread.h>

struct galley_tls {
    atomic_uint refs; /* the program's, and one for each watch; acq_rel: the last one frees */
    struct tls_options options;
    struct tls_tickets *tickets; /* NULL: none */
    pthread_mutex_t reload_lock;
    uint64_t stamp; /* under it: the files behind front, as they were before they were read */
    _Atomic(SSL_CTX *) front; /* one reference; partner: readers */
    atomic_uint readers;      /* between looking at front and having a reference of their own */
};

/** As galley_tls_new(); clock NULL: the real ones. */
galley_tls *tls_context_create(const galley_tls_options *opt, const struct tls_clock *clock,
                               galley_error *err);

/** Who may still need it when the program has freed it. */
galley_tls *tls_context_ref(galley_tls *tls);
/** Any thread. */
void tls_context_unref(galley_tls *tls);

/** Are the files others now than those in use? For who watches from now on. Blocks on the file
 *  system, and while they are read again. Any thread. */
bool tls_context_is_outdated(galley_tls *tls);

/** For a new connection: one reference, for SSL_new() and then SSL_CTX_free(), which may come in
 *  this order at once, for an SSL holds its own. Never NULL. Any thread; never waits. */
SSL_CTX *tls_context_acquire(galley_tls *tls);

/** Are there rules for clients at all? Else every host fits, and nobody needs to find it out. */
bool tls_context_has_rules(const SSL *ssl);
/** May a request for this host (without port; in any case) be answered on this connection, or must
 *  it come with its own handshake (RFC 9110 §15.5.20: 421)? It must when its rule for clients is
 *  not the one that the connection was made under. On the connection's loop. */
bool tls_context_host_fits(const SSL *ssl, struct span host);

#endif
