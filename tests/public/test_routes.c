/* The public API without sockets: routes, what handlers read and answer, and what their results
 * become. What must be seen on a socket is in test_sockets.c. */
#include "support_test_client.h"

#include <stdatomic.h>
#include <stdlib.h>

static int give_number(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    return *(int *)arg;
}

TEST(test_a_path_without_the_method_is_405_with_allow)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /a", give_text, "a", NULL);
    galley_server_route(srv, "PUT /a", give_text, "a", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_call(t, "DELETE /a", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 405); /* RFC 9110 §15.5.6 */
    EXPECT_TEXT(galley_test_header(t, &r, "Allow").ptr, "GET, HEAD, PUT, OPTIONS");
    EXPECT_INT(galley_test_call(t, "OPTIONS /a", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 204);
    EXPECT_TEXT(galley_test_header(t, &r, "Allow").ptr, "GET, HEAD, PUT, OPTIONS");
    EXPECT(!galley_test_header(t, &r, "Content-Length").ptr); /* RFC 9110 §8.6 */
    EXPECT_INT(galley_test_call(t, "OPTIONS *", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 204);
    end(t, srv);
}

TEST(test_unknown_methods_trace_and_connect_are_501)
{
    galley_server *srv = make();
    galley_server_route(srv, "/", give_text, "any", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_call(t, "BREW /", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 501);
    EXPECT_INT(galley_test_call(t, "get /", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 501); /* RFC 9110 §9.1: methods are case-sensitive */
    EXPECT_INT(galley_test_call(t, "TRACE /", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 501);
    EXPECT_INT(galley_test_call(t, "CONNECT t:1\nHost: t:1", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 501);
    EXPECT_INT(galley_test_call(t, "PATCH /", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 200);
    end(t, srv);
}

TEST(test_the_fallback_answers_what_no_route_matched)
{
    galley_server *srv = make();
    galley_test_reply r;
    galley_server_route(srv, "GET /", give_text, "root", NULL);
    galley_server_fallback(srv, give_text, "fallback", NULL);
    galley_test *t = drive(srv);
    EXPECT_INT(galley_test_get(t, "/x", &r), 0);
    EXPECT_TEXT(r.body.ptr, "fallback");
    EXPECT_INT(galley_test_call(t, "POST /", NULL, 0, &r), 0);
    EXPECT_INT(r.status, 405);
    end(t, srv);
}

TEST(test_without_a_fallback_it_is_404_with_a_page)
{
    galley_server *srv = make();
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/<script>x", &r), 0);
    EXPECT_INT(r.status, 404);
    EXPECT(strstr(r.body.ptr, "<title>404 Not Found</title>"));
    EXPECT(!strstr(r.body.ptr, "script"));
    EXPECT_TEXT(galley_test_header(t, &r, "X-Content-Type-Options").ptr, "nosniff");
    end(t, srv);
}

TEST(test_handler_results_become_statuses)
{
    static const struct {
        int result, status;
    } rows[] = {{0, 200},
                {200, 200},
                {201, 201},
                {204, 204},
                {404, 404},
                {418, 418},
                {599, 599},
                {7, 500},
                {1234, 500},
                {100, 500},
                {199, 500},
                {600, 500},
                {99, 500},
                {-1, 500},
                {GALLEY_ENOTFOUND, 404},
                {GALLEY_EACCESS, 403},
                {GALLEY_ETOOBIG, 413},
                {GALLEY_EPROTO, 400},
                {GALLEY_EFULL, 503},
                {GALLEY_ETIMEDOUT, 503},
                {GALLEY_ENOMEM, 503},
                {GALLEY_ECLOSED, 500},
                {-12345, 500},
                {INT32_MIN, 500},
                {INT32_MAX, 500}};
    galley_route_options loop = on_loop();
    for (unsigned on = 0; on < 2; on++) {
        galley_server *srv = make();
        int result = 0;
        galley_server_route(srv, "GET /", give_number, &result, on ? &loop : NULL);
        galley_test *t = drive(srv);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            galley_test_reply r;
            result = rows[i].result;
            EXPECT_INT(galley_test_get(t, "/", &r), 0);
            if (r.status != rows[i].status) {
                test_fail(__FILE__, __LINE__, "%d became %d, not %d", rows[i].result, r.status,
                          rows[i].status);
            }
            EXPECT((r.status == 503) == (galley_test_header(t, &r, "Retry-After").ptr != NULL));
        }
        end(t, srv);
    }
}

static int two_bodies(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_text(rs, 200, "one"), 0);
    EXPECT_INT(galley_res_text(rs, 200, "two"), GALLEY_ESTATE);
    return 0;
}

TEST(test_two_bodies_are_a_500)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", two_bodies, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_INT(r.status, 500);
    EXPECT(!strstr(r.body.ptr, "one") && !strstr(r.body.ptr, "two"));
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT(galley_server_get_stats(srv, &stats) == 0 && stats.mistakes == 1);
    end(t, srv);
}

static int read_all(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    struct sockaddr_storage peer;
    socklen_t peer_len = 0;
    EXPECT_INT(galley_req_method(rq), GALLEY_POST);
    EXPECT_TEXT(galley_req_method_name(rq).ptr, "POST");
    EXPECT_TEXT(galley_req_path(rq).ptr, "/files/a b/x/y");
    EXPECT_TEXT(galley_req_target(rq).ptr, "/files/a%20b/./x/y?q=1&r");
    EXPECT_TEXT(galley_req_query(rq).ptr, "q=1&r");
    EXPECT_TEXT(galley_req_param(rq, "name").ptr, "a b");
    EXPECT_TEXT(galley_req_param(rq, "rest").ptr, "x/y");
    EXPECT(!galley_req_param(rq, "other").ptr);
    EXPECT_TEXT(galley_req_header(rq, "HOST").ptr, "t");
    EXPECT_TEXT(galley_req_header(rq, "x-list").ptr, "one, two"); /* RFC 9110 §5.3 */
    EXPECT(!galley_req_header(rq, "X-None").ptr);
    EXPECT_INT(galley_req_version(rq), 11);
    EXPECT(!galley_req_is_tls(rq));
    EXPECT_TEXT(galley_req_peer(rq).ptr, "127.0.0.1");
    EXPECT_INT(galley_req_peer_addr(rq, &peer, &peer_len), 0);
    EXPECT_INT(peer.ss_family, AF_INET);
    EXPECT_INT(galley_req_content_length(rq), 4);
    EXPECT_TEXT(galley_req_body(rq).ptr, "body");
    EXPECT_TEXT(galley_sprintf(rq, "%d-%s", 7, "x"), "7-x");
    EXPECT(galley_alloc(rq, 100));
    size_t it = 0, count = 0;
    for (galley_str name, value; galley_req_next_header(rq, &it, &name, &value); count++) {
        EXPECT_INT(strlen(name.ptr), name.len);
        EXPECT_INT(strlen(value.ptr), value.len);
    }
    EXPECT_INT(count, 4);
    /* Asked again, the same. */
    EXPECT_TEXT(galley_req_path(rq).ptr, "/files/a b/x/y");
    EXPECT_TEXT(galley_req_target(rq).ptr, "/files/a%20b/./x/y?q=1&r");
    return galley_res_printf(rs, 201, "text/html", "%s", galley_req_body(rq).ptr);
}

TEST(test_a_handler_reads_the_whole_request)
{
    galley_route_options loop = on_loop();
    for (unsigned on = 0; on < 2; on++) {
        galley_server *srv = make();
        galley_server_route(srv, "/files/{name}/{rest...}", read_all, NULL, on ? &loop : NULL);
        galley_test *t = drive(srv);
        galley_test_reply r;
        EXPECT_INT(galley_test_call(t,
                                    "POST /files/a%20b/./x/y?q=1&r\nHost: t\nX-List: "
                                    "one\nContent-Length: 4\nx-list:  two ",
                                    "body", 4, &r),
                   0);
        EXPECT_INT(r.status, 201);
        EXPECT_TEXT(galley_test_header(t, &r, "Content-Type").ptr, "text/html");
        EXPECT_TEXT(r.body.ptr, "body");
        end(t, srv);
    }
}

static int set_headers(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    /* L19: nothing that ends a line gets out. */
    EXPECT_INT(galley_res_header(rs, "X-A", "a\r\nX-Evil: 1"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "X-A\n", "a"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "", "a"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "Content-Length", "5"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "transfer-encoding", "chunked"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "Connection", "close"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "Date", "now"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "X-A", "one"), 0);
    EXPECT_INT(galley_res_header(rs, "x-a", "two"), 0);
    EXPECT_INT(galley_res_add_header(rs, "Set-Cookie", "a=1"), 0);
    EXPECT_INT(galley_res_add_header(rs, "Set-Cookie", "b=2"), 0);
    EXPECT_INT(galley_res_header(rs, "X-Gone", "x"), 0);
    EXPECT_INT(galley_res_header(rs, "X-Gone", NULL), 0);
    EXPECT_INT(galley_res_status(rs, 99), GALLEY_EINVAL);
    EXPECT_INT(galley_res_status(rs, 101), GALLEY_EINVAL);
    return galley_res_text(rs, 200, "ok");
}

TEST(test_headers_are_set_added_and_checked)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", set_headers, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT_TEXT(galley_test_header(t, &r, "x-a").ptr, "two");
    EXPECT(!strstr(r.head.ptr, "X-A:"));
    EXPECT(!galley_test_header(t, &r, "X-Gone").ptr);
    EXPECT(strstr(r.head.ptr, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"));
    EXPECT(!strstr(r.head.ptr, "Evil"));
    EXPECT_TEXT(galley_test_header(t, &r, "Server").ptr, "galley");
    end(t, srv);
}

static atomic_int released;

static void release(void *arg)
{
    atomic_fetch_add(&released, *(int *)arg);
}

static int one = 1, ten = 10;

static int give_data(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT_INT(galley_on_end(rq, release, &ten), 0);
    return galley_res_data(rs, 200, NULL, "data", 4, release, &one);
}

TEST(test_borrowed_bytes_are_released_and_end_hooks_run_once)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_data, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(r.body.ptr, "data");
    EXPECT_TEXT(galley_test_header(t, &r, "Content-Type").ptr, "application/octet-stream");
    EXPECT(atomic_load(&released) == 11);
    end(t, srv);
    EXPECT_INT(atomic_load(&released), 11);
}

static int redirect(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    EXPECT_INT(galley_res_redirect(rs, 200, "/x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_redirect(rs, 302, "/x\r\nX-Evil: 1"), GALLEY_EINVAL);
    return galley_res_redirect(rs, 308, arg);
}

TEST(test_a_redirect_has_its_location)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", redirect, "/new?a=b", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_INT(r.status, 308);
    EXPECT_TEXT(galley_test_header(t, &r, "Location").ptr, "/new?a=b");
    EXPECT(!strstr(r.head.ptr, "Evil"));
    end(t, srv);
}

static int in_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    int64_t length = *(int64_t *)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", length);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-Late", "1"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_text(rs, 200, "late"), GALLEY_ESTATE);
    for (unsigned i = 0; i < 3 && !rc; i++) {
        rc = galley_res_write(rs, "piece", 5);
    }
    return rc;
}

TEST(test_pieces_of_declared_length_carry_it)
{
    galley_server *srv = make();
    int64_t length = 15;
    galley_server_route(srv, "GET /", in_pieces, &length, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(galley_test_header(t, &r, "Content-Length").ptr, "15");
    EXPECT_TEXT(r.body.ptr, "piecepiecepiece");
    end(t, srv);
}

static int too_many(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, 4), 0);
    EXPECT_INT(galley_res_write(rs, "12345", 5), GALLEY_ETOOBIG);
    return galley_res_write(rs, "1234", 4);
}

TEST(test_more_bytes_than_declared_are_refused)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", too_many, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(r.body.ptr, "1234");
    end(t, srv);
}

static int fill_the_loop(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    static char block[65536];
    unsigned taken = 0;
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), 0);
    while (galley_res_write(rs, block, sizeof block) == 0) {
        taken++;
    }
    EXPECT_INT(taken, 4);
    EXPECT_INT(galley_res_write(rs, block, 1), GALLEY_EFULL);
    return GALLEY_EFULL; /* nothing has been sent: it can still be another answer */
}

