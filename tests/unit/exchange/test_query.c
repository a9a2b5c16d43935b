/* What is made when a handler asks for it: query parameters, the host, cookies, values of
 * middleware. Without memory each is missing, and nothing else happens. */
#include "support_world.h"

#include "base/alloc.h"
#include "base/check.h"

#include <pthread.h>

static const char key_a, key_b;

struct asked {
    int sets;
    unsigned made, calls;
};

static void take(struct asked *asked, galley_str s, const char *expected)
{
    asked->calls++;
    asked->made += s.ptr != NULL;
    if (s.ptr) {
        EXPECT_TEXT(s.ptr, expected);
        EXPECT_INT(s.len, strlen(expected));
    }
}

static int ask_all(galley_request *rq, galley_response *rs, void *arg)
{
    struct asked *asked = arg;
    int number = 7;
    take(asked, galley_req_query_param(rq, "q"), "a b&c");
    take(asked, galley_req_query_param(rq, "flag"), "");
    take(asked, galley_req_cookie(rq, "sid"), "x y");
    take(asked, galley_req_cookie(rq, "late"), "2");
    take(asked, galley_req_host(rq), "example");
    take(asked, galley_req_host(rq), "example");
    asked->sets = galley_req_set(rq, &key_a, &number);
    EXPECT(asked->sets == 0 || asked->sets == GALLEY_ENOMEM);
    EXPECT(galley_req_get(rq, &key_a) == (asked->sets == 0 ? &number : NULL));
    return galley_res_text(rs, 200, "text");
}

static void run_all(struct asked *asked)
{
    struct world world;
    world_init(&world);
    world.route.handler = ask_all;
    world.route.arg = asked;
    if (world_request(&world, "GET", "/p?x=%zz&q=a+b%26c&flag&q=2")) {
        EXPECT_INT(fields_add(&world.fields, SPAN("Cookie"), SPAN("a=1; sid=\"x y\"")), 0);
        EXPECT_INT(fields_add(&world.fields, SPAN("cookie"), SPAN("late=2; sid=z")), 0);
        world_go(&world);
    }
    world_finish(&world);
}

TEST(test_they_are_there_in_the_form_that_was_promised)
{
    struct asked asked = {0};
    run_all(&asked);
    EXPECT_INT(asked.made, 6);
    EXPECT_INT(asked.sets, 0);
}

