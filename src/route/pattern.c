/* route/pattern.c — reading and comparing route patterns; see pattern.h. Set-up only, so it may be
 * slow and must explain itself: each refusal is one sentence with the pattern in it. */
#include "route/pattern.h"

#include "base/error.h"
#include "base/text.h"
#include "http/chars.h"
#include "http/host.h"

#define METHOD_BIT(method) (1u << (unsigned)(method))

uint32_t pattern_methods(enum method method)
{
    switch (method) {
    case METHOD_OTHER: /* any: but CONNECT and TRACE, which are not for handlers */
        return ((1u << METHOD_COUNT) - 2u) &
               ~(METHOD_BIT(METHOD_CONNECT) | METHOD_BIT(METHOD_TRACE));
    case METHOD_GET:
        return METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD);
    default:
        return METHOD_BIT(method);
    }
}

static int refuse(const struct pattern *pattern, galley_error *err, const char *why)
{
    return error_set(err, GALLEY_EINVAL, "route \"%.*s\": %s", SPAN_ARGS(pattern->text), why);
}

/* "GET host/path" -> method and the rest; "host/path" alone is for any method. */
static int parse_method(struct pattern *pattern, struct span *ret_rest, galley_error *err)
{
    struct span text = pattern->text;
    size_t space = span_find(text, ' ');
    if (space == text.len || span_find(text, '/') < space) {
        *ret_rest = text;
        return GALLEY_OK;
    }
    struct span name = span_make(text.ptr, space);
    pattern->method = method_of(name);
    if (pattern->method == METHOD_OTHER) {
        return refuse(pattern, err, "unknown method");
    }
    if (pattern->method == METHOD_CONNECT || pattern->method == METHOD_TRACE) {
        return refuse(pattern, err, "CONNECT and TRACE cannot be routed");
    }
    size_t at = name.len;
    while (at < text.len && text.ptr[at] == ' ') {
        at++;
    }
    *ret_rest = span_from(text, at);
    return GALLEY_OK;
}

/* ---- the host ---- */

/* Labels of letters, digits, '-' and '_', none of them empty. */
static bool is_plain_name(struct span name)
{
    bool is_good = true;
    while (name.ptr && is_good) {
        struct span label;
        name = span_cut(name, '.', &label);
        is_good = label.len > 0;
        for (size_t i = 0; i < label.len && is_good; i++) {
            char c = text_lower(label.ptr[i]);
            is_good = (c >= 'a' && c <= 'z') || text_is_digit(c) || c == '-' || c == '_';
        }
    }
    return is_good;
}

/* Digits and dots, as of an address that lacks its front. */
static bool is_numeric(struct span name)
{
    size_t i = 0;
    while (i < name.len && (text_is_digit(name.ptr[i]) || name.ptr[i] == '.')) {
        i++;
    }
    return i == name.len;
}

/* NULL, or what is wrong. */
static const char *read_host(struct pattern *pattern, struct span text)
{
    struct host host;
    pattern->has_star = span_starts_with(text, SPAN("*."));
    text = span_from(text, pattern->has_star ? 2 : 0);
    if (span_find(text, '*') < text.len) {
        return "a star in a host stands in front of it, for whole labels: *.example.com";
    }
    if (host_parse(text, &host) != 0) {
        return "what stands before the path is not a host";
    }
    if (host.name.len < text.len) {
        return "a host in a pattern has no port: it is meant whatever the port";
    }
    pattern->host = host_bare_name(&host);
    if (host.kind == HOST_NAME && (!pattern->host.ptr || !is_plain_name(pattern->host))) {
        return "a host is labels of letters, digits, - and _ with dots between them; other scripts "
               "are written as xn--...";
    }
    if (pattern->has_star && (host.kind != HOST_NAME || is_numeric(pattern->host))) {
        return "a star stands in front of a name, not of an address";
    }
    return NULL;
}

/* "host/path" or "/path" -> the host and the path. */
static int parse_host(struct pattern *pattern, struct span *rest, galley_error *err)
{
    size_t len = span_find(*rest, '/');
    if (len == rest->len) {
        return refuse(pattern, err, "the path must begin with a slash");
    }
    const char *wrong = len > 0 ? read_host(pattern, span_make(rest->ptr, len)) : NULL;
    *rest = span_from(*rest, len);
    return wrong ? refuse(pattern, err, wrong) : GALLEY_OK;
}

bool pattern_has_same_host(const struct pattern *a, const struct pattern *b)
{
    return a->has_star == b->has_star && !a->host.ptr == !b->host.ptr &&
           span_equal_nocase(a->host, b->host);
}

/* ---- the path ---- */

static bool is_name(struct span name)
{
    bool is_good = name.len > 0;
    for (size_t i = 0; i < name.len && is_good; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        is_good = is_letter || (i > 0 && c >= '0' && c <= '9');
    }
    return is_good;
}

