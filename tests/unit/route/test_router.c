/* The router: the most specific pattern wins in every order of registration, ties are refused, and
 * the tree agrees with a matcher too simple to be wrong. */
#include "test.h"

#include "base/alloc.h"
#include "route/router.h"

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    (void)arg;
    return 200;
}

static int add(struct router *router, const char *pattern, galley_error *err)
{
    struct route_target target = {.handler = handler};
    return router_add(router, span_of(pattern), &target, err);
}

static struct router *router_of(const char *const *patterns)
{
    struct router *router = router_create();
    for (; *patterns; patterns++) {
        EXPECT_INT(add(router, *patterns, NULL), GALLEY_OK);
    }
    return router;
}
#define ROUTER(...) router_of((const char *const[]){__VA_ARGS__, NULL})

static const char *found(struct router *router, enum method method, const char *path)
{
    struct route_match match = router_find(router, method, SPAN_NONE, span_of(path));
    return match.target ? match.target->label : match.methods ? "405" : "404";
}

TEST(test_patterns_match_whole_paths)
{
    struct router *router = ROUTER("GET /", "GET /a", "GET /a/b/");
    EXPECT_TEXT(found(router, METHOD_GET, "/"), "GET /");
    EXPECT_TEXT(found(router, METHOD_GET, "/a"), "GET /a");
    EXPECT_TEXT(found(router, METHOD_GET, "/a/"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, "/a/b"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, "/a/b/"), "GET /a/b/");
    EXPECT_TEXT(found(router, METHOD_GET, "/A"), "404");
    router_destroy(router);
}

TEST(test_a_name_is_one_segment_that_is_not_empty)
{
    struct router *router = ROUTER("/files/{name}");
    EXPECT_TEXT(found(router, METHOD_PUT, "/files/x"), "/files/{name}");
    EXPECT_TEXT(found(router, METHOD_PUT, "/files/"), "404");
    EXPECT_TEXT(found(router, METHOD_PUT, "/files/x/y"), "404");
    EXPECT_TEXT(found(router, METHOD_PUT, "/files/x/"), "404");
    router_destroy(router);
}

TEST(test_the_rest_may_be_empty_or_long)
{
    struct router *router = ROUTER("/assets/{path...}");
    struct route_match match =
        router_find(router, METHOD_GET, SPAN_NONE, SPAN("/assets/css/a.css"));
    EXPECT_INT(match.param_count, 1);
    EXPECT_SPAN(match.params[0].name, "path");
    EXPECT_SPAN(match.params[0].value, "css/a.css");
    match = router_find(router, METHOD_GET, SPAN_NONE, SPAN("/assets/"));
    EXPECT_SPAN(match.params[0].value, "");
    EXPECT_TEXT(found(router, METHOD_GET, "/assets"), "404");
    router_destroy(router);
}

TEST(test_each_pattern_gives_its_own_names)
{
    struct router *router = ROUTER("GET /{id}", "DELETE /{name}", "/{a}/x/{b}");
    EXPECT_SPAN(router_find(router, METHOD_GET, SPAN_NONE, SPAN("/7")).params[0].name, "id");
    EXPECT_SPAN(router_find(router, METHOD_DELETE, SPAN_NONE, SPAN("/7")).params[0].name, "name");
    struct route_match match = router_find(router, METHOD_GET, SPAN_NONE, SPAN("/1/x/2"));
    EXPECT_INT(match.param_count, 2);
    EXPECT_SPAN(match.params[0].value, "1");
    EXPECT_SPAN(match.params[1].name, "b");
    EXPECT_SPAN(match.params[1].value, "2");
    router_destroy(router);
}

TEST(test_an_encoded_slash_does_not_separate)
{
    /* http/target.h keeps it as %2F; L13: the router sees the same string as everybody. */
    struct router *router = ROUTER("/{one}", "/{one}/{two}");
    EXPECT_TEXT(found(router, METHOD_GET, "/a%2Fb"), "/{one}");
    router_destroy(router);
}

