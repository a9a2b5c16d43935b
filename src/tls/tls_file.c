/* tls/tls_file.c — see tls_file.h. */
#include "tls/tls_file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SHOWN_BYTES = 110, WHY_BYTES = 128, DER_SEQUENCE = 0x30 };

/* ---- bytes ----------------------------------------------------------------------------------- */

const char *tls_path_shown(const char *path)
{
    size_t len = strlen(path);
    return len > SHOWN_BYTES ? path + (len - SHOWN_BYTES) : path;
}

int tls_file_refuse(const struct tls_file *file, galley_error *err, const char *format, ...)
{
    char why[WHY_BYTES];
    va_list args;
    va_start(args, format);
    int written = vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return error_set(err, GALLEY_EINVAL, "%s %s: %s", file->what, tls_path_shown(file->path),
                     written < 0 ? "" : why);
}

static int refuse_sys(const struct tls_file *file, galley_error *err, int sys_errno)
{
    return error_set_sys(err, sys_errno, "%s %s", file->what, tls_path_shown(file->path));
}

static int read_content(struct tls_file *file, int fd, galley_error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return refuse_sys(file, err, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return tls_file_refuse(file, err, "not a regular file");
    }
    if (status.st_size > TLS_FILE_MAX_BYTES) {
        return tls_file_refuse(file, err, "larger than 4 MiB");
    }
    file->data = mem_alloc((size_t)status.st_size);
    if (!file->data) {
        return refuse_sys(file, err, ENOMEM);
    }
    ssize_t got = fd_read_at(fd, file->data, (size_t)status.st_size, 0);
    file->len = got < 0 ? 0 : (size_t)got;
    return got < 0 ? refuse_sys(file, err, (int)-got) : 0;
}

int tls_file_read(struct tls_file *file, const char *what, const char *path, galley_error *err)
{
    *file = (struct tls_file){.what = what, .path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return refuse_sys(file, err, errno);
    }
    int rc = read_content(file, fd, err);
    fd_close(&fd);
    if (rc != 0) {
        tls_file_finish(file);
    }
    return rc;
}

void tls_file_finish(struct tls_file *file)
{
    if (file->data) {
        OPENSSL_cleanse(file->data, file->len);
    }
    mem_free(file->data);
    file->data = NULL;
    file->len = 0;
}

/* ---- PEM ------------------------------------------------------------------------------------- */

/* OpenSSL would ask at the terminal if nobody else had an answer. Told whether it was asked. */
static int no_passphrase(char *out, int size, int for_writing, void *asked)
{
    (void)out;
    (void)size;
    (void)for_writing;
    *(bool *)asked = true;
    return -1;
}

static bool is_der(const struct tls_file *file)
{
    return file->len > 0 && (unsigned char)file->data[0] == DER_SEQUENCE;
}

static bool is_at_end_of_pem(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* What the end of a list means; ENOMEM is OpenSSL's. */
static int judge_end(const struct tls_file *file, int count, galley_error *err)
{
    if (!is_at_end_of_pem()) {
        return tls_file_refuse(file, err, "certificate %d in it is damaged", count + 1);
    }
    if (count > 0) {
        return 0;
    }
    return tls_file_refuse(file, err, "no PEM certificate in it%s",
                           is_der(file) ? "; it looks like DER, which openssl x509 converts" : "");
}

static BIO *bio_of(const struct tls_file *file)
{
    return BIO_new_mem_buf(file->len ? file->data : "", (int)file->len);
}

static int read_certificates(const struct tls_file *file, BIO *bio, struct stack_st_X509 *list,
                             galley_error *err)
{
    bool was_asked = false;
    X509 *certificate = NULL;
    while ((certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, &was_asked))) {
        if (sk_X509_push(list, certificate) <= 0) {
            X509_free(certificate);
            return refuse_sys(file, err, ENOMEM);
        }
    }
    return judge_end(file, sk_X509_num(list), err);
}

int tls_file_certificates(const struct tls_file *file, struct stack_st_X509 **ret,
                          galley_error *err)
{
    ERR_clear_error();
    BIO *bio = bio_of(file);
    struct stack_st_X509 *list = sk_X509_new_null();
    int rc = bio && list ? read_certificates(file, bio, list, err) : refuse_sys(file, err, ENOMEM);
    ERR_clear_error(); /* what is left there would be taken for a connection's failure */
    BIO_free(bio);
    if (rc == 0) {
        *ret = list;
    } else {
        sk_X509_pop_free(list, X509_free);
    }
    return rc;
}

static int judge_no_key(const struct tls_file *file, bool was_asked, galley_error *err)
{
    if (was_asked) {
        return tls_file_refuse(file, err,
                               "encrypted; it must be in the clear, readable by the "
                               "server only, as no passphrase is ever asked for");
    }
    return tls_file_refuse(file, err, "no PEM private key in it%s",
                           is_der(file) ? "; it looks like DER, which openssl pkey converts" : "");
}

int tls_file_key(const struct tls_file *file, EVP_PKEY **ret, galley_error *err)
{
    bool was_asked = false;
    ERR_clear_error();
    BIO *bio = bio_of(file);
    if (!bio) {
        return refuse_sys(file, err, ENOMEM);
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &was_asked);
    BIO_free(bio);
    ERR_clear_error();
    if (!key) {
        return judge_no_key(file, was_asked, err);
    }
    *ret = key;
    return 0;
}
