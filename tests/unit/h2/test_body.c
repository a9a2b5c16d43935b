/* Request bodies over HTTP/2: whole, streamed, refused, paused, in tunnels; and the windows. */
#include "support_h2.h"

#include "test.h"

static const char *const post_echo[] = {":method", "POST",  ":scheme", "http", ":authority",
                                        "a",       ":path", "/echo",   NULL};

TEST(test_a_body_arrives_and_is_echoed)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_post(&client, "/echo", "abc", 3);
    EXPECT_INT(stream->status, 200);
    EXPECT_SPAN(buf_span(&stream->body), "abc");
    stream = client_post(&client, "/echo", world.big, BIG_BYTES); /* several windows */
    EXPECT_INT(stream->body.len, BIG_BYTES);
    EXPECT(memcmp(stream->body.data, world.big, BIG_BYTES) == 0);
    EXPECT(stream->is_closed && stream->error == 0 && !client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_content_length_is_held_to)
{
    /* RFC 9113 §8.1.1: malformed if it does not equal the sum of the DATA frames. */
    static const char *const lies[] = {"2", "4"};
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        struct h2_client client;
        world_open(&world);
        client_open(&client, &world, 0);
        const char *const lines[] = {":method",        "POST",  ":scheme", "http",
                                     ":authority",     "a",     ":path",   "/echo",
                                     "content-length", lies[i], NULL};
        struct client_stream *stream = client_request(&client, lines, "abc", true);
        EXPECT(stream->is_closed);
        EXPECT_INT(stream->error, NGHTTP2_PROTOCOL_ERROR);
        EXPECT_INT(stream->status, 0);
        EXPECT_INT(world.exchanges.live, 0);
        client_close(&client);
        world_close(&world);
    }
}

static struct client_stream *refused(struct h2_client *client, const char *upload)
{
    const char *const refuse[] = {":method", "POST",  ":scheme", "http", ":authority",
                                  "a",       ":path", "/refuse", NULL};
    struct client_stream *stream = client_request(client, refuse, upload, false);
    EXPECT_INT(stream->status, 413);
    return stream;
}

/* RFC 9113 §8.1 allows RST_STREAM at once, which many clients take for a failure. */
TEST(test_a_body_behind_its_answer_may_be_ended)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = refused(&client, "abc");
    EXPECT(!stream->is_closed);
    EXPECT_INT(world.exchanges.live, 0);
    client_upload(&client, stream, world.big, 10000, true);
    EXPECT(stream->is_closed && stream->error == 0);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT_INT(client_get(&client, "/")->status, 200);
    client_close(&client);
    world_close(&world);
}

/* RFC 9113 §8.1: RST_STREAM with NO_ERROR behind the whole answer. */
TEST(test_a_body_behind_its_answer_is_stopped_when_its_window_is_used_up)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    for (int i = 0; i < 150; i++) { /* the connection's window is given back each time */
        struct client_stream *stream = refused(&client, "abc");
        client_upload(&client, stream, world.big, 20000, false);
        EXPECT(!stream->is_closed); /* the answer is not disturbed */
        EXPECT_INT(20000 - stream->upload.len, 16 * 1024 - 3);
        sim_advance(world.loop, 1500);
        client_turn(&client);
        EXPECT(stream->is_closed);
        EXPECT_INT(stream->error, NGHTTP2_NO_ERROR);
    }
    EXPECT_INT(client_get(&client, "/")->status, 200);
    EXPECT_INT(world_guarded(&world, H2_GUARD_MADE_RESETS), 0);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_body_behind_its_answer_is_stopped_in_time)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = refused(&client, "abc");
    sim_advance(world.loop, 1900);
    client_upload(&client, stream, "abc", 3, false); /* bytes do not extend it */
    EXPECT(!stream->is_closed);
    sim_advance(world.loop, 1200);
    client_turn(&client);
    EXPECT(stream->is_closed);
    EXPECT_INT(stream->error, NGHTTP2_NO_ERROR);
    stream = refused(&client, "abc");
    EXPECT(!stream->is_closed);
    conn_set_drain(&world.set); /* nor is a drain held up */
    for (int i = 0; i < 2; i++) {
        client_turn(&client);
        sim_advance(world.loop, 1000);
    }
    client_turn(&client);
    EXPECT(stream->is_closed);
    EXPECT(sim_is_closed(client.peer) && !sim_is_reset(client.peer));
    client_close(&client);
    world_close(&world);
}