TEST(test_the_most_specific_pattern_wins_in_any_order)
{
    const char *patterns[] = {"GET /{rest...}", "GET /a/{x}", "GET /a/b", "/a/b", "HEAD /a/b"};
    for (unsigned first = 0; first < 5; first++) {
        struct router *router = router_create();
        for (unsigned i = 0; i < 5; i++) {
            EXPECT_INT(add(router, patterns[(first + i) % 5], NULL), GALLEY_OK);
        }
        EXPECT_TEXT(found(router, METHOD_GET, "/a/b"), "GET /a/b");
        EXPECT_TEXT(found(router, METHOD_HEAD, "/a/b"), "HEAD /a/b");
        EXPECT_TEXT(found(router, METHOD_POST, "/a/b"), "/a/b");
        EXPECT_TEXT(found(router, METHOD_GET, "/a/c"), "GET /a/{x}");
        EXPECT_TEXT(found(router, METHOD_GET, "/a/b/c"), "GET /{rest...}");
        router_destroy(router);
    }
}

TEST(test_get_answers_head)
{
    struct router *router = ROUTER("GET /a");
    EXPECT_TEXT(found(router, METHOD_HEAD, "/a"), "GET /a");
    router_destroy(router);
}

TEST(test_any_method_means_those_for_handlers)
{
    /* RFC 9110 §9.3.6, §9.3.8 */
    struct router *router = ROUTER("/a");
    EXPECT_TEXT(found(router, METHOD_DELETE, "/a"), "/a");
    EXPECT_TEXT(found(router, METHOD_CONNECT, "/a"), "405");
    EXPECT_TEXT(found(router, METHOD_TRACE, "/a"), "405");
    router_destroy(router);
}

TEST(test_a_branch_without_the_method_is_left_again)
{
    struct router *router = ROUTER("POST /a/{x}", "GET /{y}/b");
    EXPECT_TEXT(found(router, METHOD_POST, "/a/b"), "POST /a/{x}");
    EXPECT_TEXT(found(router, METHOD_GET, "/a/b"), "GET /{y}/b");
    struct route_match match = router_find(router, METHOD_PUT, SPAN_NONE, SPAN("/a/b"));
    EXPECT(!match.target);
    EXPECT_INT(match.methods, (1u << METHOD_POST) | (1u << METHOD_GET) | (1u << METHOD_HEAD));
    router_destroy(router);
}

TEST(test_ties_are_refused_with_a_sentence_that_names_both)
{
    struct router *router = ROUTER("GET /{a}", "/x/{y}/z");
    galley_error err = {0};
    EXPECT_INT(add(router, "GET /{b}", &err), GALLEY_ECONFLICT);
    EXPECT(strstr(err.message, "\"GET /{b}\"") && strstr(err.message, "\"GET /{a}\""));
    EXPECT_INT(add(router, "POST /{p}/q/z", &err), GALLEY_ECONFLICT);
    EXPECT_INT(add(router, "GET /{a}", &err), GALLEY_ECONFLICT);
    /* An error means nothing happened. */
    EXPECT_TEXT(found(router, METHOD_POST, "/p/q/z"), "404");
    EXPECT_INT(add(router, "POST /{b}", &err), GALLEY_OK);
    EXPECT_INT(add(router, "/{c}", &err), GALLEY_OK);
    router_destroy(router);
}

TEST(test_one_fallback)
{
    struct router *router = router_create();
    struct route_target target = {.handler = handler};
    EXPECT_INT(router_set_fallback(router, &target, NULL), GALLEY_OK);
    EXPECT_INT(router_set_fallback(router, &target, NULL), GALLEY_ECONFLICT);
    size_t it = 0;
    EXPECT(router_next(router, &it));
    EXPECT(!router_next(router, &it));
    EXPECT(!router_next(router, &it));
    router_destroy(router);
}

