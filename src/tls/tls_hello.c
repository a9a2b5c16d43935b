/* tls/tls_hello.c — what OpenSSL asks during a handshake: which certificate and rule (by the name
 * that the client asks for), which protocol, which OCSP response, which ticket key. On the thread
 * that makes the step: the connection's loop, or a worker; reads the set, changes only the
 * connection.
 *
 * The name is looked at in the ClientHello itself, before OpenSSL considers a ticket: a session is
 * bound to the name it was made for and to the rule for clients at that time, so that nobody gets
 * past a rule with a ticket from next door (CVE-2025-23419). */
#include "tls/tls_set.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

/* ---- server_name ----------------------------------------------------------------------------- */

/* What is not as RFC 6066 §3 wants it OpenSSL refuses when it reads the extension; here it is no
 * name. */
static struct span requested_name(SSL *ssl, char out[TLS_ASKED_MAX])
{
    const unsigned char *data = NULL;
    size_t len = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) != 1) {
        return SPAN_NONE;
    }
    return tls_name_asked(out, span_make((const char *)data, len));
}

/* RFC 8446 §4.6.1, RFC 6066 §3: no session of one name for another; and none that was made under
 * another rule, or before the authorities changed. */
static bool bind_session(SSL *ssl, const struct tls_identity *identity, struct span name)
{
    const EVP_MD *sha256 = identity->set->sha256;
    unsigned char bound[TLS_DIGEST_BYTES + TLS_ASKED_MAX] = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!identity->rule && name.len > 0 && name.len < SSL_MAX_SID_CTX_LENGTH) {
        /* as it is; what is hashed is longer, so the two are never taken for each other */
        return SSL_set_session_id_context(ssl, (const unsigned char *)name.ptr,
                                          (unsigned)name.len) == 1;
    }
    if (identity->rule) {
        memcpy(bound, identity->rule->digest, TLS_DIGEST_BYTES);
    }
    if (name.len > 0) {
        memcpy(bound + TLS_DIGEST_BYTES, name.ptr, name.len);
    }
    return EVP_Digest(bound, TLS_DIGEST_BYTES + name.len, digest, &len, sha256, NULL) == 1 &&
           SSL_set_session_id_context(ssl, digest, SSL_MAX_SID_CTX_LENGTH) == 1;
}

/* What follows signs. When it goes on OpenSSL asks all of this again: a few microseconds. */
static bool pauses_here(SSL *ssl, const struct tls_identity *identity)
{
    return identity->signs_slowly && BIO_ctrl(SSL_get_rbio(ssl), TLS_BIO_MAY_PAUSE, 0, NULL) > 0;
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_set *set = arg;
    char text[TLS_ASKED_MAX];
    struct span name = requested_name(ssl, text);
    const struct tls_identity *identity = tls_set_identity(set, name);
    if (set->options->is_strict && !identity->has_certificate) {
        /* RFC 6066 §3. For no name at all RFC 8446 §9.2 has an alert of its own, which OpenSSL
         * cannot send before the version is chosen. */
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!SSL_set_SSL_CTX(ssl, identity->ssl_ctx) || !bind_session(ssl, identity, name)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    SSL_set_verify(ssl, tls_client_rule_verify_mode(identity->rule), NULL);
    return pauses_here(ssl, identity) ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 6066 §3: a server that used the name says so with an empty extension. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK
                                                              : SSL_TLSEXT_ERR_NOACK;
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* RFC 7301 §3.2: without a protocol in common, no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
    const struct tls_set *set = arg;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, set->protocols, set->protocols_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct tls_pair *pair_in_use(const SSL *ssl, const struct tls_identity *identity)
{
    const X509 *leaf = SSL_get_certificate(ssl);
    for (unsigned i = 0; i < identity->pair_count; i++) {
        struct tls_pair *pair = &identity->set->pairs[identity->pairs[i]];
        if (pair->leaf == leaf) {
            return pair;
        }
    }
    return NULL;
}

/* RFC 6066 §8: the client has asked. */
static int on_status(SSL *ssl, void *arg)
{
    const struct tls_identity *identity = arg;
    const struct tls_options *options = identity->set->options;
    struct tls_pair *pair = pair_in_use(ssl, identity);
    if (!pair ||
        !tls_ocsp_is_fresh(&pair->ocsp, options->clock.wall_s(), pair->cert_file, &options->log)) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    unsigned char *copy = OPENSSL_memdup(pair->ocsp.der, pair->ocsp.len);
    if (!copy) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)pair->ocsp.len); /* takes it over */
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_sealing)
{
    struct tls_tickets *tickets = tls_identity_of(ssl)->set->tickets;
    int result = tls_tickets_use(tickets, name, iv, cipher, mac, is_sealing);
    /* RFC 8446 §C.4: with every connection a new ticket. Browsers use one of TLS 1.3 once only:
     * without it every second connection of theirs would be a full handshake. */
    bool asks_for_next = !is_sealing && result == 1 && SSL_version(ssl) == TLS1_3_VERSION;
    return asks_for_next ? 2 : result;
}

void tls_hello_attach(SSL_CTX *ssl_ctx, struct tls_identity *identity)
{
    SSL_CTX_set_client_hello_cb(ssl_ctx, on_client_hello, identity->set);
    SSL_CTX_set_tlsext_servername_callback(ssl_ctx, on_server_name);
    SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, identity->set);
    (void)SSL_CTX_set_tlsext_status_cb(ssl_ctx, on_status);
    (void)SSL_CTX_set_tlsext_status_arg(ssl_ctx, identity);
    if (identity->set->tickets) {
        (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket);
    }
}
