/* The public API over real sockets: what a simulated one could get wrong. The rest is in
 * test_routes.c. */
#include "client.h"

#include <stdatomic.h>

static int give_text(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
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