static bool has_param(const struct pattern *pattern, struct span name)
{
    for (unsigned i = 0; i < pattern->segment_count; i++) {
        const struct segment *segment = &pattern->segments[i];
        if (segment->kind != SEGMENT_LITERAL && span_equal(segment->text, name)) {
            return true;
        }
    }
    return false;
}

/* text is "{...}" with its braces. NULL, or what is wrong. */
static const char *read_param(struct pattern *pattern, struct span text, struct segment *segment)
{
    struct span name = span_make(text.ptr + 1, text.len - 2);
    segment->kind = SEGMENT_PARAM;
    if (name.len > 3 && memcmp(name.ptr + name.len - 3, "...", 3) == 0) {
        segment->kind = SEGMENT_REST;
        name.len -= 3;
    }
    segment->text = name;
    if (!is_name(name)) {
        return "a name in braces is letters, digits and _, and does not begin with a digit";
    }
    if (has_param(pattern, name)) {
        return "two parts have the same name";
    }
    if (pattern->param_count == PATTERN_MAX_PARAMS) {
        return "more than 8 names in braces";
    }
    pattern->param_count++;
    return NULL;
}

static const char *read_literal(struct span text, bool is_last, struct segment *segment)
{
    segment->kind = SEGMENT_LITERAL;
    segment->text = text;
    if (text.len == 0 && !is_last) {
        return "empty segments never match: paths come without them";
    }
    if (span_equal(text, SPAN(".")) || span_equal(text, SPAN(".."))) {
        return "dot segments never match: paths come without them";
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '{' || c == '}') {
            return "braces must hold a whole segment";
        }
        if (c == '?' || c == '#' || c < 0x20 || c == 0x7f) {
            return "a path has no query, fragment or control character";
        }
    }
    return NULL;
}

static const char *read_segment(struct pattern *pattern, struct span text, bool is_last)
{
    struct segment *segment = &pattern->segments[pattern->segment_count];
    const char *wrong = NULL;
    if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}') {
        wrong = read_param(pattern, text, segment);
    } else {
        wrong = read_literal(text, is_last, segment);
    }
    pattern->segment_count++;
    if (!wrong && segment->kind == SEGMENT_REST && !is_last) {
        wrong = "a part that takes the rest must be the last";
    }
    return wrong;
}

int pattern_parse(struct pattern *ret, struct span text, galley_error *err)
{
    struct pattern pattern = {.text = text};
    struct span rest = SPAN_NONE;
    int rc = parse_method(&pattern, &rest, err);
    if (rc == GALLEY_OK) {
        rc = parse_host(&pattern, &rest, err);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    bool is_last = false;
    while (!is_last) {
        rest = span_make(rest.ptr + 1, rest.len - 1); /* behind the slash */
        const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
        size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
        is_last = !slash;
        if (pattern.segment_count == PATTERN_MAX_SEGMENTS) {
            return refuse(&pattern, err, "more than 32 segments");
        }
        const char *wrong = read_segment(&pattern, span_make(rest.ptr, len), is_last);
        if (wrong) {
            return refuse(&pattern, err, wrong);
        }
        rest = span_make(rest.ptr + len, rest.len - len);
    }
    *ret = pattern;
    return GALLEY_OK;
}

/* ---- comparing ---- */

/* How the segments that a and b allow at one place lie to each other. */
static enum pattern_relation compare_segments(const struct segment *a, const struct segment *b)
{
    if (a->kind == SEGMENT_LITERAL && b->kind == SEGMENT_LITERAL) {
        return span_equal(a->text, b->text) ? PATTERN_SAME : PATTERN_DISJOINT;
    }
    if (a->kind == b->kind) {
        return PATTERN_SAME;
    }
    const struct segment *narrower = a->kind < b->kind ? a : b;
    const struct segment *wider = narrower == a ? b : a;
    if (wider->kind == SEGMENT_PARAM && narrower->text.len == 0) {
        return PATTERN_DISJOINT; /* {name} is never empty */
    }
    return narrower == a ? PATTERN_NARROWER : PATTERN_WIDER;
}

enum pattern_relation pattern_compare(const struct pattern *a, const struct pattern *b)
{
    bool a_is_narrower = false, b_is_narrower = false, had_rest = false;
    unsigned i = 0;
    for (; i < a->segment_count && i < b->segment_count && !had_rest; i++) {
        enum pattern_relation at = compare_segments(&a->segments[i], &b->segments[i]);
        if (at == PATTERN_DISJOINT) {
            return at;
        }
        a_is_narrower |= at == PATTERN_NARROWER;
        b_is_narrower |= at == PATTERN_WIDER;
        had_rest = a->segments[i].kind == SEGMENT_REST || b->segments[i].kind == SEGMENT_REST;
    }
    if (!had_rest && a->segment_count != b->segment_count) {
        return PATTERN_DISJOINT;
    }
    if (a_is_narrower && b_is_narrower) {
        return PATTERN_CROSSING;
    }
    return a_is_narrower ? PATTERN_NARROWER : b_is_narrower ? PATTERN_WIDER : PATTERN_SAME;
}
