/* tests/unit/conn/test_conn.c — reading, sending and closing of one connection, and the set of
 * them. */
#include "support_conn.h"

#include "base/alloc.h"
#include "test.h"

#include <errno.h>

static void say(struct conn *conn, const char *text)
{
    EXPECT_INT(chain_add_copy(&conn->out, text, strlen(text)), 0);
    conn_flush(conn);
}

TEST(test_what_comes_is_given_to_the_protocol_and_counted)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    conn_world_connect(&world, &peer);
    EXPECT_INT(sim_send(peer, "abc", 3), 0);
    sim_run(world.loop);
    EXPECT_INT(world.told.bytes, 3);
    EXPECT_INT(counter_read(&world.set.counters.bytes_in), 3);
    sim_shutdown(peer);
    sim_run(world.loop);
    EXPECT_INT(world.told.input_ended, 1);
    EXPECT_INT(world.told.closed, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_reading_can_be_stopped_and_taken_up_again)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    conn_read(conn, false);
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(sim_send(peer, "abc", 3), 0);
        sim_run(world.loop);
    }
    EXPECT(world.told.received <= 1); /* the read that was under way */
    conn_read(conn, true);
    sim_run(world.loop);
    EXPECT_INT(world.told.bytes, 15);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_output_is_sent_and_the_protocol_told_once_it_is_empty)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    sim_set_window(peer, 3);
    say(conn, "hello");
    say(conn, " world");
    sim_run(world.loop);
    EXPECT_INT(world.told.sent, 0);
    EXPECT(conn->sending != NULL);
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world.told.sent, 1);
    EXPECT(conn->sending == NULL);
    EXPECT_SPAN(sim_received(peer), "hello world");
    EXPECT_INT(counter_read(&world.set.counters.bytes_out), 11);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_more_pieces_than_one_send_takes_leave_in_order)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    static const char digits[] = "0123456789";
    for (int i = 0; i < 300; i++) {
        EXPECT_INT(chain_add(&conn->out, digits + i % 10, 1, NULL, NULL), 0);
    }
    conn_flush(conn);
    sim_run(world.loop);
    struct span got = sim_received(peer);
    EXPECT_INT(got.len, 300);
    for (size_t i = 0; i < got.len; i++) {
        EXPECT_INT(got.ptr[i], digits[i % 10]);
    }
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_graceful_close_sends_then_lingers_until_the_client_closes)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    sim_set_window(peer, 0);
    say(conn, "bye");
    conn_close_gracefully(conn, CLOSE_BAD_REQUEST);
    EXPECT_INT(conn->state, CONN_SENDING);
    sim_run(world.loop);
    EXPECT(!sim_is_closed(peer));
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_SPAN(sim_received(peer), "bye");
    EXPECT(sim_is_closed(peer));
    EXPECT_INT(conn->state, CONN_LINGER);
    EXPECT_INT(world.told.sent, 1); /* so that it lets go of what it lent */
    EXPECT_INT(sim_send(peer, "late", 4), 0);
    sim_run(world.loop);
    EXPECT_INT(world.told.received, 0);
    sim_shutdown(peer);
    sim_run(world.loop);
    EXPECT_INT(world.told.closed, 1);
    EXPECT_INT(world.told.reason, CLOSE_BAD_REQUEST);
    EXPECT(!sim_is_reset(peer));
    sim_peer_free(peer);
    conn_world_close(&world);
}

static void close_when_told(struct conn *conn)
{
    conn_close_gracefully(conn, CLOSE_KEEPALIVE_OFF);
}

