/* tests/unit/tls/support_transport.c — see support_transport.h. */
#include "support_transport.h"

#include "test.h"
#include "tls/tls_set.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- contexts -------------------------------------------------------------------------------- */

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    EXPECT(cert != NULL);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    EXPECT(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen = NULL;
    int rc = SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len);
    *out = chosen;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *tls_world_server_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EXPECT(context && key);
    X509 *cert = make_certificate(key);
    EXPECT_INT(SSL_CTX_use_certificate(context, cert), 1);
    EXPECT_INT(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return context;
}

void tls_world_open_over(struct tls_world *world, int version, enum loop_backend_kind backend)
{
    *world = (struct tls_world){0};
    struct loop_options options = {.backend = backend};
    world->loop = loop_create(&options, NULL);
    if (!world->loop && backend == LOOP_BACKEND_URING) {
        test_skip("io_uring cannot be had");
    }
    EXPECT(world->loop != NULL);
    world->shared = tls_shared_create(world->loop);
    EXPECT(world->shared != NULL);
    world->server = tls_world_server_context();
    world->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(world->client, version);
    SSL_CTX_set_max_proto_version(world->client, version);
}

void tls_world_open(struct tls_world *world, int version)
{
    tls_world_open_over(world, version, LOOP_BACKEND_SIM);
}

void tls_world_close(struct tls_world *world)
{
    SSL_CTX_free(world->server);
    SSL_CTX_free(world->client);
    tls_shared_destroy(world->shared);
    loop_destroy(world->loop);
}

/* ---- the owner ------------------------------------------------------------------------------- */

static struct tls_end *end_of(struct transport *transport)
{
    return CONTAINER_OF(transport, struct tls_end, transport);
}

static void told_ready(struct transport *transport, int result)
{
    struct tls_end *end = end_of(transport);
    EXPECT(!end->is_in_start);
    end->ready = result;
    end->calls.ready++;
    if (end->on_ready) {
        end->on_ready(end);
    } else if (end->reads) {
        tls_end_recv(end);
    }
}

static void told_closed(struct transport *transport)
{
    struct tls_end *end = end_of(transport);
    EXPECT(!end->is_in_start);
    EXPECT_INT(end->calls.recvs, end->calls.recv_starts);
    EXPECT_INT(end->calls.sends, end->calls.send_starts);
    end->calls.closed++;
}

static void told_received(struct loop_op *op)
{
    struct tls_end *end = CONTAINER_OF(op, struct tls_end, recv_op);
    EXPECT(!end->is_in_start && !op->is_pending);
    end->calls.recvs++;
    end->recv_result = op->result;
    if (op->result > 0) {
        EXPECT((size_t)op->result <= op->max_bytes);
        buf_append(&end->got, op->data, (size_t)op->result);
        memset(op->data, 0, (size_t)op->result); /* the owner may write there */
    }
    if (end->on_received) {
        end->on_received(end);
    } else if (op->result > 0 && end->reads) {
        tls_end_recv(end);
    }
}

void tls_end_recv(struct tls_end *end)
{
    bool was_in_start = end->is_in_start;
    end->is_in_start = true;
    end->calls.recv_starts++;
    transport_recv(&end->transport, &end->recv_op, end->max_bytes, told_received);
    end->is_in_start = was_in_start;
}

static void drop_sent(struct tls_end *end, size_t n)
{
    if (end->file.fd >= 0) {
        end->file.offset += (off_t)n;
        end->file.len -= n;
        return;
    }
    while (end->piece_count > 0 && n >= end->pieces[0].iov_len) {
        n -= end->pieces[0].iov_len;
        end->piece_count--;
        memmove(end->pieces, end->pieces + 1, sizeof *end->pieces * (size_t)end->piece_count);
    }
    if (n > 0) {
        EXPECT(end->piece_count > 0); /* never more than was given */
        end->pieces[0].iov_base = (char *)end->pieces[0].iov_base + n;
        end->pieces[0].iov_len -= n;
    }
}

