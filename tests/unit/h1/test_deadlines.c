/* tests/unit/h1/test_deadlines.c — every deadline and rate of a connection, on the virtual
 * clock. */
#include "support_h1.h"

#include "base/buf.h"
#include "test.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void expect_closed(struct world *world, struct sim_peer *peer, int status,
                          enum close_reason reason)
{
    EXPECT_INT(first_status(peer), status);
    EXPECT_INT(answers_count(peer), status != 0);
    EXPECT(sim_is_closed(peer));
    EXPECT(!sim_is_reset(peer));
    sim_advance(world->loop, 2000); /* lingering */
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(counter_read(&world->set.counters.closed[reason]), 1);
    sim_peer_free(peer);
    world_close(world);
}

TEST(test_a_silent_new_connection_gets_408_at_the_deadline)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_advance(world.loop, 9999);
    EXPECT(!sim_is_closed(peer));
    sim_advance(world.loop, 1);
    EXPECT_INT(counter_read(&world.set.counters.missed[CONN_FIRST]), 1);
    expect_closed(&world, peer, 408, CLOSE_HEAD_TIMEOUT);
}

/* L20: the head's deadline is absolute. */
TEST(test_a_byte_every_three_seconds_does_not_extend_the_deadline_of_the_head)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    for (int i = 0; i < 3; i++) {
        sim_advance(world.loop, 3000);
        world_send_bytes(&world, peer, get + i, 1);
    }
    EXPECT_INT(world_conn(&world)->state, CONN_HEAD);
    EXPECT_INT(sim_received(peer).len, 0);
    sim_advance(world.loop, 1000);
    EXPECT_INT(counter_read(&world.set.counters.missed[CONN_HEAD]), 1);
    expect_closed(&world, peer, 408, CLOSE_HEAD_TIMEOUT);
}

TEST(test_the_head_of_a_later_request_has_its_time_from_its_first_byte)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    sim_advance(world.loop, 50000);
    world_send(&world, peer, "GET /");
    sim_advance(world.loop, 9999);
    world_send(&world, peer, "x");
    EXPECT(!sim_is_closed(peer));
    sim_consume(peer, sim_received(peer).len);
    sim_advance(world.loop, 1);
    expect_closed(&world, peer, 408, CLOSE_HEAD_TIMEOUT);
}

TEST(test_a_head_that_began_while_an_answer_was_sent_has_its_time_from_then)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 0);
    world_send(&world, peer, get);
    world_send(&world, peer, "GET /");
    sim_advance(world.loop, 6000);
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world_conn(&world)->state, CONN_HEAD);
    sim_consume(peer, sim_received(peer).len);
    sim_advance(world.loop, 4000);
    expect_closed(&world, peer, 408, CLOSE_HEAD_TIMEOUT);
}

TEST(test_an_idle_connection_is_closed_without_a_word)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    sim_consume(peer, sim_received(peer).len);
    sim_advance(world.loop, 59999);
    EXPECT(!sim_is_closed(peer));
    sim_advance(world.loop, 1);
    expect_closed(&world, peer, 0, CLOSE_IDLE_TIMEOUT);
}

TEST(test_each_request_gives_the_idle_time_anew)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    for (int i = 0; i < 5; i++) {
        world_send(&world, peer, get);
        sim_advance(world.loop, 59000);
    }
    EXPECT_INT(answers_count(peer), 5);
    EXPECT(!sim_is_closed(peer));
    sim_peer_free(peer);
    world_close(&world);
}

/* L20: a minimum average rate for bodies. */
TEST(test_a_body_below_the_minimum_rate_is_408_after_the_grace)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        sim_advance(world.loop, 1000);
        world_send(&world, peer, "x");
    }
    EXPECT_INT(sim_received(peer).len, 0);
    sim_advance(world.loop, 1000);
    expect_closed(&world, peer, 408, CLOSE_BODY_TIMEOUT);
}

