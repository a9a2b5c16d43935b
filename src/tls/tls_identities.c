/* tls/tls_identities.c — which certificates and which rule a name leads to; see tls_set.h. Runs
 * while a set is built.
 *
 * There is a row for every name that a certificate or a rule has, exact ones and wildcards. An
 * exact name also gets the kinds of keys that only a wildcard certificate has for it, and the rule
 * that only a wildcard has for it: so looking up the exact name, then the wildcard, finds
 * everything. A name that has a rule and no certificate gets the default one, and its rule all the
 * same.
 *
 * A rule's wildcard stands for one label or more, as in routes, where whoever asks for a.b.example
 * may be served what "*.example" has; a certificate's wildcard, for one. */
#include "tls/tls_set.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tls/tls_file.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* What the identities are made from. */
struct making {
    struct tls_set *set;
    struct tls_names pairs;                     /* names of certificates: numbers of pairs */
    struct tls_names rules;                     /* hosts of rules: numbers of rules */
    const struct tls_client_rule *default_rule; /* of "*", or NULL */
    struct tls_identity fallback; /* the default certificate, as a pattern for identities */
    galley_error *err;
};

static int out_of_memory(const struct making *making)
{
    return error_set(making->err, GALLEY_ENOMEM, "certificates: out of memory");
}

/* ---- what a name gets ------------------------------------------------------------------------ */

/* The first pair of a kind counts; OpenSSL has room for one each. */
static void add_pair(const struct tls_set *set, struct tls_identity *identity, unsigned pair)
{
    for (unsigned i = 0; i < identity->pair_count; i++) {
        if (tls_pair_kind(&set->pairs[identity->pairs[i]]) == tls_pair_kind(&set->pairs[pair])) {
            return;
        }
    }
    if (identity->pair_count < TLS_KINDS) {
        identity->pairs[identity->pair_count++] = pair;
    }
}

static void add_pairs_of(const struct making *making, struct tls_identity *identity,
                         struct span pattern)
{
    size_t first = 0;
    size_t count = tls_names_find(&making->pairs, pattern, &first);
    for (size_t i = 0; i < count; i++) {
        add_pair(making->set, identity, making->pairs.rows[first + i].value);
    }
}

static const struct tls_client_rule *rule_of(const struct making *making, struct span pattern)
{
    size_t first = 0;
    size_t count = tls_names_match_deep(&making->rules, pattern, &first);
    return count ? &making->set->rules[making->rules.rows[first].value] : making->default_rule;
}

static struct tls_identity describe(const struct making *making, struct span pattern)
{
    char text[TLS_NAME_MAX];
    struct tls_identity identity = {.set = making->set};
    add_pairs_of(making, &identity, pattern);
    struct span wildcard = tls_name_wildcard(text, pattern);
    if (wildcard.ptr) {
        add_pairs_of(making, &identity, wildcard);
    }
    identity.has_certificate = identity.pair_count > 0;
    if (!identity.has_certificate) {
        identity = making->fallback;
    }
    identity.rule = rule_of(making, pattern);
    return identity;
}

/* The first pair, and those of other kinds for the same name. */
static void describe_fallback(struct making *making)
{
    struct tls_identity *fallback = &making->fallback;
    *fallback = (struct tls_identity){.set = making->set, .rule = making->default_rule};
    add_pair(making->set, fallback, 0);
    for (size_t i = 0; i < making->pairs.count; i++) {
        if (making->pairs.rows[i].value == 0) {
            add_pairs_of(making, fallback, making->pairs.rows[i].pattern);
            return;
        }
    }
}

/* ---- identities ------------------------------------------------------------------------------ */

static bool is_same(const struct tls_identity *a, const struct tls_identity *b)
{
    return a->pair_count == b->pair_count && a->rule == b->rule &&
           a->has_certificate == b->has_certificate &&
           memcmp(a->pairs, b->pairs, a->pair_count * sizeof a->pairs[0]) == 0;
}

static int refuse_pair(const struct making *making, const struct tls_pair *pair)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    return error_set(making->err, GALLEY_EINVAL, "certificate %s: OpenSSL refuses it: %.80s",
                     tls_path_shown(pair->cert_file), why ? why : "no reason given");
}

static int fill_ssl_ctx(const struct making *making, const struct tls_identity *identity)
{
    ERR_clear_error();
    for (unsigned i = 0; i < identity->pair_count; i++) {
        const struct tls_pair *pair = &making->set->pairs[identity->pairs[i]];
        if (SSL_CTX_use_cert_and_key(identity->ssl_ctx, pair->leaf, pair->key, pair->chain, 1) !=
            1) {
            return refuse_pair(making, pair);
        }
    }
    return tls_client_rule_apply(identity->rule, identity->ssl_ctx) ? 0 : out_of_memory(making);
}

/* RSA: 0.6 ms with 2048 bits, 4 ms with 4096. All others take less than going elsewhere is worth. */
static bool signs_slowly(const struct tls_set *set, const struct tls_identity *identity)
{
    for (unsigned i = 0; i < identity->pair_count; i++) {
        int kind = tls_pair_kind(&set->pairs[identity->pairs[i]]);
        if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) {
            return true;
        }
    }
    return false;
}

