/* galley/test.h byte by byte: pieces, slow readers, hang-ups, deadlines, handlers that wait for the
 * client or for the test. Public headers only; no time passes but by galley_test_advance(). */
#include "support_test_client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---- pieces ---- */

TEST(test_a_request_may_be_cut_at_any_byte)
{
    static const char request[] = "GET /a HTTP/1.1\r\nHost: t\r\nX: y\r\n\r\n";
    galley_server *srv = make();
    galley_server_route(srv, "GET /a", give_text, "whole", NULL);
    galley_test *t = drive(srv);
    for (size_t cut = 0; cut < sizeof request; cut++) {
        galley_test_conn *c = galley_test_connect(t);
        EXPECT_INT(galley_test_send(c, request, cut), 0);
        EXPECT(cut == sizeof request - 1 || galley_test_received(c).len == 0);
        EXPECT_INT(galley_test_send(c, request + cut, sizeof request - 1 - cut), 0);
        EXPECT(has(c, "\r\n\r\nwhole"));
        EXPECT_INT(galley_test_hangup(c), 0);
    }
    end(t, srv);
}

TEST(test_pipelined_requests_are_answered_in_order_on_one_connection)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /1", give_text, "<one>", NULL);
    galley_server_route(srv, "GET /2", give_text, "<two>", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/1") GET("/2") GET("/1")), 0);
    const char *first = strstr(galley_test_received(c).ptr, "<one>");
    const char *second = first ? strstr(first, "<two>") : NULL;
    EXPECT(second && strstr(second, "<one>"));
    EXPECT(!galley_test_is_closed(c));
    EXPECT_INT(SEND(c, GET("/2")), 0);
    EXPECT(strstr(strstr(galley_test_received(c).ptr, "<two>") + 1, "<two>"));
    end(t, srv);
}

TEST(test_hostile_bytes_go_through_as_they_are)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, "GET / HTTP/1.1\rEvil: 1\r\nHost: t\r\n\r\n"), 0);
    EXPECT(has(c, "HTTP/1.1 400 "));
    EXPECT(galley_test_is_closed(c));
    EXPECT_INT(SEND(c, "more"), GALLEY_ECLOSED);
    c = galley_test_connect(t);
    EXPECT_INT(galley_test_send(c, "\0\1\2\r\n\r\n", 7), 0);
    EXPECT(has(c, "HTTP/1.1 400 "));
    end(t, srv);
}

TEST(test_a_half_closed_client_still_gets_its_answer)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT_INT(galley_test_shutdown(c), 0);
    EXPECT(has(c, "200 OK"));
    EXPECT(galley_test_is_closed(c));
    c = galley_test_connect(t);
    EXPECT_INT(SEND(c, "GET / HT"), 0);
    EXPECT_INT(galley_test_shutdown(c), 0);
    EXPECT(galley_test_is_closed(c));
    end(t, srv);
}

static int give_peer(galley_request *rq, galley_response *rs, void *arg)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    (void)arg;
    EXPECT_INT(galley_req_peer_addr(rq, &addr, &len), 0);
    return galley_res_printf(rs, 200, NULL, "<%s %d>", galley_req_peer(rq).ptr, addr.ss_family);
}

TEST(test_a_connection_has_the_address_it_is_given)
{
    static const struct {
        const char *address, *expected;
    } rows[] = {{"127.0.0.1", "<127.0.0.1 2>"},
                {"192.0.2.7", "<192.0.2.7 2>"},
                {"2001:db8::7", "<2001:db8::7 10>"},
                {"unix", "<unix 1>"}};
    galley_route_options loop = on_loop();
    galley_server *srv = make();
    galley_server_route(srv, "GET /pool", give_peer, NULL, NULL);
    galley_server_route(srv, "GET /loop", give_peer, NULL, &loop);
    galley_test *t = drive(srv);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_test_conn *c = galley_test_connect_from(t, rows[i].address);
        EXPECT_INT(SEND(c, GET("/pool")), 0);
        EXPECT(has(c, rows[i].expected));
        EXPECT_INT(galley_test_hangup(c), 0);
    }
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/loop")), 0);
    EXPECT(has(c, "<127.0.0.1 2>"));
    end(t, srv);
}

/* ---- hanging up ---- */

TEST(test_after_a_hangup_the_handle_says_closed)
{
    galley_server *srv = make();
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT(!galley_test_is_closed(c));
    EXPECT_INT(galley_test_hangup(c), 0);
    EXPECT(galley_test_is_closed(c));
    EXPECT_INT(galley_test_received(c).len, 0);
    EXPECT_INT(galley_test_hangup(c), GALLEY_ECLOSED);
    EXPECT_INT(galley_test_shutdown(c), GALLEY_ECLOSED);
    EXPECT_INT(galley_test_window(c, 1), GALLEY_ECLOSED);
    EXPECT_INT(SEND(c, "x"), GALLEY_ECLOSED);
    end(t, srv);
}

