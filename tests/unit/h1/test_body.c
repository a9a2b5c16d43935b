/* tests/unit/h1/test_body.c — request bodies: lengths, chunks, 100 Continue, limits, bodies that
 * nobody wants. */
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

/* Sends one request and expects this status, and whether the connection goes on. */
static void expect_answer(const char *request, int status, bool goes_on)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, request);
    struct answer answer = only_answer(peer);
    EXPECT_INT(answer.status, status);
    EXPECT_INT(sim_is_closed(peer), !goes_on);
    EXPECT_INT(answer_field(&answer, "Connection").ptr != NULL, !goes_on);
    EXPECT(!sim_is_reset(peer));
    world_send(&world, peer, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world.smuggled, goes_on);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_body_of_declared_length_reaches_the_handler)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde");
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer.body, "abcde");
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_post_without_length_and_coding_has_no_body)
{
    /* RFC 9112 §6.3 item 7 */
    expect_answer("POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", 200, true);
}

TEST(test_framing_is_judged_before_route_and_method)
{
    expect_answer("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde", 400,
                  false);
    expect_answer("BREW / HTTP/1.1\r\nContent-Length: 1\r\n\r\na", 400, false);
    expect_answer("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, true);
}

TEST(test_an_unknown_expectation_is_417)
{
    /* RFC 9110 §10.1.1 */
    expect_answer("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na",
                  417, false);
}

TEST(test_a_target_that_climbs_out_is_400)
{
    expect_answer("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400, false);
    expect_answer("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, false);
}

/* RFC 9110 §10.1.1 */
TEST(test_100_continue_is_said_when_the_body_is_wanted)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(
        &world, peer,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_SPAN(sim_received(peer), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_INT(world_conn(&world)->state, CONN_BODY);
    sim_consume(peer, sim_received(peer).len);
    world_send(&world, peer, "abc");
    struct answer answer = only_answer(peer);
    EXPECT_SPAN(answer.body, "abc");
    EXPECT(!sim_is_closed(peer));
    EXPECT_INT(counter_read(&h1_driver_counters(world.driver)->continues), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_100_continue_is_left_out_when_the_body_comes_unasked)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(
        &world, peer,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na");
    EXPECT_INT(sim_received(peer).len, 0);
    world_send(&world, peer, "bc");
    EXPECT_INT(only_answer(peer).status, 200);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_refused_body_gets_the_final_status_without_100_and_the_connection_ends)
{
    static const char *const requests[] = {
        "POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
    };
    static const int statuses[] = {413, 404, 413, 200};
    for (int i = 0; i < 4; i++) {
        expect_answer(requests[i], statuses[i], false);
    }
}

TEST(test_http_1_0_gets_no_100_continue)
{
    /* RFC 9110 §10.1.1: an expectation in a 1.0 request is ignored */
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_INT(sim_received(peer).len, 0);
    world_send(&world, peer, "abc");
    EXPECT_INT(only_answer(peer).status, 200);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9110 §15.5.14 */
TEST(test_a_body_over_the_limit_is_413_and_the_end)
{
    expect_answer("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413, false);
    struct buf request;
    buf_init(&request, 0);
    buf_append_text(&request,
                    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) {
        buf_append_text(&request, "1000\r\n");
        for (int k = 0; k < 4096; k++) {
            buf_append_char(&request, 'x');
        }
        buf_append_text(&request, "\r\n");
    }
    buf_append_char(&request, '\0');
    expect_answer(request.data, 413, false);
    buf_finish(&request);
}

TEST(test_a_body_of_exactly_the_limit_is_taken)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n");
    for (int i = 0; i < 64; i++) {
        world_send_bytes(&world, peer, world.big, 1024);
    }
    EXPECT_INT(only_answer(peer).body.len, 65536);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_get_with_a_body_is_answered_and_the_body_skipped)
{
    expect_answer("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 200, true);
    expect_answer("GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 200, true);
    expect_answer("GET /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\nabcde\r\n0\r\n\r\n",
                  200, true);
}

TEST(test_an_unwanted_body_too_long_to_skip_ends_the_connection)
{
    expect_answer("GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\nabcde", 200,
                  false);
}

TEST(test_an_unwanted_chunked_body_is_skipped_up_to_a_limit_only)
{
    struct world world;
    world_init(&world);
    world.http_limits.max_body_bytes = 1000;
    world_start(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 200; i++) {
        EXPECT(!sim_is_closed(peer));
        world_send(&world, peer, "5\r\nabcde\r\n");
    }
    EXPECT_INT(answers_count(peer), 1);
    EXPECT(!sim_is_closed(peer));
    world_send(&world, peer, "1\r\n"); /* says already that it is too much */
    EXPECT_INT(answers_count(peer), 1);
    EXPECT(sim_is_closed(peer) && !sim_is_reset(peer));
    EXPECT_INT(world_conn(&world)->close_reason, CLOSE_BODY_TOO_LARGE);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9112 §7.1.2, L8 */
TEST(test_trailers_are_judged_and_never_merged)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(
        &world, peer,
        "POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        "Host: evil\r\nContent-Length: 9\r\nX-Forwarded-For: 1.2.3.4\r\n"
        "Connection: close\r\nX-Mine: 1\r\n\r\n");
    const struct fields *fields = world.later->request.fields;
    EXPECT_SPAN(fields_get(fields, FIELD_HOST), "a");
    EXPECT_INT(fields_count_of(fields, FIELD_HOST), 1);
    EXPECT(!fields_has(fields, FIELD_CONTENT_LENGTH));
    EXPECT(!fields_has(fields, FIELD_X_FORWARDED_FOR));
    EXPECT(!fields_has(fields, FIELD_CONNECTION));
    EXPECT(!fields_find(fields, SPAN("X-Mine")).ptr);
    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 204);
    sim_run(world.loop);
    EXPECT(!sim_is_closed(peer)); /* the trailer's Connection is not the request's */
    world_send(&world, peer, get);
    EXPECT_INT(answers_count(peer), 2);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_too_many_trailers_are_431)
{
    struct buf request;
    buf_init(&request, 0);
    buf_append_text(&request,
                    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 40; i++) {
        buf_printf(&request, "T%d: x\r\n", i);
    }
    buf_append_text(&request, "\r\n");
    buf_append_char(&request, '\0');
    expect_answer(request.data, 431, false);
    buf_finish(&request);
}

TEST(test_a_bad_chunk_is_400_once_and_the_end)
{
    expect_answer(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        400, false);
    /* where the answer is out already there is no second one */
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    EXPECT_INT(answers_count(peer), 1);
    EXPECT(sim_is_closed(peer));
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_an_answer_given_while_the_body_waits_skips_it_afterwards)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_INT(answers_count(peer), 1);
    EXPECT_INT(world_conn(&world)->state, CONN_BODY);
    world_send(&world, peer, "defghij");
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT_INT(counter_read(&h1_driver_counters(world.driver)->bodies_drained), 10);
    sim_peer_free(peer);
    world_close(&world);
}
