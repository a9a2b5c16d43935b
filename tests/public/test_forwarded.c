/* Who asks, where proxies stand between: galley_server_forwarded_from() and what handlers see of it,
 * on a loop, on a worker and in a deferral. Public headers only. */
#include "support_test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* "CLIENT PEER SCHEME HOST FAMILY PORT", FAMILY 4, 6, unix or -. */
static int say(galley_request *rq, galley_response *rs, void *arg)
{
    static const char *const families[] = {[AF_UNIX] = "unix", [AF_INET] = "4", [AF_INET6] = "6"};
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    unsigned port = 0;
    (void)arg;
    int rc = galley_req_client_addr(rq, &addr, &len);
    if (rc == 0 && addr.ss_family != AF_UNIX) {
        port = ntohs(addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
                                               : ((struct sockaddr_in6 *)&addr)->sin6_port);
    }
    EXPECT(rc == 0 || rc == GALLEY_ENOTFOUND);
    galley_str host = galley_req_forwarded_host(rq);
    EXPECT(galley_req_client(rq).ptr == galley_req_client(rq).ptr); /* made once */
    return galley_res_printf(rs, 200, NULL, "<%s %s %s %s %s %u>", galley_req_client(rq).ptr,
                             galley_req_peer(rq).ptr, galley_req_scheme(rq).ptr,
                             host.ptr ? host.ptr : "-", rc == 0 ? families[addr.ss_family] : "-",
                             port > 40000 ? 0 : port); /* the peer's own is of no use */
}

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_deferred *deferred = galley_res_defer(rs);
    EXPECT(deferred);
    int rc = say(rq, rs, NULL);
    EXPECT_INT(galley_deferred_finish(deferred, rc), 0);
    return 0;
}

static galley_server *believing(int header, const char *const *networks)
{
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    EXPECT_INT(galley_server_route(srv, "/loop", say, NULL, &loop), 0);
    EXPECT_INT(galley_server_route(srv, "/pool", say, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/deferred", defer, NULL, NULL), 0);
    for (; *networks; networks++) {
        EXPECT_INT(galley_server_forwarded_from(srv, *networks, header), 0);
    }
    return srv;
}

struct row {
    const char *from;
    const char *fields;
    const char *expected;
};

static void expect_row(galley_test *t, const char *path, const struct row *row)
{
    char request[1024];
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: inside\r\n%s\r\n", path,
                   row->fields);
    galley_test_conn *c = galley_test_connect_from(t, row->from);
    EXPECT_INT(SEND(c, request), 0);
    if (!has(c, row->expected)) {
        test_fail(__FILE__, __LINE__, "%s\nexpected %s\n%s", request, row->expected,
                  galley_test_received(c).ptr);
    }
    EXPECT_INT(galley_test_hangup(c), 0);
}

static void expect_rows(int header, const struct row *rows, size_t count)
{
    static const char *const networks[] = {"10.0.0.0/8", "2001:db8:1::/48", "unix", NULL};
    static const char *const paths[] = {"/loop", "/pool", "/deferred"};
    galley_server *srv = believing(header, networks);
    galley_test *t = drive(srv);
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
            expect_row(t, paths[p], &rows[i]);
        }
    }
    end(t, srv);
}
#define EXPECT_ROWS(header, rows) expect_rows(header, rows, sizeof rows / sizeof *rows)

