/* Bodies that a handler on a worker reads while they come: galley_req_read() over the whole of h1. */
#include "support_lab.h"

#include "base/alloc.h"

#include <time.h>

static const char with_length[] =
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
static const char chunked[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nT: u\r\n\r\n";

static void expect_split_anywhere(const char *request)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    size_t len = strlen(request);
    for (size_t at = 0; at < len; at++) {
        world_send_bytes(&lab.world, lab.peer, request, at);
        if (at % 3 == 0) { /* sometimes its reader is waiting already */
            nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
        }
        world_send_bytes(&lab.world, lab.peer, request + at, len - at);
        struct answer answer = lab_answer(&lab, 1);
        EXPECT_INT(answer.status, 200);
        EXPECT_SPAN(answer.body, "10");
        EXPECT(memcmp(lab.body, "0123456789", 10) == 0);
        EXPECT(!sim_is_closed(lab.peer));
        lab_disconnect(&lab);
        lab_connect(&lab);
    }
    lab_close(&lab);
}

TEST(test_a_body_of_declared_length_is_read_in_pieces)
{
    expect_split_anywhere(with_length);
}

TEST(test_a_chunked_body_is_read_in_pieces)
{
    expect_split_anywhere(chunked);
}

TEST(test_a_request_without_body_is_at_its_end_at_once)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    atomic_store(&lab.gate, 1);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(lab_answer(&lab, 1).body, "0");
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "0");
    lab_close(&lab);
}

TEST(test_a_pipelined_request_behind_a_streamed_body_is_answered_after_it)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, with_length);
    lab_send(&lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    lab_turn_until(&lab, &lab.entered, 1);
    EXPECT_INT(sim_received(lab.peer).len, 0);
    atomic_store(&lab.gate, 1);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    lab_close(&lab);
}

/* ---- 100 Continue ---------------------------------------------------------------------------- */

static const char expecting[] =
    "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

TEST(test_100_continue_is_said_at_the_first_read)
{
    /* RFC 9110 §10.1.1 */
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, expecting);
    lab_turn_until(&lab, &lab.entered, 1);
    EXPECT_INT(sim_received(lab.peer).len, 0);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY); /* it is not the client that is late */
    sim_advance(lab.world.loop, 600000);
    atomic_store(&lab.gate, 1);
    EXPECT_INT(lab_answer(&lab, 1).status, 100);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BODY);
    lab_send(&lab, "abcde");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "5");
    EXPECT(!sim_is_closed(lab.peer));
    lab_close(&lab);
}

TEST(test_100_continue_is_not_said_when_the_body_comes_unasked)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, expecting);
    lab_send(&lab, "abcde");
    lab_turn_until(&lab, &lab.entered, 1);
    atomic_store(&lab.gate, 1);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.status, 200);
    EXPECT_SPAN(answer.body, "5");
    lab_close(&lab);
}

static int answer_unread(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "unread");
}

TEST(test_a_handler_that_does_not_read_gets_no_100_continue_and_the_connection_ends)
{
    /* RFC 9110 §10.1.1: whether the body follows the final status cannot be known */
    struct lab lab;
    lab_open(&lab, answer_unread, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, expecting);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.status, 200);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    lab_turn_until_closed(&lab);
    EXPECT(!sim_is_reset(lab.peer));
    lab_close(&lab);
}

static int begin_then_read(galley_request *rq, galley_response *rs, void *arg)
{
    struct lab *lab = arg;
    char bite[100];
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", -1), 0);
    ssize_t n = 0;
    while ((n = galley_req_read(rq, bite, sizeof bite)) > 0) {
        lab_note(lab, bite, (size_t)n);
    }
    return (int)n;
}

TEST(test_no_100_continue_is_said_behind_the_head_of_the_answer)
{
    /* RFC 9110 §15.2: interim responses come before the final one */
    struct lab lab;
    lab_open(&lab, begin_then_read, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, expecting);
    while (sim_received(lab.peer).len == 0) {
        lab_turn_until(&lab, &lab.entered, 0);
        sim_run(lab.world.loop);
    }
    lab_send(&lab, "abcde");
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.status, 200);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT_INT(atomic_load(&lab.got), 5);
    lab_turn_until_closed(&lab);
    lab_close(&lab);
}

/* ---- back pressure --------------------------------------------------------------------------- */

static void send_much(struct lab *lab, size_t bytes)
{
    while (bytes > 0) {
        size_t n = bytes < (size_t)BIG_BYTES ? bytes : (size_t)BIG_BYTES;
        EXPECT_INT(sim_send(lab->peer, lab->world.big, n), 0);
        bytes -= n;
    }
    sim_run(lab->world.loop);
}

TEST(test_a_client_waits_for_a_handler_that_does_not_read_and_is_not_blamed)
{
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n");
    send_much(&lab, 3145728);
    lab_turn_until(&lab, &lab.entered, 1);
    EXPECT(counter_read(&lab.world.set.counters.bytes_in) < 400 * 1024);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY);
    sim_advance(lab.world.loop, 3600000);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY);
    atomic_store(&lab.gate, 1);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "3145728");
    EXPECT(!sim_is_closed(lab.peer));
    lab_close(&lab);
}

TEST(test_a_client_that_has_sent_all_may_close_its_side_before_it_is_read)
{
    /* RFC 9112 §9.6 */
    struct lab lab;
    lab_open(&lab, lab_read_all, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 131072\r\n\r\n");
    send_much(&lab, 131072);
    sim_shutdown(lab.peer);
    sim_run(lab.world.loop);
    lab_turn_until(&lab, &lab.entered, 1);
    atomic_store(&lab.gate, 1);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "131072");
    lab_turn_until_closed(&lab);
    lab_close(&lab);
}