static atomic_int write_result;

static int write_for_ever(galley_request *rq, galley_response *rs, void *arg)
{
    static const char block[64 * 1024];
    int rc = galley_res_begin(rs, 200, NULL, -1);
    (void)rq;
    while (rc == 0) {
        rc = galley_res_write(rs, block, sizeof block);
        atomic_fetch_add((atomic_int *)arg, 1);
    }
    atomic_store(&write_result, rc);
    return rc;
}

TEST(test_a_slow_reader_holds_the_handler_and_a_hangup_releases_it)
{
    atomic_int blocks = 0;
    galley_server *srv = make();
    galley_server_route(srv, "GET /", write_for_ever, &blocks, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_window(c, 0), 0);
    EXPECT_INT(SEND(c, GET("/")), 0); /* returns: the handler waits for its reader */
    int first = atomic_load(&blocks);
    EXPECT(first > 0 && first < 10);
    EXPECT_INT(galley_test_received(c).len, 0);
    EXPECT_INT(galley_test_window(c, 1024 * 1024), 0);
    EXPECT_INT(galley_test_received(c).len, 1024 * 1024);
    EXPECT(atomic_load(&blocks) >= 15);
    EXPECT_INT(galley_test_hangup(c), 0);
    EXPECT_INT(atomic_load(&write_result), GALLEY_ECLOSED);
    end(t, srv);
}

TEST(test_ending_the_client_releases_a_handler_that_writes)
{
    atomic_int blocks = 0;
    galley_server *srv = make();
    galley_server_route(srv, "GET /", write_for_ever, &blocks, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_window(c, 100), 0);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT_INT(galley_test_received(c).len, 100);
    end(t, srv);
    EXPECT_INT(atomic_load(&write_result), GALLEY_ECLOSED);
}

TEST(test_a_slow_reader_who_is_too_slow_is_cut_by_the_clock)
{
    atomic_int blocks = 0;
    galley_server *srv = make();
    galley_server_route(srv, "GET /", write_for_ever, &blocks, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_window(c, 100), 0);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT_INT(galley_test_advance(t, 5000), 0);
    EXPECT(!galley_test_is_closed(c));
    EXPECT_INT(galley_test_advance(t, 15000), 0);
    EXPECT(galley_test_is_closed(c));
    EXPECT_INT(atomic_load(&write_result), GALLEY_ECLOSED);
    end(t, srv);
}

/* ---- time ---- */

TEST(test_deadlines_pass_only_by_advance)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *silent = galley_test_connect(t), *half = galley_test_connect(t);
    galley_test_conn *kept = galley_test_connect(t);
    EXPECT_INT(SEND(half, "GET / HTTP/1.1\r\n"), 0);
    EXPECT_INT(SEND(kept, GET("/")), 0);
    EXPECT_INT(galley_test_advance(t, 9999), 0); /* head_timeout_ms is 10 s */
    EXPECT(!galley_test_is_closed(silent) && !galley_test_is_closed(half));
    EXPECT_INT(galley_test_advance(t, 1), 0);
    EXPECT(has(half, "HTTP/1.1 408 ") && galley_test_is_closed(half));
    EXPECT(galley_test_is_closed(silent));
    EXPECT_INT(galley_test_advance(t, 49999), 0); /* idle_timeout_ms is 60 s */
    EXPECT(!galley_test_is_closed(kept));
    EXPECT_INT(galley_test_advance(t, 1), 0);
    EXPECT(galley_test_is_closed(kept));
    end(t, srv);
}

/* ---- handlers that wait ---- */

static sem_t gate;
static atomic_int entered, passed;

static int wait_at_gate(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    atomic_fetch_add(&entered, 1);
    while (sem_wait(&gate) < 0) {
        /* a signal */
    }
    atomic_fetch_add(&passed, 1);
    return galley_res_text(rs, 200, arg);
}

static void wait_for(atomic_int *number, int wanted)
{
    for (int i = 0; i < 20000 && atomic_load(number) != wanted; i++) {
        struct timespec nap = {0, 1000000};
        nanosleep(&nap, NULL);
    }
    EXPECT_INT(atomic_load(number), wanted);
}

static void *open_gate(void *arg)
{
    (void)arg;
    sem_post(&gate);
    return NULL;
}

