/* tls/tls_set.c — see tls_set.h: loading, and who owns what. */
#include "tls/tls_set.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tls/tls_policy.h"
#include "tls/tls_self_signed.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

/* ---- what an SSL_CTX knows of us ------------------------------------------------------------- */

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int identity_index = -1; /* of every SSL_CTX: its identity, or the front's */
static int owned_index = -1;    /* of fronts: the set that ends with them */

static void destroy(struct tls_set *set);

static void free_owned(void *parent, void *set, CRYPTO_EX_DATA *data, int index, long argl,
                       void *argp)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (set) {
        destroy(set);
    }
}

static void make_indexes(void)
{
    identity_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    owned_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_owned);
}

static const struct tls_identity *identity_of_ssl_ctx(const SSL_CTX *ssl_ctx)
{
    return SSL_CTX_get_ex_data(ssl_ctx, identity_index);
}

struct tls_set *tls_set_of(const SSL_CTX *ssl_ctx)
{
    return identity_of_ssl_ctx(ssl_ctx)->set;
}

/* OpenSSL 3.0 counts references down relaxed: that orders nothing between the thread that has read
 * and the one that frees. */
void tls_set_leave(const SSL_CTX *ssl_ctx)
{
    const struct tls_identity *identity = identity_of_ssl_ctx(ssl_ctx);
    if (identity) {
        atomic_fetch_add_explicit(&identity->set->left, 1, memory_order_release);
    }
}

const struct tls_identity *tls_identity_of(const SSL *ssl)
{
    return identity_of_ssl_ctx(SSL_get_SSL_CTX(ssl));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void destroy_identity(struct tls_identity *identity)
{
    if (identity) {
        SSL_CTX_free(identity->ssl_ctx);
        mem_free(identity);
    }
}

static void destroy(struct tls_set *set)
{
    (void)atomic_load_explicit(&set->left, memory_order_acquire); /* tls_set_leave() */
    for (unsigned i = 0; i < set->identity_count; i++) {
        destroy_identity(set->identities[i]);
    }
    mem_free(set->identities);
    tls_names_finish(&set->names);
    tls_names_finish(&set->deep);
    for (unsigned i = 0; set->pairs && i < set->pair_count; i++) {
        tls_pair_finish(&set->pairs[i]);
    }
    mem_free(set->pairs);
    for (unsigned i = 0; set->rules && i < set->options->rule_count; i++) {
        tls_client_rule_finish(&set->rules[i]);
    }
    mem_free(set->rules);
    EVP_MD_free(set->sha256);
    mem_free(set);
}

/* ---- loading --------------------------------------------------------------------------------- */

static int out_of_memory(galley_error *err)
{
    return error_set(err, GALLEY_ENOMEM, "certificates: out of memory");
}

static int load_staple(const struct tls_set *set, unsigned index, int64_t now_s, galley_error *err)
{
    struct tls_pair *pair = &set->pairs[index];
    const char *file = set->options->pairs[index].ocsp_file;
    struct tls_ocsp_subject subject = {pair->leaf, sk_X509_value(pair->chain, 0), now_s};
    return file ? tls_ocsp_load(&pair->ocsp, file, &subject, &set->options->log, err) : 0;
}

static int load_self_signed(struct tls_pair *pair, const struct tls_options *options,
                            const struct tls_set *before, int64_t now_s, galley_error *err)
{
    const struct tls_pair *old = before ? &before->pairs[before->pair_count - 1] : NULL;
    if (old && !tls_self_signed_is_old(old, now_s)) {
        return tls_self_signed_share(pair, old) ? 0 : out_of_memory(err);
    }
    return tls_self_signed_make(pair, options->self_signed_names, options->self_signed_count, now_s,
                                err);
}

static int load_pairs(struct tls_set *set, const struct tls_set *before, galley_error *err)
{
    const struct tls_options *options = set->options;
    int64_t now_s = options->clock.wall_s();
    int rc = 0;
    set->pair_count = options->pair_count + (options->has_self_signed ? 1 : 0);
    set->pairs = mem_alloc_zero(set->pair_count, sizeof *set->pairs);
    if (!set->pairs) {
        return out_of_memory(err);
    }
    for (unsigned i = 0; i < options->pair_count && rc == 0; i++) {
        rc = tls_pair_load(&set->pairs[i], &options->pairs[i], now_s, err);
        if (rc == 0) {
            rc = load_staple(set, i, now_s, err);
        }
    }
    if (rc == 0 && options->has_self_signed) {
        rc = load_self_signed(&set->pairs[set->pair_count - 1], options, before, now_s, err);
    }
    return rc;
}

static int load_rules(struct tls_set *set, galley_error *err)
{
    const struct tls_options *options = set->options;
    set->rules = mem_alloc_zero(options->rule_count, sizeof *set->rules);
    int rc = set->rules ? 0 : out_of_memory(err);
    for (unsigned i = 0; i < options->rule_count && rc == 0; i++) {
        rc = tls_client_rule_load(&set->rules[i], &options->rules[i], err);
    }
    return rc;
}

static void append_protocol(struct tls_set *set, struct span name)
{
    set->protocols[set->protocols_len++] = (unsigned char)name.len;
    memcpy(set->protocols + set->protocols_len, name.ptr, name.len);
    set->protocols_len += (unsigned)name.len;
}

/* RFC 7301 §3.2: in the order that the server likes. */
static void list_protocols(struct tls_set *set)
{
    if (set->options->offers_h2) {
        append_protocol(set, SPAN("h2"));
    }
    if (set->options->offers_http1) {
        append_protocol(set, SPAN("http/1.1"));
    }
}

/* ---- building -------------------------------------------------------------------------------- */

SSL_CTX *tls_set_new_ssl_ctx(struct tls_set *set, struct tls_identity *identity)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());
    bool is_made = ssl_ctx && tls_policy_apply(ssl_ctx, set->options) &&
                   SSL_CTX_set_ex_data(ssl_ctx, identity_index, identity) == 1;
    if (!is_made) {
        SSL_CTX_free(ssl_ctx);
        return NULL;
    }
    tls_hello_attach(ssl_ctx, identity);
    return ssl_ctx;
}