TEST(test_a_body_just_above_the_minimum_rate_is_taken)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 32000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        sim_advance(world.loop, 1000);
        world_send_bytes(&world, peer, world.big, 1600);
    }
    EXPECT_INT(first_status(peer), 200);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_body_that_comes_to_a_halt_is_cut_when_its_average_has_fallen)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    world_send_bytes(&world, peer, world.big, 20480); /* is worth 20 s */
    sim_advance(world.loop, 19000);
    EXPECT(!sim_is_closed(peer));
    sim_advance(world.loop, 2000);
    expect_closed(&world, peer, 408, CLOSE_BODY_TIMEOUT);
}

TEST(test_a_skipped_body_that_stalls_ends_without_a_second_answer)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_INT(answers_count(peer), 1);
    sim_advance(world.loop, 5000);
    expect_closed(&world, peer, 200, CLOSE_BODY_TIMEOUT);
}

TEST(test_a_reader_below_the_minimum_rate_is_reset_and_counted)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 1000);
    world_send(&world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world_conn(&world)->state, CONN_SENDING);
    sim_advance(world.loop, 9999);
    EXPECT(!sim_is_reset(peer));
    sim_advance(world.loop, 1);
    EXPECT(sim_is_reset(peer)); /* a cut answer must not look whole */
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_SEND_TIMEOUT]), 1);
    EXPECT_INT(counter_read(&world.set.counters.missed[CONN_SENDING]), 1);
    EXPECT_INT(world.big_released, 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_slow_but_steady_reader_gets_all)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 0);
    world_send(&world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        sim_set_window(peer, 4096);
        sim_advance(world.loop, 1000);
        if (sim_received(peer).len > BIG_BYTES) {
            break;
        }
    }
    EXPECT_INT(answers_count(peer), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_reader_that_stops_after_a_fast_start_is_cut_too)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 900 * 1024); /* an average good for 15 minutes */
    world_send(&world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    sim_advance(world.loop, 15000);
    EXPECT(!sim_is_reset(peer));
    sim_advance(world.loop, 2 * 60000);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_SEND_TIMEOUT]), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_handler_may_take_its_time)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    sim_advance(world.loop, 3600 * 1000);
    EXPECT(!sim_is_closed(peer));
    struct exchange *exchange = world.later;
    world.later = NULL;
    exchange_resume(exchange, 204);
    sim_run(world.loop);
    EXPECT_INT(first_status(peer), 204);
    sim_advance(world.loop, 59000); /* idle only since then */
    EXPECT(!sim_is_closed(peer));
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_lingering_has_a_deadline)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "bad\r\n\r\n");
    EXPECT_INT(world_conn(&world)->state, CONN_LINGER);
    for (int i = 0; i < 3; i++) {
        sim_advance(world.loop, 600);
        world_send(&world, peer, "more");
    }
    EXPECT_INT(world.set.count, 1);
    sim_advance(world.loop, 200);
    EXPECT_INT(world.set.count, 0);
    EXPECT_INT(answers_count(peer), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_lingering_has_a_limit_of_bytes)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "bad\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        world_send_bytes(&world, peer, world.big, 60000);
    }
    EXPECT_INT(world.set.count, 0);
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_BAD_REQUEST]), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_each_answer_has_its_own_time_to_be_read)
{
    struct world world;
    world_init(&world);
    world.options.max_out_bytes = 1; /* one answer after the other */
    world_start(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 0);
    world_send(
        &world, peer,
        "GET /borrowed HTTP/1.1\r\nHost: a\r\n\r\nGET /borrowed HTTP/1.1\r\nHost: a\r\n\r\n");
    size_t one_answer = (size_t)world_conn(&world)->out.bytes;
    sim_advance(world.loop, 9000);
    sim_set_window(peer, one_answer);
    sim_run(world.loop);
    EXPECT_INT(world.handled, 2);
    sim_advance(world.loop, 9999);
    EXPECT(!sim_is_reset(peer));
    sim_advance(world.loop, 1);
    EXPECT(sim_is_reset(peer));
    sim_peer_free(peer);
    world_close(&world);
}
