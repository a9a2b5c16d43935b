/* The life of a connection: deadlines, draining in two steps, limits, half-closed clients. */
#include "support_h2.h"

#include "test.h"

/* ---- deadlines ------------------------------------------------------------------------------- */

TEST(test_a_silent_client_is_let_go_in_time)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_advance(world.loop, 9999);
    EXPECT(!sim_is_closed(peer));
    sim_advance(world.loop, 1);
    raw_expect_end(&world, peer, NGHTTP2_NO_ERROR);
    EXPECT_INT(world_closed(&world, CLOSE_HEAD_TIMEOUT), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_head_must_come_in_time_whatever_the_trickle)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    sim_advance(world.loop, 30000); /* idle, which it may be */
    raw_frame(&world, peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82", 1);
    EXPECT_INT(world_conn(&world)->state, CONN_HEAD);
    for (int i = 0; i < 8; i++) { /* L20; eight bytes are no frame yet */
        sim_advance(world.loop, 1200);
        EXPECT(!sim_is_closed(peer));
        raw_send(&world, peer, "", 1);
    }
    sim_advance(world.loop, 1000);
    EXPECT(sim_is_closed(peer));
    raw_expect_end(&world, peer, NGHTTP2_NO_ERROR);
    EXPECT_INT(world_closed(&world, CLOSE_HEAD_TIMEOUT), 1);
    sim_peer_free(peer);
    world_close(&world);
}

/* L20: a block that does not end, of a request, of trailers, or on a closed stream, keeps all others from coming,
 * and an answer that takes its time buys it none. */
TEST(test_a_block_must_come_in_time_beside_open_streams_too)
{
    static const struct {
        int32_t id;
        const char *method;
    } cases[] = {{9, "GET"}, {5, "POST"}, {3, "GET"}};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        struct buf out, block;
        world_open(&world);
        struct sim_peer *peer = raw_open(&world);
        buf_init(&out, 0);
        buf_init(&block, 0);
        raw_add_request(&block, cases[i].method, "/later");
        raw_add_get(&out, 1, "/later", NGHTTP2_FLAG_END_STREAM);
        raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 5, block.data, block.len);
        raw_send(&world, peer, out.data, out.len);
        sim_advance(world.loop, 3000);
        raw_frame(&world, peer, NGHTTP2_HEADERS, 0, cases[i].id, "\0\1x", 3);
        for (int s = 0; s < 9; s++) {
            sim_advance(world.loop, 1000);
            EXPECT(!sim_is_closed(peer));
            raw_frame(&world, peer, NGHTTP2_CONTINUATION, 0, cases[i].id, NULL, 0);
        }
        EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
        sim_advance(world.loop, 2000);
        raw_expect_end(&world, peer, NGHTTP2_NO_ERROR);
        EXPECT_INT(world_closed(&world, CLOSE_HEAD_TIMEOUT), 1);
        buf_finish(&out);
        buf_finish(&block);
        sim_peer_free(peer);
        world_close(&world);
    }
}

TEST(test_idle_connections_end_with_goaway)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    EXPECT_INT(client_get(&client, "/")->status, 200);
    for (int i = 0; i < 59; i++) { /* pings do not extend it */
        sim_advance(world.loop, 1000);
        EXPECT_INT(nghttp2_submit_ping(client.ng, 0, NULL), 0);
        client_turn(&client);
    }
    EXPECT_INT(client.goaways, 0);
    sim_advance(world.loop, 1000);
    client_turn(&client);
    EXPECT_INT(client.goaways, 1);
    EXPECT_INT(client.goaway_error, NGHTTP2_NO_ERROR);
    client_close(&client);
    EXPECT_INT(world_closed(&world, CLOSE_IDLE_TIMEOUT), 1);
    world_close(&world);
}