TEST(the_client_is_the_first_from_the_right_that_is_not_believed)
{
    static const struct row rows[] = {
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n", "<192.0.2.7 10.0.0.1 http - 4 0>"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.7:4711\r\n", "<192.0.2.7 10.0.0.1 http - 4 4711>"},
        {"2001:db8:1::1", "X-Forwarded-For: 2001:DB8:0:0::7\r\n",
         "<2001:db8::7 2001:db8:1::1 http - 6 0>"},
        {"unix", "X-Forwarded-For: 192.0.2.7\r\n", "<192.0.2.7 unix http - 4 0>"},
        /* the client's own invention stands on the left */
        {"10.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
        {"10.0.0.1", "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.7\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
        /* a chain */
        {"10.0.0.1", "X-Forwarded-For: 10.9.9.9, 192.0.2.7, 10.0.0.3, 10.0.0.2\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
        {"unix", "X-Forwarded-For: 192.0.2.7, 2001:db8:1::2, ::ffff:10.0.0.2\r\n",
         "<192.0.2.7 unix http - 4 0>"},
        /* all are believed */
        {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "<10.0.0.3 10.0.0.1 http - 4 0>"},
        /* the proxy asks for itself */
        {"10.0.0.1", "", "<10.0.0.1 10.0.0.1 http - 4 0>"},
        {"unix", "", "<unix unix http - unix 0>"},
        {"10.0.0.1", "X-Forwarded-For:\r\nX-Forwarded-Proto: https\r\n",
         "<10.0.0.1 10.0.0.1 https - 4 0>"},
    };
    EXPECT_ROWS(GALLEY_FORWARDED_X, rows);
}

TEST(nobody_else_is_believed)
{
    static const struct row rows[] = {
        {"192.0.2.7", "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
         "<192.0.2.7 192.0.2.7 http - 4 0>"},
        {"127.0.0.1", "X-Forwarded-Host: a.example\r\nForwarded: for=10.0.0.1;proto=https\r\n",
         "<127.0.0.1 127.0.0.1 http - 4 0>"},
        /* nor is the other family: a proxy that does not set it passes it on */
        {"10.0.0.1", "Forwarded: for=192.0.2.9;proto=https;host=a\r\n",
         "<10.0.0.1 10.0.0.1 http - 4 0>"},
    };
    static const struct row others[] = {
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n",
         "<10.0.0.1 10.0.0.1 http - 4 0>"},
    };
    EXPECT_ROWS(GALLEY_FORWARDED_X, rows);
    EXPECT_ROWS(GALLEY_FORWARDED_RFC7239, others);
}

TEST(who_is_not_named_has_no_address)
{
    /* RFC 7239 §6.2, §6.3; what is malformed is no better. */
    static const struct row rows[] = {
        {"10.0.0.1", "Forwarded: for=unknown;proto=https\r\n", "<unknown 10.0.0.1 https - - 0>"},
        {"10.0.0.1", "Forwarded: for=192.0.2.7, for=\"_Hidden:80\"\r\n",
         "<_Hidden 10.0.0.1 http - - 0>"},
        {"10.0.0.1", "Forwarded: proto=https\r\n", "<unknown 10.0.0.1 https - - 0>"},
        {"10.0.0.1", "Forwarded: for=192.0.2.7;for=10.0.0.1;proto=https\r\n",
         "<unknown 10.0.0.1 http - - 0>"},
        {"10.0.0.1", "Forwarded: for=10.0.0.7:80\r\n", "<unknown 10.0.0.1 http - - 0>"},
    };
    EXPECT_ROWS(GALLEY_FORWARDED_RFC7239, rows);
}

TEST(scheme_and_host_stand_with_the_client)
{
    static const struct row rows[] = {
        {"10.0.0.1",
         "Forwarded: for=10.9.9.9;host=evil, for=192.0.2.7;proto=https;host=\"A.Example.:8443\", "
         "for=10.0.0.2;proto=http;host=b\r\n",
         "<192.0.2.7 10.0.0.1 https a.example 4 0>"},
        {"10.0.0.1", "Forwarded: for=192.0.2.7, for=10.0.0.2;proto=https;host=b\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
        {"10.0.0.1", "Forwarded: for=192.0.2.7;proto=ftp;host=\"a b\"\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
        {"10.0.0.1", "Forwarded: for=192.0.2.7;host=\"[2001:DB8::1]:80\"\r\n",
         "<192.0.2.7 10.0.0.1 http [2001:db8::1] 4 0>"},
    };
    static const struct row x[] = {
        {"10.0.0.1",
         "X-Forwarded-For: 10.1.1.1, 192.0.2.7, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
         "X-Forwarded-Host: A.example\r\n",
         "<192.0.2.7 10.0.0.1 https a.example 4 0>"},
        {"10.0.0.1",
         "X-Forwarded-For: 10.1.1.1, 192.0.2.7, 10.0.0.2\r\n"
         "X-Forwarded-Proto: http, https, http\r\nX-Forwarded-Host: a,b,c\r\n",
         "<192.0.2.7 10.0.0.1 https b 4 0>"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http, https\r\n",
         "<192.0.2.7 10.0.0.1 http - 4 0>"},
    };
    EXPECT_ROWS(GALLEY_FORWARDED_RFC7239, rows);
    EXPECT_ROWS(GALLEY_FORWARDED_X, x);
}

TEST(each_request_of_a_connection_has_its_own_client)
{
    static const char *const networks[] = {"10.0.0.1", NULL};
    galley_server *srv = believing(GALLEY_FORWARDED_X, networks);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect_from(t, "10.0.0.1");
    EXPECT_INT(SEND(c, "GET /loop HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\n"
                       "X-Forwarded-Host: a\r\n\r\n"
                       "GET /pool HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: _x\r\n\r\n" GET("/loop")),
               0);
    EXPECT(has(c, "<192.0.2.1 10.0.0.1 http a 4 0>"));
    EXPECT(has(c, "<_x 10.0.0.1 http - - 0>"));
    EXPECT(has(c, "<10.0.0.1 10.0.0.1 http - 4 0>"));
    end(t, srv);
}

TEST(without_proxies_the_client_is_the_peer)
{
    static const char *const networks[] = {NULL};
    static const struct row row = {"10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=x\r\n",
                                   "<10.0.0.1 10.0.0.1 http - 4 0>"};
    galley_server *srv = believing(GALLEY_FORWARDED_X, networks);
    galley_test *t = drive(srv);
    expect_row(t, "/loop", &row);
    expect_row(t, "/pool", &row);
    end(t, srv);
}

TEST(one_server_believes_one_header)
{
    galley_error err = {0};
    galley_server *srv = make();
    EXPECT_INT(galley_server_forwarded_from(NULL, "::1", GALLEY_FORWARDED_X), GALLEY_EINVAL);
    EXPECT_INT(galley_server_forwarded_from(srv, "::1", GALLEY_FORWARDED_RFC7239), 0);
    EXPECT_INT(galley_server_forwarded_from(srv, "unix", GALLEY_FORWARDED_RFC7239), 0);
    EXPECT_INT(galley_server_forwarded_from(srv, "10.0.0.0/8", GALLEY_FORWARDED_X), GALLEY_EINVAL);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_TEXT(err.message, "forwarded from: one server believes one header");
    galley_server_free(srv);
}

static void expect_refused(const char *network, int header, const char *sentence)
{
    galley_error err = {0};
    galley_server *srv = make();
    EXPECT_INT(galley_server_forwarded_from(srv, network, header), GALLEY_EINVAL);
    EXPECT(!galley_test_new(srv, &err));
    EXPECT_TEXT(err.message, sentence);
    galley_server_free(srv);
}

TEST(what_is_no_network_or_header_is_refused_with_a_sentence)
{
    expect_refused(NULL, GALLEY_FORWARDED_X, "forwarded from: no network was given");
    expect_refused("::1", 2, "forwarded from: no header has the number 2");
    expect_refused("10.0.0.1/8", GALLEY_FORWARDED_X,
                   "network \"10.0.0.1/8\": bits are set behind the network's prefix");
}

static int give_nulls(galley_request *rq, galley_response *rs, void *arg)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    (void)arg;
    EXPECT_INT(galley_req_client_addr(rq, NULL, &len), GALLEY_EINVAL);
    EXPECT_INT(galley_req_client_addr(rq, &addr, NULL), GALLEY_EINVAL);
    EXPECT_INT(len, 0);
    return galley_res_text(rs, 200, "done");
}

TEST(what_is_missing_is_no_crash)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    EXPECT_INT(galley_req_client_addr(NULL, &addr, &len), GALLEY_EINVAL);
    EXPECT(!galley_req_client(NULL).ptr && !galley_req_scheme(NULL).ptr);
    EXPECT(!galley_req_forwarded_host(NULL).ptr);
    galley_server *srv = make();
    galley_server_route(srv, "/", give_nulls, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply reply;
    EXPECT_INT(galley_test_get(t, "/", &reply), 0);
    EXPECT_TEXT(reply.body.ptr, "done");
    end(t, srv);
}
