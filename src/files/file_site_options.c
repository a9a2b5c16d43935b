/* files/file_site_options.c — a user's options, checked and copied: every refusal is one sentence
 * that names the field. Called by galley_static_new() on the set-up thread. What gets through here
 * is sent as it is, so nothing that could end a line early passes, and no field that the server
 * makes itself. */
#include "files/file_site_state.h"

#include "base/error.h"
#include "base/options.h"
#include "http/field_name.h"
#include "http/field_value.h"

#include "files/file_links.h"

enum {
    ALL_FLAGS = GALLEY_STATIC_LIST | GALLEY_STATIC_HIDDEN | GALLEY_STATIC_NO_PRECOMPRESSED |
                GALLEY_STATIC_SPA | GALLEY_STATIC_CLEAN_URLS | GALLEY_STATIC_NO_COMPRESS |
                GALLEY_STATIC_NO_HINTS,
    MAX_INDEX_BYTES = 200,
    MAX_LINES_BYTES = 8192, /* a client takes no longer heads anyway */
    MAX_RULES = 256
};

/* What the options become on the way. */
struct taking {
    galley_static *site;
    galley_static_options options;
    struct buf lines;
    struct span cache_control; /* among the fields: the rule behind all others */
    galley_error *err;
};

static int out_of_memory(galley_error *err)
{
    return error_set(err, GALLEY_ENOMEM, "static options: out of memory");
}

static const struct options_kind options_kind = {sizeof(galley_static_options), "static options",
                                                 "GALLEY_STATIC_OPTIONS_INIT"};

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_plain_name(struct span name)
{
    bool is_dots = span_equal(name, SPAN(".")) || span_equal(name, SPAN(".."));
    return name.len > 0 && !is_dots && field_value_is_valid(name) &&
           !memchr(name.ptr, '%', name.len) && !memchr(name.ptr, '/', name.len);
}

static int check_index(struct taking *taking)
{
    struct span rest = span_of(taking->options.index);
    if (rest.len > MAX_INDEX_BYTES) {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: index is longer than %d bytes", MAX_INDEX_BYTES);
    }
    while (rest.ptr) {
        struct span name;
        rest = span_cut(rest, ' ', &name);
        if (name.len > 0 && !is_plain_name(name)) {
            return error_set(taking->err, GALLEY_EINVAL,
                             "static options: index '%.*s' is not a file name", SPAN_ARGS(name));
        }
    }
    return GALLEY_OK;
}

static bool is_plain_path(struct span path)
{
    while (path.ptr) {
        struct span name;
        path = span_cut(path, '/', &name);
        if (!is_plain_name(name)) {
            return false;
        }
    }
    return true;
}

static int take_not_found(struct taking *taking)
{
    const char *page = taking->options.not_found ? taking->options.not_found : "404.html";
    struct span name = span_of(page + (page[0] == '/'));
    if (name.len == 0) {
        return GALLEY_OK;
    }
    if (!is_plain_path(name)) {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: not_found '%s' is not a file below the root", page);
    }
    galley_static *site = taking->site;
    site->not_found_path = arena_printf(&site->memory, "/%.*s", SPAN_ARGS(name));
    return site->not_found_path.ptr ? GALLEY_OK : out_of_memory(taking->err);
}

static int take_param(struct taking *taking)
{
    galley_static *site = taking->site;
    const char *param = taking->options.param ? taking->options.param : "path";
    site->param = arena_copy(&site->memory, span_of(param));
    return site->param.ptr ? GALLEY_OK : out_of_memory(taking->err);
}

/* ---- fields of every answer ------------------------------------------------------------------ */

/* What this room or the driver says itself: a second line could only contradict it. */
static bool is_made_by_server(struct span name)
{
    switch (field_id_of(name)) {
    case FIELD_ACCEPT_RANGES:
    case FIELD_ALLOW:
    case FIELD_CONNECTION:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_LENGTH:
    case FIELD_CONTENT_RANGE:
    case FIELD_CONTENT_TYPE:
    case FIELD_DATE:
    case FIELD_ETAG:
    case FIELD_KEEP_ALIVE:
    case FIELD_LAST_MODIFIED:
    case FIELD_LOCATION:
    case FIELD_PROXY_CONNECTION:
    case FIELD_SERVER:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_X_CONTENT_TYPE_OPTIONS:
        return true;
    default:
        return false;
    }
}

