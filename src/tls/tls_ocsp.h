/* tls/tls_ocsp.h — an OCSP response from a file, to be sent along with a certificate (RFC 6066 §8,
 * RFC 8446 §4.4.2.1). Read and checked with the certificate; only a fresh one about this very
 * certificate is sent, because clients break off at others. Loading blocks; the rest is for all
 * loops at once. */
#ifndef TLS_TLS_OCSP_H
#define TLS_TLS_OCSP_H

#include "base/log.h"

#include <galley/base.h>

#include <openssl/types.h>
#include <stddef.h>

struct tls_ocsp {
    unsigned char *der; /* NULL: nothing to send */
    size_t len;
    int64_t until_s;        /* not sent afterwards */
    atomic_bool said_stale; /* relaxed: who sets it says it */
};

/** What a response is to be about. */
struct tls_ocsp_subject {
    X509 *leaf;
    X509 *issuer; /* NULL: not known */
    int64_t now_s;
};

/** Reads path. A response that must not be sent is told to the log, and the staple is empty. 0;
 *  GALLEY_EINVAL (no OCSP response in the file), GALLEY_ESYS, GALLEY_ENOMEM. */
int tls_ocsp_load(struct tls_ocsp *ocsp, const char *path, const struct tls_ocsp_subject *subject,
                  const struct log_sink *log, galley_error *err);
void tls_ocsp_finish(struct tls_ocsp *ocsp);
/** May it be sent now? Says it once when it has become too old. */
bool tls_ocsp_is_fresh(struct tls_ocsp *ocsp, int64_t now_s, const char *cert_file,
                       const struct log_sink *log);

#endif
