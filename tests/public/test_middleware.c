/* Middleware: in which order, before what, on which thread, and that no request gets around it. */
#include "support_server.h"

#include <galley/static.h>

#include <stdatomic.h>

static const char key;

/* Answers come as the letters of those that were passed: '<' letter on the way in. */
static int note_letter(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    const char *before = galley_req_get(rq, &key);
    char *now = galley_sprintf(rq, "%s%s", before ? before : "", (const char *)arg);
    (void)rs;
    EXPECT(now);
    EXPECT_INT(galley_req_set(rq, &key, now), 0);
    return galley_next(chain);
}

static int give_letters(galley_request *rq, galley_response *rs, void *arg)
{
    const char *letters = galley_req_get(rq, &key);
    return galley_res_printf(rs, 200, NULL, "%s|%s%s", letters ? letters : "", (const char *)arg,
                             galley_worker_index() >= 0 ? "" : " loop");
}

static int refuse(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)chain;
    (void)arg;
    (void)rs;
    return 401;
}

static void use(galley_server *srv, const char *prefix, const char *letter)
{
    EXPECT_INT(galley_server_use(srv, prefix, note_letter, (void *)(uintptr_t)letter), 0);
}

static void route(galley_server *srv, const char *pattern, const char *text, int where)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.run = where;
    EXPECT_INT(galley_server_route(srv, pattern, give_letters, (void *)(uintptr_t)text, &opt), 0);
}

static galley_server *make_bare(void)
{
    galley_server_options opt = options();
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    return srv;
}

static void expect_answer(int port, const char *target, const char *expected)
{
    char request[256];
    struct reply reply;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    client_ask(port, request, &reply);
    if (strcmp(reply.body, expected) != 0) {
        test_fail(__FILE__, __LINE__, "%s: %d \"%s\", not \"%s\"", target, reply.status, reply.body,
                  expected);
    }
}

static void expect_status(int port, const char *target, int expected)
{
    char request[256];
    struct reply reply;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    client_ask(port, request, &reply);
    if (reply.status != expected) {
        test_fail(__FILE__, __LINE__, "%s: %d, not %d", target, reply.status, expected);
    }
}

