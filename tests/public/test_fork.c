/* What a child of fork() gets that calls a server of its parent: GALLEY_EFORKED, GALLEY_ESTATE for
 * handles, and the parent does not notice. A server that is only set up is the child's as well. */
#include "support_server.h"

#include <galley/access_log.h>
#include <galley/test.h>
#include <galley/websocket.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* Runs `check` in a forked child, which must end by itself; it returns 0 or the line it failed
 * in. Nothing in it allocates: another thread may have held the allocator's lock. */
static void in_child(int (*check)(void *ctx), void *ctx)
{
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30); /* a call that waits for ever */
        _exit(check(ctx) & 0xff);
    }
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
}

/* The line, for the parent to tell: a child has no test to fail. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return __LINE__;                                                                       \
        }                                                                                          \
    } while (0)

static void nothing(void *arg)
{
    (void)arg;
}

static int drop_line(void *ctx, const char *lines, size_t len)
{
    (void)ctx;
    (void)lines;
    (void)len;
    return 0;
}

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rq;
    (void)rs;
    (void)arg;
    return galley_next(chain);
}

static int set_up_in_child(void *ctx)
{
    galley_server *srv = ctx;
    CHECK(galley_server_listen(srv, "127.0.0.1:0") == GALLEY_EFORKED);
    CHECK(galley_server_route(srv, "/x", give_text, NULL, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_fallback(srv, give_text, NULL, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_use(srv, "/", pass, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_access_log(srv, NULL) == GALLEY_EFORKED);
    return 0;
}

static int use_in_child(void *ctx)
{
    galley_server *srv = ctx;
    galley_server_stats stats = {.size = sizeof stats};
    galley_access_log_stats log_stats = {.size = sizeof log_stats};
    galley_memory_plan plan = {.size = sizeof plan};
    galley_error err = {0};
    const char *name = NULL;
    size_t it = 0;
    uint64_t value = 0;
    int rc = galley_server_run(srv, GALLEY_UNTIL_STOPPED, &err);
    CHECK(rc == GALLEY_EFORKED && err.code == rc && err.message[0]);
    CHECK(galley_server_run(srv, GALLEY_UNTIL_SIGNAL, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_start(srv, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_join(srv, GALLEY_FOREVER, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_post(srv, nothing, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_after(srv, 1, nothing, NULL) == GALLEY_EFORKED);
    CHECK(galley_server_get_stats(srv, &stats) == GALLEY_EFORKED);
    CHECK(galley_server_get_memory_plan(srv, &plan) == GALLEY_EFORKED);
    CHECK(!galley_server_next_counter(srv, &it, &name, &value));
    CHECK(galley_server_access_log_stats(srv, &log_stats) == GALLEY_EFORKED);
    CHECK(galley_server_reopen_logs(srv) == GALLEY_EFORKED);
    CHECK(galley_server_port(srv, 0) > 0 && galley_server_address(srv, 0).len > 0);
    CHECK(galley_pool_try_execute(galley_server_pool(srv), nothing, NULL) == GALLEY_EFORKED);
    galley_server_stop(srv, GALLEY_STOP_NOW);
    galley_server_free(srv);
    return 0;
}

static galley_server *make_logged(void)
{
    galley_server_options opt = options();
    galley_access_log_options log = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    galley_server *srv = make(&opt);
    log.write = drop_line;
    EXPECT_INT(galley_server_access_log(srv, &log), 0);
    return srv;
}

TEST(test_the_childs_calls_say_so_and_the_parents_server_goes_on)
{
    struct reply reply;
    galley_server *srv = make_logged();
    int port = start(srv);
    in_child(set_up_in_child, srv);
    in_child(use_in_child, srv);
    client_ask(port, GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    EXPECT_INT(galley_server_join(srv, GALLEY_FOREVER, NULL),
               0);                  /* not at once, as the child said */
    in_child(set_up_in_child, srv); /* also when it has ended */
    galley_server_free(srv);
}

static int end_by_signal(void *ctx)
{
    (void)ctx;
    CHECK(raise(SIGTERM) == 0);
    return 0;
}

static void *fork_and_stop(void *arg)
{
    galley_server *srv = arg;
    galley_server_stats stats = {.size = sizeof stats};
    struct reply reply;
    WAIT_UNTIL(galley_server_pool(srv) != NULL);
    client_ask(galley_server_port(srv, 0), GET("/"), &reply); /* it runs, so it watches signals */
    in_child(end_by_signal, NULL);
    client_ask(galley_server_port(srv, 0), GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    galley_server_stop(srv, GALLEY_STOP_DRAIN);
    return NULL;
}

TEST(test_a_signal_for_the_child_does_not_stop_the_parents_server)
{
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, fork_and_stop, srv), 0);
    EXPECT_INT(galley_server_run(srv, GALLEY_UNTIL_SIGNAL, NULL), 0);
    pthread_join(thread, NULL);
    galley_server_free(srv);
}

