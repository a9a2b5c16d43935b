/* Answers over HTTP/2: whole, without a body, large, from files and in pieces. */
#include "support_h2.h"

#include "test.h"

#include <unistd.h>

static void expect_body(const struct client_stream *stream, int status, const char *body)
{
    EXPECT_INT(stream->status, status);
    EXPECT_SPAN(buf_span(&stream->body), body);
    EXPECT(stream->is_closed);
    EXPECT_INT(stream->error, 0);
}

TEST(test_a_request_is_answered_with_the_usual_fields)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/");
    expect_body(stream, 200, "hello");
    EXPECT(stream_has_field(stream, "content-length: 5"));
    EXPECT(stream_has_field(stream, "server: galley"));
    EXPECT(stream_has_field(stream, "x-content-type-options: nosniff"));
    EXPECT(strstr(stream->fields, "date: ") != NULL);
    EXPECT(strstr(stream->fields, "connection") == NULL);
    EXPECT_INT(world.logged[0].status, 200);
    EXPECT_INT(world.logged[0].bytes_sent, 5);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT_INT(client_get(&client, "/nothing")->status, 404);
    EXPECT(!client.has_failed);
    client_close(&client);
    EXPECT_INT(world_closed(&world, CLOSE_CLIENT_CLOSED), 1);
    world_close(&world);
}

/* RFC 9110 §9.3.2, §15.3.5, §15.4.5: the head is all there is, and END_STREAM is on it. */
TEST(test_head_204_and_304_have_no_data_frame)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    const char *const head[] = {":method", "HEAD",  ":scheme", "http", ":authority",
                                "a",       ":path", "/big",    NULL};
    struct client_stream *stream = client_request(&client, head, NULL, true);
    expect_body(stream, 200, "");
    EXPECT(stream_has_field(stream, "content-length: 1048576"));
    EXPECT_INT(world.big_released, 1);
    stream = client_get(&client, "/empty");
    expect_body(stream, 204, "");
    EXPECT(strstr(stream->fields, "content-length") == NULL);
    stream = client_get(&client, "/unchanged");
    expect_body(stream, 304, "");
    EXPECT(stream_has_field(stream, "etag: \"x\""));
    EXPECT(stream_has_field(stream, "vary: Accept-Encoding"));
    EXPECT(strstr(stream->fields, "content-length") == NULL);
    EXPECT_INT(client.frames, 0);
    const char *const head_source[] = {":method", "HEAD",  ":scheme",   "http", ":authority",
                                       "a",       ":path", "/source?9", NULL};
    expect_body(client_request(&client, head_source, NULL, true), 200, "");
    sim_advance(world.loop, 10);
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_ready_made_fields_are_taken_apart)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/ready");
    expect_body(stream, 200, "ready");
    EXPECT(stream_has_field(stream, "content-type: text/css"));
    EXPECT(stream_has_field(stream, "content-length: 5"));
    EXPECT(stream_has_field(stream, "x-content-type-options: nosniff"));
    EXPECT_INT(world.big_released, 1);
    client_close(&client);
    world_close(&world);
}

/* RFC 9113 §8.2.2: an endpoint MUST NOT generate them. */
TEST(test_fields_of_a_connection_are_left_out)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/hop");
    expect_body(stream, 200, "hop");
    EXPECT(strstr(stream->fields, "keep-alive") == NULL);
    EXPECT(strstr(stream->fields, "upgrade") == NULL);
    EXPECT(stream_has_field(stream, "set-cookie: a=b"));
    stream = client_get(&client, "/many");
    expect_body(stream, 200, "many");
    EXPECT(stream_has_field(stream, "x-0: many"));
    EXPECT(stream_has_field(stream, "x-99: many"));
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_head_that_no_client_takes_costs_its_stream)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/vast");
    EXPECT_INT(stream->status, 0);
    EXPECT_INT(stream->error, NGHTTP2_INTERNAL_ERROR);
    expect_body(client_get(&client, "/many"), 200, "many");
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

static void expect_big(const struct world *world, const struct client_stream *stream)
{
    EXPECT_INT(stream->status, 200);
    EXPECT_INT(stream->body.len, BIG_BYTES);
    EXPECT(memcmp(stream->body.data, world->big, BIG_BYTES) == 0);
    EXPECT(stream->is_closed && stream->error == 0);
}

TEST(test_large_bodies_arrive_whole_whatever_the_windows_and_the_sends)
{
    static const uint32_t windows[] = {0, 1, 100, 70000, 0x7fffffff};
    for (size_t i = 1; i < sizeof windows / sizeof *windows; i++) {
        struct world world;
        struct h2_client client;
        world_open(&world);
        client_open(&client, &world, windows[i]);
        bool is_tiny = windows[i] < 1000;
        sim_set_max_write(client.peer, is_tiny ? 0 : 5000);
        struct client_stream *stream = client_get(&client, is_tiny ? "/borrowed" : "/big");
        if (is_tiny) { /* nghttp2's client gives back half a window at a time, so 1 is 1 */
            EXPECT_INT(stream->body.len > 0, 1);
        } else {
            expect_big(&world, stream);
            EXPECT_INT(world.big_released, 1);
            EXPECT_INT(world.logged[0].bytes_sent, BIG_BYTES);
        }
        EXPECT(!client.has_failed);
        client_close(&client);
        world_close(&world);
    }
}

TEST(test_many_streams_share_a_connection)
{
    enum { STREAMS = 60 };
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    for (int i = 0; i < STREAMS; i++) {
        EXPECT(client_get(&client, "/later"));
    }
    EXPECT_INT(world.later_count, STREAMS);
    EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
    sim_advance(world.loop, 100000); /* handlers have no deadline of the connection's */
    while (world_resume(&world, 204)) {
    }
    client_turn(&client);
    for (int i = 0; i < STREAMS; i++) {
        expect_body(&client.streams[i], 204, "");
    }
    EXPECT_INT(world.exchanges.live, 0);
    client_close(&client);
    world_close(&world);
}