TEST(test_bad_prefixes_are_refused_and_good_ones_reach_every_route)
{
    struct router *router = ROUTER("GET /a", "GET x.org/b");
    struct route_target target = {.handler = handler};
    galley_error err = {0};
    EXPECT_INT(router_set_fallback(router, &target, NULL), GALLEY_OK);
    EXPECT_INT(router_use(router, SPAN("admin"), NULL, NULL, &err), GALLEY_EINVAL);
    EXPECT(strstr(err.message, "\"admin\""));
    for (unsigned i = 0; i < 9; i++) { /* more than the array's first room */
        EXPECT_INT(router_use(router, i % 2 ? SPAN("/admin/") : SPAN("/"), NULL, &err, NULL), 0);
    }
    router_seal(router);
    size_t it = 0, count = 0;
    for (struct route_target *each; (each = router_next(router, &it)) != NULL; count++) {
        EXPECT_INT(each->middleware_count, 9);
        EXPECT_SPAN(each->middleware[0].prefix, "");
        EXPECT_SPAN(each->middleware[7].prefix, "/admin");
        EXPECT(each->middleware[8].arg == &err);
    }
    EXPECT_INT(count, 3);
    router_destroy(router);
}

TEST(test_every_failing_allocation_leaves_the_routes_as_they_were)
{
    bool did_fail = true;
    for (uint64_t n = 1; did_fail; n++) {
        mem_fail_nth(n);
        struct router *router = router_create();
        int last = router ? GALLEY_OK : GALLEY_ENOMEM;
        const char *patterns[] = {
            "/a",     "/b",     "/c",     "/d",     "/e",     "GET /{x}/y/{z...}",
            "a.org/", "b.org/", "c.org/", "d.org/", "e.org/", "*.a.org/"};
        for (unsigned i = 0; router && i < sizeof patterns / sizeof *patterns; i++) {
            galley_error err = {0};
            int rc = add(router, patterns[i], &err);
            EXPECT(rc == GALLEY_OK || rc == GALLEY_ENOMEM);
            EXPECT((rc == GALLEY_OK) == (err.code == 0));
            last = rc ? rc : last;
        }
        for (unsigned i = 0; router && i < 5; i++) {
            int rc = router_use(router, SPAN("/x"), NULL, NULL, NULL);
            EXPECT(rc == GALLEY_OK || rc == GALLEY_ENOMEM);
            last = rc ? rc : last;
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(!did_fail || last == GALLEY_ENOMEM);
        router_destroy(router);
    }
}

/* ---- against a matcher too simple to be wrong ---- */

enum { MAX_PARTS = 12 };

static unsigned split(const char *path, struct span parts[MAX_PARTS])
{
    unsigned count = 0;
    for (const char *at = path + 1;; at++) {
        const char *end = strchr(at, '/');
        parts[count++] = span_make(at, end ? (size_t)(end - at) : strlen(at));
        if (!end) {
            return count;
        }
        at = end;
    }
}

static bool matches(const struct pattern *pattern, enum method method, const char *path)
{
    struct span parts[MAX_PARTS];
    unsigned count = split(path, parts), i = 0;
    if (!(pattern_methods(pattern->method) & (1u << method))) {
        return false;
    }
    for (; i < pattern->segment_count; i++) {
        const struct segment *segment = &pattern->segments[i];
        if (segment->kind == SEGMENT_REST) {
            return i < count;
        }
        if (i >= count || (segment->kind == SEGMENT_PARAM && parts[i].len == 0) ||
            (segment->kind == SEGMENT_LITERAL && !span_equal(segment->text, parts[i]))) {
            return false;
        }
    }
    return i == count;
}

/* How near the pattern's host is to the request's, both in lower case; 0: another one. */
static size_t nearness(const struct pattern *pattern, const char *host)
{
    if (!pattern->host.ptr) {
        return 1;
    }
    char own[31], end[32];
    snprintf(own, sizeof own, "%.*s", SPAN_ARGS(pattern->host));
    snprintf(end, sizeof end, ".%s", own);
    if (!pattern->has_star) {
        return host && strcmp(own, host) == 0 ? SIZE_MAX : 0;
    }
    size_t host_len = host ? strlen(host) : 0, end_len = strlen(end);
    bool is_below = host_len > end_len && strcmp(host + host_len - end_len, end) == 0;
    return is_below ? end_len : 0;
}

static bool is_better(const struct pattern *a, const struct pattern *b, const char *host)
{
    if (nearness(a, host) != nearness(b, host)) {
        return nearness(a, host) > nearness(b, host);
    }
    enum pattern_relation relation = pattern_compare(a, b);
    uint32_t am = pattern_methods(a->method), bm = pattern_methods(b->method);
    return relation == PATTERN_NARROWER || (relation == PATTERN_SAME && (am & bm) == am);
}

static const char *random_segment(bool may_be_name)
{
    static const char *const segments[] = {"a", "b", "cc", "{x}"};
    return segments[test_random_below(may_be_name ? 4 : 3)];
}

static void append(char out[128], const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, 128 - len, "%s", text);
}

