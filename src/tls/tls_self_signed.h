/* tls/tls_self_signed.h — a certificate for development, made in memory: nothing is written to the
 * disk, and no client trusts it unless somebody compares the fingerprint. Set-up thread or a
 * reload's; takes a millisecond. */
#ifndef TLS_TLS_SELF_SIGNED_H
#define TLS_TLS_SELF_SIGNED_H

#include "tls/tls_certs.h"

/** ECDSA P-256, for 90 days, for localhost, 127.0.0.1, ::1, the machine's own name, that with
 *  ".local", and the given names and addresses. 0, GALLEY_EINVAL (a name that is none),
 *  GALLEY_ENOMEM. */
int tls_self_signed_make(struct tls_pair *pair, const char *const *names, unsigned count,
                         int64_t now_s, galley_error *err);
/** Should a new one take its place? In its last 30 days. */
bool tls_self_signed_is_old(const struct tls_pair *pair, int64_t now_s);
/** Another owner of the same certificate and key. False: no memory. */
bool tls_self_signed_share(struct tls_pair *pair, const struct tls_pair *other);

#endif
