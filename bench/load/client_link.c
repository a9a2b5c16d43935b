/* bench/load/client_link.c — connections in clear and over TLS: see struct link in client.h. Over TLS
 * everything that a server may choose is offered once only, and looked at after each handshake. */
#include "client.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 10000, READ_AHEAD_BYTES = 64 * 1024, WORDS_BYTES = 128 };

static const char server_name[] = "localhost";
static const char cipher_13[] = "TLS_AES_128_GCM_SHA256";
static const char cipher_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256";

static SSL_CTX *context;
static unsigned char
    *newest; /* ticket, with its session, as bytes: OpenSSL spoils sessions that it used */
static int newest_len;
static int version;
static bool is_h2, resumes;
static char words[WORDS_BYTES];

static void fail_tls(const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    fail_with("%s: %s", what, reason ? reason : strerror(errno));
}

static int keep_ticket(SSL *tls, SSL_SESSION *session)
{
    (void)tls;
    if (resumes) {
        OPENSSL_free(newest);
        newest = NULL;
        newest_len = i2d_SSL_SESSION(session, &newest);
    }
    return 0; /* it is not ours */
}

static void offer_ticket(SSL *tls)
{
    const unsigned char *from = newest;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &from, newest_len);
    if (!session || SSL_set_session(tls, session) != 1) {
        fail_tls("a ticket");
    }
    SSL_SESSION_free(session); /* tls has it */
}

/* A certificate of TLS 1.2 needs its curve among the groups (RFC 8422 §5.1.1); key exchange is by the
 * first. */
static void offer_one_of_each(void)
{
    bool done = SSL_CTX_set_min_proto_version(context, version) == 1 &&
                SSL_CTX_set_max_proto_version(context, version) == 1 &&
                SSL_CTX_set_ciphersuites(context, cipher_13) == 1 &&
                SSL_CTX_set_cipher_list(context, cipher_12) == 1 &&
                SSL_CTX_set1_groups_list(context, version == TLS1_3_VERSION ? "X25519"
                                                                            : "X25519:P-256") == 1;
    static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
    const unsigned char *protocol = is_h2 ? h2 : h1;
    if (!done || SSL_CTX_set_alpn_protos(context, protocol, protocol[0] + 1U) != 0) {
        fail_tls("TLS");
    }
}

/* One connection that is closed again, for a ticket: with TLS 1.3 it may come behind the answer. */
static void get_ticket(const struct options *options)
{
    const struct request *request = &options->requests[0];
    struct link link;
    char buffer[READ_AHEAD_BYTES];
    link_connect(&link, options);
    link_shake_all(&link);
    if (link_send(&link, request->bytes, request->len) != (ssize_t)request->len) {
        fail_tls("a request for a ticket");
    }
    struct pollfd ready = {.fd = link.fd, .events = POLLIN};
    while (!newest) {
        ssize_t got = link_recv(&link, buffer, sizeof buffer);
        if (got == 0 || (got < 0 && poll(&ready, 1, WAIT_MS) <= 0)) {
            fail_with("the server gives no ticket");
        }
    }
    link_close(&link);
}

void link_prepare(const struct options *options)
{
    if (!options->tls) {
        return;
    }
    version = options->tls;
    is_h2 = options->is_h2;
    context = need(SSL_CTX_new(TLS_client_method()));
    offer_one_of_each();
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* of a stranger; signatures are checked */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF); /* answers have a length */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    resumes = options->resumes;
    if (resumes) {
        get_ticket(options);
    }
}

/* ---- handshakes ---- */

static void check_handshake(const struct link *link)
{
    SSL *tls = link->tls;
    const char *cipher = SSL_get_cipher_name(tls);
    const char *wanted = version == TLS1_3_VERSION ? cipher_13 : cipher_12;
    bool was_resumed = SSL_session_reused(tls) == 1;
    if (SSL_version(tls) != version || strcmp(cipher, wanted) != 0) {
        fail_with("negotiated %s %s", SSL_get_version(tls), cipher);
    }
    if (was_resumed != link->is_resuming) {
        fail_with("a handshake that was to be %s was %s", link->is_resuming ? "resumed" : "full",
                  was_resumed ? "resumed" : "full");
    }
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(tls, &protocol, &len);
    if (is_h2 && (len != 2 || memcmp(protocol, "h2", 2) != 0)) {
        fail_with("the server does not choose HTTP/2");
    }
    EVP_PKEY *key = NULL;
    if (SSL_get_peer_tmp_key(tls, &key) == 1 && EVP_PKEY_get_id(key) != EVP_PKEY_X25519) {
        fail_with("keys were not exchanged by X25519");
    }
    EVP_PKEY_free(key);
    snprintf(words, sizeof words, "%s %s %s", SSL_get_version(tls), cipher,
             was_resumed ? "resumed" : "full");
}

void link_connect(struct link *link, const struct options *options)
{
    *link = (struct link){.fd = connect_to(options->port), .is_open = !context};
    if (!context) {
        return;
    }
    link->tls = need(SSL_new(context));
    link->is_resuming = newest != NULL;
    if (SSL_set_fd(link->tls, link->fd) != 1 ||
        SSL_set_tlsext_host_name(link->tls, server_name) != 1) {
        fail_tls("TLS");
    }
    if (newest) {
        offer_ticket(link->tls);
    }
    link_shake(link);
}

bool link_shake(struct link *link)
{
    if (link->is_open) {
        return true;
    }
    ERR_clear_error();
    int result = SSL_connect(link->tls);
    if (result == 1) {
        check_handshake(link);
        link->is_open = true;
    } else if (SSL_get_error(link->tls, result) != SSL_ERROR_WANT_READ) {
        fail_tls("handshake"); /* what it sends fits any socket's buffer */
    }
    return link->is_open;
}

void link_shake_all(struct link *link)
{
    struct pollfd ready = {.fd = link->fd, .events = POLLIN};
    while (!link_shake(link)) {
        if (poll(&ready, 1, WAIT_MS) <= 0) {
            fail_with("no handshake for %d s", WAIT_MS / 1000);
        }
    }
}

void link_drop(struct link *link)
{
    SSL_free(link->tls);
    link->tls = NULL;
}

void link_close(struct link *link)
{
    link_drop(link);
    close(link->fd);
}

const char *link_words(void)
{
    return words;
}

/* ---- bytes ---- */

static ssize_t result_of(struct link *link, int result)
{
    switch (SSL_get_error(link->tls, result)) {
    case SSL_ERROR_NONE:
        return result;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        fail_tls("TLS");
        return -1;
    }
}

ssize_t link_send(struct link *link, const char *bytes, size_t len)
{
    if (!link->tls) {
        return send(link->fd, bytes, len, MSG_NOSIGNAL);
    }
    ERR_clear_error();
    return result_of(link, SSL_write(link->tls, bytes, (int)len));
}

ssize_t link_recv(struct link *link, char *bytes, size_t len)
{
    if (!link->tls) {
        return recv(link->fd, bytes, len, 0);
    }
    ERR_clear_error();
    return result_of(link, SSL_read(link->tls, bytes, (int)len));
}

bool link_has_more(const struct link *link)
{
    return link->tls && SSL_has_pending(link->tls);
}
