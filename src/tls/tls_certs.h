/* tls/tls_certs.h — one certificate with its chain and its key, read and checked. Loading blocks on
 * the file system: at the start, or on a pool thread for a reload. What is loaded never changes and
 * is read by all loops. A pair that passed here can be used: what is wrong with one is said at the
 * start, with the name of the file, and never found out by a client. */
#ifndef TLS_TLS_CERTS_H
#define TLS_TLS_CERTS_H

#include "tls/tls_names.h"
#include "tls/tls_ocsp.h"

#include <galley/tls.h>

#include <openssl/types.h>

struct tls_pair {
    X509 *leaf;
    struct stack_st_X509 *chain; /* what leads from the leaf to its root, without the leaf */
    EVP_PKEY *key;
    const char *cert_file; /* the options' */
    struct tls_ocsp ocsp;
    bool is_self_signed; /* made here */
};

/** files lives as long as the pair. 0, GALLEY_EINVAL, GALLEY_ESYS, GALLEY_ENOMEM. */
int tls_pair_load(struct tls_pair *pair, const galley_tls_pair *files, int64_t now_s,
                  galley_error *err);
/** Zeroed and half-loaded pairs are allowed. */
void tls_pair_finish(struct tls_pair *pair);

/** OpenSSL's number for the kind of key: a client takes one kind or another, never two. */
int tls_pair_kind(const struct tls_pair *pair);
/** Add the DNS names of subjectAltName; the common name is none (RFC 9525 §6.3). False: no
 * memory. */
bool tls_pair_add_names(const struct tls_pair *pair, struct tls_names *names, unsigned value);
/** Fill all but `size`. */
void tls_pair_report(const struct tls_pair *pair, galley_tls_certificate_report *report);

/** 0, or GALLEY_EINVAL: expired or not yet valid at now_s. `which` of the file's certificates it is
 *  begins at 1. */
int tls_certificate_check_time(const X509 *certificate, int which, const char *path, int64_t now_s,
                               galley_error *err);

enum { TLS_FINGERPRINT_BYTES = 96 };
/** SHA-256 of the certificate, "AB:CD:…"; "" when OpenSSL fails. */
void tls_certificate_fingerprint(const X509 *certificate, char out[TLS_FINGERPRINT_BYTES]);
/** Seconds since 1970; 0 when it is no time. */
int64_t tls_time_seconds(const ASN1_TIME *time);

#endif
