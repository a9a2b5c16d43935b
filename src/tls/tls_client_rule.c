/* tls/tls_client_rule.c — see tls_client_rule.h. */
#include "tls/tls_client_rule.h"

#include "base/error.h"
#include "tls/tls_file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

/* The name of an authority, once, though several certificates may have it. */
static bool add_authority(struct tls_client_rule *rule, X509 *certificate)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    for (int i = 0; i < sk_X509_NAME_num(rule->authorities); i++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(rule->authorities, i), name) == 0) {
            return true;
        }
    }
    X509_NAME *copy = X509_NAME_dup(name);
    if (!copy || sk_X509_NAME_push(rule->authorities, copy) <= 0) {
        X509_NAME_free(copy);
        return false;
    }
    return true;
}

static bool digest_certificate(EVP_MD_CTX *md, const X509 *certificate)
{
    unsigned char fingerprint[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return X509_digest(certificate, EVP_sha256(), fingerprint, &len) == 1 &&
           EVP_DigestUpdate(md, fingerprint, len) == 1;
}

static bool take_authorities(struct tls_client_rule *rule, struct stack_st_X509 *list,
                             EVP_MD_CTX *md)
{
    bool is_taken = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(md, &rule->mode, sizeof rule->mode) == 1;
    for (int i = 0; i < sk_X509_num(list) && is_taken; i++) {
        X509 *certificate = sk_X509_value(list, i);
        is_taken = X509_STORE_add_cert(rule->store, certificate) == 1 &&
                   add_authority(rule, certificate) && digest_certificate(md, certificate);
    }
    return is_taken && EVP_DigestFinal_ex(md, rule->digest, NULL) == 1;
}

static int out_of_memory(galley_error *err)
{
    return error_set(err, GALLEY_ENOMEM, "client certificates: out of memory");
}

static int load_authorities(struct tls_client_rule *rule, struct stack_st_X509 *list,
                            galley_error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    rule->store = X509_STORE_new();
    rule->authorities = sk_X509_NAME_new_null();
    bool is_taken = md && rule->store && rule->authorities && take_authorities(rule, list, md);
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return is_taken ? 0 : out_of_memory(err);
}

int tls_client_rule_load(struct tls_client_rule *rule, const galley_tls_client_rule *given,
                         galley_error *err)
{
    struct tls_file file;
    struct stack_st_X509 *list = NULL;
    *rule = (struct tls_client_rule){.mode = given->mode};
    if (given->mode == GALLEY_TLS_CLIENT_OFF) {
        return 0;
    }
    int rc = tls_file_read(&file, "client CA", given->ca_file, err);
    if (rc != 0) {
        return rc;
    }
    rc = tls_file_certificates(&file, &list, err);
    tls_file_finish(&file);
    if (rc == 0) {
        rc = load_authorities(rule, list, err);
        sk_X509_pop_free(list, X509_free);
    }
    if (rc != 0) {
        tls_client_rule_finish(rule);
    }
    return rc;
}

void tls_client_rule_finish(struct tls_client_rule *rule)
{
    X509_STORE_free(rule->store);
    sk_X509_NAME_pop_free(rule->authorities, X509_NAME_free);
    *rule = (struct tls_client_rule){0};
}

bool tls_client_rule_apply(const struct tls_client_rule *rule, SSL_CTX *ssl_ctx)
{
    if (!rule || rule->mode == GALLEY_TLS_CLIENT_OFF) {
        return true;
    }
    struct stack_st_X509_NAME *names = SSL_dup_CA_list(rule->authorities);
    if (!names) {
        return false;
    }
    SSL_CTX_set_client_CA_list(ssl_ctx, names);
    SSL_CTX_set1_cert_store(ssl_ctx, rule->store);
    return true;
}

/* A bad certificate fails the handshake also where none is needed: so no handler can forget to
 * look. */
int tls_client_rule_verify_mode(const struct tls_client_rule *rule)
{
    switch (rule ? rule->mode : GALLEY_TLS_CLIENT_OFF) {
    case GALLEY_TLS_CLIENT_REQUIRED:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case GALLEY_TLS_CLIENT_OPTIONAL:
        return SSL_VERIFY_PEER;
    default:
        return SSL_VERIFY_NONE;
    }
}
