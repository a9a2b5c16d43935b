/* What each call of set-up, and each call from outside, says when memory or descriptors are out:
 * GALLEY_ENOMEM, GALLEY_ESYS; and the server can be used as before. */
#include "test.h"

#include "base/alloc.h"

#include <galley/access_log.h>
#include <galley/server.h>
#include <galley/static.h>
#include <galley/test.h>

#include <sys/resource.h>

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "fine");
}

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)rs;
    (void)arg;
    return galley_next(chain);
}

static galley_server *make(void)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 1;
    opt.pool_options = &pool;
    opt.file_threads = 1;
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv);
    return srv;
}

/* ---- set-up calls ---- */

static int listen_somewhere(galley_server *srv)
{
    return galley_server_listen(srv, "127.0.0.1:0");
}

static int add_route(galley_server *srv)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.max_running = 1;
    return galley_server_route(srv, "GET *.example.com/{a}/{b...}", handler, NULL, &opt);
}

static int add_fallback(galley_server *srv)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.max_running = 1;
    return galley_server_fallback(srv, handler, NULL, &opt);
}

static int add_middleware(galley_server *srv)
{
    return galley_server_use(srv, "/admin", pass, NULL);
}

static int drop_lines(void *ctx, const char *lines, size_t len)
{
    (void)ctx;
    (void)lines;
    (void)len;
    return 0;
}

static int write_log(galley_server *srv)
{
    galley_access_log_options opt = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    opt.write = drop_lines;
    return galley_server_access_log(srv, &opt);
}

/* Each failure is remembered: a start says it, and leaves nothing (the harness looks). */
static void expect_remembered(galley_server *srv)
{
    galley_error err = {0};
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ENOMEM);
    EXPECT_INT(err.code, GALLEY_ENOMEM);
    EXPECT(strstr(err.message, "out of memory"));
}

/* shows: GALLEY_ENOMEM of galley_server_listen(), galley_server_route(), galley_server_fallback(),
 * galley_server_use(), galley_server_access_log() */
TEST(test_each_allocation_of_a_set_up_call_may_fail)
{
    static int (*const calls[])(galley_server * srv) = {listen_somewhere, add_route, add_fallback,
                                                        add_middleware, write_log};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        bool did_fail = true;
        for (uint64_t n = 1; did_fail; n++) {
            galley_server *srv = make();
            mem_fail_nth(n);
            int rc = calls[i](srv);
            did_fail = mem_fail_happened();
            mem_fail_nth(0);
            EXPECT_INT(rc, did_fail ? GALLEY_ENOMEM : 0);
            EXPECT(did_fail || n > 1); /* there is something to fail */
            if (did_fail) {
                expect_remembered(srv);
            }
            galley_server_free(srv);
        }
    }
}

TEST(test_a_server_that_there_is_no_memory_for)
{
    bool did_fail = true;
    for (uint64_t n = 1; did_fail; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_server *srv = galley_server_new(NULL, &err);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(err.code, did_fail ? GALLEY_ENOMEM : 0);
        EXPECT((srv == NULL) == did_fail);
        galley_server_free(srv);
    }
}

/* ---- starting ---- */

static int start(galley_server *srv, galley_error *err)
{
    return galley_server_start(srv, err);
}

/* Ends at once, when it has started. */
static int run(galley_server *srv, galley_error *err)
{
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    return galley_server_run(srv, GALLEY_UNTIL_SIGNAL, err);
}

/* shows: GALLEY_ENOMEM of galley_server_start(), galley_server_run() */
TEST_TIMEOUT(test_each_allocation_of_a_start_may_fail, 120)
{
    static int (*const ways[])(galley_server * srv, galley_error * err) = {start, run};
    for (size_t i = 0; i < 2; i++) {
        bool did_fail = true;
        uint64_t n = 1;
        unsigned failures = 0;
        for (; did_fail; n++) {
            galley_error err = {0};
            galley_server *srv = make();
            EXPECT_INT(listen_somewhere(srv), 0);
            mem_fail_nth(n);
            int rc = ways[i](srv, &err);
            did_fail = mem_fail_happened();
            mem_fail_nth(0);
            EXPECT(rc == 0 || (did_fail && rc == GALLEY_ENOMEM));
            EXPECT_INT(err.code, rc);
            EXPECT_INT(err.message[0] != '\0', rc != 0);
            failures += rc != 0;
            galley_server_free(srv);
        }
        EXPECT(failures > 5);
    }
}

