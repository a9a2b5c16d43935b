/* daemon/tls.c — see tls.h. Which certificate belongs to which key is said by their order. */
#include "daemon/tls.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"

#include "daemon/say.h"

#include <time.h>

enum { MAX_PAIRS = 100, MAX_NAMES = 100 };

static const struct span suffix = {",tls", 4};

bool tls_address(const char *listen, char ret_address[TLS_ADDRESS_MAX])
{
    struct span address = span_of(listen);
    bool is_tls = span_ends_with(address, suffix);
    address.len -= is_tls ? suffix.len : 0;
    size_t len = address.len < TLS_ADDRESS_MAX ? address.len : TLS_ADDRESS_MAX - 1;
    memcpy(ret_address, address.ptr, len);
    ret_address[len] = '\0';
    return is_tls;
}

static bool has_tls_address(const struct options *options)
{
    char address[TLS_ADDRESS_MAX];
    for (size_t i = 0; i < options->listen.count; i++) {
        if (tls_address(options->listen.items[i], address)) {
            return true;
        }
    }
    return false;
}

/* ---- what was asked for ---- */

struct wanted {
    galley_tls_pair pairs[MAX_PAIRS + 1];
    const char *names[MAX_NAMES + 1];
    char *names_text; /* owned: what names point into */
    galley_tls_options options;
};

static int plan_pairs(struct wanted *wanted, const struct options *options, galley_error *err)
{
    const struct text_list *certs = &options->tls_cert, *keys = &options->tls_key;
    const struct text_list *staples = &options->tls_ocsp;
    if (certs->count > MAX_PAIRS) {
        return error_set(err, GALLEY_EINVAL, "--tls-cert: more than %d", MAX_PAIRS);
    }
    if (keys->count > certs->count || staples->count > certs->count) {
        return error_set(err, GALLEY_EINVAL, "%s is given more often than --tls-cert",
                         keys->count > certs->count ? "--tls-key" : "--tls-ocsp");
    }
    for (size_t i = 0; i < certs->count; i++) {
        wanted->pairs[i] = (galley_tls_pair){
            .cert_file = certs->items[i],
            .key_file = i < keys->count ? keys->items[i] : NULL,
            .ocsp_file = i < staples->count ? staples->items[i] : NULL,
        };
    }
    wanted->options.pairs = certs->count ? wanted->pairs : NULL;
    return GALLEY_OK;
}

/* "--tls-self-signed=a.test,192.0.2.7": cut in place, in a copy. */
static int plan_names(struct wanted *wanted, const char *names, galley_error *err)
{
    wanted->names_text = mem_copy_text(names, strlen(names));
    if (!wanted->names_text) {
        return error_set(err, GALLEY_ENOMEM, "out of memory");
    }
    size_t count = 0;
    for (char *at = wanted->names_text; at && *at;) {
        char *comma = strchr(at, ',');
        if (count == MAX_NAMES) {
            return error_set(err, GALLEY_EINVAL, "--tls-self-signed: more than %d names",
                             MAX_NAMES);
        }
        wanted->names[count++] = at;
        if (comma) {
            *comma = '\0';
        }
        at = comma ? comma + 1 : NULL;
    }
    wanted->options.self_signed_names = wanted->names;
    wanted->options.flags |= GALLEY_TLS_SELF_SIGNED;
    return GALLEY_OK;
}

static int plan_client(struct wanted *wanted, const struct options *options,
                       galley_tls_client_rule rules[2], galley_error *err)
{
    bool is_asked = options->tls_client != GALLEY_TLS_CLIENT_OFF;
    if (is_asked != (options->tls_client_ca != NULL)) {
        return error_set(err, GALLEY_EINVAL,
                         "--tls-client and --tls-client-ca are of no use without each other");
    }
    rules[0] = (galley_tls_client_rule){
        .host = "*", .mode = (int)options->tls_client, .ca_file = options->tls_client_ca};
    rules[1] = (galley_tls_client_rule){0};
    wanted->options.clients = is_asked ? rules : NULL;
    return GALLEY_OK;
}

static int check_use(const struct options *options, galley_error *err)
{
    bool has_certs = options->tls_cert.count > 0 || options->tls_self_signed;
    bool has_address = has_tls_address(options);
    if (has_certs && !has_address) {
        return error_set(err, GALLEY_EINVAL,
                         "%s is of no use without an address for it: --listen ADDRESS,tls",
                         options->tls_self_signed ? "--tls-self-signed" : "--tls-cert");
    }
    if (has_address && !has_certs) {
        return error_set(err, GALLEY_EINVAL,
                         "--listen ADDRESS,tls needs a certificate: --tls-cert FILE, or "
                         "--tls-self-signed for development");
    }
    bool is_for_https = options->redirect_to_https || options->hsts;
    if (is_for_https && !has_address && options->forwarded_from.count == 0) {
        return error_set(err, GALLEY_EINVAL,
                         "%s is of no use without --listen ADDRESS,tls, or a proxy that has it: "
                         "--forwarded-from NETWORK",
                         options->redirect_to_https ? "--redirect-to-https" : "--hsts");
    }
    return GALLEY_OK;
}

static int plan_all(struct wanted *wanted, const struct options *options,
                    galley_tls_client_rule rules[2], galley_error *err)
{
    wanted->options.policy = (int)options->tls_policy;
    wanted->options.flags = options->no_http2 ? GALLEY_TLS_NO_HTTP2 : 0;
    wanted->options.log = say_log;
    int rc = plan_pairs(wanted, options, err);
    if (rc == GALLEY_OK && options->tls_self_signed) {
        rc = plan_names(wanted, options->tls_self_signed, err);
    }
    return rc == GALLEY_OK ? plan_client(wanted, options, rules, err) : rc;
}

int tls_open(galley_tls **ret, const struct options *options, galley_error *err)
{
    galley_tls_client_rule rules[2];
    int rc = check_use(options, err);
    *ret = NULL;
    if (rc != GALLEY_OK || !has_tls_address(options)) {
        return rc;
    }
    struct wanted *wanted = mem_alloc_zero(1, sizeof *wanted);
    if (!wanted) {
        return error_set(err, GALLEY_ENOMEM, "out of memory");
    }
    wanted->options = (galley_tls_options)GALLEY_TLS_OPTIONS_INIT;
    rc = plan_all(wanted, options, rules, err);
    if (rc == GALLEY_OK) {
        *ret = galley_tls_new(&wanted->options, err);
        rc = *ret ? GALLEY_OK : err->code;
    }
    mem_free(wanted->names_text);
    mem_free(wanted);
    return rc;
}

/* ---- what is said of them ---- */

static void append_day(struct buf *out, int64_t wall_s)
{
    time_t at = (time_t)wall_s;
    struct tm day;
    if (gmtime_r(&at, &day)) {
        buf_printf(out, "%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
    }
}

void tls_append_report(struct buf *out, galley_tls *tls)
{
    galley_tls_certificate_report report = {.size = sizeof report};
    for (unsigned i = 0; galley_tls_get_certificate(tls, i, &report) == GALLEY_OK; i++) {
        buf_printf(out, "  certificate for %s (%s%s), until ", report.names, report.key,
                   report.is_self_signed ? ", self-signed: clients do not trust it" : "");
        append_day(out, report.not_after_s);
        buf_append_char(out, '\n');
        if (report.is_self_signed) {
            buf_printf(out, "  SHA-256 %s\n", report.fingerprint);
        }
    }
}
