/* tls/tls_ocsp.c — see tls_ocsp.h. */
#include "tls/tls_ocsp.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tls/tls_certs.h"
#include "tls/tls_file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>

enum {
    CLOCK_SKEW_S = 300,
    UNTOLD_LIFE_S = 7 * 24 * 3600 /* where nextUpdate is missing */
};

/* A response with the certificate that it should be about. */
struct judged {
    OCSP_BASICRESP *basic;
    struct tls_ocsp_subject subject;
    int64_t until_s; /* out */
};

/* ---- is it ours, and is it new? -------------------------------------------------------------- */

static bool is_about(OCSP_CERTID *wanted, const struct judged *judged)
{
    ASN1_OBJECT *digest = NULL;
    if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, wanted) != 1) {
        return false;
    }
    const EVP_MD *md = EVP_get_digestbyobj(digest);
    OCSP_CERTID *own =
        md ? OCSP_cert_to_id(md, judged->subject.leaf, judged->subject.issuer) : NULL;
    bool is_same = own && OCSP_id_cmp(own, wanted) == 0;
    OCSP_CERTID_free(own);
    return is_same;
}

static OCSP_SINGLERESP *find_single(const struct judged *judged)
{
    for (int i = 0; i < OCSP_resp_count(judged->basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(judged->basic, i);
        if (is_about((OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single), judged)) {
            return single;
        }
    }
    return NULL;
}

/* RFC 6960 §4.2.2.1: not before thisUpdate, not after nextUpdate. */
static const char *judge_time(struct judged *judged, OCSP_SINGLERESP *single)
{
    ASN1_GENERALIZEDTIME *from = NULL;
    ASN1_GENERALIZEDTIME *until = NULL;
    int status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);
    int64_t from_s = tls_time_seconds(from);
    judged->until_s = until ? tls_time_seconds(until) : from_s + UNTOLD_LIFE_S;
    if (status == V_OCSP_CERTSTATUS_REVOKED) {
        return "says that the certificate is revoked";
    }
    if (status != V_OCSP_CERTSTATUS_GOOD) {
        return "does not know the certificate";
    }
    if (judged->subject.now_s < from_s - CLOCK_SKEW_S) {
        return "is not valid yet";
    }
    return judged->subject.now_s >= judged->until_s ? "is out of date" : NULL;
}

/* RFC 6960 §4.2.2.2: by the issuer, or by a responder that the issuer appointed. */
static bool is_signed_by_issuer(const struct judged *judged)
{
    X509_STORE *store = X509_STORE_new();
    struct stack_st_X509 *known = sk_X509_new_null();
    bool is_signed = store && known && X509_STORE_add_cert(store, judged->subject.issuer) == 1 &&
                     X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
                     sk_X509_push(known, judged->subject.issuer) > 0 &&
                     OCSP_basic_verify(judged->basic, known, store, 0) == 1;
    sk_X509_free(known);
    X509_STORE_free(store);
    return is_signed;
}

/* NULL, or why it must not be sent. */
static const char *judge(struct judged *judged)
{
    if (!judged->subject.issuer) {
        return "cannot be checked: the certificate's file does not hold its issuer";
    }
    OCSP_SINGLERESP *single = find_single(judged);
    if (!single) {
        return "is about another certificate";
    }
    const char *why = judge_time(judged, single);
    if (!why && !is_signed_by_issuer(judged)) {
        why = "is not signed by the certificate's issuer";
    }
    return why;
}

/* ---- loading --------------------------------------------------------------------------------- */

static OCSP_BASICRESP *parse(const struct tls_file *file)
{
    const unsigned char *at = (const unsigned char *)file->data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)file->len);
    bool is_answer = response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    OCSP_BASICRESP *basic = is_answer ? OCSP_response_get1_basic(response) : NULL;
    OCSP_RESPONSE_free(response);
    return basic;
}

/* Takes the bytes over when they may be sent. */
static void keep_or_tell(struct tls_ocsp *ocsp, struct tls_file *file, struct judged *judged,
                         const struct log_sink *log)
{
    const char *why = judge(judged);
    if (why) {
        log_write(log, LOG_WARNING, "OCSP response %s %s; it is not sent", file->path, why);
        return;
    }
    ocsp->der = (unsigned char *)file->data;
    ocsp->len = file->len;
    ocsp->until_s = judged->until_s;
    file->data = NULL;
}

int tls_ocsp_load(struct tls_ocsp *ocsp, const char *path, const struct tls_ocsp_subject *subject,
                  const struct log_sink *log, galley_error *err)
{
    struct tls_file file;
    int rc = tls_file_read(&file, "OCSP response", path, err);
    if (rc != 0) {
        return rc;
    }
    ERR_clear_error();
    struct judged judged = {.basic = parse(&file), .subject = *subject};
    if (judged.basic) {
        keep_or_tell(ocsp, &file, &judged, log);
    } else {
        rc = tls_file_refuse(&file, err, "no successful OCSP response in it (DER)");
    }
    OCSP_BASICRESP_free(judged.basic);
    ERR_clear_error();
    tls_file_finish(&file);
    return rc;
}

void tls_ocsp_finish(struct tls_ocsp *ocsp)
{
    mem_free(ocsp->der);
    ocsp->der = NULL;
    ocsp->len = 0;
}

bool tls_ocsp_is_fresh(struct tls_ocsp *ocsp, int64_t now_s, const char *cert_file,
                       const struct log_sink *log)
{
    if (!ocsp->der || now_s < ocsp->until_s) {
        return ocsp->der != NULL;
    }
    if (!atomic_exchange_explicit(&ocsp->said_stale, true, memory_order_relaxed)) {
        log_write(log, LOG_WARNING,
                  "the OCSP response of certificate %s is out of date; it is not sent any more",
                  cert_file);
    }
    return false;
}
