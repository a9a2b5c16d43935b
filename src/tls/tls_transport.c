/* tls/tls_transport.c — a TLS connection from its first byte to its last call: the order in which
 * everything is done (tls_run), and what all connections of a loop share; see
 * tls_transport.h. On the loop's thread. The memory goes in the socket's last call, never inside a
 * call of the owner's. */
#include "tls/tls_transport.h"

#include "base/alloc.h"
#include "base/check.h"
#include "tls/tls_link.h"
#include "tls/tls_peer.h"
#include "tls/tls_set.h"

#include <openssl/err.h>

/* ---- the order of things --------------------------------------------------------------------- */

static void cancel_owner(struct tls_link *link)
{
    if (link->recv.op) {
        tls_recv_finish(link, -ECANCELED);
    }
    if (link->send.op && !link->send.is_awaiting) {
        tls_send_finish(link, -ECANCELED);
    }
}

/* What tells of one send may start the next, which is known at once if yet another follows it. */
static void run_sends(struct tls_link *link)
{
    tls_send_run(link);
    if (link->send.result != 0 && !link->is_closing) {
        tls_send_tell(link);
        tls_send_run(link);
    }
    if (link->send.result != 0) {
        tls_run_later(link);
    }
}

static void run_steps(struct tls_link *link)
{
    if (!link->is_closing) {
        tls_send_tell(link);
        tls_shake_run(link);
        tls_recv_run(link);
        run_sends(link);
    }
    if (link->is_closing) {
        cancel_owner(link);
    }
    tls_farewell_run(link);
    if (!link->send.holds_back) {
        tls_out_flush(link);
    }
    tls_recv_want(link);
}

/* Who is away, or goes there in its handshake, is not touched until it is back. */
void tls_run(struct tls_link *link)
{
    if (!link->is_socket_closed && !link->away) {
        link->is_running = true;
        run_steps(link);
        link->is_running = false;
    }
}

static void end_link(struct tls_link *link);

static void on_later(struct loop_post *post)
{
    struct tls_link *link = CONTAINER_OF(post, struct tls_link, later);
    link->is_later = false;
    if (link->was_called_closed) {
        end_link(link);
    } else {
        tls_run(link);
    }
}

