/* tls/tls_options.c — see tls_options.h. Every refusal is one sentence that names the field. No
 * file is looked at here. */
#include "tls/tls_options.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "base/text.h"
#include "tls/tls_names.h"

enum {
    ALL_FLAGS = GALLEY_TLS_SELF_SIGNED | GALLEY_TLS_STRICT_NAMES | GALLEY_TLS_NO_HTTP2 |
                GALLEY_TLS_NO_HTTP1 | GALLEY_TLS_NO_TICKETS | GALLEY_TLS_NO_WATCH,
    DEFAULT_LIFETIME_S = 12 * 3600,
    LEAST_LIFETIME_S = 60,
    MOST_LIFETIME_S = 7 * 24 * 3600, /* RFC 8446 §4.6.1: seven days at most */
    MAX_SELF_SIGNED_NAMES = 100,
    LOG_LEVELS = 4
};

/* What the options become on the way. */
struct taking {
    struct tls_options *options;
    galley_tls_options given;
    galley_error *err;
};

static const struct options_kind options_kind = {sizeof(galley_tls_options), "tls options",
                                                 "GALLEY_TLS_OPTIONS_INIT"};

static int out_of_memory(const struct taking *taking)
{
    return error_set(taking->err, GALLEY_ENOMEM, "tls options: out of memory");
}

static int refuse(const struct taking *taking, const char *why)
{
    return error_set(taking->err, GALLEY_EINVAL, "tls options: %s", why);
}

/* ---- numbers and flags ----------------------------------------------------------------------- */

static int take_numbers(struct taking *taking)
{
    const galley_tls_options *given = &taking->given;
    struct tls_options *options = taking->options;
    if (given->flags & ~(uint32_t)ALL_FLAGS) {
        return refuse(taking, "flags has an unknown bit");
    }
    if (given->policy != GALLEY_TLS_INTERMEDIATE && given->policy != GALLEY_TLS_MODERN) {
        return refuse(taking, "policy is none of GALLEY_TLS_INTERMEDIATE and GALLEY_TLS_MODERN");
    }
    uint32_t lifetime_s = given->ticket_lifetime_s ? given->ticket_lifetime_s : DEFAULT_LIFETIME_S;
    if (lifetime_s < LEAST_LIFETIME_S || lifetime_s > MOST_LIFETIME_S) {
        return refuse(taking, "ticket_lifetime_s is not between a minute and seven days");
    }
    options->has_self_signed = given->flags & GALLEY_TLS_SELF_SIGNED;
    options->is_strict = given->flags & GALLEY_TLS_STRICT_NAMES;
    options->has_tickets = !(given->flags & GALLEY_TLS_NO_TICKETS);
    options->is_watched = !(given->flags & GALLEY_TLS_NO_WATCH);
    options->offers_h2 = !(given->flags & GALLEY_TLS_NO_HTTP2);
    options->offers_http1 = !(given->flags & GALLEY_TLS_NO_HTTP1);
    options->policy = given->policy;
    options->ticket_lifetime_s = lifetime_s;
    if (!options->offers_h2 && !options->offers_http1) {
        return refuse(taking, "flags leave neither HTTP/1.1 nor HTTP/2");
    }
    return 0;
}

/* The public levels begin at 1, so that 0 can mean the default. */
static void write_to_user(void *ctx, int level, const char *line)
{
    const struct tls_options *options = ctx;
    options->user_log(options->user_log_ctx, level + 1, line);
}