static void append_line(struct buf *lines, struct span name, struct span value)
{
    buf_append_span(lines, name);
    buf_append_text(lines, ": ");
    buf_append_span(lines, value);
    buf_append_text(lines, "\r\n");
}

static int take_field(struct taking *taking, const char *line)
{
    struct span name;
    struct span value = span_cut(span_of(line), ':', &name);
    value = span_trim(value);
    if (!value.ptr || !field_name_is_valid(name) || !field_value_is_valid(value)) {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: '%s' is not a field like 'Name: value'", line);
    }
    enum field_id id = field_id_of(name);
    bool is_twice = id == FIELD_ACCESS_CONTROL_ALLOW_ORIGIN && taking->options.cors_origin;
    if (is_made_by_server(name) || is_twice) {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: field %.*s is made by the server", SPAN_ARGS(name));
    }
    if (id == FIELD_CACHE_CONTROL) {
        taking->cache_control = value; /* not on errors: it becomes the last rule */
        return GALLEY_OK;
    }
    taking->site->has_own_policy |= id == FIELD_CONTENT_SECURITY_POLICY;
    append_line(&taking->lines, name, value);
    return GALLEY_OK;
}

static int take_fields(struct taking *taking)
{
    const char *const *line = taking->options.fields;
    int rc = GALLEY_OK;
    for (; line && *line && rc == GALLEY_OK; line++) {
        rc = take_field(taking, *line);
    }
    return rc;
}

static int keep_lines(struct taking *taking, struct span *ret_lines)
{
    if (taking->lines.len > MAX_LINES_BYTES) {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: fields are longer than %d bytes", MAX_LINES_BYTES);
    }
    if (!taking->lines.failed) {
        *ret_lines = arena_copy(&taking->site->memory, buf_span(&taking->lines));
    }
    return ret_lines->ptr ? GALLEY_OK : out_of_memory(taking->err);
}

/* Fetch standard, "CORS protocol": what scripts of other origins may read, and what the preflight
 * asks. */
static int take_lines(struct taking *taking)
{
    galley_static *site = taking->site;
    const char *origin = taking->options.cors_origin;
    if (origin && (!field_value_is_valid(span_of(origin)) || origin[0] == '\0')) {
        return error_set(taking->err, GALLEY_EINVAL, "static options: cors_origin '%s' is no value",
                         origin);
    }
    int rc = take_fields(taking);
    if (rc == GALLEY_OK && origin) {
        append_line(&taking->lines, SPAN("Access-Control-Allow-Origin"), span_of(origin));
        append_line(&taking->lines, SPAN("Access-Control-Expose-Headers"),
                    SPAN("Accept-Ranges, Content-Range, ETag"));
    }
    if (rc == GALLEY_OK) {
        rc = keep_lines(taking, &site->common_lines);
    }
    if (rc != GALLEY_OK || !origin) {
        return rc;
    }
    append_line(&taking->lines, SPAN("Access-Control-Allow-Methods"), SPAN("GET, HEAD"));
    append_line(&taking->lines, SPAN("Access-Control-Allow-Headers"), SPAN("*"));
    append_line(&taking->lines, SPAN("Access-Control-Max-Age"), SPAN("86400"));
    return keep_lines(taking, &site->preflight_lines);
}

/* ---- Cache-Control --------------------------------------------------------------------------- */

static int take_rule(struct taking *taking, const galley_static_rule *rule)
{
    struct span value = span_of(rule->value);
    if (value.len == 0 || !field_value_is_valid(value) || rule->pattern[0] == '\0') {
        return error_set(taking->err, GALLEY_EINVAL,
                         "static options: rule '%s' needs a pattern and a Cache-Control value",
                         rule->pattern);
    }
    galley_static *site = taking->site;
    int rc = file_rules_add(&site->rules, &site->memory, span_of(rule->pattern), value);
    return rc == GALLEY_OK ? rc : out_of_memory(taking->err);
}