static void random_pattern(char out[128])
{
    static const char *const methods[] = {"", "GET ", "HEAD ", "POST "};
    static const char *const hosts[] = {"", "", "a.org", "*.org", "*.a.org", "b.a.org"};
    static const char *const names[] = {"{p0}", "{p1}", "{p2}"};
    out[0] = '\0';
    append(out, methods[test_random_below(4)]);
    append(out, hosts[test_random_below(6)]);
    unsigned depth = (unsigned)test_random_below(4);
    for (unsigned i = 0; i < depth; i++) {
        const char *segment = random_segment(true);
        append(out, "/");
        append(out, segment[0] == '{' ? names[i] : segment);
    }
    uint64_t end = test_random_below(3);
    append(out, end == 0 ? "/{rest...}" : end == 1 || !depth ? "/" : "");
}

static void random_path(char out[128])
{
    unsigned depth = (unsigned)test_random_below(5);
    out[0] = '\0';
    for (unsigned i = 0; i < depth; i++) {
        append(out, "/");
        append(out, random_segment(false));
    }
    append(out, !depth || test_random_below(3) == 0 ? "/" : "");
}

TEST(test_the_tree_agrees_with_a_naive_matcher)
{
    static const enum method methods[] = {METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT};
    static const char *const hosts[] = {NULL, "a.org", "b.a.org", "c.b.a.org", "c.org", "d.net"};
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        struct router *router = router_create();
        struct pattern taken[12];
        char texts[12][128];
        unsigned count = 0;
        for (unsigned i = 0; i < 12; i++) {
            random_pattern(texts[count]);
            if (add(router, texts[count], NULL) == GALLEY_OK) {
                EXPECT_INT(pattern_parse(&taken[count], span_of(texts[count]), NULL), GALLEY_OK);
                count++;
            }
        }
        for (unsigned i = 0; i < 30; i++) {
            char path[128];
            random_path(path);
            enum method method = methods[test_random_below(4)];
            const char *host = hosts[test_random_below(6)];
            const struct pattern *best = NULL;
            for (unsigned k = 0; k < count; k++) {
                if (nearness(&taken[k], host) && matches(&taken[k], method, path) &&
                    (!best || is_better(&taken[k], best, host))) {
                    best = &taken[k];
                }
            }
            struct route_match match = router_find(router, method, span_of(host), span_of(path));
            if (best ? !match.target || !span_equal(span_of(match.target->label), best->text)
                     : match.target != NULL) {
                test_fail(__FILE__, __LINE__, "%d %s %s: %s, not %.*s", method, host ? host : "",
                          path, match.target ? match.target->label : "none",
                          best ? (int)best->text.len : 4, best ? best->text.ptr : "none");
            }
        }
        router_destroy(router);
    }
}