TEST(test_the_first_registered_is_the_outermost_before_routes_and_the_fallback)
{
    galley_server *srv = make_bare();
    use(srv, "/", "a");
    route(srv, "GET /x", "x", GALLEY_ON_POOL);
    use(srv, "/x", "b");
    route(srv, "GET /loop", "loop", GALLEY_ON_LOOP);
    use(srv, "/", "c");
    EXPECT_INT(galley_server_fallback(srv, give_letters, "rest", NULL), 0);
    int port = start(srv);
    expect_answer(port, "/x", "abc|x");
    expect_answer(port, "/loop", "ac|loop loop");
    expect_answer(port, "/other", "ac|rest");
    expect_answer(port, "/x/y", "abc|rest");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_no_pattern_and_no_spelling_leads_around_a_prefix)
{
    static const char *const guarded[] = {
        "/admin",           "/admin/",    "/admin/x",          "/a/../admin",
        "//admin",          "/./admin/x", "/%61dmin",          "/admin%2Fx",
        "/admin%2fx/y",     "/admin?q",   "/admin/../admin/x", "/x/%2e%2e/admin",
        "http://t/admin/x", "/admin//x"};
    static const char *const open[] = {"/", "/administrator", "/Admin", "/x/admin", "/admi"};
    galley_server *srv = make_bare();
    EXPECT_INT(galley_server_use(srv, "/admin", refuse, NULL), 0);
    route(srv, "/{x...}", "rest", GALLEY_ON_POOL);
    route(srv, "/{x}", "one", GALLEY_ON_LOOP);
    route(srv, "/{x}/{y}", "two", GALLEY_ON_POOL);
    route(srv, "t/{z}", "host", GALLEY_ON_POOL);
    EXPECT_INT(galley_server_fallback(srv, give_letters, "fallback", NULL), 0);
    int port = start(srv);
    for (unsigned i = 0; i < sizeof guarded / sizeof *guarded; i++) {
        expect_status(port, guarded[i], 401);
    }
    for (unsigned i = 0; i < sizeof open / sizeof *open; i++) {
        expect_status(port, open[i], 200);
    }
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_answers_that_need_no_route_are_not_wrapped)
{
    galley_server *srv = make_bare();
    struct reply reply;
    EXPECT_INT(galley_server_use(srv, "/", refuse, NULL), 0);
    route(srv, "GET /x", "x", GALLEY_ON_POOL);
    int port = start(srv);
    expect_status(port, "/x", 401);
    expect_status(port, "/none", 404);
    client_ask(port, "PUT /x HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 405);
    client_ask(port, "OPTIONS /x HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 204);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

/* Adds what came out behind it. */
static int tell_result(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    int result = galley_next(chain);
    char *text = galley_sprintf(rq, "%d", result);
    (void)arg;
    EXPECT_INT(galley_next(chain), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-Result", text), 0);
    return result == 404 ? 410 : result;
}

static int give_number(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    return *(int *)arg;
}

TEST(test_middleware_sees_the_result_and_may_give_another)
{
    int teapot = 418, missing = 404, garbage = 17, no = GALLEY_EACCESS;
    galley_server *srv = make_bare();
    struct reply reply;
    EXPECT_INT(galley_server_use(srv, "/", tell_result, NULL), 0);
    galley_server_route(srv, "/418", give_number, &teapot, NULL);
    galley_server_route(srv, "/404", give_number, &missing, NULL);
    galley_server_route(srv, "/17", give_number, &garbage, NULL);
    galley_server_route(srv, "/no", give_number, &no, NULL);
    int port = start(srv);
    client_ask(port, GET("/418"), &reply);
    EXPECT_INT(reply.status, 418);
    EXPECT_TEXT(reply_field(&reply, "X-Result"), "418");
    client_ask(port, GET("/404"), &reply);
    EXPECT_INT(reply.status, 410);
    client_ask(port, GET("/17"), &reply);
    EXPECT_INT(reply.status, 500);
    client_ask(port, GET("/no"), &reply);
    EXPECT_INT(reply.status, 403);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

static int answer_twice(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)arg;
    (void)galley_next(chain);
    return galley_res_text(rs, 200, "mine");
}

static int run_nothing(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)rs;
    (void)chain;
    return *(int *)arg;
}

TEST(test_what_bad_middleware_gets)
{
    int garbage = 1000, zero = 0;
    galley_server *srv = make_bare();
    EXPECT_INT(galley_server_use(srv, "/twice", answer_twice, NULL), 0);
    EXPECT_INT(galley_server_use(srv, "/garbage", run_nothing, &garbage), 0);
    EXPECT_INT(galley_server_use(srv, "/zero", run_nothing, &zero), 0);
    route(srv, "/{x}", "x", GALLEY_ON_POOL);
    int port = start(srv);
    expect_status(port, "/twice", 500);
    expect_status(port, "/garbage", 500);
    expect_status(port, "/zero", 200);
    EXPECT_INT(galley_next(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_use(srv, "/", note_letter, NULL), GALLEY_ESTATE);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_bad_prefixes_are_sticky_sentences)
{
    static const char *const bad[] = {NULL, "", "admin", "/a//b", "/a/..", "/{x}", "/a?b", "/%41"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        galley_error err = {0};
        galley_server *srv = make_bare();
        EXPECT_INT(galley_server_use(srv, bad[i], note_letter, NULL), GALLEY_EINVAL);
        EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL);
        EXPECT(strstr(err.message, "middleware"));
        galley_server_free(srv);
    }
    galley_server *srv = make_bare();
    EXPECT_INT(galley_server_use(srv, "/", NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_use(NULL, "/", note_letter, NULL), GALLEY_EINVAL);
    galley_server_free(srv);
}

static int add_header(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    EXPECT_INT(galley_res_header(rs, "X-Before", arg), 0);
    return galley_next(chain);
}

TEST(test_static_files_stand_behind_middleware_too)
{
    galley_error err = {0};
    galley_server *srv = make_bare();
    struct reply reply;
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/docs", NULL, &err);
    EXPECT(site);
    EXPECT_INT(galley_server_use(srv, "/", add_header, "yes"), 0);
    EXPECT_INT(galley_server_use(srv, "/rooms", refuse, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/{path...}", galley_static_serve, site, NULL), 0);
    int port = start(srv);
    for (unsigned i = 0; i < 2; i++) { /* cold, then cached */
        client_ask(port, GET("/tour.md"), &reply);
        EXPECT_INT(reply.status, 200);
        EXPECT_TEXT(reply_field(&reply, "X-Before"), "yes");
        expect_status(port, "/rooms/route.md", 401);
        expect_status(port, "/%72ooms/route.md", 401);
        expect_status(port, "/none", 404);
    }
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    galley_static_free(site);
}

/* ---- headers that stay ---- */

static int set_both(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_lasting_header(rs, "X-Stays", "first"), 0);
    EXPECT_INT(galley_res_header(rs, "X-Goes", "yes"), 0);
    EXPECT_INT(galley_res_lasting_header(rs, "X-Stays", "yes"), 0);
    EXPECT_INT(galley_res_lasting_header(rs, "X-Other", "too"), 0);
    return galley_next(chain);
}

static int fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str other = galley_req_query_param(rq, "other");
    if (other.ptr) {
        EXPECT_INT(galley_res_header(rs, "X-Other", other.ptr), 0);
    }
    EXPECT_INT(galley_res_text(rs, 200, "thrown away"), 0);
    return GALLEY_ENOTFOUND;
}

TEST(test_headers_that_last_are_in_error_pages_as_well)
{
    galley_error err = {0};
    galley_server *srv = make_bare();
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/docs", NULL, &err);
    EXPECT(site);
    EXPECT_INT(galley_server_use(srv, "/", set_both, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/fail", fail, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/{path...}", galley_static_serve, site, NULL), 0);
    int port = start(srv);
    static const struct {
        const char *request;
        int status;
        bool keeps_all;
    } cases[] = {
        {GET("/tour.md"), 200, true}, {GET("/tour.md"), 200, true}, /* cached */
        {GET("/none"), 404, false},   {GET("/fail"), 404, false},   {GET("/rooms"), 301, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply reply;
        client_ask(port, cases[i].request, &reply);
        EXPECT_INT(reply.status, cases[i].status);
        EXPECT_TEXT(reply_field(&reply, "X-Stays"), "yes");
        EXPECT_TEXT(reply_field(&reply, "X-Other"), "too");
        EXPECT(!reply_field(&reply, "X-Goes") == !cases[i].keeps_all);
    }
    struct reply reply;
    client_ask(port, GET("/fail?other=handler's"), &reply); /* replaced: an ordinary one */
    EXPECT_TEXT(reply_field(&reply, "X-Stays"), "yes");
    EXPECT(!reply_field(&reply, "X-Other"));
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
    galley_static_free(site);
}