static void told_sent(struct loop_op *op)
{
    struct tls_end *end = CONTAINER_OF(op, struct tls_end, send_op);
    EXPECT(!end->is_in_start && !op->is_pending);
    end->calls.sends++;
    end->send_result = op->result;
    if (op->result > 0) {
        end->sent += (size_t)op->result;
        drop_sent(end, (size_t)op->result);
    }
    bool has_more = end->file.fd >= 0 ? end->file.len > 0 : end->piece_count > 0;
    if (op->result > 0 && has_more) {
        tls_end_send_pieces(end);
    } else if (end->on_sent) {
        end->on_sent(end);
    }
}

void tls_end_send_pieces(struct tls_end *end)
{
    bool was_in_start = end->is_in_start;
    end->is_in_start = true;
    end->calls.send_starts++;
    end->send_op.is_last = end->is_last;
    if (end->file.fd >= 0) {
        transport_send_file(&end->transport, &end->send_op, end->file.fd, end->file.offset,
                            end->file.len, told_sent);
    } else {
        end->send_op.more_follows = end->more_follows;
        transport_send(&end->transport, &end->send_op, end->pieces, end->piece_count, told_sent);
    }
    end->is_in_start = was_in_start;
}

void tls_end_send(struct tls_end *end, const void *data, size_t len)
{
    end->pieces[0] = (struct iovec){(void *)(uintptr_t)data, len};
    end->piece_count = 1;
    tls_end_send_pieces(end);
}

int tls_end_shutdown(struct tls_end *end)
{
    end->is_in_start = true;
    int result = transport_shutdown_write(&end->transport);
    end->is_in_start = false;
    return result;
}

void tls_end_shut(struct tls_end *end, bool is_reset)
{
    bool was_in_start = end->is_in_start;
    end->is_in_start = true;
    transport_close(&end->transport, is_reset);
    end->is_in_start = was_in_start;
}

/* ---- both ends ------------------------------------------------------------------------------- */

static void make_client(struct tls_end *end)
{
    static const unsigned char names[] = "\x08http/1.1\x02h2";
    end->client = SSL_new(end->world->client);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    EXPECT(end->client && in && out);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(end->client, in, out);
    SSL_set_connect_state(end->client);
    SSL_set_alpn_protos(end->client, names, sizeof names - 1);
}

void tls_end_prepare(struct tls_end *end, struct tls_world *world)
{
    *end = (struct tls_end){.world = world, .ready = NOT_TOLD, .reads = true};
    end->max_bytes = 64 * KB;
    end->file.fd = -1;
    buf_init(&end->got, 0);
    buf_init(&end->client_got, 0);
    buf_init(&end->wire, 0);
    end->peer = sim_pair(world->loop, &end->server_fd);
    EXPECT(end->peer != NULL);
    make_client(end);
}

static const struct transport_told told = {told_ready, told_closed};

static SSL_CTX *take_context(void *arg)
{
    struct tls_world *world = arg;
    SSL_CTX_up_ref(world->server);
    return world->server;
}

int tls_end_wrap(struct tls_end *end, struct span first)
{
    struct tls_opener opener;
    tls_opener_init(&opener, end->world->shared, take_context, end->world);
    return opener.opener.wrap(&opener.opener, &end->transport, first, &told);
}

int tls_end_start(struct tls_end *end)
{
    SSL_CTX_up_ref(end->world->server);
    return tls_transport_open(&end->transport, end->world->shared, end->server_fd,
                              end->world->server, &told);
}

void tls_end_open(struct tls_end *end, struct tls_world *world)
{
    tls_end_prepare(end, world);
    EXPECT_INT(tls_end_start(end), 0);
}

void tls_end_connect(struct tls_end *end, struct tls_world *world)
{
    tls_end_open(end, world);
    tls_end_run(end);
    EXPECT_INT(end->ready, 0);
}

void tls_end_close(struct tls_end *end)
{
    if (end->transport.state && end->transport.socket.fd != -1) {
        tls_end_shut(end, true);
    }
    sim_advance(end->world->loop, 2000);
    EXPECT_INT(end->calls.closed, 1);
    EXPECT(end->calls.ready <= 1);
    tls_end_drop(end);
}

void tls_end_drop(struct tls_end *end)
{
    sim_peer_free(end->peer);
    sim_run(end->world->loop);
    SSL_free(end->client);
    ERR_clear_error();
    buf_finish(&end->got);
    buf_finish(&end->client_got);
    buf_finish(&end->wire);
}

