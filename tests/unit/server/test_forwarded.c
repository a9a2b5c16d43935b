/* tests/unit/server/test_forwarded.c — proxies that are believed: when the server runs already, in a
 * child, and when memory is out. */
#include "base/alloc.h"
#include "test.h"

#include <galley/server.h>
#include <galley/test.h>

#include <sys/wait.h>
#include <unistd.h>

static galley_server *make(void)
{
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT(srv);
    return srv;
}

static int believe(galley_server *srv)
{
    return galley_server_forwarded_from(srv, "127.0.0.1", GALLEY_FORWARDED_X);
}

TEST(a_server_that_runs_believes_nobody_else)
{
    galley_server *srv = make();
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_start(srv, NULL), 0);
    EXPECT_INT(galley_server_forwarded_from(srv, "::1", GALLEY_FORWARDED_X), GALLEY_ESTATE);
    pid_t child = fork();
    if (child == 0) {
        _exit(believe(srv) == GALLEY_EFORKED ? 0 : 1);
    }
    int status = -1;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT_INT(status, 0);
    galley_server_free(srv);
}

TEST(without_memory_a_network_is_not_believed_and_it_is_told)
{
    galley_error err = {0};
    galley_server *srv = make();
    mem_fail_nth(1);
    EXPECT_INT(galley_server_forwarded_from(srv, "::1", GALLEY_FORWARDED_X), GALLEY_ENOMEM);
    mem_fail_nth(0);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_ENOMEM);
    galley_server_free(srv);
}

/* ---- a request ---- */

static uint64_t nth;
static bool did_fail;

static int ask(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    struct sockaddr_storage addr;
    socklen_t len = 0;
    while (nth == 0 && galley_alloc(rq, 64)) { /* the limit instead */
    }
    mem_fail_nth_here(nth);
    galley_str client = galley_req_client(rq);
    galley_str host = galley_req_forwarded_host(rq);
    int rc = galley_req_client_addr(rq, &addr, &len);
    galley_str scheme = galley_req_scheme(rq);
    did_fail = mem_fail_happened();
    mem_fail_nth(0);
    /* Without memory nobody is taken for the proxy: there is no text, and the address is right. */
    EXPECT(!client.ptr || strcmp(client.ptr, "192.0.2.7") == 0);
    EXPECT(!host.ptr || strcmp(host.ptr, "a.example") == 0);
    EXPECT_INT(rc, 0);
    EXPECT_INT(addr.ss_family, AF_INET);
    EXPECT_TEXT(scheme.ptr, "https");
    return galley_res_text(rs, 200, client.ptr && host.ptr ? "all" : "less");
}

static void send_one(galley_test *t, uint64_t n)
{
    galley_test_reply reply;
    nth = n;
    EXPECT_INT(galley_test_call(t,
                                "GET /\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\n"
                                "X-Forwarded-Host: A.example",
                                NULL, 0, &reply),
               0);
}

static galley_test *drive(galley_server *srv)
{
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT;
    loop.run = GALLEY_ON_LOOP;
    EXPECT_INT(believe(srv), 0);
    EXPECT_INT(galley_server_route(srv, "/", ask, NULL, &loop), 0);
    galley_test *t = galley_test_new(srv, NULL);
    EXPECT(t);
    return t;
}

TEST(a_client_that_cannot_be_written_down_is_not_taken_for_the_proxy)
{
    galley_server *srv = make();
    galley_test *t = drive(srv);
    send_one(t, 0);
    uint64_t n = 1;
    do {
        send_one(t, n++);
    } while (did_fail);
    galley_test_free(t);
    galley_server_free(srv);
}
