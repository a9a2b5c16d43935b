/* tests/harness/tls_certs.c — see tls_certs.h. */
#include "tls_certs.h"

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATHS = 32 };

/* ---- certificates ---------------------------------------------------------------------------- */

static EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (!kind) {
        kind = "P-256";
    }
    if (strncmp(kind, "RSA:", 4) == 0) {
        key = EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
    } else if (strcmp(kind, "ED25519") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    } else {
        key = EVP_EC_gen(kind);
    }
    EXPECT(key);
    return key;
}

static void extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    EXPECT(extension && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void set_times(X509 *x509, const struct cert_wish *wish)
{
    int64_t from_s = wish->from_s ? wish->from_s : -CERT_DAY_S;
    int64_t for_s = wish->for_s ? wish->for_s : 10 * CERT_DAY_S;
    time_t now = time(NULL);
    EXPECT(ASN1_TIME_set(X509_getm_notBefore(x509), now + (time_t)from_s));
    EXPECT(ASN1_TIME_set(X509_getm_notAfter(x509), now + (time_t)(from_s + for_s)));
}

static void set_serial(X509 *x509)
{
    uint64_t number = 0;
    EXPECT(RAND_bytes((unsigned char *)&number, sizeof number) == 1);
    EXPECT(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), number >> 1 | 1));
}

static void extend_all(X509 *x509, X509 *issuer, const struct cert_wish *wish)
{
    extend(x509, issuer, NID_basic_constraints,
           wish->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(x509, issuer, NID_key_usage,
           wish->is_authority ? "critical,keyCertSign,cRLSign,digitalSignature"
                              : "critical,digitalSignature");
    extend(x509, issuer, NID_subject_key_identifier, "hash");
    if (wish->names) {
        extend(x509, issuer, NID_subject_alt_name, wish->names);
    }
}

struct cert cert_make(const struct cert_wish *wish)
{
    struct cert cert = {X509_new(), make_key(wish->key)};
    const struct cert *issuer = wish->issuer ? wish->issuer : &cert;
    X509_NAME *name = X509_get_subject_name(cert.x509);
    const char *subject = wish->subject ? wish->subject : "a test";
    EXPECT(X509_set_version(cert.x509, X509_VERSION_3) == 1);
    set_serial(cert.x509);
    set_times(cert.x509, wish);
    EXPECT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1,
                                      -1, 0) == 1);
    EXPECT(X509_set_issuer_name(cert.x509, X509_get_subject_name(issuer->x509)) == 1);
    EXPECT(X509_set_pubkey(cert.x509, cert.key) == 1);
    extend_all(cert.x509, issuer->x509, wish);
    const EVP_MD *md = wish->has_sha1 ? EVP_sha1() : EVP_sha256();
    bool has_own = EVP_PKEY_get_base_id(issuer->key) == EVP_PKEY_ED25519;
    EXPECT(X509_sign(cert.x509, issuer->key, has_own ? NULL : md) > 0);
    return cert;
}

void cert_free(struct cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct cert){0};
}

/* ---- files ----------------------------------------------------------------------------------- */

void cert_folder_make(char out[CERT_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, CERT_PATH_MAX, "%s/galley-tls-XXXXXX", base ? base : "/tmp");
    EXPECT(mkdtemp(out));
}

void cert_folder_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry = NULL;
    EXPECT(dir);
    while ((entry = readdir(dir))) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    EXPECT_INT(rmdir(folder), 0);
}

const char *cert_path(const char *folder, const char *name)
{
    static char paths[PATHS][CERT_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    (void)snprintf(path, CERT_PATH_MAX, "%s/%s", folder, name);
    return path;
}

/* Written beside and renamed, so that a reload never sees half of it. */
static void replace(const char *path, BIO *bio)
{
    char beside[CERT_PATH_MAX + 8];
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT(fd >= 0 && write(fd, data, (size_t)len) == (ssize_t)len);
    EXPECT_INT(close(fd), 0);
    EXPECT_INT(rename(beside, path), 0);
    BIO_free(bio);
}

void cert_write(const char *path, const struct cert *cert, const struct cert *const *more)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EXPECT(PEM_write_bio_X509(bio, cert->x509) == 1);
    for (; more && *more; more++) {
        EXPECT(PEM_write_bio_X509(bio, (*more)->x509) == 1);
    }
    replace(path, bio);
}

void cert_write_key(const char *path, const struct cert *cert, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
    EXPECT(PEM_write_bio_PKCS8PrivateKey(bio, cert->key, cipher, passphrase,
                                         passphrase ? (int)strlen(passphrase) : 0, NULL,
                                         NULL) == 1);
    replace(path, bio);
}

void cert_write_text(const char *path, const void *text, size_t len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EXPECT(BIO_write(bio, text, (int)len) == (int)len);
    replace(path, bio);
}

/* ---- OCSP ------------------------------------------------------------------------------------ */

void ocsp_write(const char *path, const struct ocsp_wish *wish)
{
    const struct cert *signer = wish->signer ? wish->signer : wish->issuer;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), wish->about->x509, wish->issuer->x509);
    ASN1_TIME *from = ASN1_TIME_adj(NULL, time(NULL), 0, (long)wish->from_s);
    ASN1_TIME *until = ASN1_TIME_adj(NULL, time(NULL), 0, (long)(wish->from_s + wish->for_s));
    EXPECT(basic && id && from && until);
    ASN1_TIME *revoked = wish->status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL;
    EXPECT(OCSP_basic_add1_status(basic, id, wish->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                  revoked, from, wish->for_s ? until : NULL));
    EXPECT(OCSP_basic_sign(basic, signer->x509, signer->key, EVP_sha256(), NULL, 0) == 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    EXPECT(len > 0);
    cert_write_text(path, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
}