static rlim_t limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = most;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

TEST(test_without_descriptors_a_start_is_esys)
{
    galley_error err = {0};
    galley_server *srv = make();
    EXPECT_INT(listen_somewhere(srv), 0);
    rlim_t before = limit_descriptors(3);
    int rc = galley_server_start(srv, &err);
    limit_descriptors(before);
    EXPECT_INT(rc, GALLEY_ESYS);
    EXPECT(err.code == rc && err.sys_errno != 0);
    galley_server_free(srv);
}

static void found_nothing(void *ctx, const galley_static_finding *finding)
{
    (void)ctx;
    (void)finding;
    test_fail(__FILE__, __LINE__, "something was found");
}

TEST(test_without_descriptors_a_site_cannot_be_looked_at)
{
    galley_static *site = galley_static_new(GALLEY_SOURCE_DIR "/include", NULL, NULL);
    EXPECT(site);
    rlim_t before = limit_descriptors(3);
    int rc = galley_static_audit(site, found_nothing, NULL);
    limit_descriptors(before);
    EXPECT_INT(rc, GALLEY_ESYS);
    galley_static_free(site);
}

/* ---- from outside ---- */

static void nothing(void *arg)
{
    (void)arg;
}

TEST(test_a_post_that_there_is_no_memory_for)
{
    galley_server *srv = make();
    mem_fail_nth(1);
    EXPECT_INT(galley_server_post(srv, nothing, NULL), GALLEY_ENOMEM);
    mem_fail_nth(1);
    EXPECT_INT(galley_server_after(srv, 1, nothing, NULL), GALLEY_ENOMEM);
    mem_fail_nth(0);
    galley_server_free(srv);
}

TEST(test_a_test_that_there_is_no_memory_for)
{
    galley_server *srv = make();
    EXPECT_INT(galley_server_route(srv, "/", handler, NULL, NULL), 0);
    galley_test *t = galley_test_new(srv, NULL);
    galley_test_reply reply;
    mem_fail_nth(1);
    EXPECT_INT(galley_test_get(t, "/", &reply), GALLEY_ENOMEM);
    mem_fail_nth(1);
    EXPECT_INT(galley_test_call(t, "GET /", NULL, 0, &reply), GALLEY_ENOMEM);
    mem_fail_nth(1);
    EXPECT(!galley_test_connect(t));
    mem_fail_nth(0);
    galley_test_conn *c = galley_test_connect(t);
    mem_fail_nth(1);
    EXPECT_INT(galley_test_send(c, "GET", 3), GALLEY_ENOMEM);
    mem_fail_nth(0);
    EXPECT_INT(galley_test_get(t, "/", &reply), 0); /* as before */
    EXPECT_INT(reply.status, 200);
    galley_test_free(t);
    galley_server_free(srv);
}

/* ---- a body that there is no memory for ---- */

static ssize_t told; /* the last that galley_req_read() said */

static int read_all(galley_request *rq, galley_response *rs, void *arg)
{
    char buf[1000];
    size_t bytes = 0;
    (void)arg;
    while ((told = galley_req_read(rq, buf, sizeof buf)) > 0) {
        bytes += (size_t)told;
    }
    return told < 0 ? (int)told : galley_res_printf(rs, 200, NULL, "%zu", bytes);
}

TEST(test_a_reader_is_told_that_memory_was_out)
{
    static char piece[30000];
    galley_server *srv = make();
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.body = GALLEY_BODY_STREAM;
    EXPECT_INT(galley_server_route(srv, "POST /", read_all, NULL, &opt), 0);
    galley_test *t = galley_test_new(srv, NULL);
    unsigned failures = 0;
    for (uint64_t n = 1; n < 8; n++) {
        static const char head[] = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 30000\r\n\r\n";
        galley_test_conn *c = galley_test_connect(t);
        EXPECT_INT(galley_test_send(c, head, sizeof head - 1), 0); /* the handler waits */
        mem_fail_nth(n);
        int rc = galley_test_send(c, piece, sizeof piece);
        bool did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(rc == 0 || (did_fail && rc == GALLEY_ENOMEM));
        EXPECT(rc != 0 || told == 0 || (did_fail && told == GALLEY_ENOMEM));
        failures += rc == 0 && told < 0; /* shows: GALLEY_ENOMEM of galley_req_read() */
        EXPECT_INT(galley_test_hangup(c), 0);
    }
    EXPECT(failures > 0);
    galley_test_free(t);
    galley_server_free(srv);
}
