/* tls/tls_transport.h — a transport whose bytes travel through TLS: OpenSSL between the loop's
 * operations and the connection's. Made by the server for each TLS connection, by way of the opener
 * that conn/ is given; used through net/transport.h. What all TLS connections of one loop share
 * (scratch memory, output buffers) is one struct tls_shared. Everything on the loop's thread, but a
 * step of a handshake that another thread makes.
 *
 * OpenSSL calls no socket: it reads what a recv of the loop has just brought, and writes into an
 * output buffer that exists only until it has been sent. */
#ifndef TLS_TLS_TRANSPORT_H
#define TLS_TLS_TRANSPORT_H

#include "loop/offload.h"
#include "net/transport.h"

#include <openssl/ssl.h>

struct tls_shared;

/** NULL: no memory. Once for each loop. */
struct tls_shared *tls_shared_create(struct loop *loop);
/** From now on steps of handshakes that sign slowly are made by this pool, as far as its queue has
 *  room; the others here. *conns says how many connections the loop has, with TLS or without: the
 *  only one stays here, too. Before the first connection; the pool has to be shut down before
 *  tls_shared_destroy(), and the loop turned afterwards. */
void tls_shared_use_pool(struct tls_shared *shared, galley_pool *pool, const unsigned *conns);
/** All its connections must have been called back as closed. NULL is allowed. */
void tls_shared_destroy(struct tls_shared *shared);
/** What one takes of the heap at most, besides the buffers in use. Any thread. */
uint64_t tls_shared_bytes(void);

/** Take fd over: the server's side of a handshake begins, and told->ready says how it ended. One
 *  reference of the context is taken over in each case. 0 or -errno, and then fd is still the
 *  caller's. */
int tls_transport_open(struct transport *transport, struct tls_shared *shared, int fd,
                       SSL_CTX *take_context, const struct transport_told *told);

/** A way to open such transports without knowing of TLS. */
struct tls_opener {
    struct transport_opener opener;
    struct tls_shared *shared;
    SSL_CTX *(*take_context)(void *arg); /* for the next connection: a reference of it, or NULL */
    void *arg;
};

void tls_opener_init(struct tls_opener *opener, struct tls_shared *shared,
                     SSL_CTX *(*take_context)(void *arg), void *arg);

/** To ask for names, certificates and versions, not to move bytes. NULL: this is no TLS. */
SSL *tls_transport_ssl(const struct transport *transport);

/** What an idle connection takes of the heap beside OpenSSL's own, and what is added while output
 * waits. Any thread. */
uint64_t tls_transport_idle_bytes(void);
uint64_t tls_transport_output_bytes(void);

/** What OpenSSL takes of the heap for an idle connection (beside what a client's certificates need),
 *  and what is added during a handshake, or while a record is made or opened. Measured, rounded up.
 *  Any thread. */
uint64_t tls_openssl_idle_bytes(void);
uint64_t tls_openssl_work_bytes(void);

#endif
