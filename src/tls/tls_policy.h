/* tls/tls_policy.h — what every handshake has in common: versions, ciphers, curves, and what is
 * off. Set on each SSL_CTX when a set of certificates is built; no system-wide configuration of
 * OpenSSL gets past it. */
#ifndef TLS_TLS_POLICY_H
#define TLS_TLS_POLICY_H

#include "tls/tls_options.h"

#include <openssl/types.h>

/** False: OpenSSL lacks something of it. */
bool tls_policy_apply(SSL_CTX *ssl_ctx, const struct tls_options *options);

#endif