static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    struct lab *lab = arg;
    char block[16 * 1024];
    int rc = galley_res_begin(rs, 200, "application/octet-stream", -1);
    ssize_t n = 0;
    while (rc == 0 && (n = galley_req_read(rq, block, sizeof block)) > 0) {
        rc = galley_res_write(rs, block, (size_t)n);
        atomic_fetch_add(&lab->got, (unsigned)n);
    }
    return rc ? rc : (int)n;
}

/* Takes what has come of the answer; counts the bytes, and how much of them is content. */
static size_t swallow(struct lab *lab, size_t *content)
{
    struct span got = sim_received(lab->peer);
    for (size_t i = 0; i < got.len; i++) {
        *content += got.ptr[i] == 'x';
    }
    sim_consume(lab->peer, got.len);
    return got.len;
}

TEST(test_an_echo_flows_both_ways_in_bounded_memory)
{
    enum { TOTAL = 8 * 1024 * 1024 };
    struct lab lab;
    lab_open(&lab, echo, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    sim_set_window(lab.peer, 1000); /* the client does not read: all stands still */
    send_much(&lab, TOTAL);
    size_t content = 0;
    for (int i = 0; i < 50; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        sim_run(lab.world.loop);
    }
    /* read-ahead and what waits to be sent, but not the body */
    EXPECT(counter_read(&lab.world.set.counters.bytes_in) < 1200 * 1024);
    while (content < TOTAL) {
        sim_set_window(lab.peer, 100 * 1000);
        sim_run(lab.world.loop);
        if (swallow(&lab, &content) == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
    }
    lab_turn_until_closed(&lab);
    EXPECT(!sim_is_reset(lab.peer));
    lab_close(&lab);
}

TEST(test_a_reader_of_the_answer_that_stalls_is_cut_while_the_body_is_paused)
{
    struct lab lab;
    lab_open(&lab, echo, EXCHANGE_BODY_STREAM, false);
    sim_set_window(lab.peer, 1000);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    send_much(&lab, 8 * 1024 * 1024);
    while (world_conn(&lab.world)->state != CONN_SENDING) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        sim_run(lab.world.loop);
    }
    sim_advance(lab.world.loop, 120000);
    EXPECT(sim_is_reset(lab.peer));
    lab_turn_until_empty(&lab);
    EXPECT_INT(counter_read(&lab.world.set.counters.closed[CLOSE_SEND_TIMEOUT]), 1);
    lab_close(&lab);
}

/* ---- who does not read everything ------------------------------------------------------------ */

TEST(test_a_short_rest_is_skipped_and_the_connection_goes_on)
{
    struct lab lab;
    lab_open(&lab, answer_unread, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    send_much(&lab, 150000); /* it is paused, or skipping already */
    EXPECT_SPAN(lab_answer(&lab, 1).body, "unread");
    send_much(&lab, 50000);
    lab_send(&lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    lab_close(&lab);
}

TEST(test_a_long_rest_ends_the_connection)
{
    struct lab lab;
    lab_open(&lab, answer_unread, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\nabc");
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    lab_turn_until_closed(&lab);
    lab_close(&lab);
}

static int begin_and_leave(galley_request *rq, galley_response *rs, void *arg)
{
    char bite[3];
    (void)arg;
    EXPECT(galley_req_read(rq, bite, sizeof bite) > 0);
    int rc = galley_res_begin(rs, 200, "text/plain", -1);
    return rc ? rc : galley_res_write(rs, "enough", 6);
}

TEST(test_an_answer_in_pieces_that_ends_before_the_body_skips_the_rest)
{
    struct lab lab;
    lab_open(&lab, begin_and_leave, EXCHANGE_BODY_STREAM, false);
    lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    send_much(&lab, 99990);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "enough");
    send_much(&lab, 10);
    lab_send(&lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    lab_close(&lab);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

static int misuse(galley_request *rq, galley_response *rs, void *arg)
{
    char bite[3];
    (void)arg;
    EXPECT_INT(galley_req_read(NULL, bite, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_req_read(rq, NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_req_read(rq, bite, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_req_read(rq, bite, 1), GALLEY_ESTATE);
    EXPECT_INT(galley_req_body_fd(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_req_body_fd(rq), GALLEY_ESTATE);
    return galley_res_text(rs, 200, "told");
}

TEST(test_a_read_on_the_loop_or_in_another_mode_is_a_wrong_state)
{
    static const uint8_t modes[] = {EXCHANGE_BODY_STREAM, EXCHANGE_BODY_BUFFER};
    for (int i = 0; i < 2; i++) {
        struct lab lab;
        lab_open(&lab, misuse, modes[i], modes[i] == EXCHANGE_BODY_STREAM);
        lab_send(&lab, with_length);
        EXPECT_SPAN(lab_answer(&lab, 1).body, "told");
        EXPECT(!sim_is_closed(lab.peer));
        lab_close(&lab);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(test_every_allocation_of_a_streamed_body_may_fail)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct lab lab;
        lab_open(&lab, echo, EXCHANGE_BODY_STREAM, false);
        mem_fail_nth(n);
        lab_send(&lab, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        lab_send(&lab, "5\r\nabcde\r\n");
        lab_send(&lab, "3\r\nfgh\r\n0\r\n\r\n");
        while (!sim_is_closed(lab.peer) && lab.world.exchanges.live > 0) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
            sim_run(lab.world.loop);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        lab_close(&lab);
    }
}
