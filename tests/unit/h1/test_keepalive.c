/* tests/unit/h1/test_keepalive.c — one connection, many requests: keep-alive, pipelining, splits,
 * closing. */
#include "support_h1.h"

#include "base/buf.h"
#include "test.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static struct answer only_answer(struct sim_peer *peer)
{
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, sim_is_closed(peer));
    EXPECT(answer.is_whole);
    EXPECT_INT(rest.len, 0);
    return answer;
}

TEST(test_a_get_is_answered_with_all_that_every_answer_has)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    EXPECT_INT(world_conn(&world)->state, CONN_FIRST);
    world_send(&world, peer, get);
    struct answer answer = only_answer(peer);
    EXPECT_INT(answer.status, 200);
    EXPECT_SPAN(answer.body, "hello");
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "5"); /* RFC 9110 §8.6 */
    EXPECT_INT(answer_field(&answer, "Date").len, 29);         /* RFC 9110 §6.6.1 */
    EXPECT_SPAN(answer_field(&answer, "Server"), "galley");
    EXPECT_SPAN(answer_field(&answer, "X-Content-Type-Options"), "nosniff");
    EXPECT_SPAN(answer_field(&answer, "Content-Type"), "text/plain");
    EXPECT(!answer_field(&answer, "Connection").ptr); /* RFC 9112 §9.3: silent keep-alive */
    EXPECT(!sim_is_closed(peer));
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT_INT(world.logged_count, 1);
    EXPECT_INT(world.logged[0].status, 200);
    EXPECT_INT(world.logged[0].bytes_sent, 5);
    EXPECT_TEXT(world.logged[0].target, "/");
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_an_idle_connection_holds_no_session_and_no_buffer)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    const struct conn *conn = world_conn(&world);
    EXPECT(conn->session == NULL);
    EXPECT(conn->sending == NULL);
    EXPECT(conn->out.parts == NULL);
    EXPECT(sizeof *conn <= 400); /* the whole of what an idle connection costs */
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_server_name_can_be_left_out)
{
    struct world world;
    world_init(&world);
    world.services.server_name = NULL;
    world_start(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    struct answer answer = only_answer(peer);
    EXPECT(!answer_field(&answer, "Server").ptr);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_requests_follow_each_other_on_one_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    for (int i = 0; i < 20; i++) {
        world_send(&world, peer, get);
        EXPECT_INT(answers_count(peer), i + 1);
    }
    EXPECT_INT(counter_read(&world.set.counters.opened), 1);
    EXPECT_INT(counter_read(&h1_driver_counters(world.driver)->requests), 20);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9112 §9.3.2 */
TEST(test_a_hundred_pipelined_requests_in_one_packet_are_answered_in_order_by_one_send)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct buf packet;
    buf_init(&packet, 0);
    for (int i = 0; i < 100; i++) {
        buf_printf(&packet, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d", i);
    }
    world_send_bytes(&world, peer, packet.data, packet.len);
    struct span rest = sim_received(peer);
    for (int i = 0; i < 100; i++) {
        struct answer answer = answer_take(&rest, false, false);
        char number[16];
        snprintf(number, sizeof number, "%03d", i);
        EXPECT_SPAN(answer.body, number);
    }
    EXPECT_INT(rest.len, 0);
    buf_finish(&packet);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_more_requests_in_a_packet_than_a_turn_takes_are_all_answered)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    struct buf packet;
    buf_init(&packet, 0);
    for (int i = 0; i < 1000; i++) {
        buf_append_text(&packet, get);
    }
    world_send_bytes(&world, peer, packet.data, packet.len);
    EXPECT_INT(answers_count(peer), 1000);
    EXPECT(counter_read(&h1_driver_counters(world.driver)->held_back) > 0);
    EXPECT(world_conn(&world)->session == NULL);
    buf_finish(&packet);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_output_over_its_limit_holds_parsing_back_until_it_is_sent)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 0);
    for (int i = 0; i < 5; i++) {
        (void)sim_send(peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", 30);
    }
    sim_run(world.loop);
    EXPECT_INT(world.handled, 1); /* 1 MiB is over 256 KiB */
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world.handled, 5);
    EXPECT_INT(world.big_released, 5);
    EXPECT_INT(answers_count(peer), 5);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_connection_that_sends_too_much_behind_a_busy_request_is_not_read_further)
{
    struct world world;
    world_init(&world);
    world.http_limits.max_head_bytes = 1024;
    world.http_limits.max_target_bytes = 512;
    world.conn_limits.max_pending_in = 4096;
    world_start(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
    for (int i = 0; i < 1000; i++) {
        world_send(&world, peer, get);
    }
    EXPECT(counter_read(&world.set.counters.bytes_in) < 3 * 4096);
    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 204);
    sim_run(world.loop);
    EXPECT_INT(answers_count(peer), 1001);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_request_sent_byte_by_byte_is_answered_once)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    static const char *const request =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: 1\r\n\r\n";
    for (size_t i = 0; i < strlen(request); i++) {
        world_send_bytes(&world, peer, request + i, 1);
        EXPECT_INT(world.logged_count, i + 1 < strlen(request) ? 0 : 1);
    }
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer.body, "abcd");
    EXPECT(world_conn(&world)->session == NULL);
    sim_peer_free(peer);
    world_close(&world);
}