/* Behind the last one; the list has room. */
static int add_identity(struct making *making, const struct tls_identity *described)
{
    struct tls_set *set = making->set;
    struct tls_identity *identity = mem_alloc(sizeof *identity);
    if (!identity) {
        return out_of_memory(making);
    }
    *identity = *described;
    identity->signs_slowly = signs_slowly(set, identity);
    set->identities[set->identity_count++] = identity; /* from here on the set frees it */
    identity->ssl_ctx = tls_set_new_ssl_ctx(set, identity);
    return identity->ssl_ctx ? fill_ssl_ctx(making, identity) : out_of_memory(making);
}

/* The identity that is as described, made if there is none. */
static int find_or_add(struct making *making, const struct tls_identity *described, unsigned *ret)
{
    const struct tls_set *set = making->set;
    for (unsigned i = 0; i < set->identity_count; i++) {
        if (is_same(set->identities[i], described)) {
            *ret = i;
            return 0;
        }
    }
    int rc = add_identity(making, described);
    if (rc == 0) {
        *ret = set->identity_count - 1;
    }
    return rc;
}

static int add_row(struct making *making, struct span pattern)
{
    struct tls_identity described = describe(making, pattern);
    unsigned identity = 0;
    int rc = find_or_add(making, &described, &identity);
    if (rc == 0 && !tls_names_add(&making->set->names, pattern, identity)) {
        rc = out_of_memory(making);
    }
    return rc;
}

/* Patterns that stand there several times lead to one identity, and sealing drops the copies. */
static int add_rows(struct making *making, const struct tls_names *patterns)
{
    int rc = 0;
    for (size_t i = 0; i < patterns->count && rc == 0; i++) {
        bool is_new =
            i == 0 || !span_equal(patterns->rows[i].pattern, patterns->rows[i - 1].pattern);
        rc = is_new ? add_row(making, patterns->rows[i].pattern) : 0;
    }
    return rc;
}

/* Below a rule's wildcard by two labels or more, where no certificate's wildcard reaches: the
 * default certificate, and the rule. */
static int add_deep_rows(struct making *making)
{
    int rc = 0;
    for (size_t i = 0; i < making->rules.count && rc == 0; i++) {
        struct tls_name_row row = making->rules.rows[i];
        struct tls_identity described = making->fallback;
        unsigned identity = 0;
        if (row.pattern.ptr[0] != '*') {
            continue;
        }
        described.rule = &making->set->rules[row.value];
        rc = find_or_add(making, &described, &identity);
        if (rc == 0 && !tls_names_add(&making->set->deep, row.pattern, identity)) {
            rc = out_of_memory(making);
        }
    }
    tls_names_seal(&making->set->deep);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int list_names(struct making *making)
{
    struct tls_set *set = making->set;
    for (unsigned i = 0; i < set->pair_count; i++) {
        if (!tls_pair_add_names(&set->pairs[i], &making->pairs, i)) {
            return out_of_memory(making);
        }
    }
    for (unsigned i = 0; i < set->options->rule_count; i++) {
        struct span host = span_of(set->options->rules[i].host);
        if (span_equal(host, SPAN("*"))) {
            making->default_rule = &set->rules[i];
        } else if (!tls_names_add(&making->rules, host, i)) {
            return out_of_memory(making);
        }
    }
    tls_names_seal(&making->pairs);
    tls_names_seal(&making->rules);
    return 0;
}

static int make_all(struct making *making)
{
    struct tls_set *set = making->set;
    unsigned other = 0;
    set->identities =
        mem_alloc_zero(making->pairs.count + 2 * making->rules.count + 1, sizeof *set->identities);
    if (!set->identities) {
        return out_of_memory(making);
    }
    describe_fallback(making);
    int rc = find_or_add(making, &making->fallback, &other);
    if (rc == 0) {
        set->other = set->identities[other];
        rc = add_rows(making, &making->pairs);
    }
    if (rc == 0) {
        rc = add_rows(making, &making->rules);
    }
    if (rc == 0) {
        rc = add_deep_rows(making);
    }
    tls_names_seal(&set->names);
    return rc;
}

int tls_set_make_identities(struct tls_set *set, galley_error *err)
{
    struct making making = {.set = set, .err = err};
    int rc = list_names(&making);
    if (rc == 0) {
        rc = make_all(&making);
    }
    tls_names_finish(&making.pairs);
    tls_names_finish(&making.rules);
    return rc;
}

struct tls_identity *tls_set_identity(const struct tls_set *set, struct span name)
{
    const struct tls_names *names = &set->names;
    size_t first = 0;
    if (!tls_name_is_pattern(name) || name.ptr[0] == '*') {
        return set->other;
    }
    if (tls_names_match(names, name, &first) == 0) {
        names = &set->deep;
        if (tls_names_match_deep(names, name, &first) == 0) {
            return set->other;
        }
    }
    return set->identities[names->rows[first].value];
}