static void client_read(struct tls_end *end)
{
    char data[4 * KB];
    for (;;) {
        size_t got = 0;
        ERR_clear_error();
        int rc = SSL_is_init_finished(end->client) ? 1 : SSL_do_handshake(end->client);
        rc = rc == 1 ? SSL_read_ex(end->client, data, sizeof data, &got) : rc;
        if (rc <= 0) {
            int why = SSL_get_error(end->client, rc);
            end->client_end = why == SSL_ERROR_WANT_READ ? end->client_end : why;
            return;
        }
        buf_append(&end->client_got, data, got);
    }
}

struct buf tls_client_step(struct tls_end *end)
{
    struct buf out;
    buf_init(&out, 0);
    if (!end->client_reads_not) {
        struct span received = sim_received(end->peer);
        if (end->keeps_wire) {
            buf_append(&end->wire, received.ptr, received.len);
        }
        if (received.len > 0) {
            BIO_write(SSL_get_rbio(end->client), received.ptr, (int)received.len);
        }
        sim_consume(end->peer, received.len);
        client_read(end);
    }
    char *bytes = NULL;
    long n = BIO_get_mem_data(SSL_get_wbio(end->client), &bytes);
    if (n > 0) {
        buf_append(&out, bytes, (size_t)n);
        (void)BIO_reset(SSL_get_wbio(end->client));
    }
    return out;
}

static bool exchange(struct tls_end *end)
{
    struct buf out = tls_client_step(end);
    size_t piece = end->client_piece ? end->client_piece : out.len;
    for (size_t at = 0; at < out.len; at += piece) {
        size_t n = out.len - at < piece ? out.len - at : piece;
        (void)sim_send(end->peer, out.data + at, n);
        sim_run(end->world->loop);
    }
    bool has_said = out.len > 0;
    buf_finish(&out);
    sim_run(end->world->loop);
    return has_said || (sim_received(end->peer).len > 0 && !end->client_reads_not);
}

void tls_end_run(struct tls_end *end)
{
    sim_run(end->world->loop);
    while (exchange(end)) {
        /* until both are silent */
    }
}

void tls_client_write(struct tls_end *end, const void *data, size_t len)
{
    size_t written = 0;
    EXPECT_INT(SSL_write_ex(end->client, data, len, &written), 1);
    EXPECT_INT(written, len);
}

void tls_client_send_raw(struct tls_end *end, const void *data, size_t len)
{
    (void)sim_send(end->peer, data, len);
    sim_run(end->world->loop);
}

unsigned tls_records(const struct buf *wire, size_t from, uint8_t type, size_t *ret_largest)
{
    unsigned count = 0;
    *ret_largest = 0;
    for (size_t at = from; at + 5 <= wire->len;) {
        const unsigned char *head = (const unsigned char *)wire->data + at;
        size_t len = (size_t)head[3] << 8 | head[4];
        if (head[0] == type) {
            count++;
            *ret_largest = len > *ret_largest ? len : *ret_largest;
        }
        at += 5 + len;
    }
    return count;
}

void tls_fill(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)(i ^ i >> 8 ^ i >> 16);
    }
}

void tls_end_close_both(struct tls_world *world, struct tls_end *end)
{
    tls_end_close(end);
    tls_world_close(world);
}

/* ---- workers --------------------------------------------------------------------------------- */

void tls_await_post(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
        EXPECT_INT(errno, EINTR);
    }
}

bool tls_hello_may_pause(SSL *ssl)
{
    return BIO_ctrl(SSL_get_rbio(ssl), TLS_BIO_MAY_PAUSE, 0, NULL) > 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

int tls_make_file(char *data, size_t len)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT(fd >= 0);
    tls_fill(data, len);
    EXPECT_INT(write(fd, data, len), len);
    return fd;
}

void tls_end_send_file(struct tls_end *end, int fd, off_t offset, size_t len)
{
    end->file = (struct loop_file){.fd = fd, .offset = offset, .len = len};
    tls_end_send_pieces(end);
}

void tls_end_expect(const struct tls_end *end, const void *data, size_t len)
{
    EXPECT_INT(end->client_got.len, len);
    EXPECT(memcmp(end->client_got.data, data, len) == 0);
}