TEST(test_a_body_over_the_limit_gets_413)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_request(&client, post_echo, "", false);
    for (int i = 0; i < 5 && !stream->is_closed; i++) {
        client_upload(&client, stream, world.big, BIG_BYTES, false);
    }
    EXPECT_INT(stream->status, 413);
    sim_advance(world.loop, 1500); /* its window is used up */
    client_turn(&client);
    EXPECT(stream->is_closed);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->bodies_too_large), 1);
    EXPECT_INT(client_get(&client, "/")->status, 200); /* its window was given back */
    EXPECT_INT(client_post(&client, "/echo", world.big, BIG_BYTES)->status, 200);
    client_close(&client);
    world_close(&world);
}

TEST(test_expect_continue_is_answered_when_the_body_is_wanted)
{
    /* RFC 9110 §10.1.1 */
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const lines[] = {":method", "POST",  ":scheme", "http",         ":authority", "a",
                                 ":path",   "/echo", "expect",  "100-continue", NULL};
    struct client_stream *stream = client_request(&client, lines, "", false);
    EXPECT_INT(stream->interim, 100);
    EXPECT_INT(stream->status, 0);
    client_upload(&client, stream, "abc", 3, true);
    EXPECT_SPAN(buf_span(&stream->body), "abc");
    const char *const refuse[] = {":method", "POST",  ":scheme", "http",   ":authority",
                                  "a",       ":path", "/refuse", "expect", "100-continue",
                                  NULL};
    stream = client_request(&client, refuse, "", false);
    EXPECT_INT(stream->interim, 0);
    EXPECT_INT(stream->status, 413);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->continues), 1);
    client_close(&client);
    world_close(&world);
}

/* RFC 9113 §5.2: what nobody reads stays in the client's window. */
TEST(test_a_body_that_nobody_reads_costs_one_window)
{
    struct world world;
    struct h2_client client;
    world_init(&world);
    world.options.stream_window_bytes = 100 * 1000;
    world.options.conn_window_bytes = 300 * 1000;
    world_start(&world);
    client_open(&client, &world, 0);
    const char *const held[] = {":method", "POST",  ":scheme", "http", ":authority",
                                "a",       ":path", "/held",   NULL};
    struct client_stream *stream = client_request(&client, held, "", false);
    client_upload(&client, stream, world.big, BIG_BYTES, true);
    EXPECT_INT(BIG_BYTES - stream->upload.len, 16 * 1024);
    EXPECT_INT(client_post(&client, "/echo", world.big, 90000)->body.len, 90000);
    world_release(&world);
    client_turn(&client);
    EXPECT_INT(stream->status, 200);
    EXPECT_INT(stream->body.len, BIG_BYTES);
    EXPECT(memcmp(stream->body.data, world.big, BIG_BYTES) == 0);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_windows_of_a_connection_bound_all_its_bodies)
{
    struct world world;
    struct h2_client client;
    world_init(&world);
    world.options.stream_window_bytes = 200 * 1000;
    world.options.conn_window_bytes = 300 * 1000;
    world_start(&world);
    client_open(&client, &world, 0);
    const char *const later[] = {":method", "POST",  ":scheme", "http", ":authority",
                                 "a",       ":path", "/held",   NULL};
    uint64_t taken = 0;
    for (int i = 0; i < 3; i++) {
        struct client_stream *stream = client_request(&client, later, "", false);
        client_upload(&client, stream, world.big, BIG_BYTES, false);
        taken += BIG_BYTES - stream->upload.len;
    }
    EXPECT_INT(taken, 3 * 16 * 1024);
    for (unsigned i = 0; i < client.count; i++) {
        client_reset(&client, &client.streams[i]);
    }
    EXPECT_INT(world.exchanges.live, 0);
    /* what they held was given back */
    EXPECT_INT(client_post(&client, "/echo", world.big, BIG_BYTES)->body.len, BIG_BYTES);
    client_close(&client);
    world_close(&world);
}

/* Bodies wait for their handlers, whose workers wait for bodies: those that are read go on. */
TEST(test_bodies_that_nobody_reads_do_not_stop_one_that_is_read)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const held[] = {":method", "POST",  ":scheme", "http", ":authority",
                                "a",       ":path", "/held",   NULL};
    for (int i = 0; i < 99; i++) {
        client_upload(&client, client_request(&client, held, "", false), world.big, BIG_BYTES,
                      true);
    }
    EXPECT_INT(client_post(&client, "/echo", world.big, BIG_BYTES)->body.len, BIG_BYTES);
    client_close(&client);
    world_close(&world);
}

