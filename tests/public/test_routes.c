/* The public API over real sockets: routes, what handlers read and answer, and what their results
 * become. */
#include "client.h"

#include <stdatomic.h>

static int give_text(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

static int give_number(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    return *(int *)arg;
}

static galley_server *make(void)
{
    galley_error err;
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 2;
    opt.pool_options = &pool;
    galley_server *srv = galley_server_new(&opt, &err);
    EXPECT(srv);
    EXPECT_INT(galley_server_listen(srv, "127.0.0.1:0"), 0);
    return srv;
}

static int start(galley_server *srv)
{
    galley_error err = {0};
    if (galley_server_start(srv, &err) != 0) {
        test_fail(__FILE__, __LINE__, "start: %s", err.message);
    }
    return galley_server_port(srv, 0);
}

static void stop(galley_server *srv)
{
    galley_error err = {0};
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    if (galley_server_join(srv, GALLEY_FOREVER, &err) != 0) {
        test_fail(__FILE__, __LINE__, "end: %s", err.message);
    }
    galley_server_free(srv);
}

static galley_route_options on_loop(void)
{
    galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
    opt.run = GALLEY_ON_LOOP;
    return opt;
}

static int where(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, galley_worker_index() >= 0 ? "pool" : "loop");
}

TEST(test_handlers_run_on_the_pool_unless_the_route_says_loop)
{
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /pool", where, NULL, NULL);
    galley_server_route(srv, "GET /loop", where, NULL, &loop);
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/pool"), &reply);
    EXPECT_TEXT(reply.body, "pool");
    client_ask(port, GET("/loop"), &reply);
    EXPECT_TEXT(reply.body, "loop");
    stop(srv);
}

TEST(test_head_is_get_without_the_body)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "hello", NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, "HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_TEXT(reply_field(&reply, "Content-Length"), "5"); /* RFC 9110 §9.3.2 */
    EXPECT_INT(reply.body_len, 0);
    stop(srv);
}

