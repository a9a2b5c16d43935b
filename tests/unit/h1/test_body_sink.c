/* Bodies in pieces for a handler on the loop: galley_req_sink(). */
#include "support_lab.h"

#include "base/alloc.h"

#include <galley/stream.h>

#include <time.h>

static const char with_length[] =
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
static const char chunked[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nT: u\r\n\r\n";
static const char next[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/* Notes everything; answers at the end, and leaves failures to the server. */
static int take(galley_request *rq, galley_response *rs, const void *data, ssize_t len, void *arg)
{
    struct lab *lab = arg;
    lab->calls++;
    EXPECT_INT(atomic_load(&lab->code), 1); /* nothing follows the end or a code */
    if (len > 0) {
        lab_note(lab, data, (size_t)len);
        return 0;
    }
    atomic_store(&lab->code, (int)len);
    return len < 0 ? 0
                   : galley_res_printf(rs, 200, NULL, "%llu",
                                       (unsigned long long)galley_req_body_size(rq));
}

static int use_sink(galley_request *rq, galley_response *rs, void *arg)
{
    char bite[1];
    (void)rs;
    EXPECT_INT(galley_req_sink(NULL, take, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_req_sink(rq, NULL, arg), GALLEY_EINVAL);
    int rc = galley_req_sink(rq, take, arg);
    if (rc == GALLEY_OK) {
        EXPECT_INT(galley_req_sink(rq, take, arg), GALLEY_ESTATE); /* a second one */
        EXPECT_INT(galley_req_read(rq, bite, 1), GALLEY_ESTATE);
    }
    return rc;
}

static void expect_split_anywhere(const char *request)
{
    size_t len = strlen(request);
    for (size_t at = 0; at < len; at++) {
        struct lab lab;
        lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
        world_send_bytes(&lab.world, lab.peer, request, at);
        world_send_bytes(&lab.world, lab.peer, request + at, len - at);
        lab_send(&lab, next);
        EXPECT_SPAN(lab_answer(&lab, 1).body, "10");
        EXPECT(memcmp(lab.body, "0123456789", 10) == 0);
        EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
        lab_close(&lab);
    }
}

TEST(test_a_sink_gets_the_pieces_and_the_end)
{
    expect_split_anywhere(with_length);
    expect_split_anywhere(chunked);
}

TEST(test_a_sink_without_a_body_gets_the_end_at_once)
{
    struct lab lab;
    lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(lab_answer(&lab, 1).body, "0");
    EXPECT_INT(lab.calls, 1);
    lab_close(&lab);
}

TEST(test_a_sink_says_that_the_body_is_wanted)
{
    /* RFC 9110 §10.1.1 */
    struct lab lab;
    lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab,
             "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_INT(first_status(lab.peer), 100);
    lab_send(&lab, "abc");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "3");
    lab_close(&lab);
}

static int use_and_refuse(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    EXPECT_INT(galley_req_sink(rq, take, arg), 0);
    return 403;
}

TEST(test_a_handler_that_returns_something_else_is_never_called_back)
{
    struct lab lab;
    lab_open(&lab, use_and_refuse, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, with_length);
    EXPECT_INT(lab_answer(&lab, 1).status, 403);
    lab_send(&lab, next);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    EXPECT_INT(lab.calls, 0);
    lab_close(&lab);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void expect_failure(const char *request, bool has_end, int64_t wait_ms, int code, int status)
{
    struct lab lab;
    lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
    lab.route.max_body_bytes = 10;
    lab_send(&lab, request);
    if (has_end) {
        sim_shutdown(lab.peer);
    }
    sim_advance(lab.world.loop, wait_ms);
    EXPECT_INT(lab_answer(&lab, 1).status, status);
    EXPECT_INT(atomic_load(&lab.code), code);
    lab_turn_until_closed(&lab);
    EXPECT(!sim_is_reset(lab.peer));
    lab_close(&lab);
}

TEST(test_a_sink_is_told_what_went_wrong)
{
    expect_failure("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n", false,
                   0, GALLEY_ETOOBIG, 413);
    expect_failure("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabcd\r\n",
                   false, 0, GALLEY_EPROTO, 400);
    expect_failure("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", true, 0,
                   GALLEY_EPROTO, 400); /* RFC 9112 §8 */
    expect_failure("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", false, 6000,
                   GALLEY_ETIMEDOUT, 408);
}

TEST(test_a_sink_is_told_that_the_client_has_gone)
{
    struct lab lab;
    lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    sim_reset(lab.peer);
    sim_run(lab.world.loop);
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    EXPECT_INT(lab.world.exchanges.live, 0);
    lab_close(&lab);
}

TEST(test_a_sink_is_told_when_the_time_of_its_route_is_up)
{
    struct lab lab;
    lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
    lab.route.timeout_ms = 1000;
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    sim_advance(lab.world.loop, 1001);
    EXPECT_INT(lab_answer(&lab, 1).status, 503);
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    EXPECT_INT(lab.world.exchanges.live, 0);
    lab_send(&lab, "c"); /* nobody takes it */
    lab_close(&lab);
}

/* ---- early answers --------------------------------------------------------------------------- */

static int answer_at_once(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                          void *arg)
{
    (void)rq, (void)data, (void)len;
    ((struct lab *)arg)->calls++;
    return galley_res_text(rs, 202, "early") ? 500 : 202;
}

static int use_early(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, answer_at_once, arg);
}

TEST(test_a_sink_may_answer_in_the_middle)
{
    struct lab lab;
    lab_open(&lab, use_early, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012");
    EXPECT_SPAN(lab_answer(&lab, 1).body, "early");
    lab_send(&lab, "3456789");
    lab_send(&lab, next);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain"); /* the rest was skipped */
    EXPECT_INT(lab.calls, 1);
    lab_close(&lab);
}

static int suspend(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                   void *arg)
{
    struct lab *lab = arg;
    (void)rs, (void)data, (void)len;
    lab->calls++;
    lab->world.later = exchange_of_request(rq);
    return exchange_suspend(exchange_of_request(rq));
}

static int use_suspending(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, suspend, arg);
}

TEST(test_a_sink_that_answers_later_gets_no_more_and_the_rest_is_skipped)
{
    struct lab lab;
    lab_open(&lab, use_suspending, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012");
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY);
    lab_send(&lab, "3456789");
    sim_advance(lab.world.loop, 60000); /* no deadline: the client is not asked */
    EXPECT_INT(lab.calls, 1);
    struct exchange *exchange = lab.world.later;
    lab.world.later = NULL;
    exchange_resume(exchange, 204);
    sim_run(lab.world.loop);
    EXPECT_INT(lab_answer(&lab, 1).status, 204);
    lab_send(&lab, next);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    lab_close(&lab);
}

struct keeper {
    struct lab lab;
    galley_deferred *deferred;
};

static int defer(galley_request *rq, galley_response *rs, const void *data, ssize_t len, void *arg)
{
    struct keeper *keeper = CONTAINER_OF(arg, struct keeper, lab);
    (void)rq, (void)data, (void)len;
    keeper->lab.calls++;
    keeper->deferred = galley_res_defer(rs);
    EXPECT(keeper->deferred);
    return 500; /* ignored */
}

static int use_deferring(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, defer, arg);
}

TEST(test_a_sink_may_defer_the_answer_in_the_middle_or_at_the_end)
{
    static const char *const requests[] = {
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
        ("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n8\r\ncdefghij\r\n0\r\n\r\n"),
        "POST /x HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (int i = 0; i < 3; i++) {
        struct keeper keeper = {0};
        lab_open(&keeper.lab, use_deferring, EXCHANGE_BODY_STREAM, true);
        lab_send(&keeper.lab, requests[i]);
        EXPECT_INT(keeper.lab.calls, 1);
        EXPECT_INT(sim_received(keeper.lab.peer).len, 0);
        EXPECT_INT(galley_res_text(galley_deferred_response(keeper.deferred), 200, "later"), 0);
        EXPECT_INT(galley_deferred_finish(keeper.deferred, 0), 0);
        EXPECT_SPAN(lab_answer(&keeper.lab, 1).body, "later");
        lab_send(&keeper.lab, next);
        EXPECT_SPAN(lab_answer(&keeper.lab, 2).body, "plain");
        EXPECT_INT(keeper.lab.calls, 1);
        lab_close(&keeper.lab);
    }
}

static int reset_and_go_on(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                           void *arg)
{
    struct lab *lab = arg;
    if (lab->calls == 0) { /* as a send inside would find out */
        conn_close(world_conn(&lab->world), CLOSE_CLIENT_RESET, true);
    }
    return take(rq, rs, data, len, arg);
}

static int use_reset(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, reset_and_go_on, arg);
}

