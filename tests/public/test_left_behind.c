/* What a handler that a stop could not wait for does when its server has gone: open sockets, hold
 * streams, go on. It must touch nothing of the server's, and the counts must add up without it. */
#include "support_server.h"

#include <galley/websocket.h>

#include <stdatomic.h>

#define UPGRADE(target)                                                                            \
    "GET " target " HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"          \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

enum { STAGE_ENTERED = 1, STAGE_SERVER_GONE = 2 };

struct left {
    atomic_int stage;
    atomic_int closed;
    int code;
    int accepted;
    int run;
    galley_ws *ws;
    galley_stream *stream;
};

static void wait_for_the_end(struct left *left)
{
    atomic_store(&left->stage, STAGE_ENTERED);
    WAIT_UNTIL(atomic_load(&left->stage) == STAGE_SERVER_GONE);
}

/* The handler runs on a pool of the program's, which outlives the server. */
static galley_server *make_over(galley_pool *pool, galley_handler *fn, struct left *left,
                                const galley_route_options *route)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.pool = pool;
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "GET /left", fn, left, route), 0);
    return srv;
}

static galley_pool *open_pool(void)
{
    galley_error err = {0};
    galley_pool *pool = galley_pool_open(NULL, &err);
    EXPECT(pool);
    return pool;
}

static galley_server_stats stats_of(galley_server *srv)
{
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    return stats;
}

/* Stop at once while the handler stands, free, and let it go on. */
static void leave_it_behind(galley_handler *fn, struct left *left, const char *request)
{
    galley_error err = {0};
    galley_pool *pool = open_pool();
    galley_server *srv = make_over(pool, fn, left, NULL);
    int fd = client_connect(start(srv));
    client_send(fd, request);
    WAIT_UNTIL(atomic_load(&left->stage) == STAGE_ENTERED);
    client_sleep_ms(20); /* what it told the loop has been heard */
    galley_server_stop(srv, GALLEY_STOP_NOW);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, &err), GALLEY_ECANCELED);
    EXPECT_INT(stats_of(srv).streams, 0);
    EXPECT_INT(stats_of(srv).active, 0);
    galley_server_free(srv);
    atomic_store(&left->stage, STAGE_SERVER_GONE);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    galley_pool_free(pool);
    close(fd);
}

static void note_closed(galley_ws *ws, int code, galley_str reason, void *arg)
{
    struct left *left = arg;
    (void)ws;
    (void)reason;
    left->code = code;
    atomic_fetch_add(&left->closed, 1);
}

static int accept_socket(galley_request *rq, galley_response *rs, struct left *left)
{
    galley_ws_options options = GALLEY_WS_OPTIONS_INIT;
    options.closed = note_closed;
    options.run = left->run;
    options.arg = left;
    left->accepted = galley_ws_accept(rq, rs, &options, &left->ws);
    return left->accepted;
}

static int accept_and_stand(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = accept_socket(rq, rs, arg);
    wait_for_the_end(arg);
    return rc;
}

static int stand_and_accept(galley_request *rq, galley_response *rs, void *arg)
{
    wait_for_the_end(arg);
    return accept_socket(rq, rs, arg);
}

static void expect_closed_socket(struct left *left)
{
    WAIT_UNTIL(atomic_load(&left->closed) == 1);
    EXPECT_INT(left->accepted, 0);
    EXPECT_INT(left->code, GALLEY_WS_ABNORMAL);
    EXPECT_INT(galley_ws_send(left->ws, GALLEY_WS_TEXT, "x", 1), GALLEY_ECLOSED);
    galley_ws_unref(left->ws);
    EXPECT_INT(galley_ws_send(left->ws, GALLEY_WS_TEXT, "x", 1), GALLEY_ESTATE);
}

TEST(test_a_socket_whose_handler_is_left_behind_keeps_no_timer)
{
    struct left left = {.run = GALLEY_ON_POOL};
    leave_it_behind(accept_and_stand, &left, UPGRADE("/left"));
    expect_closed_socket(&left);
}

TEST(test_a_socket_of_a_loop_whose_handler_is_left_behind_keeps_no_timer)
{
    struct left left = {.run = GALLEY_ON_LOOP};
    leave_it_behind(accept_and_stand, &left, UPGRADE("/left"));
    expect_closed_socket(&left);
}

TEST(test_a_socket_may_be_accepted_when_the_server_has_gone)
{
    struct left left = {.run = GALLEY_ON_POOL};
    leave_it_behind(stand_and_accept, &left, UPGRADE("/left"));
    expect_closed_socket(&left);
}

/* Not left behind, but late: the client went before the socket was made. */
static int wait_and_accept(galley_request *rq, galley_response *rs, void *arg)
{
    struct left *left = arg;
    atomic_store(&left->stage, STAGE_ENTERED);
    WAIT_UNTIL(galley_should_stop());
    return accept_socket(rq, rs, left);
}

TEST(test_a_socket_that_is_accepted_when_the_client_has_gone_is_closed)
{
    struct left left = {.run = GALLEY_ON_POOL};
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "GET /left", wait_and_accept, &left, NULL), 0);
    int fd = client_connect(start(srv));
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_send(fd, UPGRADE("/left"));
    WAIT_UNTIL(atomic_load(&left.stage) == STAGE_ENTERED);
    close(fd);
    expect_closed_socket(&left);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int stream_and_stand(galley_request *rq, galley_response *rs, void *arg)
{
    struct left *left = arg;
    (void)rq;
    left->stream = galley_res_stream(rs, 200, NULL, NULL);
    EXPECT(left->stream);
    EXPECT_INT(galley_stream_event(left->stream, NULL, NULL, "first"), 0);
    wait_for_the_end(left);
    EXPECT_INT(galley_stream_event(left->stream, NULL, NULL, "late"), GALLEY_ECLOSED);
    return 0;
}

TEST(test_a_stream_whose_handler_is_left_behind_is_counted_no_more)
{
    struct left left = {0};
    leave_it_behind(stream_and_stand, &left, GET("/left"));
    EXPECT(!galley_stream_is_open(left.stream));
    galley_stream_unref(left.stream);
}

static ssize_t give_and_stand(void *buf, size_t len, void *arg)
{
    struct left *left = arg;
    memset(buf, 'x', len);
    if (atomic_load(&left->stage) == 0 && left->accepted++ > 0) {
        wait_for_the_end(left);
    }
    return (ssize_t)len;
}

static void note_end(void *arg)
{
    struct left *left = arg;
    atomic_fetch_add(&left->closed, 1);
}

static int give_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_source(rs, 200, NULL, -1, give_and_stand, note_end, arg);
}

TEST(test_a_source_that_is_left_behind_is_counted_no_more_and_ends_once)
{
    struct left left = {0};
    leave_it_behind(give_source, &left, GET("/left"));
    EXPECT_INT(atomic_load(&left.closed), 1);
}
