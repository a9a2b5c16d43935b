/* tls/tls_self_signed.c — see tls_self_signed.h. RFC 5280 with what browsers ask for: names in
 * subjectAltName, no certificate authority, a random serial number. */
#include "tls/tls_self_signed.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 3600,
    LIFE_S = 90 * DAY_S,
    OLD_S = 30 * DAY_S,
    BACK_S = 3600, /* clients' clocks */
    HOST_BYTES = 65,
    SERIAL_BITS = 127
};

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_address(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static void append_name(struct buf *list, const char *name)
{
    buf_printf(list, "%s%s:%s", list->len ? "," : "", is_address(name) ? "IP" : "DNS", name);
}

/* No name is looked up: the machine is called what it calls itself, and by mDNS. */
static void append_machine(struct buf *list)
{
    char host[HOST_BYTES] = "";
    char local[HOST_BYTES + sizeof ".local"];
    if (gethostname(host, sizeof host - 1) != 0 || !tls_name_is_pattern(span_of(host))) {
        return;
    }
    append_name(list, host);
    if (span_find(span_of(host), '.') == strlen(host)) {
        (void)snprintf(local, sizeof local, "%s.local", host);
        append_name(list, local);
    }
}

static int append_given(struct buf *list, const char *const *names, unsigned count,
                        galley_error *err)
{
    for (unsigned i = 0; i < count; i++) {
        if (!is_address(names[i]) && !tls_name_is_pattern(span_of(names[i]))) {
            return error_set(err, GALLEY_EINVAL,
                             "self-signed certificate: '%.100s' is neither a name nor an address",
                             names[i]);
        }
        append_name(list, names[i]);
    }
    return 0;
}

/* ---- the certificate ------------------------------------------------------------------------- */

static bool add_extension(X509 *leaf, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, leaf, leaf, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool is_added = extension && X509_add_ext(leaf, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_subject(X509 *leaf)
{
    X509_NAME *name = X509_get_subject_name(leaf);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"galley development certificate", -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(leaf, name) == 1;
}

/* RFC 5280 §4.1.2.2: positive, at most 20 bytes. */
static bool set_serial(X509 *leaf)
{
    BIGNUM *number = BN_new();
    bool is_set = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf));
    BN_free(number);
    return is_set;
}

static bool set_times(X509 *leaf, int64_t now_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(leaf), (time_t)(now_s - BACK_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(leaf), (time_t)(now_s - BACK_S + LIFE_S));
}

static bool fill_certificate(X509 *leaf, EVP_PKEY *key, const char *names, int64_t now_s)
{
    return X509_set_version(leaf, X509_VERSION_3) == 1 && set_serial(leaf) &&
           set_times(leaf, now_s) && set_subject(leaf) && X509_set_pubkey(leaf, key) == 1 &&
           add_extension(leaf, NID_subject_alt_name, names) &&
           add_extension(leaf, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(leaf, NID_key_usage, "critical,digitalSignature") &&
           add_extension(leaf, NID_ext_key_usage, "serverAuth") &&
           add_extension(leaf, NID_subject_key_identifier, "hash") &&
           X509_sign(leaf, key, EVP_sha256()) > 0;
}

static int make(struct tls_pair *pair, const struct buf *names, int64_t now_s, galley_error *err)
{
    *pair = (struct tls_pair){.cert_file = "(self-signed)",
                              .leaf = X509_new(),
                              .chain = sk_X509_new_null(),
                              .key = EVP_EC_gen("P-256"),
                              .is_self_signed = true};
    bool is_made = pair->leaf && pair->chain && pair->key && !names->failed &&
                   fill_certificate(pair->leaf, pair->key, names->data, now_s);
    ERR_clear_error();
    if (!is_made) {
        tls_pair_finish(pair);
        return error_set(err, GALLEY_ENOMEM, "self-signed certificate: out of memory");
    }
    return 0;
}

int tls_self_signed_make(struct tls_pair *pair, const char *const *names, unsigned count,
                         int64_t now_s, galley_error *err)
{
    struct buf list;
    buf_init(&list, 0);
    append_name(&list, "localhost");
    append_name(&list, "127.0.0.1");
    append_name(&list, "::1");
    append_machine(&list);
    int rc = append_given(&list, names, count, err);
    buf_append(&list, "", 1); /* the end of a C string */
    if (rc == 0) {
        rc = make(pair, &list, now_s, err);
    }
    buf_finish(&list);
    return rc;
}

bool tls_self_signed_is_old(const struct tls_pair *pair, int64_t now_s)
{
    return now_s > tls_time_seconds(X509_get0_notAfter(pair->leaf)) - OLD_S ||
           now_s < tls_time_seconds(X509_get0_notBefore(pair->leaf));
}

bool tls_self_signed_share(struct tls_pair *pair, const struct tls_pair *other)
{
    *pair = (struct tls_pair){.cert_file = other->cert_file, .is_self_signed = true};
    pair->leaf = X509_up_ref(other->leaf) == 1 ? other->leaf : NULL;
    pair->key = EVP_PKEY_up_ref(other->key) == 1 ? other->key : NULL;
    pair->chain = sk_X509_new_null();
    return pair->leaf && pair->key && pair->chain;
}
