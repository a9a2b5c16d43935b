/* tests/public/tls_client.h — a small blocking client of OpenSSL's for the C tests: one request after
 * the other, over HTTP/1.1 or HTTP/2, as ALPN says; loopback only, a deadline on every read. */
#ifndef TESTS_PUBLIC_TLS_CLIENT_H
#define TESTS_PUBLIC_TLS_CLIENT_H

#include "client.h"
#include "tls_certs.h"

#include <openssl/ssl.h>

/** What a client asks for; zeros are usual values. */
struct tls_wish {
    const char *name;               /* server name */
    const char *alpn;               /* "h2"; NULL: none is offered */
    int version;                    /* TLS1_2_VERSION; 0: any */
    const struct cert *certificate; /* to show; NULL: none */
    SSL_SESSION *session;           /* to resume */
};

struct tls_client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    uint32_t stream; /* of HTTP/2: the last one; 0: HTTP/1.1 or nothing yet */
    bool is_h2;
};

/** Without a word to the server; the session stays good. */
static inline void tls_client_close(struct tls_client *client)
{
    SSL_set_shutdown(client->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

static inline void tls_client_prepare(struct tls_client *client, const struct tls_wish *wish)
{
    client->context = SSL_CTX_new(TLS_client_method());
    EXPECT(client->context);
    if (wish->version) {
        SSL_CTX_set_min_proto_version(client->context, wish->version);
        SSL_CTX_set_max_proto_version(client->context, wish->version);
    }
    if (wish->certificate) {
        EXPECT_INT(SSL_CTX_use_certificate(client->context, wish->certificate->x509), 1);
        EXPECT_INT(SSL_CTX_use_PrivateKey(client->context, wish->certificate->key), 1);
    }
    client->ssl = SSL_new(client->context);
    EXPECT(client->ssl);
    if (wish->alpn) {
        unsigned char list[32] = {(unsigned char)strlen(wish->alpn)};
        memcpy(list + 1, wish->alpn, list[0]);
        EXPECT_INT(SSL_set_alpn_protos(client->ssl, list, list[0] + 1u), 0);
    }
    if (wish->name) {
        SSL_set_tlsext_host_name(client->ssl, wish->name);
    }
    if (wish->session) {
        EXPECT_INT(SSL_set_session(client->ssl, wish->session), 1);
    }
}

/** False: the handshake failed; to be closed in both cases. */
static inline bool tls_client_open(struct tls_client *client, int port, const struct tls_wish *wish)
{
    *client = (struct tls_client){.fd = client_connect(port)};
    tls_client_prepare(client, wish);
    SSL_set_fd(client->ssl, client->fd);
    client->is_h2 = wish->alpn && strcmp(wish->alpn, "h2") == 0;
    return SSL_connect(client->ssl) == 1;
}

static inline void tls_client_write(struct tls_client *client, const void *bytes, size_t len)
{
    EXPECT_INT(SSL_write(client->ssl, bytes, (int)len), (int)len);
}

/** False at the end. */
static inline bool tls_client_read(struct tls_client *client, void *bytes, size_t len)
{
    for (size_t have = 0; have < len;) {
        int got = SSL_read(client->ssl, (char *)bytes + have, (int)(len - have));
        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

/* ---- HTTP/1.1 -------------------------------------------------------------------------------- */

static inline int tls_client_answer_1(struct tls_client *client, char *body, size_t room)
{
    char head[2048];
    size_t len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        EXPECT(len + 1 < sizeof head);
        if (!tls_client_read(client, head + len, 1)) {
            return 0;
        }
        head[++len] = '\0';
    }
    const char *length = strstr(head, "Content-Length: ");
    size_t want = length ? strtoul(length + 16, NULL, 10) : 0;
    EXPECT(want < room && strncmp(head, "HTTP/1.1 ", 9) == 0);
    EXPECT(tls_client_read(client, body, want));
    body[want] = '\0';
    return (int)strtoul(head + 9, NULL, 10);
}

static inline void tls_client_send_1(struct tls_client *client, const char *path)
{
    char text[512];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", path);
    tls_client_write(client, text, (size_t)len);
}

/* ---- HTTP/2 (RFC 9113) ----------------------------------------------------------------------- */

/* HEADERS, with END_STREAM and END_HEADERS, of GET https://t/path (RFC 7541 appendix A). */
static inline void tls_client_send_2(struct tls_client *client, const char *path)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    unsigned char frame[256] = {0, 0, 0, 1, 5};
    size_t path_len = strlen(path), len = 9;
    EXPECT(path_len < 100);
    if (client->stream == 0) {
        tls_client_write(client, preface, sizeof preface - 1);
    }
    client->stream += client->stream == 0 ? 1 : 2;
    frame[8] = (unsigned char)client->stream;
    memcpy(frame + len, "\x82\x87\x41\x01t\x44", 6);
    len += 6;
    frame[len++] = (unsigned char)path_len;
    memcpy(frame + len, path, path_len);
    len += path_len;
    frame[2] = (unsigned char)(len - 9);
    tls_client_write(client, frame, len);
}

/* A frame; false at the end. */
static inline bool tls_client_frame(struct tls_client *client, unsigned char head[9],
                                    unsigned char payload[16384], size_t *ret_len)
{
    if (!tls_client_read(client, head, 9)) {
        return false;
    }
    *ret_len = ((size_t)head[0] << 16) | ((size_t)head[1] << 8) | head[2];
    EXPECT(*ret_len <= 16384);
    return tls_client_read(client, payload, *ret_len);
}

static inline int tls_client_answer_2(struct tls_client *client, char *body, size_t room)
{
    enum { DATA = 0, HEADERS = 1, END_STREAM = 1 };
    static unsigned char payload[16384];
    unsigned char head[9];
    size_t len = 0, got = 0;
    int status = 0;
    do {
        if (!tls_client_frame(client, head, payload, &got)) {
            return 0;
        }
        EXPECT(head[3] != 3 && head[3] != 7); /* RST_STREAM, GOAWAY */
        if (head[3] == HEADERS) {
            static const int known[] = {200, 204, 206, 304, 400, 404, 500};
            status = payload[0] >= 0x88 && payload[0] <= 0x8e ? known[payload[0] - 0x88] : 1;
        } else if (head[3] == DATA) {
            EXPECT(len + got < room);
            memcpy(body + len, payload, got);
            len += got;
        }
    } while (head[3] > HEADERS || !(head[4] & END_STREAM));
    body[len] = '\0';
    return status;
}

/* ---- either ---------------------------------------------------------------------------------- */

static inline void tls_client_send(struct tls_client *client, const char *path)
{
    if (client->is_h2) {
        tls_client_send_2(client, path);
    } else {
        tls_client_send_1(client, path);
    }
}

/** The status; 0: there was none. */
static inline int tls_client_get(struct tls_client *client, const char *path, char *body,
                                 size_t room)
{
    tls_client_send(client, path);
    return client->is_h2 ? tls_client_answer_2(client, body, room)
                         : tls_client_answer_1(client, body, room);
}

#endif