void tls_run_later(struct tls_link *link)
{
    if (!link->is_later) {
        link->is_later = true;
        link->later.run = on_later;
        loop_later(link->shared->loop, &link->later);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A session that OpenSSL takes for broken would be looked for in a list that all threads share. */
static void free_ssl(SSL *ssl)
{
    if (ssl) {
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        tls_set_leave(SSL_get_SSL_CTX(ssl));
        SSL_free(ssl);
    }
}

static void free_link(struct tls_link *link)
{
    list_remove(&link->waiting);
    tls_warm_leave(link);
    tls_out_release(link);
    free_ssl(link->ssl);
    tls_facts_unref(link->facts);
    mem_free(link->kept);
    link->shared->live--;
    mem_free(link);
}

/* What the owner starts in its last callbacks is called back too. It may ask for facts up to the
 * end of the last one, in which the transport's memory goes. */
static void end_link(struct tls_link *link)
{
    struct transport *transport = link->transport;
    cancel_owner(link);
    if (link->is_later) {
        return;
    }
    transport->closed(transport);
    free_link(link);
}

static void on_socket_closed(struct loop_socket *socket)
{
    struct transport *transport = CONTAINER_OF(socket, struct transport, socket);
    struct tls_link *link = transport->state;
    link->was_called_closed = true;
    end_link(link);
}

/* ---- birth ----------------------------------------------------------------------------------- */

static struct span agreed(const struct transport *transport)
{
    const struct tls_link *link = transport->state;
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(link->ssl, &name, &len);
    return name ? span_make((const char *)name, len) : SPAN_NONE;
}

static struct tls_facts *facts(const struct transport *transport)
{
    struct tls_link *link = transport->state;
    if (!link->facts) {
        link->facts = tls_peer_facts(link->ssl);
    }
    return link->facts;
}

static const char *why(const struct transport *transport)
{
    const struct tls_link *link = transport->state;
    return link->error ? ERR_reason_error_string(link->error) : NULL;
}

static const struct transport_ops tls_ops = {
    .name = "tls",
    .recv = tls_recv_start,
    .send = tls_send_start,
    .send_file = tls_send_file_start,
    .shutdown_write = tls_shutdown_write,
    .close = tls_close,
    .agreed = agreed,
    .facts = facts,
    .why = why,
};

static int make_ssl(struct tls_link *link, SSL_CTX *context)
{
    tls_bio_prepare();
    link->ssl = SSL_new(context);
    int result = link->ssl ? tls_bio_attach(link) : -ENOMEM;
    if (result < 0) {
        ERR_clear_error();
        return result;
    }
    /* A record that carries nothing for us comes back to us: tls_recv.c counts them. */
    SSL_clear_mode(link->ssl, SSL_MODE_AUTO_RETRY);
    SSL_set_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_read_ahead(link->ssl, 0); /* what OpenSSL has not asked for stays ours */
    SSL_set_accept_state(link->ssl);
    return 0;
}

static struct tls_link *make_link(struct tls_shared *shared, SSL_CTX *take_context)
{
    struct tls_link *link = take_context ? mem_alloc_zero(1, sizeof *link) : NULL;
    if (link) {
        shared->live++;
        link->shared = shared;
        list_init(&link->waiting);
        link->recv.end = TLS_NOT_ENDED;
        link->send.small_left = TLS_SMALL_RECORDS_FOR;
        link->send.last_ms = loop_now_ms(shared->loop);
        if (make_ssl(link, take_context) < 0) {
            free_link(link);
            link = NULL;
        }
    }
    SSL_CTX_free(take_context); /* the SSL has a reference of its own */
    return link;
}

static void take_transport(struct tls_link *link, struct transport *transport,
                           const struct transport_told *told)
{
    link->transport = transport;
    link->ready = told->ready;
    transport->ops = &tls_ops;
    transport->loop = link->shared->loop;
    transport->closed = told->closed;
    transport->state = link;
}

int tls_transport_open(struct transport *transport, struct tls_shared *shared, int fd,
                       SSL_CTX *take_context, const struct transport_told *told)
{
    struct tls_link *link = make_link(shared, take_context);
    if (!link) {
        return -ENOMEM;
    }
    int result = loop_socket_open(shared->loop, &transport->socket, fd, LOOP_SOCKET_STREAM,
                                  on_socket_closed);
    if (result < 0) {
        free_link(link);
        return result;
    }
    take_transport(link, transport, told);
    tls_recv_want(link);
    return 0;
}

static int wrap(struct tls_link *link, struct transport *transport, struct span first,
                const struct transport_told *told)
{
    tls_recv_given(link, first.ptr, first.len);
    tls_recv_keep(link);
    if (link->recv.end != TLS_NOT_ENDED) {
        return -ENOMEM;
    }
    take_transport(link, transport, told);
    transport->socket.closed = on_socket_closed;
    if (first.len > 0) {
        tls_run_later(link);
    } else {
        tls_recv_want(link);
    }
    return 0;
}

static const struct tls_opener *opener_of(const struct transport_opener *base)
{
    return (const struct tls_opener *)((const char *)base - offsetof(struct tls_opener, opener));
}

static int open_tls(const struct transport_opener *base, struct transport *transport, int fd,
                    const struct transport_told *told)
{
    const struct tls_opener *opener = opener_of(base);
    return tls_transport_open(transport, opener->shared, fd, opener->take_context(opener->arg),
                              told);
}

static int wrap_in_tls(const struct transport_opener *base, struct transport *transport,
                       struct span first, const struct transport_told *told)
{
    const struct tls_opener *opener = opener_of(base);
    DEBUG_CHECK(!transport->socket.reading && !transport->socket.writing);
    struct tls_link *link = make_link(opener->shared, opener->take_context(opener->arg));
    int result = link ? wrap(link, transport, first, told) : -ENOMEM;
    if (link && result < 0) {
        free_link(link);
    }
    return result;
}

void tls_opener_init(struct tls_opener *opener, struct tls_shared *shared,
                     SSL_CTX *(*take_context)(void *arg), void *arg)
{
    *opener = (struct tls_opener){.opener = {.open = open_tls, .wrap = wrap_in_tls},
                                  .shared = shared,
                                  .take_context = take_context,
                                  .arg = arg};
}

SSL *tls_transport_ssl(const struct transport *transport)
{
    return transport->ops == &tls_ops ? ((struct tls_link *)transport->state)->ssl : NULL;
}

/* ---- a loop's ---------------------------------------------------------------------------------
 */

struct tls_shared *tls_shared_create(struct loop *loop)
{
    struct tls_shared *shared = mem_alloc(sizeof *shared);
    if (!shared) {
        return NULL;
    }
    shared->loop = loop;
    shared->pool = NULL;
    shared->conns = NULL;
    memset(shared->spare_outs, 0, sizeof shared->spare_outs);
    shared->live = 0;
    shared->warm = (struct tls_warm){0};
    tls_shake_init(&shared->shaking);
    shared->method = tls_bio_method();
    if (!shared->method) {
        mem_free(shared);
        return NULL;
    }
    return shared;
}

void tls_shared_use_pool(struct tls_shared *shared, galley_pool *pool, const unsigned *conns)
{
    shared->pool = pool;
    shared->conns = conns;
}

void tls_shared_destroy(struct tls_shared *shared)
{
    if (shared) {
        CHECK(shared->live == 0 && !shared->shaking.is_later);
        tls_warm_finish(shared);
        tls_outs_finish(shared);
        BIO_meth_free(shared->method);
        mem_free(shared);
    }
}