/* … with a window that lets them be fast. */
TEST(test_a_body_that_is_read_has_a_wider_window)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const sink[] = {":method", "POST",  ":scheme", "http", ":authority",
                                "a",       ":path", "/sink",   NULL};
    struct client_stream *stream = client_request(&client, sink, "", false);
    EXPECT_INT(nghttp2_session_get_stream_remote_window_size(client.ng, stream->id), 256 * 1024);
    client_upload(&client, stream, world.big, 100 * 1000, true);
    EXPECT_INT(world.sunk, 100 * 1000);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_sink_gets_all_pieces_and_the_end)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_post(&client, "/sink", world.big, BIG_BYTES);
    EXPECT_SPAN(buf_span(&stream->body), "1048576");
    EXPECT_INT(world.sink_code, 0);
    const char *const lines[] = {":method", "POST",  ":scheme", "http", ":authority",
                                 "a",       ":path", "/sink",   NULL};
    stream = client_request(&client, lines, "abc", false);
    client_reset(&client, stream);
    EXPECT_INT(world.sink_code, GALLEY_ECLOSED);
    EXPECT_INT(world.exchanges.live, 0);
    client_close(&client);
    world_close(&world);
}

/* Trailers end the body; they are never fields (RFC 9110 §6.5.1; L8). */
TEST(test_trailers_end_a_body_and_are_dropped)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    struct buf block;
    buf_init(&out, 0);
    buf_init(&block, 0);
    raw_add_request(&block, "POST", "/echo");
    raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.data, block.len);
    raw_add(&out, NGHTTP2_DATA, 0, 1, "abc", 3);
    buf_clear(&block);
    raw_add_field(&block, "x", "trailer");
    raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
            block.data, block.len);
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.logged[0].status, 200);
    EXPECT_INT(world.logged[0].bytes_sent, 3);
    buf_finish(&out);
    buf_finish(&block);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- RFC 8441 -------------------------------------------------------------------------------- */

#define CONNECT_LINES(path, protocol)                                                              \
    ":method", "CONNECT", ":protocol", protocol, ":scheme", "http", ":authority", "a", ":path",    \
        path, "sec-websocket-version", "13", NULL

TEST(test_an_extended_connect_opens_a_tunnel)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    EXPECT_INT(
        nghttp2_session_get_remote_settings(client.ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL),
        1);
    const char *const lines[] = {CONNECT_LINES("/tunnel", "websocket")};
    struct client_stream *stream = client_request(&client, lines, "", false);
    EXPECT_INT(stream->status, 200);
    EXPECT(strstr(stream->fields, "upgrade") == NULL);
    client_upload(&client, stream, "ping", 4, false);
    EXPECT_SPAN(buf_span(&stream->body), "ping");
    sim_advance(world.loop, 1000 * 1000); /* a tunnel may be silent */
    client_upload(&client, stream, world.big, BIG_BYTES / 2, false);
    EXPECT_INT(stream->body.len, BIG_BYTES / 2 + 4);
    client_upload(&client, stream, "", 0, true); /* the echo ends, and so does the stream */
    EXPECT(stream->is_closed && stream->error == 0);
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT_INT(world.logged[0].status, 200);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->tunnels), 1);
    stream = client_request(&client, lines, "x", false);
    client_reset(&client, stream);
    EXPECT_INT(world.exchanges.live, 0);
    client_close(&client);
    world_close(&world);
}

TEST(test_nothing_but_a_tunnel_answers_connect_with_2xx)
{
    /* RFC 8441 §5: a 2xx would promise a tunnel. */
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const hello[] = {CONNECT_LINES("/", "websocket")};
    EXPECT_INT(client_request(&client, hello, "", false)->status, 501);
    EXPECT_INT(world.logged[0].status, 501);
    const char *const missing[] = {CONNECT_LINES("/missing", "websocket")};
    EXPECT_INT(client_request(&client, missing, "", false)->status, 404);
    const char *const unknown[] = {CONNECT_LINES("/tunnel", "tea")};
    EXPECT_INT(client_request(&client, unknown, "", false)->status, 501);
    EXPECT_INT(world.handled, 2);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}
