/* tls/tls_peer.c — see tls_peer.h. One block: the struct, and behind it the texts, each with a NUL
 * that is not counted. */
#include "tls/tls_peer.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "tls/tls_certs.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { TEXT_NAME, TEXT_ALPN, TEXT_SUBJECT, TEXT_NAMES, TEXT_FINGERPRINT, TEXTS };

/* Texts one after the other, on the way into a block. */
struct texts {
    struct buf all;
    size_t starts[TEXTS];
    size_t lens[TEXTS];
    bool is_there[TEXTS];
};

static void add_text(struct texts *texts, int which, struct span text)
{
    texts->starts[which] = texts->all.len;
    texts->lens[which] = text.len;
    texts->is_there[which] = text.ptr && text.len <= TLS_FACT_MAX_BYTES;
    if (texts->is_there[which]) {
        buf_append_span(&texts->all, text);
        buf_append_char(&texts->all, '\0');
    }
}

/* ---- the client's certificate ---------------------------------------------------------------- */

/* The flags escape control bytes and everything over 126, so it can be logged as it is. */
static void add_subject(struct texts *texts, const X509 *certificate)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio &&
        X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(bio, &text);
        add_text(texts, TEXT_SUBJECT, text ? span_make(text, (size_t)len) : SPAN(""));
    }
    BIO_free(bio);
}

/* A space would end it, and let one name look like two. */
static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.len > 0;
}

static struct span text_of(const ASN1_STRING *string)
{
    return span_make((const char *)ASN1_STRING_get0_data(string),
                     (size_t)ASN1_STRING_length(string));
}

static struct span address_of(const ASN1_STRING *string, char out[INET6_ADDRSTRLEN])
{
    int family = ASN1_STRING_length(string) == 4 ? AF_INET : AF_INET6;
    bool is_whole = family == AF_INET || ASN1_STRING_length(string) == 16;
    return is_whole
               ? span_of(inet_ntop(family, ASN1_STRING_get0_data(string), out, INET6_ADDRSTRLEN))
               : SPAN_NONE;
}

static void append_name(struct buf *list, const GENERAL_NAME *name)
{
    char address[INET6_ADDRSTRLEN];
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const char *kind = NULL;
    struct span text = SPAN_NONE;
    switch (type) {
    case GEN_DNS:
        kind = "DNS";
        text = text_of(value);
        break;
    case GEN_EMAIL:
        kind = "email";
        text = text_of(value);
        break;
    case GEN_URI:
        kind = "URI";
        text = text_of(value);
        break;
    case GEN_IPADD:
        kind = "IP";
        text = address_of(value, address);
        break;
    default:
        return;
    }
    if (is_printable(text)) {
        buf_append_text(list, list->len ? " " : "");
        buf_append_text(list, kind);
        buf_append_char(list, ':');
        buf_append_span(list, text);
    }
}

static bool add_names(struct texts *texts, const X509 *certificate)
{
    struct buf list;
    buf_init(&list, 0);
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        append_name(&list, sk_GENERAL_NAME_value(all, i));
    }
    GENERAL_NAMES_free(all);
    bool is_whole = !list.failed;
    if (is_whole) {
        add_text(texts, TEXT_NAMES, buf_span(&list));
    }
    buf_finish(&list);
    return is_whole;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool collect(struct texts *texts, const SSL *ssl, const X509 *certificate)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    char fingerprint[TLS_FINGERPRINT_BYTES];
    add_text(texts, TEXT_NAME, span_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)));
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    add_text(texts, TEXT_ALPN, span_make((const char *)alpn, alpn_len));
    if (certificate) {
        add_subject(texts, certificate);
        tls_certificate_fingerprint(certificate, fingerprint);
        add_text(texts, TEXT_FINGERPRINT, span_of(fingerprint));
        return add_names(texts, certificate) && !texts->all.failed;
    }
    return !texts->all.failed;
}

static struct span text_at(const struct texts *texts, const char *all, int which)
{
    return texts->is_there[which] ? span_make(all + texts->starts[which], texts->lens[which])
                                  : SPAN_NONE;
}

static struct tls_facts *pack(const struct texts *texts, const SSL *ssl, bool has_client)
{
    struct tls_facts *facts = mem_alloc(sizeof *facts + texts->all.len);
    if (!facts) {
        return NULL;
    }
    char *all = (char *)(facts + 1);
    if (texts->all.len > 0) {
        memcpy(all, texts->all.data, texts->all.len);
    }
    *facts = (struct tls_facts){
        .protocol = SSL_get_version(ssl),
        .cipher = SSL_get_cipher_name(ssl),
        .server_name = text_at(texts, all, TEXT_NAME),
        .alpn = text_at(texts, all, TEXT_ALPN),
        .is_resumed = SSL_session_reused(ssl),
        .has_client = has_client,
        .client_subject = text_at(texts, all, TEXT_SUBJECT),
        .client_names = text_at(texts, all, TEXT_NAMES),
        .client_fingerprint = text_at(texts, all, TEXT_FINGERPRINT),
    };
    atomic_init(&facts->refs, 1);
    return facts;
}

struct tls_facts *tls_peer_facts(const SSL *ssl)
{
    struct texts texts = {0};
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    /* the handshake has failed for any other; this is for the day when somebody changes that */
    bool is_good = certificate && SSL_get_verify_result(ssl) == X509_V_OK;
    buf_init(&texts.all, 0);
    bool is_collected = collect(&texts, ssl, is_good ? certificate : NULL);
    struct tls_facts *facts = is_collected ? pack(&texts, ssl, is_good) : NULL;
    buf_finish(&texts.all);
    return facts;
}

uint64_t tls_peer_most_bytes(bool clients_show_certificates)
{
    enum { NAME_BYTES = 256, ALPN_BYTES = 16, TEXT_BYTES = TLS_FACT_MAX_BYTES + 1 };
    size_t client = clients_show_certificates ? 2 * TEXT_BYTES + TLS_FINGERPRINT_BYTES : 0;
    return mem_cost(sizeof(struct tls_facts) + NAME_BYTES + ALPN_BYTES + client);
}