TEST(test_without_memory_a_view_is_missing_and_nothing_else)
{
    bool did_fail = true;
    unsigned missing = 0;
    for (uint64_t n = 1; did_fail; n++) {
        struct asked asked = {0};
        struct world world;
        world_init(&world);
        world.route.handler = ask_all;
        world.route.arg = &asked;
        if (world_request(&world, "GET", "/p?x=%zz&q=a+b%26c&flag&q=2")) {
            (void)fields_add(&world.fields, SPAN("Cookie"), SPAN("a=1; sid=\"x y\"; late=2"));
            mem_fail_nth(n);
            world_go(&world);
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        missing += asked.calls > asked.made;
        world_finish(&world);
    }
    EXPECT(missing > 0);
}

static int ask_wrongly(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT(!galley_req_query_param(rq, NULL).ptr);
    EXPECT(!galley_req_query_param(rq, "none").ptr);
    EXPECT(!galley_req_query_param(rq, "bad").ptr);
    EXPECT(!galley_req_query_param(rq, "nul").ptr);
    EXPECT(!galley_req_query_param(rq, "cut").ptr);
    EXPECT(!galley_req_cookie(rq, NULL).ptr);
    EXPECT(!galley_req_cookie(rq, "").ptr);
    EXPECT(!galley_req_cookie(rq, "none").ptr);
    EXPECT_INT(galley_req_set(rq, NULL, rs), GALLEY_EINVAL);
    EXPECT(!galley_req_get(rq, NULL));
    EXPECT(!galley_req_get(rq, &key_a));
    return 204;
}

TEST(test_what_is_not_there_or_not_well_encoded_is_missing)
{
    struct world world;
    world_init(&world);
    world.route.handler = ask_wrongly;
    world_request(&world, "GET", "/p?bad=%4&bad=1&nul=%00&cut=a%");
    world_go(&world);
    EXPECT_INT(world.status, 204);
    world_finish(&world);
    EXPECT(!galley_req_query_param(NULL, "q").ptr);
    EXPECT(!galley_req_cookie(NULL, "q").ptr);
    EXPECT(!galley_req_host(NULL).ptr);
    EXPECT_INT(galley_req_set(NULL, &key_a, NULL), GALLEY_EINVAL);
    EXPECT(!galley_req_get(NULL, &key_a));
}

static int set_and_get(galley_request *rq, galley_response *rs, void *arg)
{
    int one = 1, two = 2;
    (void)rs;
    (void)arg;
    EXPECT_INT(galley_req_set(rq, &key_a, NULL), 0); /* there is none: nothing to take away */
    EXPECT_INT(galley_req_set(rq, &key_a, &one), 0);
    EXPECT_INT(galley_req_set(rq, &key_b, &two), 0);
    EXPECT(galley_req_get(rq, &key_a) == &one && galley_req_get(rq, &key_b) == &two);
    EXPECT_INT(galley_req_set(rq, &key_a, &two), 0);
    EXPECT(galley_req_get(rq, &key_a) == &two);
    EXPECT_INT(galley_req_set(rq, &key_a, NULL), 0);
    EXPECT(!galley_req_get(rq, &key_a) && galley_req_get(rq, &key_b) == &two);
    for (unsigned i = 0; i < 100000; i++) { /* more than max_memory could hold */
        EXPECT_INT(galley_req_set(rq, &key_a, i % 2 ? &one : NULL), 0);
    }
    EXPECT(galley_req_get(rq, &key_a) == &one);
    return 204;
}

TEST(test_values_are_replaced_and_taken_away)
{
    struct world world;
    world_init(&world);
    world.route.handler = set_and_get;
    for (unsigned i = 0; i < 2; i++) { /* the next request knows nothing of them */
        world_request(&world, "GET", "/");
        world_go(&world);
        EXPECT_INT(world.status, 204);
    }
    world_finish(&world);
}

static int give_host(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str host = galley_req_host(rq);
    (void)arg;
    return galley_res_text(rs, 200, host.ptr ? host.ptr : "none");
}

static void expect_host(const char *target, const char *field, const char *expected)
{
    struct world world;
    world_init(&world);
    world.route.handler = give_host;
    world_request(&world, "GET", target);
    fields_clear(&world.fields);
    if (field) {
        EXPECT_INT(fields_add(&world.fields, SPAN("Host"), span_of(field)), 0);
    }
    world_go(&world);
    EXPECT_TEXT(world.body, expected);
    world_finish(&world);
}

TEST(test_the_host_is_that_of_the_target_or_of_the_field)
{
    expect_host("/", "Example.COM:8080", "example.com");
    expect_host("/", "example.com.", "example.com");
    expect_host("/", "[2001:DB8::7]:80", "[2001:db8::7]");
    expect_host("/", "192.0.2.7", "192.0.2.7");
    expect_host("/", NULL, "none");
    expect_host("/", "", "none");
    expect_host("/", ".", "none");
    /* RFC 9112 §3.2.2: the target's goes before the field's */
    expect_host("http://Other.org:1/x", "example.com", "other.org");
}

struct stranger {
    galley_request *rq;
    bool is_refused;
};

static void *ask_from_elsewhere(void *arg)
{
    struct stranger *stranger = arg;
    stranger->is_refused =
        !galley_req_host(stranger->rq).ptr && !galley_req_query_param(stranger->rq, "q").ptr &&
        !galley_req_cookie(stranger->rq, "sid").ptr && !galley_req_path(stranger->rq).ptr &&
        !galley_req_get(stranger->rq, &key_a) &&
        galley_req_set(stranger->rq, &key_a, arg) == GALLEY_ESTATE;
    return NULL;
}

static int let_a_stranger_ask(galley_request *rq, galley_response *rs, void *arg)
{
    struct stranger *stranger = arg;
    pthread_t thread;
    (void)rs;
    stranger->rq = rq;
    EXPECT_INT(galley_req_set(rq, &key_a, arg), 0);
    EXPECT_INT(pthread_create(&thread, NULL, ask_from_elsewhere, stranger), 0);
    pthread_join(thread, NULL);
    return 204;
}

TEST(test_another_thread_is_refused_in_builds_with_checks)
{
    if (!DEBUG_BUILD) {
        test_skip("only in builds with checks");
    }
    struct stranger stranger = {0};
    struct world world;
    world_init(&world);
    world.route.handler = let_a_stranger_ask;
    world.route.arg = &stranger;
    world_request(&world, "GET", "/?q=1");
    world_go(&world);
    EXPECT(stranger.is_refused);
    world_finish(&world);
}
