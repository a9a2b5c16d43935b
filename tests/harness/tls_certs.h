/* tests/harness/tls_certs.h — certificates, keys, lists and OCSP responses for tests, made on the
 * spot with libcrypto: no key is ever a file of this repository. Any failure ends the test.
 * Everything is in a folder of the test's own, which the test removes. */
#ifndef TESTS_HARNESS_TLS_CERTS_H
#define TESTS_HARNESS_TLS_CERTS_H

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

enum { CERT_PATH_MAX = 256, CERT_DAY_S = 24 * 3600 };

/** A certificate with its key. */
struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

/** What a certificate is to be; zeros are usual values. */
struct cert_wish {
    const char *key; /* "P-256" (usual), "P-384", "RSA:2048", "RSA:1024", "ED25519", "secp256k1" */
    const char *names;   /* subjectAltName as OpenSSL writes it: "DNS:a.example,IP:127.0.0.1" */
    const char *subject; /* common name */
    const struct cert *issuer; /* NULL: signs itself */
    bool is_authority;
    int64_t from_s; /* from now; usual: a day ago */
    int64_t for_s;  /* after from_s; usual: ten days */
    bool has_sha1;  /* signed with SHA-1 */
};

struct cert cert_make(const struct cert_wish *wish);
void cert_free(struct cert *cert);

/** A folder that is the caller's to remove. */
void cert_folder_make(char out[CERT_PATH_MAX]);
void cert_folder_remove(const char *folder);

/** FOLDER/NAME; path is static memory with room for 32. */
const char *cert_path(const char *folder, const char *name);
/** The certificate, then those of `more` (ended by NULL); the file is replaced at once. */
void cert_write(const char *path, const struct cert *cert, const struct cert *const *more);
/** passphrase NULL: in the clear. */
void cert_write_key(const char *path, const struct cert *cert, const char *passphrase);
void cert_write_text(const char *path, const void *text, size_t len);

/** What an OCSP response says of `about`, signed by `issuer`. */
struct ocsp_wish {
    const struct cert *about;
    const struct cert *issuer;
    const struct cert *signer; /* NULL: the issuer */
    int status;                /* V_OCSP_CERTSTATUS_... */
    int64_t from_s;            /* from now */
    int64_t for_s;             /* 0: without nextUpdate */
};
void ocsp_write(const char *path, const struct ocsp_wish *wish);

#endif