TEST(test_on_the_loop_writes_are_full_instead_of_waiting)
{
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /", fill_the_loop, NULL, &loop);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_INT(r.status, 503);
    end(t, srv);
}

TEST(test_null_handles_are_einval_everywhere)
{
    galley_str str = galley_req_header(NULL, "x");
    size_t it = 0;
    EXPECT(!str.ptr);
    EXPECT(!galley_req_path(NULL).ptr);
    EXPECT(!galley_req_body(NULL).ptr);
    EXPECT(!galley_req_peer(NULL).ptr);
    EXPECT(!galley_req_next_header(NULL, &it, &str, &str));
    EXPECT(!galley_alloc(NULL, 1));
    EXPECT(!galley_sprintf(NULL, "x"));
    EXPECT_INT(galley_on_end(NULL, release, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_status(NULL, 200), GALLEY_EINVAL);
    EXPECT_INT(galley_res_text(NULL, 200, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_file(NULL, 200, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_begin(NULL, 200, NULL, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_res_write(NULL, "x", 1), GALLEY_EINVAL);
    /* The bytes are taken over also on failure. */
    atomic_store(&released, 0);
    EXPECT_INT(galley_res_data(NULL, 200, NULL, "x", 1, release, &one), GALLEY_EINVAL);
    EXPECT_INT(atomic_load(&released), 1);
}
