/* Patterns with hosts: which hosts they are for, which one goes first, and what is left to patterns
 * without one. */
#include "test.h"

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

static const char *found(struct router *router, enum method method, const char *host,
                         const char *path)
{
    struct route_match match = router_find(router, method, span_of(host), span_of(path));
    return match.target ? match.target->label : match.methods ? "405" : "404";
}

TEST(test_a_host_in_a_pattern_is_that_host_in_any_case)
{
    struct router *router = ROUTER("GET Api.Example.com./x");
    EXPECT_TEXT(found(router, METHOD_GET, "api.example.com", "/x"), "GET Api.Example.com./x");
    EXPECT_TEXT(found(router, METHOD_GET, "API.EXAMPLE.COM", "/x"), "GET Api.Example.com./x");
    EXPECT_TEXT(found(router, METHOD_GET, "example.com", "/x"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, "a.api.example.com", "/x"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, NULL, "/x"), "404");
    router_destroy(router);
}

TEST(test_a_star_is_one_label_or_more)
{
    struct router *router = ROUTER("*.example.com/");
    EXPECT_TEXT(found(router, METHOD_GET, "a.example.com", "/"), "*.example.com/");
    EXPECT_TEXT(found(router, METHOD_GET, "b.a.Example.com", "/"), "*.example.com/");
    EXPECT_TEXT(found(router, METHOD_GET, "example.com", "/"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, ".example.com", "/"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, "aexample.com", "/"), "404");
    EXPECT_TEXT(found(router, METHOD_GET, "a.example.com.evil.org", "/"), "404");
    router_destroy(router);
}

TEST(test_exact_hosts_go_before_stars_the_longest_first_and_these_before_none)
{
    const char *patterns[] = {"/{x...}", "*.com/{x...}", "*.example.com/{x...}",
                              "a.example.com/{x...}"};
    for (unsigned first = 0; first < 4; first++) {
        struct router *router = router_create();
        for (unsigned i = 0; i < 4; i++) {
            EXPECT_INT(add(router, patterns[(first + i) % 4], NULL), GALLEY_OK);
        }
        EXPECT_TEXT(found(router, METHOD_GET, "a.example.com", "/p"), patterns[3]);
        EXPECT_TEXT(found(router, METHOD_GET, "b.example.com", "/p"), patterns[2]);
        EXPECT_TEXT(found(router, METHOD_GET, "example.com", "/p"), patterns[1]);
        EXPECT_TEXT(found(router, METHOD_GET, "example.org", "/p"), patterns[0]);
        EXPECT_TEXT(found(router, METHOD_GET, NULL, "/p"), patterns[0]);
        router_destroy(router);
    }
}

TEST(test_what_a_hosts_own_patterns_do_not_match_is_left_to_the_next)
{
    struct router *router = ROUTER("GET a.org/x", "PUT *.org/x", "POST /x", "GET /health");
    EXPECT_TEXT(found(router, METHOD_GET, "a.org", "/health"), "GET /health");
    EXPECT_TEXT(found(router, METHOD_POST, "a.org", "/x"), "POST /x");
    EXPECT_TEXT(found(router, METHOD_PUT, "a.org", "/x"), "PUT *.org/x");
    EXPECT_TEXT(found(router, METHOD_GET, "b.org", "/x"), "405");
    router_destroy(router);
}

TEST(test_the_methods_of_a_path_are_those_of_all_patterns_for_the_host)
{
    struct router *router = ROUTER("GET a.org/x", "PUT *.org/x", "POST /x", "DELETE b.org/x");
    struct route_match match = router_find(router, METHOD_PATCH, SPAN("a.org"), SPAN("/x"));
    EXPECT(!match.target);
    EXPECT_INT(match.methods, (1u << METHOD_GET) | (1u << METHOD_HEAD) | (1u << METHOD_PUT) |
                                  (1u << METHOD_POST)); /* RFC 9110 §15.5.6 */
    match = router_find(router, METHOD_PATCH, SPAN("other.net"), SPAN("/x"));
    EXPECT_INT(match.methods, 1u << METHOD_POST);
    router_destroy(router);
}

TEST(test_conflicts_are_those_of_the_same_host)
{
    struct router *router = ROUTER("GET a.org/{x}", "GET *.a.org/{x}", "GET /{x}", "GET b.org/{x}");
    galley_error err = {0};
    EXPECT_INT(add(router, "GET A.org/{y}", &err), GALLEY_ECONFLICT);
    EXPECT(strstr(err.message, "\"GET A.org/{y}\"") && strstr(err.message, "\"GET a.org/{x}\""));
    EXPECT_INT(add(router, "GET a.org./{y}", &err), GALLEY_ECONFLICT);
    EXPECT_INT(add(router, "GET *.A.ORG/{y}", &err), GALLEY_ECONFLICT);
    EXPECT_INT(add(router, "GET /{y}", &err), GALLEY_ECONFLICT);
    EXPECT_INT(add(router, "GET org/{y}", &err), GALLEY_OK);
    router_destroy(router);
}

TEST(test_addresses_are_hosts_too)
{
    struct router *router = ROUTER("[2001:db8::7]/", "192.0.2.7/", "/{x...}");
    EXPECT_TEXT(found(router, METHOD_GET, "[2001:DB8::7]", "/"), "[2001:db8::7]/");
    EXPECT_TEXT(found(router, METHOD_GET, "192.0.2.7", "/"), "192.0.2.7/");
    EXPECT_TEXT(found(router, METHOD_GET, "192.0.2.8", "/"), "/{x...}");
    router_destroy(router);
}

TEST(test_many_hosts_are_all_found)
{
    struct router *router = router_create();
    for (unsigned i = 0; i < 300; i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "h%u.org/", i * 7919u % 1000);
        EXPECT_INT(add(router, pattern, NULL), GALLEY_OK);
    }
    for (unsigned i = 0; i < 300; i++) {
        char host[32];
        snprintf(host, sizeof host, "H%u.org", i * 7919u % 1000);
        EXPECT(router_find(router, METHOD_GET, span_of(host), SPAN("/")).target);
    }
    EXPECT_TEXT(found(router, METHOD_GET, "h1000.org", "/"), "404");
    router_destroy(router);
}
