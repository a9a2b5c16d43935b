/* Faults while a server is set up and started: each allocation fails once, descriptors run out.
 * Either the server works or one sentence says why it does not; nothing is left behind (the harness
 * looks). */
#include "test.h"

#include "base/alloc.h"

#include <galley/server.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rs;
    int rc = galley_req_set(rq, arg, arg);
    return rc == 0 ? galley_next(chain) : rc;
}

static void nothing(void *arg)
{
    (void)arg;
}

static galley_server *make(galley_error *err)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options gated = GALLEY_ROUTE_OPTIONS_INIT;
    gated.max_running = 1;
    pool.threads = 1;
    opt.pool_options = &pool;
    opt.file_threads = 1;
    opt.loops = 2;
    galley_server *srv = galley_server_new(&opt, err);
    if (srv) {
        (void)galley_server_listen(srv, "127.0.0.1:0");
        (void)galley_server_listen(srv, "unix:@galley-test-faults");
        (void)galley_server_route(srv, "GET /", handler, NULL, NULL);
        (void)galley_server_route(srv, "GET /{a}/b", handler, NULL, NULL);
        (void)galley_server_route(srv, "GET *.example.com/", handler, NULL, &gated);
        (void)galley_server_fallback(srv, handler, NULL, NULL);
        (void)galley_server_use(srv, "/", pass, srv);
        int rc =
            galley_server_after(srv, 1, nothing, NULL); /* not sticky: any thread may call it */
        EXPECT(rc == 0 || rc == GALLEY_ENOMEM);
    }
    return srv;
}

static void start_and_stop(galley_server *srv, galley_error *err)
{
    if (galley_server_start(srv, err) == 0) {
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, err), 0);
    }
}

TEST_TIMEOUT(test_every_failing_allocation_of_set_up_and_start_is_one_sentence, 120)
{
    bool did_fail = true;
    uint64_t n = 1;
    for (; did_fail; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_server *srv = make(&err);
        if (srv) {
            start_and_stop(srv, &err);
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(did_fail || err.code == 0);
        EXPECT((err.code == 0) == (err.message[0] == '\0'));
        if (err.code != 0 && err.code != GALLEY_ENOMEM) {
            test_fail(__FILE__, __LINE__, "allocation %d: %s", (int)n, err.message);
        }
        galley_server_free(srv);
    }
    EXPECT(n > 20);
}

/* ---- a request while memory is out ---- */

/* The first bytes of the answer to a request with everything in it; "" if the connection ended. */
static void ask(int port, char answer[64])
{
    static const char request[] =
        "POST /ask/a%20b?q=1+2 HTTP/1.1\r\nHost: Example.com\r\nCookie: sid=\"x\"\r\n"
        "Content-Length: 4\r\nConnection: close\r\n\r\nbody";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    ssize_t got = recv(fd, answer, 63, MSG_WAITALL);
    EXPECT(got >= 0 || errno == ECONNRESET); /* never silence */
    answer[got > 0 ? got : 0] = '\0';
    close(fd);
}

static int read_everything(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    bool has_all = galley_req_query_param(rq, "q").ptr && galley_req_host(rq).ptr &&
                   galley_req_cookie(rq, "sid").ptr && galley_req_param(rq, "name").ptr &&
                   galley_req_path(rq).ptr && galley_req_peer(rq).ptr;
    if (!has_all || galley_on_end(rq, nothing, NULL) != 0) {
        return GALLEY_ENOMEM;
    }
    return galley_res_printf(rs, 200, NULL, "%s", galley_req_body(rq).ptr);
}

static galley_server *make_asked(int run)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    galley_error err = {0};
    pool.threads = 1;
    opt.pool_options = &pool;
    opt.file_threads = 1;
    route.run = run;
    route.max_running = 1;
    galley_server *srv = galley_server_new(&opt, &err);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    EXPECT_INT(galley_server_route(srv, "POST /ask/{name}", read_everything, NULL, &route), 0);
    EXPECT_INT(galley_server_use(srv, "/ask", pass, srv), 0);
    EXPECT_INT(galley_server_start(srv, &err), 0);
    return srv;
}

static unsigned fail_each_allocation_of_a_request(int run)
{
    unsigned n = 1;
    for (bool did_fail = true; did_fail; n++) {
        char answer[64];
        galley_server *srv = make_asked(run);
        mem_fail_nth(n);
        ask(galley_server_port(srv, 0), answer);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        bool is_right = answer[0] == '\0' || strncmp(answer, "HTTP/1.1 503 ", 13) == 0 ||
                        strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
        if (!is_right) {
            test_fail(__FILE__, __LINE__, "allocation %u: %s", n, answer);
        }
        ask(galley_server_port(srv, 0), answer); /* the next one is served */
        EXPECT(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
        EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL), 0);
        galley_server_free(srv);
    }
    return n;
}

TEST_TIMEOUT(test_every_failing_allocation_of_a_request_is_503_or_the_end_of_its_connection, 120)
{
    EXPECT(fail_each_allocation_of_a_request(GALLEY_ON_POOL) > 4);
}

TEST_TIMEOUT(test_every_failing_allocation_of_a_request_on_the_loop_is_survived_too, 120)
{
    EXPECT(fail_each_allocation_of_a_request(GALLEY_ON_LOOP) > 4);
}

TEST(test_running_out_of_descriptors_at_the_start_is_one_sentence)
{
    struct rlimit before, limit;
    unsigned failures = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    for (rlim_t fds = 3; fds < 40; fds++) {
        galley_error err = {0};
        limit = before;
        limit.rlim_cur = fds;
        setrlimit(RLIMIT_NOFILE, &limit);
        galley_server *srv = make(&err);
        if (srv) {
            start_and_stop(srv, &err);
        }
        setrlimit(RLIMIT_NOFILE, &before);
        failures += err.code != 0;
        if (err.code != 0 && (err.code != GALLEY_ESYS || err.message[0] == '\0')) {
            test_fail(__FILE__, __LINE__, "%d descriptors: %d %s", (int)fds, err.code, err.message);
        }
        galley_server_free(srv);
    }
    EXPECT(failures > 3 && failures < 37);
}
