/* tests/fuzz/fuzz_route_pattern.c — lines: those with a tab in front are requests,
 * "METHOD<space>[host]path" behind it, the others are patterns to add. Requests are asked as they
 * stand if their path is normal and the host is one, else left out. Holds: the router finds what a
 * naive matcher finds that tries every pattern and takes the one with the nearest host, of these the
 * narrowest; never two that could tie; parameters are the pieces of the path; the set of methods is
 * that of all patterns that match. */
#include "fuzz.h"
#include "http/host.h"
#include "route/router.h"

/* rooms: route */

enum { MAX_PATTERNS = 24, MAX_LOOKUPS = 64 };

struct known {
    struct pattern pattern;
    struct route_target target;
};

static struct known known[MAX_PATTERNS];
static unsigned known_count;

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)rs, (void)arg;
    return 0;
}

/* ---- the naive matcher: segment by segment, no tree ------------------------------------------ */

static bool matches(const struct pattern *pattern, struct span path, struct span *values)
{
    struct span rest = span_from(path, 1);
    unsigned count = 0;
    for (unsigned i = 0; i < pattern->segment_count; i++) {
        const struct segment *segment = &pattern->segments[i];
        struct span name;
        if (!rest.ptr) {
            return false;
        }
        if (segment->kind == SEGMENT_REST) {
            values[count] = rest;
            return true;
        }
        rest = span_cut(rest, '/', &name);
        if (segment->kind == SEGMENT_PARAM) {
            values[count++] = name;
        }
        bool is_equal =
            segment->kind == SEGMENT_PARAM ? name.len > 0 : span_equal(name, segment->text);
        if (!is_equal) {
            return false;
        }
    }
    return !rest.ptr;
}

static unsigned bits_of(uint32_t methods)
{
    return (unsigned)__builtin_popcount(methods);
}

/* Is a more specific than b, both matching the same request? By segments from the left; then by
 * methods. */
static bool is_narrower(const struct pattern *a, const struct pattern *b)
{
    for (unsigned i = 0; i < a->segment_count && i < b->segment_count; i++) {
        if (a->segments[i].kind != b->segments[i].kind) {
            return a->segments[i].kind < b->segments[i].kind;
        }
    }
    return bits_of(pattern_methods(a->method)) < bits_of(pattern_methods(b->method));
}

/* How near the pattern's host is to the request's: 0 is another one. */
static size_t nearness(const struct pattern *pattern, struct span host)
{
    struct span mine = pattern->host;
    if (!mine.ptr) {
        return 1;
    }
    if (!pattern->has_star) {
        return span_equal_nocase(mine, host) ? SIZE_MAX : 0;
    }
    if (host.len < mine.len + 2 || host.ptr[host.len - mine.len - 1] != '.') {
        return 0;
    }
    return span_equal_nocase(span_from(host, host.len - mine.len), mine) ? mine.len + 1 : 0;
}

static bool is_better(const struct pattern *a, const struct pattern *b, struct span host)
{
    size_t a_near = nearness(a, host), b_near = nearness(b, host);
    return a_near == b_near ? is_narrower(a, b) : a_near > b_near;
}

static const struct known *find_naively(enum method method, struct span host, struct span path,
                                        uint32_t *ret_methods)
{
    const struct known *best = NULL;
    struct span values[PATTERN_MAX_PARAMS];
    *ret_methods = 0;
    for (unsigned i = 0; i < known_count; i++) {
        const struct pattern *pattern = &known[i].pattern;
        uint32_t methods = pattern_methods(pattern->method);
        if (!nearness(pattern, host) || !matches(pattern, path, values)) {
            continue;
        }
        *ret_methods |= methods;
        bool has_method = (methods & (1u << (unsigned)method)) != 0;
        if (has_method && (!best || is_better(pattern, &best->pattern, host))) {
            best = &known[i];
        }
    }
    return best;
}

static void expect_same(const struct router *router, enum method method, struct span host,
                        struct span path)
{
    struct route_match match = router_find(router, method, host, path);
    uint32_t methods = 0;
    const struct known *naive = find_naively(method, host, path, &methods);
    FUZZ_EXPECT((naive != NULL) == (match.target != NULL));
    if (!naive) {
        FUZZ_EXPECT(match.methods == methods);
        return;
    }
    FUZZ_EXPECT(match.target->arg == naive);
    struct span values[PATTERN_MAX_PARAMS];
    FUZZ_EXPECT(matches(&naive->pattern, path, values));
    FUZZ_EXPECT(match.param_count == naive->pattern.param_count);
    for (unsigned i = 0; i < match.param_count; i++) {
        FUZZ_EXPECT(match.params[i].value.ptr == values[i].ptr);
        FUZZ_EXPECT(match.params[i].value.len == values[i].len);
        FUZZ_EXPECT(match.params[i].name.len > 0);
    }
}

/* ---- input ----------------------------------------------------------------------------------- */

static void add(struct router *router, struct span line)
{
    struct known *mine = &known[known_count];
    if (known_count == MAX_PATTERNS) {
        return;
    }
    mine->target = (struct route_target){.handler = handler, .arg = mine};
    galley_error err = {0};
    int rc = router_add(router, line, &mine->target, &err);
    FUZZ_EXPECT((rc == GALLEY_OK) == (err.message[0] == '\0'));
    FUZZ_EXPECT(rc == GALLEY_OK || rc == GALLEY_EINVAL || rc == GALLEY_ECONFLICT);
    if (rc == GALLEY_OK) {
        FUZZ_EXPECT(pattern_parse(&mine->pattern, line, NULL) == GALLEY_OK);
        known_count++;
    }
}

/* As http/target.h leaves it: no empty segment but the last, no dots. */
static bool is_normal(struct span path)
{
    struct span rest = span_from(path, 1), name;
    if (path.len == 0 || path.ptr[0] != '/') {
        return false;
    }
    while (rest.ptr) {
        rest = span_cut(rest, '/', &name);
        if ((name.len == 0 && rest.ptr) || span_equal(name, SPAN(".")) ||
            span_equal(name, SPAN(".."))) {
            return false;
        }
    }
    return true;
}

static void ask(const struct router *router, struct span line)
{
    struct span name;
    struct span rest = span_cut(line, ' ', &name);
    enum method method = method_of(name);
    size_t slash = span_find(rest, '/');
    struct span path = span_from(rest, slash);
    struct host host = {0};
    bool has_host = slash > 0;
    if (rest.ptr && method != METHOD_OTHER && is_normal(path) &&
        (!has_host || host_parse(span_make(rest.ptr, slash), &host) == 0)) {
        expect_same(router, method, has_host ? host_bare_name(&host) : SPAN_NONE, path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_make((const char *)data, size);
    struct router *router = router_create();
    FUZZ_EXPECT(router != NULL);
    known_count = 0;
    for (unsigned i = 0; rest.ptr && i < MAX_PATTERNS + MAX_LOOKUPS; i++) {
        struct span line;
        rest = span_cut(rest, '\n', &line);
        if (line.len > 0 && line.ptr[0] == '\t') {
            ask(router, span_from(line, 1));
        } else {
            add(router, line);
        }
    }
    router_destroy(router);
    return 0;
}
