/* tls/tls_certs.c — see tls_certs.h. */
#include "tls/tls_certs.h"

#include "base/error.h"
#include "tls/tls_file.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

enum { LEAST_RSA_BITS = 2048, NAME_BYTES = 48, CURVE_BYTES = 32 };

/* ---- time ------------------------------------------------------------------------------------ */

int64_t tls_time_seconds(const ASN1_TIME *when)
{
    struct tm parts;
    return when && ASN1_TIME_to_tm(when, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static int refuse_time(const char *path, int which, const char *what, int64_t when_s,
                       galley_error *err)
{
    struct tm parts = {0};
    time_t when = (time_t)when_s;
    gmtime_r(&when, &parts);
    char ordinal[32] = "";
    if (which > 1) {
        (void)snprintf(ordinal, sizeof ordinal, "certificate %d in it ", which);
    }
    return error_set(err, GALLEY_EINVAL, "certificate %s: %s%s %04d-%02d-%02d %02d:%02d:%02d UTC",
                     tls_path_shown(path), ordinal, what, parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

int tls_certificate_check_time(const X509 *certificate, int which, const char *path, int64_t now_s,
                               galley_error *err)
{
    int64_t not_before = tls_time_seconds(X509_get0_notBefore(certificate));
    int64_t not_after = tls_time_seconds(X509_get0_notAfter(certificate));
    if (now_s < not_before) {
        return refuse_time(path, which, "is not valid before", not_before, err);
    }
    if (now_s > not_after) {
        return refuse_time(path, which, "expired on", not_after, err);
    }
    return 0;
}

/* ---- checks of a pair ------------------------------------------------------------------------ */

/* The curves of clients; OpenSSL has many more. */
static bool is_usual_curve(const EVP_PKEY *key)
{
    char curve[CURVE_BYTES] = "";
    return EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
           (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "secp384r1") == 0 ||
            strcmp(curve, "secp521r1") == 0);
}

static int check_strength(const struct tls_file *file, const EVP_PKEY *key, galley_error *err)
{
    int bits = EVP_PKEY_get_bits(key);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return bits >= LEAST_RSA_BITS ? 0
                                      : tls_file_refuse(file, err,
                                                        "RSA key of %d bits is too weak; at least "
                                                        "%d are needed",
                                                        bits, LEAST_RSA_BITS);
    case EVP_PKEY_EC:
        return is_usual_curve(key) ? 0
                                   : tls_file_refuse(file, err,
                                                     "its curve is none of P-256, P-384 and "
                                                     "P-521");
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return 0;
    default:
        return tls_file_refuse(file, err, "its key is neither RSA nor ECDSA nor Ed25519");
    }
}

/* RFC 8446 §4.4.2: each certificate certifies the one before it. A hole makes some clients fail,
 * those that do not fetch or know what is missing. */
static int check_link(const struct tls_file *file, struct stack_st_X509 *list, int at,
                      galley_error *err)
{
    X509 *subject = sk_X509_value(list, at - 1);
    X509 *issuer = sk_X509_value(list, at);
    bool is_issuer = X509_check_issued(issuer, subject) == X509_V_OK &&
                     X509_verify(subject, X509_get0_pubkey(issuer)) == 1;
    if (is_issuer) {
        return 0;
    }
    char name[NAME_BYTES] = "";
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(issuer), NID_commonName, name,
                                    sizeof name);
    return tls_file_refuse(file, err,
                           "the chain is broken: certificate %d in it (%s) did not issue "
                           "certificate %d",
                           at + 1, name, at);
}

static int check_chain(const struct tls_file *file, struct stack_st_X509 *list, int64_t now_s,
                       galley_error *err)
{
    int rc = 0;
    for (int i = 0; i < sk_X509_num(list) && rc == 0; i++) {
        rc = i > 0 ? check_link(file, list, i, err) : 0;
        if (rc == 0) {
            rc = tls_certificate_check_time(sk_X509_value(list, i), i + 1, file->path, now_s, err);
        }
    }
    return rc;
}

/* ---- loading --------------------------------------------------------------------------------- */

static int load_chain(struct tls_pair *pair, const galley_tls_pair *files, int64_t now_s,
                      galley_error *err)
{
    struct tls_file file;
    int rc = tls_file_read(&file, "certificate", files->cert_file, err);
    if (rc != 0) {
        return rc;
    }
    rc = tls_file_certificates(&file, &pair->chain, err);
    if (rc == 0) {
        rc = check_chain(&file, pair->chain, now_s, err);
    }
    if (rc == 0) {
        pair->leaf = sk_X509_shift(pair->chain);
        rc = check_strength(&file, X509_get0_pubkey(pair->leaf), err);
    }
    tls_file_finish(&file);
    return rc;
}

static int check_belongs(const struct tls_pair *pair, const galley_tls_pair *files,
                         galley_error *err)
{
    if (X509_check_private_key(pair->leaf, pair->key) == 1) {
        return 0;
    }
    /* two paths share the room of one */
    return error_set(err, GALLEY_EINVAL, "key %.90s: not the key of certificate %.90s",
                     tls_path_shown(files->key_file), tls_path_shown(files->cert_file));
}

static int load_key(struct tls_pair *pair, const galley_tls_pair *files, galley_error *err)
{
    struct tls_file file;
    int rc = tls_file_read(&file, "key", files->key_file, err);
    if (rc != 0) {
        return rc;
    }
    rc = tls_file_key(&file, &pair->key, err);
    tls_file_finish(&file);
    return rc == 0 ? check_belongs(pair, files, err) : rc;
}

int tls_pair_load(struct tls_pair *pair, const galley_tls_pair *files, int64_t now_s,
                  galley_error *err)
{
    *pair = (struct tls_pair){.cert_file = files->cert_file};
    int rc = load_chain(pair, files, now_s, err);
    if (rc == 0) {
        rc = load_key(pair, files, err);
    }
    if (rc != 0) {
        tls_pair_finish(pair);
    }
    return rc;
}

void tls_pair_finish(struct tls_pair *pair)
{
    X509_free(pair->leaf);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
    tls_ocsp_finish(&pair->ocsp);
    *pair = (struct tls_pair){0};
}

/* ---- looking in ------------------------------------------------------------------------------ */

int tls_pair_kind(const struct tls_pair *pair)
{
    return EVP_PKEY_get_base_id(pair->key);
}

static struct span dns_name(const GENERAL_NAME *name)
{
    int type = 0;
    const ASN1_STRING *text = GENERAL_NAME_get0_value(name, &type);
    return type == GEN_DNS ? span_make((const char *)ASN1_STRING_get0_data(text),
                                       (size_t)ASN1_STRING_length(text))
                           : SPAN_NONE;
}

bool tls_pair_add_names(const struct tls_pair *pair, struct tls_names *names, unsigned value)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(pair->leaf, NID_subject_alt_name, NULL, NULL);
    bool is_added = true;
    for (int i = 0; i < sk_GENERAL_NAME_num(all) && is_added; i++) {
        struct span name = dns_name(sk_GENERAL_NAME_value(all, i));
        is_added = !name.ptr || tls_names_add(names, name, value);
    }
    GENERAL_NAMES_free(all);
    return is_added;
}