TEST(test_a_client_that_leaves_inside_a_call_is_told_afterwards)
{
    struct lab lab;
    lab_open(&lab, use_reset, EXCHANGE_BODY_STREAM, true);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012");
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    EXPECT_INT(lab.world.exchanges.live, 0);
    lab_close(&lab);
}

/* ---- misuse and memory ----------------------------------------------------------------------- */

static int hold_loop(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                     void *arg)
{
    (void)rq, (void)rs, (void)data, (void)arg;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return len > 0 ? 0 : 204;
}

static int use_holding(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, hold_loop, arg);
}

TEST(test_a_sink_that_holds_the_loop_is_reported_as_a_handler_is)
{
    struct lab lab;
    struct exchange_counters counters = {0};
    lab_open(&lab, use_holding, EXCHANGE_BODY_STREAM, true);
    lab.world.services.counters = &counters;
    lab.world.services.stall_warn_ms = 5;
    lab_send(&lab, with_length);
    EXPECT_INT(lab_answer(&lab, 1).status, 204);
    EXPECT_INT(counter_read(&counters.stalls), 2); /* a piece, the end */
    lab_close(&lab);
}

static int expect_state(galley_request *rq, galley_response *rs, void *arg)
{
    EXPECT_INT(galley_req_sink(rq, take, arg), GALLEY_ESTATE);
    return galley_res_text(rs, 200, "told");
}

TEST(test_a_sink_in_another_mode_or_on_a_worker_is_a_wrong_state)
{
    for (int on_loop = 0; on_loop < 2; on_loop++) {
        struct lab lab;
        lab_open(&lab, expect_state, on_loop ? EXCHANGE_BODY_BUFFER : EXCHANGE_BODY_STREAM,
                 on_loop);
        lab_send(&lab, with_length);
        EXPECT_SPAN(lab_answer(&lab, 1).body, "told");
        lab_close(&lab);
    }
}

TEST(test_every_allocation_of_a_sink_may_fail)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct lab lab;
        lab_open(&lab, use_sink, EXCHANGE_BODY_STREAM, true);
        mem_fail_nth(n);
        lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012");
        lab_send(&lab, "3456789");
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(has_failed || first_status(lab.peer) == 200);
        lab_close(&lab);
    }
}