TEST(test_a_path_without_the_method_is_405_with_allow)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /a", give_text, "a", NULL);
    galley_server_route(srv, "PUT /a", give_text, "a", NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, "DELETE /a HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 405); /* RFC 9110 §15.5.6 */
    EXPECT_TEXT(reply_field(&reply, "Allow"), "GET, HEAD, PUT, OPTIONS");
    client_ask(port, "OPTIONS /a HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 204);
    EXPECT_TEXT(reply_field(&reply, "Allow"), "GET, HEAD, PUT, OPTIONS");
    EXPECT(!reply_field(&reply, "Content-Length")); /* RFC 9110 §8.6 */
    client_ask(port, "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 204);
    stop(srv);
}

TEST(test_unknown_methods_trace_and_connect_are_501)
{
    galley_server *srv = make();
    galley_server_route(srv, "/", give_text, "any", NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, "BREW / HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 501);
    client_ask(port, "get / HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 501); /* RFC 9110 §9.1: methods are case-sensitive */
    client_ask(port, "TRACE / HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 501);
    client_ask(port, "CONNECT t:1 HTTP/1.1\r\nHost: t:1\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 501);
    client_ask(port, "PATCH / HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 200);
    stop(srv);
}

TEST(test_the_fallback_answers_what_no_route_matched)
{
    galley_server *srv = make();
    struct reply reply;
    galley_server_route(srv, "GET /", give_text, "root", NULL);
    galley_server_fallback(srv, give_text, "fallback", NULL);
    int port = start(srv);
    client_ask(port, GET("/x"), &reply);
    EXPECT_TEXT(reply.body, "fallback");
    client_ask(port, "POST / HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    EXPECT_INT(reply.status, 405);
    stop(srv);
}

TEST(test_without_a_fallback_it_is_404_with_a_page)
{
    galley_server *srv = make();
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/<script>x"), &reply);
    EXPECT_INT(reply.status, 404);
    EXPECT(strstr(reply.body, "<title>404 Not Found</title>"));
    EXPECT(!strstr(reply.body, "script"));
    EXPECT_TEXT(reply_field(&reply, "X-Content-Type-Options"), "nosniff");
    stop(srv);
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
        int port = start(srv);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct reply reply;
            result = rows[i].result;
            client_ask(port, GET("/"), &reply);
            if (reply.status != rows[i].status) {
                test_fail(__FILE__, __LINE__, "%d became %d, not %d", rows[i].result, reply.status,
                          rows[i].status);
            }
            EXPECT((reply.status == 503) == (reply_field(&reply, "Retry-After") != NULL));
        }
        stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 500);
    EXPECT(!strstr(reply.body, "one") && !strstr(reply.body, "two"));
    galley_server_stats stats = {.size = sizeof stats};
    WAIT_UNTIL(galley_server_get_stats(srv, &stats) == 0 && stats.mistakes == 1);
    stop(srv);
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
        int port = start(srv);
        struct reply reply;
        client_ask(port,
                   "POST /files/a%20b/./x/y?q=1&r HTTP/1.1\r\nHost: t\r\nX-List: one\r\n"
                   "Content-Length: 4\r\nx-list:  two \r\n\r\nbody",
                   &reply);
        EXPECT_INT(reply.status, 201);
        EXPECT_TEXT(reply_field(&reply, "Content-Type"), "text/html");
        EXPECT_TEXT(reply.body, "body");
        stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_TEXT(reply_field(&reply, "x-a"), "two");
    EXPECT(!reply_field(&reply, "X-A"));
    EXPECT(!reply_field(&reply, "X-Gone"));
    EXPECT(strstr(reply.bytes, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"));
    EXPECT(!strstr(reply.bytes, "Evil"));
    EXPECT_TEXT(reply_field(&reply, "Server"), "galley");
    stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_TEXT(reply.body, "data");
    EXPECT_TEXT(reply_field(&reply, "Content-Type"), "application/octet-stream");
    WAIT_UNTIL(atomic_load(&released) == 11);
    stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 308);
    EXPECT_TEXT(reply_field(&reply, "Location"), "/new?a=b");
    EXPECT(!strstr(reply.bytes, "Evil"));
    stop(srv);
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

TEST(test_pieces_of_unknown_length_are_chunked)
{
    galley_server *srv = make();
    int64_t length = -1;
    galley_server_route(srv, "GET /", in_pieces, &length, NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_TEXT(reply_field(&reply, "Transfer-Encoding"), "chunked");
    EXPECT(!reply_field(&reply, "Content-Length"));
    EXPECT(strstr(reply.body, "0\r\n\r\n")); /* RFC 9112 §7.1 */
    /* To HTTP/1.0 chunks cannot be sent: the end of the connection is the end of the body (RFC 9112
     * §6.3). */
    int fd = client_connect(port);
    client_send(fd, "GET / HTTP/1.0\r\n\r\n");
    client_read(fd, "GET", &reply);
    while (client_fill(fd, &reply)) {
    }
    EXPECT(!reply.was_reset);
    EXPECT_TEXT(reply.body, "piecepiecepiece");
    close(fd);
    client_ask(port, "HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", &reply);
    EXPECT_INT(reply.body_len, 0);
    stop(srv);
}

TEST(test_pieces_of_declared_length_carry_it)
{
    galley_server *srv = make();
    int64_t length = 15;
    galley_server_route(srv, "GET /", in_pieces, &length, NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_TEXT(reply_field(&reply, "Content-Length"), "15");
    EXPECT_TEXT(reply.body, "piecepiecepiece");
    stop(srv);
}

TEST(test_fewer_bytes_than_declared_reset_the_connection)
{
    galley_server *srv = make();
    int64_t length = 16;
    galley_server_route(srv, "GET /", in_pieces, &length, NULL);
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT(reply.closed); /* RFC 9112 §8: the client must see that it is incomplete */
    EXPECT(reply.body_len < 16);
    stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_TEXT(reply.body, "1234");
    stop(srv);
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
    int port = start(srv);
    struct reply reply;
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 503);
    stop(srv);
}

static atomic_int write_result;

static int write_for_ever(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    static char block[32768];
    int rc = galley_res_begin(rs, 200, NULL, -1);
    while (rc == 0) {
        rc = galley_res_write(rs, block, sizeof block);
    }
    EXPECT(galley_should_stop());
    atomic_store(&write_result, rc);
    return rc;
}

TEST(test_a_writer_that_waits_for_a_client_that_leaves_is_told)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", write_for_ever, NULL, NULL);
    int port = start(srv);
    int fd = client_connect(port);
    client_send(fd, GET("/"));
    client_sleep_ms(100); /* it fills the socket's buffers, then its own, and waits */
    EXPECT_INT(atomic_load(&write_result), 0);
    close(fd);
    WAIT_UNTIL(atomic_load(&write_result) == GALLEY_ECLOSED);
    stop(srv);
}

static int give_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_file(rs, 404, arg);
}

TEST(test_a_file_of_the_programs_choosing_with_its_status)
{
    char path[] = "/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_INT(write(fd, "not here", 8), 8);
    close(fd);
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /", give_file, path, NULL);
    galley_server_route(srv, "GET /loop", give_file, path, &loop);
    galley_server_route(srv, "GET /missing", give_file, "/tmp/galley-no-such-file", &loop);
    int port = start(srv);
    struct reply reply;
    for (unsigned i = 0; i < 3; i++) {
        client_ask(port, i == 1 ? GET("/loop") : GET("/"), &reply);
        EXPECT_INT(reply.status, 404);
        EXPECT_TEXT(reply.body, "not here");
    }
    client_ask(port, GET("/missing"), &reply);
    EXPECT_INT(reply.status, 404);
    EXPECT(strstr(reply.body, "Not Found"));
    stop(srv);
    unlink(path);
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