void tls_certificate_fingerprint(const X509 *certificate, char out[TLS_FINGERPRINT_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    out[0] = '\0';
    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1) {
        return;
    }
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned i = 0; i < len; i++) {
        out[i * 3] = digits[digest[i] >> 4];
        out[i * 3 + 1] = digits[digest[i] & 15];
        out[i * 3 + 2] = i + 1 < len ? ':' : '\0';
    }
}

/* Whole names only. */
static void append_name(char *out, size_t room, struct span name)
{
    size_t used = strlen(out);
    if (tls_name_is_pattern(name) && used + name.len + 2 <= room) {
        (void)snprintf(out + used, room - used, "%s%.*s", used ? " " : "", SPAN_ARGS(name));
    }
}

static void report_names(const struct tls_pair *pair, galley_tls_certificate_report *report)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(pair->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        append_name(report->names, sizeof report->names, dns_name(sk_GENERAL_NAME_value(all, i)));
    }
    GENERAL_NAMES_free(all);
}

static const char *kind_name(int kind)
{
    switch (kind) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return "RSA";
    case EVP_PKEY_EC:
        return "EC";
    default:
        return "Ed";
    }
}

void tls_pair_report(const struct tls_pair *pair, galley_tls_certificate_report *report)
{
    report->is_self_signed = pair->is_self_signed;
    report->not_before_s = tls_time_seconds(X509_get0_notBefore(pair->leaf));
    report->not_after_s = tls_time_seconds(X509_get0_notAfter(pair->leaf));
    (void)snprintf(report->key, sizeof report->key, "%s %d", kind_name(tls_pair_kind(pair)),
                   EVP_PKEY_get_bits(pair->key));
    tls_certificate_fingerprint(pair->leaf, report->fingerprint);
    report->names[0] = '\0';
    report_names(pair, report);
}