/* L27: every request in all two-part splits. */
TEST(test_good_requests_are_answered_alike_in_every_two_part_split)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET /ready HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        "GET /drop HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    struct world world;
    world_open(&world);
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++) {
        size_t len = strlen(requests[r]);
        for (size_t cut = 1; cut < len; cut++) {
            struct sim_peer *peer = world_connect(&world);
            world_send_bytes(&world, peer, requests[r], cut);
            world_send_bytes(&world, peer, requests[r] + cut, len - cut);
            EXPECT_INT(answers_count(peer), 1);
            EXPECT_INT(first_status(peer), 200);
            world_send(&world, peer, get); /* and the connection goes on */
            EXPECT_INT(answers_count(peer), 2);
            sim_peer_free(peer);
            sim_run(world.loop);
        }
    }
    world_close(&world);
}

TEST(test_answers_stay_in_order_when_one_comes_later)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
               "GET /later HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
               "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(answers_count(peer), 1);
    EXPECT_INT(world.handled, 2);
    EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
    struct exchange *exchange = world.later;
    world.later = NULL;
    EXPECT_SPAN(request_field(&exchange->request, FIELD_HOST), "a"); /* retained */
    exchange_resume(exchange, 404);
    sim_run(world.loop);
    struct span rest = sim_received(peer);
    EXPECT_INT(answer_take(&rest, false, false).status, 200);
    EXPECT_INT(answer_take(&rest, false, false).status, 404);
    struct answer last = answer_take(&rest, false, false);
    EXPECT_SPAN(last.body, "ready");
    EXPECT_INT(rest.len, 0);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9112 §9.3, §9.6 */
