/* tls/tls_file.h — the content of a certificate, key or list file, with one sentence when it cannot
 * be had. Blocks on the file system, so never on a loop. Keys pass through here: the memory is
 * wiped when it is given back. */
#ifndef TLS_TLS_FILE_H
#define TLS_TLS_FILE_H

#include "base/span.h"

#include <galley/base.h>

#include <openssl/types.h>

struct stack_st_X509; /* STACK_OF(X509) */

enum { TLS_FILE_MAX_BYTES = 4 << 20 };

struct tls_file {
    const char *what; /* "certificate", "key": begins the sentences about it */
    const char *path;
    char *data;
    size_t len;
};

/** Regular files of at most 4 MiB only, so that no FIFO holds up a start. 0, GALLEY_EINVAL,
 *  GALLEY_ESYS, GALLEY_ENOMEM. */
int tls_file_read(struct tls_file *file, const char *what, const char *path, galley_error *err);
void tls_file_finish(struct tls_file *file);

/** Refuse with "certificate /etc/x.pem: " and why. Always GALLEY_EINVAL. */
int tls_file_refuse(const struct tls_file *file, galley_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** What a path looks like in a sentence: its end, where all of it would leave no room for why. */
const char *tls_path_shown(const char *path);

/** All certificates of a PEM file, in their order; *ret is the caller's. At least one. 0,
 *  GALLEY_EINVAL, GALLEY_ENOMEM. */
int tls_file_certificates(const struct tls_file *file, struct stack_st_X509 **ret,
                          galley_error *err);
/** The private key. Never asks for a passphrase. 0, GALLEY_EINVAL, GALLEY_ENOMEM. */
int tls_file_key(const struct tls_file *file, EVP_PKEY **ret, galley_error *err);

#endif