static int take_log(struct taking *taking)
{
    const galley_tls_options *given = &taking->given;
    if (given->log_level < 0 || given->log_level > LOG_LEVELS) {
        return refuse(taking, "log_level is none of GALLEY_LOG_...");
    }
    if (given->log) {
        int level = given->log_level ? given->log_level - 1 : (int)LOG_INFO;
        taking->options->user_log = given->log;
        taking->options->user_log_ctx = given->log_ctx;
        taking->options->log = (struct log_sink){write_to_user, taking->options, level};
    }
    return 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A copy of text that lives as long as the options; NULL stays NULL. False: no memory. */
static bool copy_text(struct taking *taking, const char **ret, const char *text)
{
    *ret = text ? arena_copy(&taking->options->memory, span_of(text)).ptr : NULL;
    return !text || *ret;
}

static bool copy_pair(struct taking *taking, galley_tls_pair *ret, const galley_tls_pair *pair)
{
    return copy_text(taking, &ret->cert_file, pair->cert_file) &&
           copy_text(taking, &ret->key_file, pair->key_file ? pair->key_file : pair->cert_file) &&
           copy_text(taking, &ret->ocsp_file, pair->ocsp_file);
}

static int take_pairs(struct taking *taking)
{
    unsigned count = 0;
    while (taking->given.pairs && taking->given.pairs[count].cert_file) {
        if (++count > TLS_MAX_PAIRS) {
            return refuse(taking, "more than 1000 pairs");
        }
    }
    if (count == 0 && !taking->options->has_self_signed) {
        return refuse(taking, "pairs is empty, and GALLEY_TLS_SELF_SIGNED is not set");
    }
    galley_tls_pair *pairs = arena_alloc(&taking->options->memory, count * sizeof *pairs);
    bool is_copied = pairs != NULL;
    for (unsigned i = 0; i < count && is_copied; i++) {
        is_copied = copy_pair(taking, &pairs[i], &taking->given.pairs[i]);
    }
    taking->options->pairs = pairs;
    taking->options->pair_count = count;
    return is_copied ? 0 : out_of_memory(taking);
}

static int check_rule(const struct taking *taking, const galley_tls_client_rule *rule)
{
    struct span host = span_of(rule->host);
    const char *why = NULL;
    if (!tls_name_is_pattern(host) && !span_equal(host, SPAN("*"))) {
        why = "is neither a name, nor one like *.example.org, nor *";
    } else if (rule->mode < GALLEY_TLS_CLIENT_OFF || rule->mode > GALLEY_TLS_CLIENT_REQUIRED) {
        why = "has a mode that is none of GALLEY_TLS_CLIENT_...";
    } else if (rule->mode != GALLEY_TLS_CLIENT_OFF && !rule->ca_file) {
        why = "has no ca_file: who may sign clients' certificates?";
    }
    return why ? error_set(taking->err, GALLEY_EINVAL, "tls options: client rule '%.80s' %s",
                           rule->host, why)
               : 0;
}

static int check_once(const struct taking *taking, const galley_tls_client_rule *rules,
                      unsigned count)
{
    struct span host = span_of(rules[count].host);
    for (unsigned i = 0; i < count; i++) {
        if (span_equal(span_of(rules[i].host), host)) {
            return error_set(taking->err, GALLEY_EINVAL,
                             "tls options: client rule '%.80s' stands there twice", host.ptr);
        }
    }
    return 0;
}

static int take_rule(struct taking *taking, galley_tls_client_rule *rules, unsigned index)
{
    const galley_tls_client_rule *given = &taking->given.clients[index];
    int rc = check_rule(taking, given);
    if (rc != 0) {
        return rc;
    }
    struct span host = arena_copy(&taking->options->memory, span_of(given->host));
    bool needs_ca = given->mode != GALLEY_TLS_CLIENT_OFF;
    rules[index] = (galley_tls_client_rule){.host = host.ptr, .mode = given->mode};
    if (!host.ptr || !copy_text(taking, &rules[index].ca_file, needs_ca ? given->ca_file : NULL)) {
        return out_of_memory(taking);
    }
    tls_name_lower((char *)(uintptr_t)host.ptr, host.ptr, host.len); /* our own copy */
    return check_once(taking, rules, index);
}

static int take_rules(struct taking *taking)
{
    unsigned count = 0;
    while (taking->given.clients && taking->given.clients[count].host) {
        if (++count > TLS_MAX_RULES) {
            return refuse(taking, "more than 1000 rules for clients");
        }
    }
    galley_tls_client_rule *rules = arena_alloc(&taking->options->memory, count * sizeof *rules);
    int rc = rules ? 0 : out_of_memory(taking);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        rc = take_rule(taking, rules, i);
    }
    taking->options->rules = rules;
    taking->options->rule_count = count;
    return rc;
}

static int take_self_signed_names(struct taking *taking)
{
    const char *const *given = taking->given.self_signed_names;
    unsigned count = 0;
    while (given && given[count]) {
        if (++count > MAX_SELF_SIGNED_NAMES) {
            return refuse(taking, "more than 100 names for the self-signed certificate");
        }
    }
    const char **names = arena_alloc(&taking->options->memory, count * sizeof *names);
    bool is_copied = names != NULL;
    for (unsigned i = 0; i < count && is_copied; i++) {
        is_copied = copy_text(taking, &names[i], given[i]);
    }
    taking->options->self_signed_names = names;
    taking->options->self_signed_count = count;
    return is_copied ? 0 : out_of_memory(taking);
}

/* ---- which files are read -------------------------------------------------------------------- */

static void add_file(struct tls_options *options, const char *file)
{
    for (unsigned i = 0; file && i < options->file_count; i++) {
        if (span_equal(span_of(options->files[i]), span_of(file))) {
            return;
        }
    }
    if (file) {
        options->files[options->file_count++] = file;
    }
}

static int list_files(struct taking *taking)
{
    struct tls_options *options = taking->options;
    size_t most = (size_t)options->pair_count * 3 + options->rule_count;
    options->files = arena_alloc(&options->memory, most * sizeof *options->files);
    if (!options->files) {
        return out_of_memory(taking);
    }
    for (unsigned i = 0; i < options->pair_count; i++) {
        add_file(options, options->pairs[i].cert_file);
        add_file(options, options->pairs[i].key_file);
        add_file(options, options->pairs[i].ocsp_file);
    }
    for (unsigned i = 0; i < options->rule_count; i++) {
        add_file(options, options->rules[i].ca_file);
    }
    return 0;
}

int tls_options_take(struct tls_options *options, const galley_tls_options *opt, galley_error *err)
{
    static int (*const steps[])(struct taking *) = {
        take_numbers, take_log, take_pairs, take_rules, take_self_signed_names, list_files,
    };
    struct taking taking = {.options = options, .err = err};
    *options = (struct tls_options){.clock = {clock_wall_s, clock_mono_ms}};
    arena_init(&options->memory, 0);
    int rc = options_copy(&taking.given, &options_kind, opt, err);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && rc == 0; i++) {
        rc = steps[i](&taking);
    }
    return rc;
}

void tls_options_finish(struct tls_options *options)
{
    arena_finish(&options->memory);
}