TEST(test_a_body_that_stalls_gets_408_and_others_go_on)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const lines[] = {":method", "POST",  ":scheme", "http", ":authority",
                                 "a",       ":path", "/echo",   NULL};
    struct client_stream *stream = client_request(&client, lines, "abc", false);
    struct client_stream *quick = client_request(&client, lines, "abc", false);
    for (int i = 0; i < 7; i++) {
        client_upload(&client, quick, world.big, 2000, false);
        sim_advance(world.loop, 1000);
        client_turn(&client);
    }
    EXPECT_INT(stream->status, 408);
    EXPECT(!quick->is_closed);
    client_upload(&client, quick, "", 0, true);
    EXPECT_INT(quick->status, 200);
    EXPECT_INT(quick->body.len, 14003);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_client_that_does_not_read_is_cut)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0x7fffffff);
    sim_set_window(client.peer, 1000);
    EXPECT(client_get(&client, "/big"));
    EXPECT_INT(world_conn(&world)->state, CONN_SENDING);
    EXPECT(world_conn(&world)->out.bytes <= 128 * 1024 + 20000);
    sim_advance(world.loop, 12000);
    EXPECT(sim_is_reset(client.peer));
    EXPECT_INT(world_closed(&world, CLOSE_SEND_TIMEOUT), 1);
    EXPECT_INT(world.exchanges.live, 0);
    client_close(&client);
    world_close(&world);
}

/* ---- draining -------------------------------------------------------------------------------- */

TEST(test_drain_says_goaway_in_two_steps_and_loses_nothing)
{
    /* RFC 9113 §6.8 */
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    EXPECT(client_get(&client, "/later"));
    conn_set_drain(&world.set);
    /* A request that was on its way is taken. */
    const char *const lines[] = {":method", "GET",   ":scheme", "http", ":authority",
                                 "a",       ":path", "/",       NULL};
    EXPECT_INT(client_request(&client, lines, NULL, true)->status, 200);
    client_turn(&client);
    EXPECT_INT(client.goaways, 2);
    EXPECT_INT(client.goaway_error, NGHTTP2_NO_ERROR);
    EXPECT_INT(client.goaway_last, 3);
    EXPECT_INT(world.set.count, 1);
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    EXPECT_INT(client.streams[0].status, 204);
    EXPECT(sim_is_closed(client.peer) && !sim_is_reset(client.peer));
    client_close(&client);
    EXPECT_INT(world_closed(&world, CLOSE_DRAIN), 1);
    world_close(&world);
}

TEST(test_an_idle_connection_hears_of_the_drain)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    conn_set_drain(&world.set);
    sim_run(world.loop);
    EXPECT_INT(world.set.count, 1);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 1);
    EXPECT_INT(raw_count(peer, NGHTTP2_PING, 0, NULL), 1);
    raw_frame(&world, peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "draining", 8);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 2);
    raw_expect_end(&world, peer, NGHTTP2_NO_ERROR);
    EXPECT_INT(world_closed(&world, CLOSE_DRAIN), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_drain_does_not_wait_for_a_ping_that_is_not_answered)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    raw_add_get(&out, 1, "/later", NGHTTP2_FLAG_END_STREAM);
    raw_send(&world, peer, out.data, out.len);
    conn_set_drain(&world.set);
    sim_run(world.loop);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 1);
    sim_advance(world.loop, 1000);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 2);
    buf_clear(&out);
    raw_add_get(&out, 3, "/", NGHTTP2_FLAG_END_STREAM); /* too late: it is not begun */
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.handled, 1);
    EXPECT(world_resume(&world, 204));
    EXPECT_INT(raw_count(peer, NGHTTP2_HEADERS, 1, NULL), 1);
    EXPECT(sim_is_closed(peer));
    sim_advance(world.loop, 3000);
    EXPECT_INT(world_closed(&world, CLOSE_DRAIN), 1);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_the_limit_of_requests_ends_a_connection_politely)
{
    struct world world;
    world_init(&world);
    world.options.max_requests = 3;
    world_start(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    for (int32_t id = 1; id < 9; id += 2) { /* the last one was on its way */
        EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), id == 7);
        buf_clear(&out);
        raw_add_get(&out, id, "/", NGHTTP2_FLAG_END_STREAM);
        raw_send(&world, peer, out.data, out.len);
        EXPECT_INT(raw_count(peer, NGHTTP2_HEADERS, id, NULL), 1);
    }
    sim_advance(world.loop, 1000);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 2);
    raw_expect_end(&world, peer, NGHTTP2_NO_ERROR);
    EXPECT_INT(world_closed(&world, CLOSE_REQUEST_LIMIT), 1);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- clients that leave ---------------------------------------------------------------------- */

