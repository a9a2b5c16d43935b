/* What is held outside of handlers: middleware sees nothing of its answer, statistics count it, and
 * middleware that runs when the server has gone still finds what stands behind it. */
#include "support_server.h"

#include <stdatomic.h>

struct held {
    _Atomic(galley_deferred *) deferred;
    _Atomic(galley_stream *) stream;
    atomic_int next_result;
    atomic_int stage;
};

static int note_result(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    struct held *held = arg;
    (void)rq;
    (void)rs;
    int result = galley_next(chain);
    atomic_store(&held->next_result, result);
    return 500; /* not looked at when the answer comes later */
}

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    struct held *held = arg;
    (void)rq;
    galley_deferred *deferred = galley_res_defer(rs);
    EXPECT(deferred);
    atomic_store(&held->deferred, deferred);
    return 404;
}

static int open_stream(galley_request *rq, galley_response *rs, void *arg)
{
    struct held *held = arg;
    (void)rq;
    galley_stream *stream = galley_res_stream(rs, 200, NULL, NULL);
    EXPECT(stream);
    atomic_store(&held->stream, stream);
    return 0;
}

static galley_server_stats stats_of(galley_server *srv)
{
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    return stats;
}

static void run_a_deferral(int where)
{
    struct held held = {.next_result = 1};
    struct reply reply;
    galley_server_options opt = options();
    galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
    galley_server *srv = make(&opt);
    route.run = where;
    EXPECT_INT(galley_server_use(srv, "/later", note_result, &held), 0);
    EXPECT_INT(galley_server_route(srv, "/later", defer, &held, &route), 0);
    int port = start(srv);
    int fd = client_connect(port);
    client_send(fd, GET("/later"));
    WAIT_UNTIL(atomic_load(&held.deferred) && stats_of(srv).deferred == 1);
    WAIT_UNTIL(atomic_load(&held.next_result) != 1);
    EXPECT_INT(atomic_load(&held.next_result), 0);
    EXPECT_INT(stats_of(srv).active, 1);
    EXPECT_INT(stats_of(srv).streams, 0);
    galley_deferred *deferred = atomic_load(&held.deferred);
    EXPECT_INT(galley_res_text(galley_deferred_response(deferred), 200, "at last"), 0);
    EXPECT_INT(galley_deferred_finish(deferred, 0), 0);
    client_read(fd, "GET", &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_TEXT(reply.body, "at last");
    WAIT_UNTIL(stats_of(srv).deferred == 0);
    close(fd);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

TEST(test_middleware_gets_nothing_from_a_deferral_on_the_pool)
{
    run_a_deferral(GALLEY_ON_POOL);
}

TEST(test_middleware_gets_nothing_from_a_deferral_on_the_loop)
{
    run_a_deferral(GALLEY_ON_LOOP);
}

TEST(test_statistics_count_streams_while_they_last)
{
    struct held held = {0};
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_route(srv, "/events", open_stream, &held, NULL), 0);
    int port = start(srv);
    int fd = client_connect(port);
    client_send(fd, GET("/events"));
    WAIT_UNTIL(stats_of(srv).streams == 1);
    EXPECT_INT(stats_of(srv).deferred, 0);
    galley_stream_unref(atomic_load(&held.stream));
    WAIT_UNTIL(stats_of(srv).streams == 0);
    close(fd);
    EXPECT_INT(stop(srv, GALLEY_STOP_DRAIN, NULL), 0);
}

/* ---- when the server has gone ---- */

enum { STAGE_ENTERED = 1, STAGE_SERVER_GONE = 2, STAGE_HANDLED = 3 };

static int wait_and_go_on(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    struct held *held = arg;
    (void)rq;
    (void)rs;
    atomic_store(&held->stage, STAGE_ENTERED);
    WAIT_UNTIL(atomic_load(&held->stage) == STAGE_SERVER_GONE);
    return galley_next(chain);
}

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rs;
    EXPECT_TEXT(galley_req_path(rq).ptr, "/slow");
    EXPECT_INT(galley_req_set(rq, arg, arg), 0);
    return galley_next(chain);
}

static int note_handled(galley_request *rq, galley_response *rs, void *arg)
{
    struct held *held = arg;
    EXPECT(galley_req_get(rq, held) == held);
    EXPECT(galley_should_stop());
    atomic_store(&held->stage, STAGE_HANDLED);
    return galley_res_text(rs, 200, "for nobody");
}

TEST(test_middleware_outlives_its_server)
{
    struct held held = {0};
    galley_error err = {0};
    galley_pool *pool = galley_pool_open(NULL, &err);
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    EXPECT(pool);
    opt.pool = pool;
    galley_server *srv = make(&opt);
    EXPECT_INT(galley_server_use(srv, "/", wait_and_go_on, &held), 0);
    EXPECT_INT(galley_server_use(srv, "/slow", pass, &held), 0);
    EXPECT_INT(galley_server_route(srv, "/slow", note_handled, &held, NULL), 0);
    int fd = client_connect(start(srv));
    client_send(fd, GET("/slow"));
    WAIT_UNTIL(atomic_load(&held.stage) == STAGE_ENTERED);
    EXPECT_INT(stop(srv, GALLEY_STOP_NOW, &err), GALLEY_ECANCELED);
    atomic_store(&held.stage, STAGE_SERVER_GONE);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(atomic_load(&held.stage), STAGE_HANDLED);
    galley_pool_free(pool);
    close(fd);
}