/* From here on the front owns the set. */
static SSL_CTX *make_front(struct tls_set *set)
{
    set->front.set = set;
    SSL_CTX *front = tls_set_new_ssl_ctx(set, &set->front);
    if (front && SSL_CTX_set_ex_data(front, owned_index, set) != 1) {
        SSL_CTX_free(front);
        front = NULL;
    }
    set->front.ssl_ctx = front;
    return front;
}

static int fill(struct tls_set *set, const struct tls_set *before, galley_error *err)
{
    list_protocols(set);
    set->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    int rc = set->sha256 ? load_pairs(set, before, err) : out_of_memory(err);
    if (rc == 0) {
        rc = load_rules(set, err);
    }
    if (rc == 0) {
        rc = tls_set_make_identities(set, err);
    }
    if (rc == 0 && !make_front(set)) {
        rc = out_of_memory(err);
    }
    return rc;
}

int tls_set_build(SSL_CTX **ret_front, const struct tls_options *options,
                  struct tls_tickets *tickets, const struct tls_set *before, galley_error *err)
{
    (void)pthread_once(&index_once, make_indexes);
    struct tls_set *set = mem_alloc_zero(1, sizeof *set);
    if (!set || identity_index < 0 || owned_index < 0) {
        mem_free(set);
        return out_of_memory(err);
    }
    set->options = options;
    set->tickets = tickets;
    int rc = fill(set, before, err);
    ERR_clear_error(); /* what is left there would be taken for a connection's failure */
    if (rc != 0) {
        destroy(set);
        return rc;
    }
    *ret_front = set->front.ssl_ctx;
    return 0;
}