TEST(test_a_client_that_says_goaway_is_let_go)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    EXPECT(client_get(&client, "/later"));
    EXPECT_INT(nghttp2_submit_goaway(client.ng, 0, 0, NGHTTP2_NO_ERROR, NULL, 0), 0);
    client_turn(&client);
    EXPECT_INT(world.set.count, 1);
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    EXPECT_INT(client.streams[0].status, 204);
    EXPECT(sim_is_closed(client.peer));
    client_close(&client);
    EXPECT_INT(world_closed(&world, CLOSE_CLIENT_CLOSED), 1);
    world_close(&world);
}

TEST(test_a_half_closed_client_still_gets_its_answers)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/later");
    const char *const lines[] = {":method", "POST",  ":scheme", "http", ":authority",
                                 "a",       ":path", "/echo",   NULL};
    struct client_stream *cut = client_request(&client, lines, "abc", false);
    sim_shutdown(client.peer);
    client_turn(&client);
    EXPECT(cut->is_closed && cut->status == 0);
    EXPECT(!sim_is_closed(client.peer));
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    EXPECT_INT(stream->status, 204);
    EXPECT(sim_is_closed(client.peer) && !sim_is_reset(client.peer));
    EXPECT_INT(world.set.count, 0);
    client_close(&client);
    world_close(&world);
}

/* HTTP/2's windows hold nothing back, the socket does. */
static void open_wide(struct h2_client *client, struct world *world)
{
    world_open(world);
    client_open(client, world, 1000 * 1000);
    EXPECT_INT(nghttp2_session_set_local_window_size(client->ng, 0, 0, 10 * 1000 * 1000), 0);
    sim_set_window(client->peer, 10000);
}

/* RFC 9218 §7.1, §10: what is urgent leaves first. */
TEST(test_priorities_decide_what_leaves_first)
{
    struct world world;
    struct h2_client client;
    open_wide(&client, &world);
    const char *const low[] = {":method", "GET",  ":scheme",  "http", ":authority", "a",
                               ":path",   "/big", "priority", "u=7",  NULL};
    const char *const high[] = {":method", "GET",  ":scheme",  "http", ":authority", "a",
                                ":path",   "/big", "priority", "u=0",  NULL};
    struct client_stream *slow = client_request(&client, low, NULL, true);
    struct client_stream *fast = client_request(&client, high, NULL, true);
    sim_set_window(client.peer, 600 * 1000);
    client_turn(&client);
    EXPECT(fast->body.len > 400 * 1000);
    EXPECT(slow->body.len < 160 * 1000); /* what had left before */
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT_INT(fast->body.len, BIG_BYTES);
    EXPECT_INT(slow->body.len, BIG_BYTES);
    client_close(&client);
    world_close(&world);
}

/* RFC 9218 §7.1: a client may think again while its answers are on their way. */
TEST(test_a_priority_may_be_changed_while_the_answer_is_sent)
{
    struct world world;
    struct h2_client client;
    open_wide(&client, &world);
    const char *const head[] = {":method", "GET",  ":scheme",  "http", ":authority", "a",
                                ":path",   "/big", "priority", "u=5",  NULL};
    struct client_stream *slow = client_request(&client, head, NULL, true);
    struct client_stream *fast = client_request(&client, head, NULL, true);
    client_turn(&client);
    EXPECT(slow->body.len < BIG_BYTES / 2 && fast->body.len < BIG_BYTES / 2);
    static const uint8_t urgent[] = "u=1";
    EXPECT_INT(nghttp2_submit_priority_update(client.ng, 0, fast->id, urgent, 3), 0);
    client_turn(&client);
    sim_set_window(client.peer, 600 * 1000);
    client_turn(&client);
    EXPECT(fast->body.len > 400 * 1000);
    EXPECT(slow->body.len < 160 * 1000); /* what had left before */
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT_INT(fast->body.len, BIG_BYTES);
    EXPECT_INT(slow->body.len, BIG_BYTES);
    client_close(&client);
    world_close(&world);
}
