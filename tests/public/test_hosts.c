/* Patterns with hosts over real sockets: which host a request is for, and what is answered where no
 * handler is. */
#include "support_server.h"

static int give_host(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str host = galley_req_host(rq);
    galley_str id = galley_req_param(rq, "id");
    return galley_res_printf(rs, 200, NULL, "%s %s %s", (const char *)arg,
                             host.ptr ? host.ptr : "none", id.ptr ? id.ptr : "-");
}

static galley_server *make_hosts(void)
{
    static const char *const patterns[] = {"GET api.example.com/users/{id}",
                                           "GET *.example.com/",
                                           "PUT *.example.com/",
                                           "POST /",
                                           "GET /health",
                                           "[::1]/"};
    galley_server_options opt = options();
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    for (unsigned i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        void *arg = (void *)(uintptr_t)patterns[i];
        EXPECT_INT(galley_server_route(srv, patterns[i], give_host, arg, NULL), 0);
    }
    return srv;
}

static void ask(int port, const char *line, const char *host, struct reply *reply)
{
    char request[256];
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", line,
             host);
    client_ask(port, request, reply);
}

TEST(test_requests_go_to_the_patterns_of_their_host)
{
    static const char *const cases[][3] = {
        {"GET /users/7", "API.example.com:8080",
         "GET api.example.com/users/{id} api.example.com 7"},
        {"GET /users/7", "api.example.com.", "GET api.example.com/users/{id} api.example.com 7"},
        {"GET http://api.example.com/users/7", "other.org",
         "GET api.example.com/users/{id} api.example.com 7"},
        {"GET /", "a.b.example.com", "GET *.example.com/ a.b.example.com -"},
        {"POST /", "a.example.com", "POST / a.example.com -"},
        {"GET /health", "api.example.com", "GET /health api.example.com -"},
        {"GET /", "[::1]:80", "[::1]/ [::1] -"},
    };
    galley_server *srv = make_hosts();
    int port = start(srv);
    struct reply reply;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(port, cases[i][0], cases[i][1], &reply);
        EXPECT_TEXT(reply.body, cases[i][2]);
    }
    ask(port, "GET /users/7", "example.com", &reply);
    EXPECT_INT(reply.status, 404);
    client_ask(port, "GET /health HTTP/1.0\r\n\r\n", &reply);
    EXPECT_TEXT(reply.body, "GET /health none -");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_allow_is_of_all_patterns_that_are_for_the_host)
{
    galley_server *srv = make_hosts();
    int port = start(srv);
    struct reply reply;
    ask(port, "DELETE /", "a.example.com", &reply);
    EXPECT_INT(reply.status, 405); /* RFC 9110 §15.5.6 */
    EXPECT_TEXT(reply_field(&reply, "Allow"), "GET, HEAD, POST, PUT, OPTIONS");
    ask(port, "OPTIONS /", "example.com", &reply);
    EXPECT_INT(reply.status, 204);
    EXPECT_TEXT(reply_field(&reply, "Allow"), "POST, OPTIONS");
    ask(port, "OPTIONS /users/7", "api.example.com", &reply);
    EXPECT_TEXT(reply_field(&reply, "Allow"), "GET, HEAD, OPTIONS");
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_bad_hosts_in_patterns_are_sentences)
{
    galley_error err = {0};
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(srv, "GET a.org:80/x", give_host, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_server_route(srv, "GET a.org/{x}", give_host, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "GET b.org/{x}", give_host, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "GET A.ORG/{y}", give_host, NULL, NULL), GALLEY_ECONFLICT);
    EXPECT_INT(galley_server_start(srv, &err), GALLEY_EINVAL); /* the first one */
    EXPECT(strstr(err.message, "port"));
    galley_server_free(srv);
}