TEST(test_memory_of_an_exchange_stays_until_it_is_sent)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0x7fffffff);
    sim_set_window(client.peer, 1000);
    struct client_stream *stream = client_get(&client, "/borrowed");
    EXPECT_INT(world.exchanges.live, 1);
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT_INT(stream->body.len, BORROWED_BYTES);
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT_INT(world.logged[0].bytes_sent, BORROWED_BYTES);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_reset_stream_keeps_its_memory_until_the_output_has_gone)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0x7fffffff);
    sim_set_window(client.peer, 1000);
    struct client_stream *stream = client_get(&client, "/borrowed");
    client_reset(&client, stream);
    struct client_stream *other = client_get(&client, "/big");
    client_reset(&client, other);
    EXPECT_INT(world.exchanges.live, 1); /* the first one's memory is on the way */
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT_INT(world.big_released, 1);
    EXPECT(world.logged[1].client_is_gone || world.logged[0].client_is_gone);
    expect_body(client_get(&client, "/"), 200, "hello");
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_file_is_sent_from_its_descriptor)
{
    struct world world;
    struct h2_client client;
    world_open_file(&world);
    client_open(&client, &world, 0);
    expect_big(&world, client_get(&client, "/file"));
    client_close(&client);
    close(world.file_fd);
    world_close(&world);
}

/* L25: the client must know; RFC 9113 §5.4.2: others of its streams go on. */
TEST(test_a_file_that_shrinks_costs_its_stream)
{
    struct world world;
    struct h2_client client;
    world_open_file(&world);
    client_open(&client, &world, 0x7fffffff);
    EXPECT(client_get(&client, "/later"));
    sim_set_window(client.peer, 20000);
    struct client_stream *stream = client_get(&client, "/file");
    EXPECT_INT(ftruncate(world.file_fd, BIG_BYTES / 2), 0);
    sim_advance(world.loop, 1);
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT_INT(stream->status, 200);
    EXPECT(stream->is_closed && stream->body.len < BIG_BYTES / 2);
    EXPECT(memcmp(stream->body.data, world.big, stream->body.len) == 0);
    EXPECT_INT(stream->error, NGHTTP2_INTERNAL_ERROR);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->aborted), 1);
    EXPECT_INT(world.exchanges.live, 1);
    expect_body(client_get(&client, "/"), 200, "hello");
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    expect_body(&client.streams[0], 204, "");
    EXPECT(!client.has_failed);
    client_close(&client);
    close(world.file_fd);
    world_close(&world);
}

/* Frames' heads have promised it, and nothing is invented. */
TEST(test_a_file_that_shrinks_where_it_is_being_sent_resets_the_connection)
{
    struct world world;
    struct h2_client client;
    world_open_file(&world);
    world.file_bytes = 100 * 1000;
    client_open(&client, &world, 0x7fffffff);
    EXPECT_INT(nghttp2_session_set_local_window_size(client.ng, 0, 0, 10 * 1000 * 1000), 0);
    client_turn(&client);
    sim_set_window(client.peer, 20000);
    struct client_stream *stream = client_get(&client, "/file");
    EXPECT_INT(ftruncate(world.file_fd, 1000), 0);
    sim_set_window(client.peer, SIZE_MAX);
    client_turn(&client);
    EXPECT(!stream->is_closed || stream->error != 0);
    EXPECT(sim_is_reset(client.peer));
    EXPECT_INT(world_closed(&world, CLOSE_FILE_CHANGED), 1);
    client_close(&client);
    close(world.file_fd);
    world_close(&world);
}

TEST(test_a_source_is_asked_only_as_the_client_reads)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/source?9");
    EXPECT_INT(stream->status, 200);
    EXPECT_INT(stream->body.len, 9 * 64 * 1024);
    EXPECT(stream->is_closed && stream->error == 0);
    EXPECT(strstr(stream->fields, "content-length") == NULL);
    EXPECT_INT(world.logged[0].bytes_sent, 9 * 64 * 1024);
    client.keeps_windows = true;
    stream = client_get(&client, "/source?9");
    EXPECT(stream->body.len > 0 && stream->body.len <= 65535);
    EXPECT(!stream->is_closed);
    /* What was asked for: the window's, and a block that waits for it. */
    EXPECT(world_conn(&world)->out.bytes == 0);
    client_reset(&client, stream);
    EXPECT_INT(world.exchanges.live, 0);
    client_close(&client);
    world_close(&world);
}

/* RFC 9113 §8.1: what cannot become whole must not look whole; other streams go on. */
TEST(test_a_failure_in_the_middle_resets_its_stream_only)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    EXPECT(client_get(&client, "/later"));
    struct client_stream *stream = client_get(&client, "/broken");
    EXPECT(stream->is_closed);
    EXPECT_INT(stream->error, NGHTTP2_INTERNAL_ERROR);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->aborted), 1);
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    expect_body(&client.streams[0], 204, "");
    EXPECT_INT(client_get(&client, "/fail")->status, 503);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_client_that_resets_cancels_its_exchange)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/later");
    client_reset(&client, stream);
    EXPECT(world.later[0]->client_is_gone);
    EXPECT_INT(world.exchanges.live, 1); /* its handler has not let go */
    EXPECT(world_resume(&world, 0));
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT(world.logged[0].client_is_gone);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    expect_body(client_get(&client, "/"), 200, "hello");
    client_close(&client);
    world_close(&world);
}