/* ---- handles ---- */

static galley_stream *the_stream;
static galley_deferred *the_deferral;
static galley_ws *the_socket;

static int open_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    the_stream = galley_res_stream(rs, 200, NULL, NULL);
    return the_stream ? 0 : 500;
}

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    the_deferral = galley_res_defer(rs);
    return the_deferral ? 0 : 500;
}

static int upgrade(galley_request *rq, galley_response *rs, void *arg)
{
    galley_ws_options opt = GALLEY_WS_OPTIONS_INIT;
    (void)arg;
    return galley_ws_accept(rq, rs, &opt, &the_socket);
}

static int use_handles(void *ctx)
{
    (void)ctx;
    CHECK(galley_stream_write(the_stream, "x", 1) == GALLEY_ESTATE);
    CHECK(galley_stream_event(the_stream, NULL, NULL, "x") == GALLEY_ESTATE);
    CHECK(!galley_stream_is_open(the_stream) && galley_stream_waiting(the_stream) == 0);
    CHECK(!galley_stream_ref(the_stream));
    galley_stream_close(the_stream);
    galley_stream_unref(the_stream);
    CHECK(!galley_deferred_is_wanted(the_deferral) && !galley_deferred_request(the_deferral));
    CHECK(!galley_deferred_response(the_deferral));
    CHECK(galley_deferred_finish(the_deferral, 200) == GALLEY_ESTATE);
    CHECK(galley_ws_send(the_socket, GALLEY_WS_TEXT, "x", 1) == GALLEY_ESTATE);
    CHECK(galley_ws_close(the_socket, GALLEY_WS_NORMAL, NULL) == GALLEY_ESTATE);
    CHECK(!galley_ws_ref(the_socket) && galley_ws_waiting(the_socket) == 0);
    galley_ws_unref(the_socket);
    return 0;
}

TEST(test_the_parents_handles_are_not_found_in_the_child)
{
    static const char handshake[] =
        "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(srv, "/stream", open_stream, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "/defer", defer, NULL, NULL), 0);
    EXPECT_INT(galley_server_route(srv, "GET /socket", upgrade, NULL, NULL), 0);
    galley_test *t = galley_test_new(srv, NULL);
    EXPECT(t);
    galley_test_conn *c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = galley_test_connect(t);
    }
    EXPECT_INT(galley_test_send(c[0], GET("/stream"), strlen(GET("/stream"))), 0);
    EXPECT_INT(galley_test_send(c[1], GET("/defer"), strlen(GET("/defer"))), 0);
    EXPECT_INT(galley_test_send(c[2], handshake, strlen(handshake)), 0);
    EXPECT(the_stream && the_deferral && the_socket);
    in_child(use_handles, NULL);
    EXPECT_INT(galley_stream_event(the_stream, NULL, NULL, "after"), 0);
    EXPECT_INT(galley_deferred_finish(the_deferral, 204), 0);
    EXPECT_INT(galley_ws_send(the_socket, GALLEY_WS_TEXT, "after", 5), 0);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT(strstr(galley_test_received(c[0]).ptr, "data: after\n"));
    EXPECT(strstr(galley_test_received(c[1]).ptr, " 204 "));
    EXPECT(strstr(galley_test_received(c[2]).ptr, "after"));
    galley_stream_unref(the_stream);
    galley_ws_unref(the_socket);
    galley_test_free(t);
    galley_server_free(srv);
}

/* ---- set up before, run behind the fork ---- */

/* Until the parent has closed its end. */
static int serve_in_child(galley_server *srv, int end)
{
    char byte;
    CHECK(galley_server_start(srv, NULL) == 0);
    CHECK(read(end, &byte, 1) == 0);
    galley_server_free(srv);
    return 0;
}

TEST(test_a_server_that_is_set_up_runs_in_the_child)
{
    struct reply reply;
    int ends[2], status = 0;
    galley_server_options opt = options();
    galley_server *srv = make(&opt);
    EXPECT_INT(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(serve_in_child(srv, ends[0]) & 0xff);
    }
    close(ends[0]);
    client_ask(galley_server_port(srv, 0), GET("/"), &reply);
    EXPECT_INT(reply.status, 200);
    close(ends[1]);
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT_INT(status, 0);
    galley_server_free(srv);
}