static int take_rules(struct taking *taking)
{
    galley_static *site = taking->site;
    const galley_static_rule *rules = taking->options.rules;
    size_t count = 0;
    while (rules && rules[count].pattern) {
        count++;
    }
    if (count > MAX_RULES) {
        return error_set(taking->err, GALLEY_EINVAL, "static options: more than %d rules",
                         MAX_RULES);
    }
    site->rules.rules = arena_alloc(&site->memory, (count + 1) * sizeof *site->rules.rules);
    int rc = site->rules.rules ? GALLEY_OK : out_of_memory(taking->err);
    for (size_t i = 0; i < count && rc == GALLEY_OK; i++) {
        rc = take_rule(taking, &rules[i]);
    }
    if (rc == GALLEY_OK && taking->cache_control.ptr) {
        rc = file_rules_add(&site->rules, &site->memory, SPAN("**"), taking->cache_control);
        rc = rc == GALLEY_OK ? rc : out_of_memory(taking->err);
    }
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int take_flags(struct taking *taking, struct file_store_options *ret_store)
{
    const galley_static_options *options = &taking->options;
    uint32_t unknown = options->flags & ~(uint32_t)ALL_FLAGS;
    if (unknown) {
        return error_set(taking->err, GALLEY_EINVAL, "static options: unknown flags 0x%x",
                         (unsigned)unknown);
    }
    taking->site->flags = options->flags;
    ret_store->serves_hidden = (options->flags & GALLEY_STATIC_HIDDEN) != 0;
    ret_store->uses_precompressed = (options->flags & GALLEY_STATIC_NO_PRECOMPRESSED) == 0;
    ret_store->compresses = (options->flags & GALLEY_STATIC_NO_COMPRESS) == 0;
    ret_store->has_clean_urls = (options->flags & GALLEY_STATIC_CLEAN_URLS) != 0;
    ret_store->sends_directories = (options->flags & GALLEY_STATIC_LIST) != 0;
    ret_store->index = options->index;
    ret_store->cache_bytes = options->cache_bytes;
    ret_store->max_memory_file = options->max_memory_file;
    ret_store->max_hash_file = options->max_hash_file;
    ret_store->max_open_files = options->max_open_files;
    return GALLEY_OK;
}

static int take_compression(struct taking *taking, struct file_store_options *ret_store)
{
    const galley_static_options *options = &taking->options;
    struct compressible *rules = &ret_store->compressible;
    int rc = compressible_from_options(rules, options->compress_types, options->compress_min_bytes,
                                       "static options", taking->err);
    if (rc == GALLEY_OK && rules->types.ptr) {
        rules->types = arena_copy(&taking->site->memory, rules->types);
        rc = rules->types.ptr ? rc : out_of_memory(taking->err);
    }
    return rc;
}

int file_site_take_options(galley_static *site, const galley_static_options *options,
                           struct file_store_options *ret_store, galley_error *err)
{
    struct taking taking = {.site = site, .err = err};
    int rc = options_copy(&taking.options, &options_kind, options, err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    buf_init(&taking.lines, 0);
    rc = take_flags(&taking, ret_store);
    rc = rc == GALLEY_OK ? take_compression(&taking, ret_store) : rc;
    rc = rc == GALLEY_OK ? check_index(&taking) : rc;
    rc = rc == GALLEY_OK ? take_param(&taking) : rc;
    rc = rc == GALLEY_OK ? take_not_found(&taking) : rc;
    rc = rc == GALLEY_OK ? take_lines(&taking) : rc;
    rc = rc == GALLEY_OK ? take_rules(&taking) : rc;
    rc = rc == GALLEY_OK ? file_links_take(site, taking.options.links, err) : rc;
    buf_finish(&taking.lines);
    return rc;
}