TEST(test_a_graceful_close_when_told_that_all_is_sent_lingers_once)
{
    struct conn_world world;
    conn_world_open(&world);
    world.protocol.sent = close_when_told;
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    say(conn, "bye");
    conn_flush(conn);
    sim_run(world.loop);
    EXPECT_SPAN(sim_received(peer), "bye");
    EXPECT_INT(conn->state, CONN_LINGER);
    sim_shutdown(peer);
    sim_run(world.loop);
    EXPECT_INT(world.told.closed, 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_lingering_ends_at_its_limit_of_bytes)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    conn_close_gracefully(conn, CLOSE_BAD_REQUEST);
    EXPECT_INT(conn->state, CONN_LINGER); /* nothing to send: at once */
    char bytes[600] = "";
    EXPECT_INT(sim_send(peer, bytes, sizeof bytes), 0);
    sim_run(world.loop);
    EXPECT_INT(world.told.closed, 0);
    EXPECT_INT(sim_send(peer, bytes, sizeof bytes), 0);
    sim_run(world.loop);
    EXPECT_INT(world.told.closed, 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_close_when_sent_does_not_linger)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    say(conn, "bye");
    conn_close_when_sent(conn, CLOSE_KEEPALIVE_OFF);
    sim_run(world.loop);
    EXPECT_SPAN(sim_received(peer), "bye");
    EXPECT_INT(world.told.closed, 1);
    EXPECT_INT(counter_read(&world.set.counters.entered[CONN_LINGER]), 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_the_first_reason_wins_unless_the_answer_before_it_was_cut)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    conn_close_gracefully(conn, CLOSE_KEEPALIVE_OFF);
    sim_reset(peer);
    sim_run(world.loop);
    EXPECT_INT(world.told.reason, CLOSE_KEEPALIVE_OFF);
    sim_peer_free(peer);
    conn = conn_world_connect(&world, &peer);
    sim_set_window(peer, 0);
    say(conn, "bye");
    conn_close_gracefully(conn, CLOSE_KEEPALIVE_OFF);
    sim_reset(peer);
    sim_run(world.loop);
    EXPECT_INT(world.told.reason, CLOSE_CLIENT_RESET);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_reader_that_stalls_before_a_graceful_close_is_reset)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    sim_set_window(peer, 0);
    say(conn, "bye");
    conn_close_gracefully(conn, CLOSE_KEEPALIVE_OFF);
    sim_advance(world.loop, 10000);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(world.told.reason, CLOSE_SEND_TIMEOUT);
    EXPECT_INT(world.told.deadlines, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_closing_twice_is_closing_once)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    conn_close(conn, CLOSE_STOP_NOW, true);
    EXPECT_INT(world.told.closed, 0); /* never inside the call */
    conn_close(conn, CLOSE_DRAIN, false);
    conn_close_gracefully(conn, CLOSE_DRAIN);
    conn_flush(conn);
    conn_read(conn, true);
    sim_run(world.loop);
    EXPECT_INT(world.told.closed, 1);
    EXPECT_INT(world.told.reason, CLOSE_STOP_NOW);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(world.removed, 1);
    EXPECT_INT(world.emptied, 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_the_oldest_idle_connection_makes_room)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peers[4];
    struct conn *conns[4];
    for (int i = 0; i < 4; i++) {
        conns[i] = conn_world_connect(&world, &peers[i]);
    }
    EXPECT(!conn_set_close_oldest_idle(&world.set)); /* none is idle */
    conn_enter(conns[2], CONN_IDLE);
    conn_enter(conns[0], CONN_IDLE);
    conn_enter(conns[1], CONN_IDLE);
    conn_enter(conns[2], CONN_IDLE); /* was used again */
    EXPECT(conn_set_close_oldest_idle(&world.set));
    sim_run(world.loop);
    EXPECT(sim_is_closed(peers[0]));
    EXPECT(conn_set_close_oldest_idle(&world.set));
    sim_run(world.loop);
    EXPECT(sim_is_closed(peers[1]));
    EXPECT_INT(world.set.count, 2);
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_CONNECTION_LIMIT]), 2);
    for (int i = 0; i < 4; i++) {
        sim_peer_free(peers[i]);
    }
    conn_world_close(&world);
}

TEST(test_drain_closes_what_rests_and_tells_what_works_once)
{
    struct conn_world world;
    conn_world_open(&world);
    static const enum conn_state states[] = {CONN_FIRST, CONN_IDLE, CONN_HEAD,
                                             CONN_BODY,  CONN_BUSY, CONN_SENDING};
    struct sim_peer *peers[6];
    for (int i = 0; i < 6; i++) {
        conn_world_in_state(&world, states[i], &peers[i]);
    }
    conn_set_drain(&world.set);
    conn_set_drain(&world.set);
    sim_run(world.loop);
    EXPECT_INT(world.set.count, 4);
    EXPECT_INT(world.told.drains, 4);
    EXPECT(sim_is_closed(peers[0]) && sim_is_closed(peers[1]));
    for (int i = 0; i < 6; i++) {
        sim_peer_free(peers[i]);
    }
    conn_world_close(&world);
    EXPECT_INT(world.emptied, 1);
}

TEST(test_a_connection_that_cannot_be_made_is_counted_and_its_descriptor_closed)
{
    for (unsigned n = 1; n < 10; n++) {
        struct conn_world world;
        conn_world_open(&world);
        int fd = -1;
        struct sim_peer *peer = sim_pair(world.loop, &fd);
        mem_fail_nth(n);
        struct conn *conn = conn_create(&world.set, fd, &world.protocol);
        bool has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(conn == NULL, has_failed);
        sim_run(world.loop);
        EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_OUT_OF_MEMORY]) +
                       counter_read(&world.set.counters.closed[CLOSE_SYSTEM_ERROR]),
                   has_failed);
        sim_peer_free(peer);
        conn_world_close(&world);
    }
}

TEST(test_a_protocol_that_cannot_open_ends_the_connection)
{
    struct conn_world world;
    conn_world_open(&world);
    world.open_fails = true;
    struct sim_peer *peer;
    EXPECT(conn_world_connect(&world, &peer) == NULL);
    EXPECT_INT(world.told.closed, 1);
    EXPECT_INT(world.set.count, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_send_without_memory_ends_the_connection)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    EXPECT_INT(chain_add(&conn->out, "x", 1, NULL, NULL), 0);
    mem_fail_nth(1);
    conn_flush(conn);
    EXPECT(mem_fail_happened());
    sim_run(world.loop);
    EXPECT_INT(world.told.reason, CLOSE_OUT_OF_MEMORY);
    sim_peer_free(peer);
    conn_world_close(&world);
}

static void remember_line(void *ctx, int level, const char *line)
{
    snprintf(ctx, 256, "%d %s", level, line);
}

TEST(test_what_the_server_is_to_blame_for_is_logged)
{
    struct conn_world world;
    conn_world_open(&world);
    char line[256] = "";
    struct log_sink sink = {.write = remember_line, .ctx = line, .level = LOG_WARNING};
    world.set.log = &sink;
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    conn_close(conn, CLOSE_CLIENT_RESET, true);
    EXPECT_TEXT(line, "");
    sim_peer_free(peer);
    conn = conn_world_connect(&world, &peer);
    conn_close(conn, CLOSE_FILE_CHANGED, true);
    EXPECT(strstr(line, "a file shrank") != NULL);
    EXPECT(strstr(line, "while first") != NULL);
    sim_peer_free(peer);
    world.set.log = NULL;
    conn_world_close(&world);
}