TEST(test_a_call_waits_for_a_handler_that_takes_its_time)
{
    pthread_t other;
    sem_init(&gate, 0, 0);
    galley_server *srv = make();
    galley_server_route(srv, "GET /", wait_at_gate, "late", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(pthread_create(&other, NULL, open_gate, NULL), 0);
    EXPECT_INT(galley_test_get(t, "/", &r), 0);
    EXPECT_TEXT(r.body.ptr, "late");
    pthread_join(other, NULL);
    end(t, srv);
}

TEST(test_patience_ends_and_what_the_test_does_next_may_end_the_wait)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = 2;
    opt.pool_options = &pool;
    sem_init(&gate, 0, 0);
    galley_server *srv = make_with(&opt);
    galley_server_route(srv, "GET /gate", wait_at_gate, "passed", NULL);
    galley_server_route(srv, "GET /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r = {.status = 7};
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_set_patience(t, 0), 0);
    EXPECT_INT(SEND(c, GET("/gate")), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_test_received(c).len, 0);
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_get(t, "/", &r), 0); /* is not held up by the other */
    EXPECT_INT(galley_test_set_patience(t, 1), 0);
    EXPECT_INT(galley_test_get(t, "/gate", &r), GALLEY_ETIMEDOUT);
    EXPECT_INT(r.status, 200); /* as it was */
    sem_post(&gate);
    sem_post(&gate);
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT_INT(atomic_load(&passed), 2);
    EXPECT(has(c, "passed"));
    end(t, srv);
}

static int wait_for_stop(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    atomic_fetch_add(&entered, 1);
    while (!galley_should_stop()) {
        struct timespec nap = {0, 1000000};
        nanosleep(&nap, NULL);
    }
    atomic_store(&passed, 1);
    return galley_res_text(rs, 200, "stopped");
}

TEST(test_a_handler_learns_of_a_hangup)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", wait_for_stop, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_set_patience(t, 1), 0);
    EXPECT_INT(SEND(c, GET("/")), GALLEY_ETIMEDOUT);
    wait_for(&entered, 1);
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_hangup(c), 0); /* waits until the handler has returned */
    EXPECT_INT(atomic_load(&passed), 1);
    end(t, srv);
}

TEST(test_a_handler_that_never_returns_does_not_keep_the_client_from_ending)
{
    sem_init(&gate, 0, 0);
    galley_server *srv = make();
    galley_server_route(srv, "GET /", wait_at_gate, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(galley_test_set_patience(t, 1), 0);
    EXPECT_INT(SEND(c, GET("/")), GALLEY_ETIMEDOUT);
    wait_for(&entered, 1); /* else it would never begin */
    end(t, srv);
    sem_post(&gate); /* so that the harness finds no thread left */
    wait_for(&passed, 1);
}

/* ---- bodies and answers bit by bit ---- */

static int count_body(galley_request *rq, galley_response *rs, void *arg)
{
    char buf[1000];
    ssize_t got = 0;
    size_t bytes = 0;
    while ((got = galley_req_read(rq, buf, sizeof buf)) > 0) {
        bytes += (size_t)got;
        atomic_fetch_add((atomic_int *)arg, (int)got);
    }
    return got < 0 ? (int)got : galley_res_printf(rs, 200, NULL, "<%zu>", bytes);
}

TEST(test_a_streamed_body_may_come_in_pieces)
{
    atomic_int read_bytes = 0;
    galley_server *srv = make();
    galley_route_options opt = streamed();
    galley_server_route(srv, "POST /", count_body, &read_bytes, &opt);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n"), 0);
    EXPECT_INT(SEND(c, "1234"), 0); /* returns: the handler waits for the rest */
    EXPECT_INT(atomic_load(&read_bytes), 4);
    EXPECT_INT(SEND(c, "567890"), 0);
    EXPECT(has(c, "<10>"));
    galley_test_reply r;
    EXPECT_INT(galley_test_call(t, "POST /", "12345", 5, &r), 0);
    EXPECT_TEXT(r.body.ptr, "<5>");
    end(t, srv);
}

static galley_deferred *held;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    held = galley_res_defer(rs);
    return held ? 0 : 500;
}

