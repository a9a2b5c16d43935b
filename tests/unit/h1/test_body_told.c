/* What a handler that reads a body is told when it does not come whole, and by whom else it may be read. */
#include "support_lab.h"

#include "base/list.h"

#include <galley/stream.h>

#include <pthread.h>

static const char expecting[] =
    "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

/* ---- what the reader is told ----------------------------------------------------------------- */

/* shows: GALLEY_ETIMEDOUT, GALLEY_ETOOBIG, GALLEY_EPROTO, GALLEY_ECLOSED of galley_req_read(), by
 * what lab_read_all() noted */
static void expect_failure(struct lab *lab, int code, int status, enum close_reason reason)
{
    struct answer answer = lab_answer(lab, 1);
    EXPECT_INT(atomic_load(&lab->code), code);
    EXPECT_INT(answer.status, status);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    lab_turn_until_closed(lab);
    EXPECT(!sim_is_reset(lab->peer));
    lab_disconnect(lab);
    sim_advance(lab->world.loop, 10000);
    EXPECT_INT(counter_read(&lab->world.set.counters.closed[reason]), 1);
    lab_close(lab);
}

TEST(test_a_body_that_comes_too_slowly_is_408_behind_what_has_come)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BODY);
    sim_advance(lab.world.loop, 6000);
    (void)lab_answer(&lab, 1);
    EXPECT(memcmp(lab.body, "abc", 3) == 0);
    expect_failure(&lab, GALLEY_ETIMEDOUT, 408, CLOSE_BODY_TIMEOUT);
}

TEST(test_a_declared_length_over_the_limit_is_413_before_the_handler)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8388609\r\n\r\n");
    EXPECT_INT(lab_answer(&lab, 1).status, 413);
    EXPECT_INT(atomic_load(&lab.entered), 0);
    expect_failure(&lab, 1, 413, CLOSE_BODY_TOO_LARGE);
}

TEST(test_chunks_over_the_limit_are_told_to_the_reader)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab.route.max_body_bytes = 10;
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nabcde\r\n6\r\nfghijk\r\n");
    expect_failure(&lab, GALLEY_ETOOBIG, 413, CLOSE_BODY_TOO_LARGE);
}

TEST(test_a_malformed_chunk_is_told_to_the_reader)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nabcdefg\r\n");
    expect_failure(&lab, GALLEY_EPROTO, 400, CLOSE_BAD_REQUEST);
}

TEST(test_an_early_end_is_told_to_the_reader)
{
    /* RFC 9112 §8 */
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    sim_shutdown(lab.peer);
    sim_run(lab.world.loop);
    expect_failure(&lab, GALLEY_EPROTO, 400, CLOSE_CLIENT_VANISHED);
}

static int answer_anyway(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = lab_read_all(rq, rs, arg);
    return rc < 0 ? galley_res_text(rs, 200, "all the same") : rc;
}

TEST(test_a_handler_may_answer_as_it_likes_when_the_body_failed)
{
    struct lab lab;
    lab_open(&lab, answer_anyway, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    EXPECT_SPAN(lab_answer(&lab, 1).body, "all the same");
    lab_send(&lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); /* nothing is parsed behind it */
    expect_failure(&lab, GALLEY_EPROTO, 200, CLOSE_BAD_REQUEST);
}

TEST(test_a_reader_is_woken_when_the_client_resets)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    lab_turn_until(&lab, &lab.entered, 1);
    sim_reset(lab.peer);
    sim_run(lab.world.loop);
    lab_turn_until_empty(&lab);
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    EXPECT_INT(atomic_load(&lab.was_told), 1);
    lab_close(&lab);
}

TEST(test_a_reader_is_woken_when_the_server_lets_go)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    lab_turn_until(&lab, &lab.entered, 1);
    exchange_pool_abandon(&lab.world.exchanges);
    lab_turn_until_empty(&lab);
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    lab_close(&lab);
}

TEST(test_a_reader_is_woken_when_the_time_of_its_route_is_up)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab.route.timeout_ms = 1000;
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    lab_turn_until(&lab, &lab.entered, 1);
    sim_advance(lab.world.loop, 1001);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.status, 503);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    lab_send(&lab, "defghij"); /* nobody takes it */
    lab_turn_until_empty(&lab);
    EXPECT_INT(atomic_load(&lab.code), GALLEY_ECLOSED);
    EXPECT(!sim_is_reset(lab.peer));
    lab_close(&lab);
}

/* ---- by the holder of a deferral ------------------------------------------------------------- */

struct holder {
    struct lab lab;
    galley_deferred *deferred;
    pthread_t thread;
    bool has_thread;
};

static void *read_deferred(void *arg)
{
    struct holder *holder = arg;
    galley_deferred *deferred = holder->deferred;
    int rc = lab_read_all(galley_deferred_request(deferred), galley_deferred_response(deferred),
                          &holder->lab);
    (void)galley_deferred_finish(deferred, rc);
    return NULL;
}

static int defer_to_thread(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct holder *holder = CONTAINER_OF(arg, struct holder, lab);
    holder->deferred = galley_res_defer(rs);
    EXPECT(holder->deferred);
    EXPECT_INT(pthread_create(&holder->thread, NULL, read_deferred, holder), 0);
    holder->has_thread = true;
    return 0;
}

static void holder_close(struct holder *holder)
{
    atomic_store(&holder->lab.gate, 1);
    lab_disconnect(&holder->lab);
    lab_turn_until_empty(&holder->lab);
    EXPECT_INT(pthread_join(holder->thread, NULL), 0);
    lab_close(&holder->lab);
}

TEST(test_the_holder_of_a_deferral_reads_the_body)
{
    for (int on_loop = 0; on_loop < 2; on_loop++) {
        struct holder holder = {0};
        lab_open(&holder.lab, defer_to_thread, EXCHANGE_BODY_STREAM, on_loop);
        lab_send(&holder.lab, expecting);
        EXPECT_INT(sim_received(holder.lab.peer).len, 0);
        atomic_store(&holder.lab.gate, 1);
        EXPECT_INT(lab_answer(&holder.lab, 1).status, 100);
        lab_send(&holder.lab, "abcde");
        EXPECT_SPAN(lab_answer(&holder.lab, 2).body, "5");
        holder_close(&holder);
    }
}

TEST(test_the_holder_of_a_deferral_is_woken_when_the_client_resets)
{
    struct holder holder = {0};
    lab_open(&holder.lab, defer_to_thread, EXCHANGE_BODY_STREAM, true);
    atomic_store(&holder.lab.gate, 1);
    lab_send(&holder.lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    lab_turn_until(&holder.lab, &holder.lab.entered, 1);
    sim_reset(holder.lab.peer);
    sim_run(holder.lab.world.loop);
    lab_turn_until_empty(&holder.lab);
    EXPECT_INT(atomic_load(&holder.lab.code), GALLEY_ECLOSED);
    holder_close(&holder);
}
