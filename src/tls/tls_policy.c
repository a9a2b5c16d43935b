/* tls/tls_policy.c — see tls_policy.h. Mozilla's "Server Side TLS", guideline 5.7, with two
 * changes: no finite-field DHE, whose handshake is the cheapest way to keep a server busy
 * (CVE-2002-20001) while every client that has it has ECDHE too; and the server's order counts, but
 * that a client which prefers ChaCha20 gets it. */
#include "tls/tls_policy.h"

#include <openssl/ssl.h>

/* RFC 9325 §4.2: AEAD and forward secrecy only. RFC 9113 §9.2.2 allows all of them for HTTP/2. */
static const char ciphers_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

enum { SECURITY_LEVEL = 2 }; /* 112 bits: no SHA-1 signature, no RSA below 2048 bits */

static bool set_versions(SSL_CTX *ssl_ctx, int policy)
{
    int least = policy == GALLEY_TLS_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;
    return SSL_CTX_set_min_proto_version(ssl_ctx, least) == 1 &&
           SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_3_VERSION) == 1;
}

static void set_options(SSL_CTX *ssl_ctx)
{
    SSL_CTX_clear_options(ssl_ctx, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                       SSL_OP_LEGACY_SERVER_CONNECT |
                                       SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    /* RFC 9325 §3.3: compression tells secrets. RFC 9113 §9.2.1: neither that nor renegotiation. */
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}

/* Sessions are the client's to keep: one ticket for each full handshake, half of OpenSSL's default,
 * because browsers make one connection for HTTP/2. */
static void set_sessions(SSL_CTX *ssl_ctx, const struct tls_options *options)
{
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ssl_ctx, (long)options->ticket_lifetime_s);
    (void)SSL_CTX_set_num_tickets(ssl_ctx, options->has_tickets ? 1 : 0);
    if (!options->has_tickets) {
        SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
    }
    /* RFC 8446 §8: early data can be replayed. Some comes all the same, with tickets of another server
     * that had this name before: so much is skipped (§4.2.10), and the handshake goes on. */
    (void)SSL_CTX_set_max_early_data(ssl_ctx, 0);
    (void)SSL_CTX_set_recv_max_early_data(ssl_ctx, SSL3_RT_MAX_PLAIN_LENGTH);
}

bool tls_policy_apply(SSL_CTX *ssl_ctx, const struct tls_options *options)
{
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro wants it writable */
    SSL_CTX_set_security_level(ssl_ctx, SECURITY_LEVEL);
    set_options(ssl_ctx);
    set_sessions(ssl_ctx, options);
    /* An idle connection holds no buffers. What is not in a certificate's file is not sent: OpenSSL
     * would make up a chain from the authorities of clients. */
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    return set_versions(ssl_ctx, options->policy) &&
           SSL_CTX_set_cipher_list(ssl_ctx, ciphers_12) == 1 &&
           SSL_CTX_set_ciphersuites(ssl_ctx, ciphers_13) == 1 &&
           SSL_CTX_set1_groups_list(ssl_ctx, groups) == 1;
}