static void *finish(void *arg)
{
    (void)arg;
    galley_deferred *d = held;
    EXPECT_INT(galley_res_text(galley_deferred_response(d), 200, "finished"), 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    return NULL;
}

static int defer_to_thread(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = defer(rq, rs, NULL);
    EXPECT_INT(pthread_create(arg, NULL, finish, NULL), 0);
    return rc;
}

TEST(test_a_deferral_is_finished_by_the_test_or_by_a_thread)
{
    pthread_t thread;
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /pool", defer, NULL, NULL);
    galley_server_route(srv, "GET /loop", defer, NULL, &loop);
    galley_server_route(srv, "GET /thread", defer_to_thread, &thread, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/pool")), 0); /* does not wait for it */
    EXPECT_INT(galley_test_received(c).len, 0);
    finish(NULL);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT(has(c, "finished"));
    EXPECT_INT(galley_test_hangup(c), 0);
    c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/loop")), 0);
    finish(NULL);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT(has(c, "finished"));
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/thread", &r), 0); /* does wait */
    EXPECT_TEXT(r.body.ptr, "finished");
    pthread_join(thread, NULL);
    end(t, srv);
}

TEST(test_a_deferral_outlives_its_client_and_the_server)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", defer, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT(galley_deferred_is_wanted(held));
    EXPECT_INT(galley_test_hangup(c), 0);
    EXPECT(!galley_deferred_is_wanted(held));
    EXPECT_INT(galley_deferred_finish(held, 200), GALLEY_ECLOSED);
    c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/")), 0);
    end(t, srv);
    EXPECT_INT(galley_deferred_finish(held, 200), GALLEY_ECLOSED);
}

static galley_stream *stream;

static int open_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    stream = galley_res_stream(rs, 200, NULL, NULL);
    return stream ? 0 : 500;
}

TEST(test_events_and_their_heartbeat)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", open_stream, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/")), 0);
    EXPECT(has(c, "text/event-stream"));
    EXPECT_INT(galley_stream_event(stream, NULL, NULL, "first"), 0);
    EXPECT_INT(galley_test_advance(t, 0), 0);
    EXPECT(has(c, "data: first\n\n") || has(c, "data:first\n\n"));
    size_t before = galley_test_received(c).len;
    EXPECT_INT(galley_test_advance(t, 14000), 0);
    EXPECT_INT(galley_test_received(c).len, before);
    EXPECT_INT(galley_test_advance(t, 1000), 0); /* heartbeat_ms is 15 s */
    EXPECT(galley_test_received(c).len > before);
    EXPECT(galley_stream_is_open(stream));
    EXPECT_INT(galley_test_hangup(c), 0);
    EXPECT(!galley_stream_is_open(stream));
    galley_stream_unref(stream);
    end(t, srv);
}

static ssize_t give_some(void *buf, size_t len, void *arg)
{
    int *left = arg;
    size_t n = len < 1000 ? len : 1000;
    if ((*left)-- <= 0) {
        return 0;
    }
    memset(buf, 'x', n);
    return (ssize_t)n;
}

static int from_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_source(rs, 200, "text/plain", -1, give_some, NULL, arg);
}

TEST(test_a_source_is_asked_until_it_ends)
{
    int left = 50;
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "GET /pool", from_source, &left, NULL);
    galley_server_route(srv, "GET /loop", from_source, &left, &loop);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/pool", &r), 0);
    EXPECT_INT(r.body.len, 50000);
    left = 50;
    EXPECT_INT(galley_test_get(t, "/loop", &r), 0);
    EXPECT_INT(r.body.len, 50000);
    end(t, srv);
}

/* ---- what a call cannot bring ---- */

TEST(test_an_answer_that_waits_for_a_deadline_is_etimedout)
{
    galley_server *srv = make();
    galley_server_route(srv, "POST /", give_text, "x", NULL);
    galley_test *t = drive(srv);
    galley_test_reply r = {.status = 7};
    EXPECT_INT(galley_test_set_patience(t, 1), 0);
    EXPECT_INT(galley_test_call(t, "POST /\nContent-Length: 5", "x", 1, &r), GALLEY_ETIMEDOUT);
    EXPECT_INT(r.status, 7);
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_call(t, "POST /", "x", 1, &r), 0); /* and the next is as ever */
    EXPECT_INT(r.status, 200);
    end(t, srv);
}

static int break_off(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, NULL, 10), 0);
    EXPECT_INT(galley_res_write(rs, "short", 5), 0);
    return 0;
}

TEST(test_an_answer_that_breaks_off_is_eclosed)
{
    galley_server *srv = make();
    galley_server_route(srv, "GET /", break_off, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_get(t, "/", &r), GALLEY_ECLOSED);
    end(t, srv);
}

TEST(test_an_answer_without_end_is_etoobig)
{
    atomic_int blocks = 0;
    galley_server *srv = make();
    galley_server_route(srv, "GET /", write_for_ever, &blocks, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    EXPECT_INT(galley_test_set_patience(t, GALLEY_NO_LIMIT), 0);
    EXPECT_INT(galley_test_get(t, "/", &r), GALLEY_ETOOBIG);
    EXPECT_INT(atomic_load(&write_result), GALLEY_ECLOSED);
    end(t, srv);
}