TEST(test_connection_close_is_honoured_and_said)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, close\r\n\r\n");
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT(sim_is_closed(peer));
    EXPECT(!sim_is_reset(peer));
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_KEEPALIVE_OFF]), 1);
    EXPECT_INT(counter_read(&world.set.counters.entered[CONN_LINGER]), 0);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_client_that_sends_behind_its_last_request_still_gets_the_answer)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
               "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(answers_count(peer), 1);
    EXPECT_INT(world.smuggled, 0);
    EXPECT(sim_is_closed(peer));
    EXPECT(!sim_is_reset(peer));
    EXPECT_INT(world_conn(&world)->state, CONN_LINGER);
    sim_shutdown(peer);
    sim_run(world.loop);
    EXPECT_INT(world.set.count, 0);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_http_1_0_closes_unless_keep_alive_is_asked_for)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "keep-alive");
    EXPECT(!sim_is_closed(peer));
    sim_consume(peer, sim_received(peer).len);
    world_send(&world, peer, "GET / HTTP/1.0\r\n\r\n");
    answer = only_answer(peer);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT_SPAN(answer.body, "hello");
    EXPECT(sim_is_closed(peer));
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_the_limit_of_requests_a_connection_is_said_and_kept)
{
    struct world world;
    world_init(&world);
    world.options.max_requests = 3;
    world_start(&world);
    struct sim_peer *peer = world_connect(&world);
    for (int i = 0; i < 5; i++) {
        world_send(&world, peer, get);
    }
    EXPECT_INT(answers_count(peer), 3);
    EXPECT(sim_is_closed(peer));
    EXPECT(!sim_is_reset(peer));
    EXPECT_INT(counter_read(&h1_driver_counters(world.driver)->request_limits), 1);
    EXPECT_INT(world_conn(&world)->close_reason, CLOSE_REQUEST_LIMIT);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_one_empty_line_between_requests_leaves_the_connection_idle)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    sim_advance(world.loop, 30000);
    world_send(&world, peer, get);
    EXPECT_INT(answers_count(peer), 2);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_drain_closes_idle_and_silent_connections_and_lets_the_others_finish)
{
    struct world world;
    world_open(&world);
    struct sim_peer *silent = world_connect(&world);
    struct sim_peer *idle = world_connect(&world);
    world_send(&world, idle, get);
    struct sim_peer *busy = world_connect(&world);
    world_send(&world, busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct sim_peer *half = world_connect(&world);
    world_send(&world, half, "GET / HT");
    struct sim_peer *loading = world_connect(&world);
    sim_set_window(loading, 5000);
    world_send(&world, loading, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");

    conn_set_drain(&world.set);
    sim_run(world.loop);
    EXPECT(sim_is_closed(silent) && sim_is_closed(idle));
    EXPECT_INT(world.set.count, 3);
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_DRAIN]), 2);

    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 204);
    sim_run(world.loop);
    struct answer answer = only_answer(busy);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT(sim_is_closed(busy) && !sim_is_reset(busy));
    world_send(&world, half, "TP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(answers_count(half), 1);
    EXPECT(sim_is_closed(half));
    sim_set_window(loading, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(answers_count(loading), 1);
    EXPECT(sim_is_closed(loading) && !sim_is_reset(loading));
    sim_advance(world.loop, 2000); /* lingering */
    EXPECT_INT(world.set.count, 0);
    sim_peer_free(silent);
    sim_peer_free(idle);
    sim_peer_free(busy);
    sim_peer_free(half);
    sim_peer_free(loading);
    world_close(&world);
}

TEST(test_a_handler_that_lets_another_connection_go_on_does_not_mix_their_requests)
{
    /* The scratch of the parser is in use by the second while the first goes on with what is
     * pending. */
    struct world world;
    world_open(&world);
    struct sim_peer *first = world_connect(&world);
    world_send(&world, first,
               "GET /later HTTP/1.1\r\nHost: first\r\n\r\n"
               "GET /ready HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ: 3\r\n\r\n");
    struct sim_peer *second = world_connect(&world);
    world_send(&world, second,
               "GET /resume HTTP/1.1\r\nHost: second\r\n\r\n"
               "GET /later HTTP/1.1\r\nHost: second\r\n\r\n");
    EXPECT_INT(answers_count(first), 2);
    EXPECT_INT(answers_count(second), 1);
    EXPECT_SPAN(request_field(&world.later->request, FIELD_HOST), "second");
    EXPECT_TEXT(world.logged[world.logged_count - 1].target, "/ready");
    sim_reset(first); /* and a session that waits for the scratch may go */
    sim_run(world.loop);
    sim_peer_free(first);
    sim_peer_free(second);
    world_close(&world);
}

TEST(test_the_last_answer_to_a_half_closed_client_says_close)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    sim_shutdown(peer);
    sim_run(world.loop);
    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 404);
    sim_run(world.loop);
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT(sim_is_closed(peer) && !sim_is_reset(peer));
    EXPECT_INT(world.set.count, 0);
    sim_peer_free(peer);
    world_close(&world);
}
