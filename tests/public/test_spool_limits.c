/* A request body that its file has no room for, or no descriptor: the client hears so, the handler is
 * not called, and the server goes on. */
#include "support_server.h"

#include <sys/resource.h>

enum { BODY_BYTES = 400000, FILE_LIMIT = 200000 };

static int not_called(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    ++*(int *)arg;
    return galley_res_text(rs, 200, "kept");
}

static void limit(int what, rlim_t most)
{
    struct rlimit limits;
    EXPECT_INT(getrlimit(what, &limits), 0);
    limits.rlim_cur = most;
    EXPECT_INT(setrlimit(what, &limits), 0);
}

/* The lowest descriptor that is free. */
static int next_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void expect_refusal(int what)
{
    static char body[BODY_BYTES];
    static struct reply reply;
    int calls = 0;
    galley_server_options opt = options();
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    route.body = GALLEY_BODY_SPOOL;
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "POST /keep", not_called, &calls, &route), 0);
    int port = start(srv);
    int first = client_connect(port), second = client_connect(port);
    client_send(second, GET("/"));
    client_read(second, "GET", &reply);
    struct rlimit before;
    EXPECT_INT(getrlimit(what, &before), 0);
    limit(what, what == RLIMIT_FSIZE ? FILE_LIMIT : (rlim_t)next_fd());
    client_send(first, "POST /keep HTTP/1.1\r\nHost: t\r\nContent-Length: 400000\r\n\r\n");
    (void)send(first, body, sizeof body, MSG_NOSIGNAL);
    client_read(first, "POST", &reply);
    EXPECT_INT(reply.status, 500);
    client_send(second, GET("/"));
    client_read(second, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_INT(setrlimit(what, &before), 0);
    EXPECT_INT(calls, 0);
    close(first);
    close(second);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_a_body_that_its_file_may_not_hold_is_refused)
{
    expect_refusal(RLIMIT_FSIZE);
}

TEST(test_a_body_without_a_descriptor_for_its_file_is_refused)
{
    expect_refusal(RLIMIT_NOFILE);
}
