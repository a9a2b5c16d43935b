/* The test client while memory is short: each allocation of a test fails once, from making the
 * client to the end of calls and connections. What is told is GALLEY_ENOMEM, or an answer that says
 * 503, or a connection that ended; nothing is left behind (the harness looks). */
#include "test.h"

#include "base/alloc.h"

#include <galley/test.h>

#include <sys/resource.h>

static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str body = galley_req_body(rq);
    (void)arg;
    return galley_res_data(rs, 200, NULL, body.ptr, body.len, NULL, NULL);
}

static int pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    int rc = galley_res_begin(rs, 200, NULL, -1);
    return rc ? rc : galley_res_write(rs, "piece", 5);
}

static galley_server *make(void)
{
    galley_error err = {0};
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT;
    loop.run = GALLEY_ON_LOOP;
    galley_server *srv = galley_server_new(NULL, &err);
    EXPECT(srv);
    EXPECT_INT(galley_server_route(srv, "POST /pool", echo, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "POST /loop", echo, NULL, &loop), 0);
    EXPECT_INT(galley_server_route(srv, "GET /", pieces, NULL, NULL), 0);
    return srv;
}

static bool is_allowed(int rc, const galley_test_reply *reply)
{
    bool has_answer = reply->status == 200 || reply->status == 503 || reply->status == 500;
    return rc == 0 ? has_answer : rc == GALLEY_ENOMEM || rc == GALLEY_ECLOSED;
}

static void expect_allowed(int rc, const galley_test_reply *reply, uint64_t n)
{
    if (!is_allowed(rc, reply)) {
        test_fail(__FILE__, __LINE__, "allocation %d: %d, status %d", (int)n, rc, reply->status);
    }
}

static void use(galley_test *t, uint64_t n)
{
    static const char *const requests[] = {"POST /pool", "POST /loop", "GET /"};
    galley_test_reply reply = {0};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *body = i < 2 ? "body" : NULL;
        int rc = galley_test_call(t, requests[i], body, body ? 4 : 0, &reply);
        expect_allowed(rc, &reply, n);
    }
    (void)galley_test_header(t, &reply, "date");
    galley_test_conn *c = galley_test_connect_from(t, "192.0.2.7");
    if (c) {
        static const char request[] =
            "POST /pool HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx";
        int rc = galley_test_send(c, request, sizeof request - 1);
        EXPECT(rc == 0 || rc == GALLEY_ENOMEM || rc == GALLEY_ECLOSED);
        (void)galley_test_received(c);
    }
    EXPECT_INT(galley_test_advance(t, 1000), 0);
}

TEST_TIMEOUT(test_every_failing_allocation_of_a_test_is_told, 120)
{
    bool did_fail = true;
    uint64_t n = 1;
    for (; did_fail; n++) {
        galley_server *srv = make();
        galley_error err = {0};
        mem_fail_nth(n);
        galley_test *t = galley_test_new(srv, &err);
        if (t) {
            use(t, n);
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(t || err.code == GALLEY_ENOMEM);
        galley_test_free(t);
        galley_server_free(srv);
    }
    EXPECT(n > 50);
}

TEST(test_running_out_of_descriptors_is_one_sentence)
{
    struct rlimit before, limit;
    unsigned failures = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    for (rlim_t fds = 4; fds < 30; fds++) {
        galley_error err = {0};
        galley_server *srv = make();
        limit = before;
        limit.rlim_cur = fds;
        setrlimit(RLIMIT_NOFILE, &limit);
        galley_test *t = galley_test_new(srv, &err);
        setrlimit(RLIMIT_NOFILE, &before);
        failures += t == NULL;
        EXPECT(t || (err.code == GALLEY_ESYS && err.message[0]));
        galley_test_free(t);
        galley_server_free(srv);
    }
    EXPECT(failures > 0 && failures < 26);
}
