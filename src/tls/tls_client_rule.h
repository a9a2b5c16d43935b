/* tls/tls_client_rule.h — who may come to a host: the certificates that clients show, and who may
 * have signed them. Loaded with the certificates of the server; never changed afterwards. A list
 * of authorities that cannot be read fails the load: nothing falls back to the system's. */
#ifndef TLS_TLS_CLIENT_RULE_H
#define TLS_TLS_CLIENT_RULE_H

#include <galley/tls.h>

#include <openssl/types.h>

enum { TLS_DIGEST_BYTES = 32 };

struct tls_client_rule {
    int mode;                               /* GALLEY_TLS_CLIENT_... */
    X509_STORE *store;                      /* NULL when the mode is OFF */
    struct stack_st_X509_NAME *authorities; /* for the client to choose by */
    unsigned char digest[TLS_DIGEST_BYTES]; /* of mode and authorities; zeros when OFF */
};

/** 0, GALLEY_EINVAL, GALLEY_ESYS, GALLEY_ENOMEM. */
int tls_client_rule_load(struct tls_client_rule *rule, const galley_tls_client_rule *given,
                         galley_error *err);
/** Zeroed and half-loaded ones are allowed. */
void tls_client_rule_finish(struct tls_client_rule *rule);
/** Set the authorities of an SSL_CTX; rule may be NULL. False: no memory. */
bool tls_client_rule_apply(const struct tls_client_rule *rule, SSL_CTX *ssl_ctx);
/** SSL_VERIFY_... for a handshake; rule may be NULL. */
int tls_client_rule_verify_mode(const struct tls_client_rule *rule);

#endif
