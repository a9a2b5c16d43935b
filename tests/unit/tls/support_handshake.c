/* tests/unit/tls/support_handshake.c — see support_handshake.h. */
#include "support_handshake.h"

#include "test.h"

#include <openssl/err.h>

enum { ROUNDS = 20, PROTOCOLS_BYTES = 64 };

/* ---- the client ------------------------------------------------------------------------------ */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct handshake *hs = SSL_get_app_data(ssl);
    SSL_SESSION_free(hs->session);
    hs->session = session;
    return 1; /* ours now */
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct handshake *hs = SSL_get_app_data(ssl);
    bool is_fatal = (value >> 8) == SSL3_AL_FATAL;
    if (hs && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && is_fatal) {
        hs->alert = value & 255;
    }
}

static void set_alpn(SSL *ssl, const char *list)
{
    unsigned char wire[PROTOCOLS_BYTES];
    unsigned len = 0;
    while (*list) {
        size_t name = strcspn(list, ",");
        EXPECT(len + name + 1 < sizeof wire);
        wire[len] = (unsigned char)name;
        memcpy(wire + len + 1, list, name);
        len += (unsigned)name + 1;
        list += name + (list[name] == ',');
    }
    EXPECT_INT(SSL_set_alpn_protos(ssl, wire, len), 0);
}

/* OpenSSL's macros want text that could be written to. */
static char *loose(const char *text)
{
    return (char *)(uintptr_t)text;
}

static SSL_CTX *make_client_ctx(const struct client_wish *wish)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    EXPECT(ctx);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_info_callback(ctx, on_info);
    SSL_CTX_set_security_level(ctx, 0);
    if (wish->version) {
        EXPECT(SSL_CTX_set_min_proto_version(ctx, wish->version) == 1);
        EXPECT(SSL_CTX_set_max_proto_version(ctx, wish->version) == 1);
    }
    EXPECT(!wish->ciphers || SSL_CTX_set_cipher_list(ctx, wish->ciphers) == 1);
    EXPECT(!wish->sigalgs || SSL_CTX_set1_sigalgs_list(ctx, loose(wish->sigalgs)) == 1);
    EXPECT(!wish->groups || SSL_CTX_set1_groups_list(ctx, loose(wish->groups)) == 1);
    if (wish->certificate) {
        EXPECT(SSL_CTX_use_certificate(ctx, wish->certificate->x509) == 1);
        EXPECT(SSL_CTX_use_PrivateKey(ctx, wish->certificate->key) == 1);
    }
    return ctx;
}

static void set_up_client(struct handshake *hs, const struct client_wish *wish)
{
    hs->client_ctx = make_client_ctx(wish);
    hs->client = SSL_new(hs->client_ctx);
    EXPECT(hs->client);
    SSL_set_app_data(hs->client, hs);
    SSL_set_connect_state(hs->client);
    EXPECT(!wish->name || SSL_set_tlsext_host_name(hs->client, loose(wish->name)) == 1);
    if (wish->alpn) {
        set_alpn(hs->client, wish->alpn);
    }
    if (wish->session) { /* a copy: the client spoils one that was renewed or used up */
        SSL_SESSION *copy = SSL_SESSION_dup(wish->session);
        EXPECT(copy && (!wish->early || SSL_SESSION_set_max_early_data(copy, 1 << 14) == 1));
        EXPECT(SSL_set_session(hs->client, copy) == 1);
        SSL_SESSION_free(copy);
    }
    if (wish->wants_staple) {
        SSL_set_tlsext_status_type(hs->client, TLSEXT_STATUSTYPE_ocsp);
    }
}

/* ---- both ------------------------------------------------------------------------------------ */

static void join(struct handshake *hs)
{
    BIO *to_server = BIO_new(BIO_s_mem());
    BIO *to_client = BIO_new(BIO_s_mem());
    EXPECT(to_server && to_client);
    BIO_up_ref(to_server);
    BIO_up_ref(to_client);
    SSL_set_bio(hs->client, to_client, to_server);
    SSL_set_bio(hs->server, to_server, to_client);
    BIO_set_mem_eof_return(to_server, -1);
    BIO_set_mem_eof_return(to_client, -1);
}

static void send_early(struct handshake *hs, const char *early)
{
    size_t written = 0;
    EXPECT_INT(SSL_write_early_data(hs->client, early, strlen(early), &written), 1);
    EXPECT_INT(written, strlen(early));
}

/* Reading also takes the tickets that come after the handshake. */
static void turn(SSL *ssl)
{
    char byte;
    ERR_clear_error();
    (void)SSL_do_handshake(ssl);
    if (SSL_is_init_finished(ssl)) {
        (void)SSL_read(ssl, &byte, 1);
    }
    ERR_clear_error();
}

void handshake_pump(struct handshake *hs)
{
    for (int i = 0; i < ROUNDS; i++) {
        turn(hs->client);
        turn(hs->server);
    }
    hs->is_done =
        SSL_is_init_finished(hs->client) && SSL_is_init_finished(hs->server) && hs->alert < 0;
}

void handshake_run_front(struct handshake *hs, SSL_CTX *front, const struct client_wish *wish)
{
    *hs = (struct handshake){.alert = -1};
    set_up_client(hs, wish);
    hs->server = SSL_new(front);
    EXPECT(hs->server);
    SSL_set_app_data(hs->server, hs);
    SSL_set_info_callback(hs->server, on_info);
    SSL_set_accept_state(hs->server);
    join(hs);
    if (wish->early) {
        send_early(hs, wish->early);
    }
    handshake_pump(hs);
}

void handshake_run(struct handshake *hs, galley_tls *tls, const struct client_wish *wish)
{
    SSL_CTX *front = tls_context_acquire(tls);
    handshake_run_front(hs, front, wish);
    SSL_CTX_free(front);
}

void handshake_finish(struct handshake *hs)
{
    /* an end without close_notify would spoil the session for the client */
    SSL_set_shutdown(hs->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(hs->client);
    SSL_free(hs->server);
    SSL_CTX_free(hs->client_ctx);
    SSL_SESSION_free(hs->session);
    *hs = (struct handshake){0};
}

bool handshake_works(galley_tls *tls, const struct client_wish *wish)
{
    struct handshake hs;
    handshake_run(&hs, tls, wish);
    bool works = hs.is_done;
    handshake_finish(&hs);
    return works;
}

const char *handshake_subject(const struct handshake *hs)
{
    static _Thread_local char text[64];
    const X509 *certificate = SSL_get0_peer_certificate(hs->client);
    text[0] = '\0';
    if (certificate) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                        sizeof text);
    }
    return text;
}

const char *handshake_alpn(const struct handshake *hs)
{
    static _Thread_local char text[PROTOCOLS_BYTES];
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(hs->client, &name, &len);
    (void)snprintf(text, sizeof text, "%.*s", (int)len, name ? (const char *)name : "");
    return text;
}

void handshake_expect_subject(galley_tls *tls, const char *subject)
{
    struct handshake hs;
    handshake_run(&hs, tls, &(struct client_wish){.name = "a.example"});
    EXPECT(hs.is_done);
    EXPECT_TEXT(handshake_subject(&hs), subject);
    handshake_finish(&hs);
}
