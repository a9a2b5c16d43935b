/* Floods: each guard of h2_guard_list.h ends the connection with ENHANCE_YOUR_CALM, and leaves nothing
 * behind (lessons L1-L4). */
#include "support_h2.h"

#include "base/alloc.h"
#include "test.h"

/* Frames made by fn are sent until the server has enough; returns how many. */
static unsigned flood(struct world *world, struct sim_peer *peer, enum h2_guard_kind kind,
                      void (*fn)(struct buf *out, unsigned i))
{
    enum { MOST = 20 * 1000 };
    unsigned count = 0;
    struct buf out;
    buf_init(&out, 0);
    while (count < MOST && world_guarded(world, kind) == 0) {
        buf_clear(&out);
        fn(&out, count++);
        raw_send(world, peer, out.data, out.len);
    }
    buf_finish(&out);
    EXPECT(count < MOST);
    EXPECT_INT(world_guarded(world, kind), 1);
    raw_expect_end(world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_INT(world_closed(world, CLOSE_FLOOD), 1);
    return count;
}

static void expect_flood(enum h2_guard_kind kind, unsigned most,
                         void (*fn)(struct buf *out, unsigned i))
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    EXPECT(flood(&world, peer, kind, fn) <= most);
    EXPECT(world.most_live <= 100);
    EXPECT_INT(world.exchanges.live, world.later_count);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- L2: streams that are opened and reset --------------------------------------------------- */

static void open_and_reset(struct buf *out, unsigned i)
{
    static const uint8_t cancel[] = {0, 0, 0, 8};
    int32_t id = 2 * (int32_t)i + 1;
    raw_add_get(out, id, "/later", NGHTTP2_FLAG_END_STREAM);
    raw_add(out, NGHTTP2_RST_STREAM, 0, id, cancel, sizeof cancel);
}

TEST(test_rapid_reset_ends_the_connection)
{
    expect_flood(H2_GUARD_RESETS, 1010, open_and_reset);
}

/* CVE-2025-8671: the client breaks a rule so that we reset the stream, whose handler goes on. */
static void open_and_make_reset(struct buf *out, unsigned i)
{
    static const uint8_t nothing[] = {0, 0, 0, 0};
    int32_t id = 2 * (int32_t)i + 1;
    raw_add_get(out, id, "/later", NGHTTP2_FLAG_END_STREAM);
    raw_add(out, NGHTTP2_WINDOW_UPDATE, 0, id, nothing, sizeof nothing);
}

static void open_and_send_more(struct buf *out, unsigned i)
{
    int32_t id = 2 * (int32_t)i + 1;
    raw_add_get(out, id, "/later", NGHTTP2_FLAG_END_STREAM);
    raw_add(out, NGHTTP2_DATA, 0, id, "x", 1);
}

static void open_malformed(struct buf *out, unsigned i)
{
    raw_add_get(out, 2 * (int32_t)i + 1, "x", NGHTTP2_FLAG_END_STREAM);
}

TEST(test_made_resets_end_the_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    unsigned i = 0;
    struct buf out;
    buf_init(&out, 0);
    for (; i < 10000 && world.set.count > 0 && !sim_is_closed(peer); i++) {
        buf_clear(&out);
        open_and_make_reset(&out, i);
        raw_send(&world, peer, out.data, out.len);
    }
    EXPECT(i < 200 && sim_is_closed(peer));
    EXPECT(world.most_live <= 100); /* handlers in flight */
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
    expect_flood(H2_GUARD_MADE_RESETS, 110, open_malformed);
}

TEST(test_data_behind_the_end_ends_the_connection_or_its_stream)
{
    /* RFC 9113 §5.1: STREAM_CLOSED */
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    unsigned i = 0;
    struct buf out;
    buf_init(&out, 0);
    for (; i < 10000 && !sim_is_closed(peer); i++) {
        buf_clear(&out);
        open_and_send_more(&out, i);
        raw_send(&world, peer, out.data, out.len);
    }
    EXPECT(i < 210);
    EXPECT(world.most_live <= 100);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* A handler whose stream was reset still runs, and counts as a stream until it has let go. */
TEST(test_resets_do_not_buy_more_handlers)
{
    struct world world;
    struct h2_client client;
    world_init(&world);
    world.options.max_streams = 4;
    world_start(&world);
    client_open(&client, &world, 0);
    for (int i = 0; i < 10; i++) {
        client_reset(&client, client_get(&client, "/later"));
    }
    EXPECT_INT(world.handled, 4);
    EXPECT_INT(world.most_live, 4);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->refused_streams), 6);
    EXPECT(world_resume(&world, 0));
    EXPECT_INT(client_get(&client, "/")->status, 200);
    struct client_stream *stream = client_get(&client, "/later");
    EXPECT_INT(client_get(&client, "/")->error, NGHTTP2_REFUSED_STREAM);
    EXPECT_INT(stream->status, 0);
    client_close(&client);
    world_close(&world);
}

TEST(test_no_more_streams_at_once_than_allowed)
{
    /* RFC 9113 §5.1.2 */
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    for (int32_t i = 0; i < 101; i++) {
        raw_add_get(&out, 2 * i + 1, "/later", NGHTTP2_FLAG_END_STREAM);
    }
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.handled, 100);
    EXPECT(raw_count(peer, NGHTTP2_RST_STREAM, 201, NULL) +
               raw_count(peer, NGHTTP2_GOAWAY, 0, NULL) >
           0);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- frames that cost more than they bring --------------------------------------------------- */

static void ping(struct buf *out, unsigned i)
{
    uint8_t opaque[8] = {(uint8_t)i};
    raw_add(out, NGHTTP2_PING, 0, 0, opaque, sizeof opaque);
}

static void settings(struct buf *out, unsigned i)
{
    (void)i;
    raw_add(out, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void empty_data(struct buf *out, unsigned i)
{
    if (i == 0) {
        struct buf block;
        buf_init(&block, 0);
        raw_add_request(&block, "POST", "/echo");
        raw_add(out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.data, block.len);
        buf_finish(&block);
    }
    /* every other one of padding alone */
    raw_add(out, NGHTTP2_DATA, i % 2 ? NGHTTP2_FLAG_PADDED : 0, 1, "\0", i % 2);
}

static void small_update(struct buf *out, unsigned i)
{
    static const uint8_t one[] = {0, 0, 0, 1};
    (void)i;
    raw_add(out, NGHTTP2_WINDOW_UPDATE, 0, 0, one, sizeof one);
}

static void priority(struct buf *out, unsigned i)
{
    static const uint8_t payload[] = {0, 0, 0, 0, 1};
    raw_add(out, NGHTTP2_PRIORITY, 0, 2 * (int32_t)i + 1, payload, sizeof payload);
}

static void priority_update(struct buf *out, unsigned i)
{
    static const uint8_t payload[] = {0, 0, 0, 1, 'u', '=', '1'};
    (void)i;
    raw_add(out, 0x10, 0, 0, payload, sizeof payload);
}

TEST(test_frames_that_cost_more_than_they_bring_end_the_connection)
{
    expect_flood(H2_GUARD_PINGS, 110, ping);
    expect_flood(H2_GUARD_SETTINGS, 30, settings);
    expect_flood(H2_GUARD_EMPTY_DATA, 110, empty_data);
    expect_flood(H2_GUARD_WINDOW_UPDATES, 1010, small_update);
    expect_flood(H2_GUARD_PRIORITIES, 510, priority);
}

/* CVE-2019-9511: windows of a byte at a time make frames of a byte, which explain no updates. */
TEST(test_a_dribble_of_windows_ends_the_connection)
{
    static const uint8_t one[] = {0, 0, 0, 1};
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    raw_get_shut(&world, peer, "/big");
    unsigned i = 0;
    for (; i < 5000 && world_guarded(&world, H2_GUARD_WINDOW_UPDATES) == 0; i++) {
        raw_frame(&world, peer, NGHTTP2_WINDOW_UPDATE, 0, 1, one, sizeof one);
    }
    EXPECT(i > 1000 && i < 1100);
    raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    sim_peer_free(peer);
    world_close(&world);
}

/* What was answered explains so many resets, and no more. */
TEST(test_resets_are_not_saved_up)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    for (int32_t i = 0; i < 3000; i++) {
        buf_clear(&out);
        raw_add_get(&out, 2 * i + 1, "/", NGHTTP2_FLAG_END_STREAM);
        raw_send(&world, peer, out.data, out.len);
    }
    EXPECT_INT(world.handled, 3000);
    unsigned i = 3000;
    for (; i < 6000 && world_guarded(&world, H2_GUARD_RESETS) == 0; i++) {
        buf_clear(&out);
        open_and_reset(&out, i);
        raw_send(&world, peer, out.data, out.len);
    }
    EXPECT(i >= 5000 && i <= 5010);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_priority_updates_are_counted_too)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    raw_add_get(&out, 1, "/later", NGHTTP2_FLAG_END_STREAM);
    raw_send(&world, peer, out.data, out.len);
    EXPECT(flood(&world, peer, H2_GUARD_PRIORITIES, priority_update) <= 510);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_what_is_usual_is_not_a_flood)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    for (unsigned second = 0; second < 100; second++) {
        buf_clear(&out);
        for (unsigned i = 0; i < 5; i++) {
            ping(&out, i);
            small_update(&out, i);
            open_and_reset(&out, second * 5 + i);
        }
        settings(&out, 0);
        raw_send(&world, peer, out.data, out.len);
        sim_advance(world.loop, 1000);
        while (world_resume(&world, 0)) {
        }
    }
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    EXPECT_INT(world.set.count, 1);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_answers_that_are_not_read_end_the_connection)
{
    struct world world;
    world_init(&world);
    world.options.max_out_bytes = 64;
    world_start(&world);
    struct sim_peer *peer = raw_open(&world);
    sim_set_window(peer, 0);
    struct buf out;
    buf_init(&out, 0);
    for (unsigned i = 0; i < 300; i++) {
        ping(&out, i);
    }
    raw_send(&world, peer, out.data, out.len);
    sim_set_window(peer, SIZE_MAX);
    raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- L1, L3: header blocks ------------------------------------------------------------------- */

/* 0x82 is ":method: GET" of the static table; 0xbe the newest entry of the dynamic one. */
static void add_bomb(struct buf *out, size_t references, const char *name, size_t value_bytes)
{
    struct buf block;
    buf_init(&block, 0);
    raw_add_request(&block, "GET", "/");
    buf_append_char(&block, 0x40); /* RFC 7541 §6.2.1: literal, indexed from now on */
    buf_append_char(&block, (char)strlen(name));
    buf_append_text(&block, name);
    EXPECT(value_bytes < 127);
    buf_append_char(&block, (char)value_bytes);
    for (size_t i = 0; i < value_bytes; i++) {
        buf_append_char(&block, 'v');
    }
    for (size_t i = 0; i < references; i++) {
        buf_append_char(&block, (char)0xbe);
    }
    for (size_t at = 0; at < block.len; at += 16384) {
        size_t n = block.len - at < 16384 ? block.len - at : 16384;
        bool is_last = at + n == block.len;
        raw_add(out, at == 0 ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION,
                (uint8_t)((is_last ? NGHTTP2_FLAG_END_HEADERS : 0) |
                          (at == 0 ? NGHTTP2_FLAG_END_STREAM : 0)),
                1, block.data + at, n);
    }
    buf_finish(&block);
}

TEST(test_a_header_bomb_ends_the_connection)
{
    static const char *const names[] = {"cookie", "x"};
    static const size_t values[] = {0, 1, 120};
    for (size_t i = 0; i < 6; i++) {
        struct world world;
        world_open(&world);
        struct sim_peer *peer = raw_open(&world);
        struct buf out;
        buf_init(&out, 0);
        add_bomb(&out, 30000, names[i % 2], values[i / 2]);
        raw_send(&world, peer, out.data, out.len);
        raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
        EXPECT_INT(world_guarded(&world, H2_GUARD_HEADER_BOMB), 1);
        EXPECT_INT(world.handled, 0);
        buf_finish(&out);
        sim_peer_free(peer);
        world_close(&world);
    }
}

TEST(test_a_little_too_much_is_only_refused)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    add_bomb(&out, 200, "x", 1);
    raw_add_get(&out, 3, "/", NGHTTP2_FLAG_END_STREAM);
    raw_send(&world, peer, out.data, out.len);
    EXPECT_INT(world.logged[0].status, 431);
    EXPECT_INT(world.logged[1].status, 200);
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_endless_continuation_ends_the_connection)
{
    /* CVE-2024-27316; once with bytes, once without. */
    for (size_t len = 0; len < 2; len++) {
        struct world world;
        world_open(&world);
        struct sim_peer *peer = raw_open(&world);
        struct buf out;
        struct buf block;
        buf_init(&out, 0);
        buf_init(&block, 0);
        raw_add_field(&block, ":method", "GET");
        raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, block.data, block.len);
        for (unsigned i = 0; i < 200; i++) {
            raw_add(&out, NGHTTP2_CONTINUATION, 0, 1, "\x82", len);
        }
        raw_send(&world, peer, out.data, out.len);
        EXPECT(sim_is_closed(peer));
        EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 1);
        EXPECT_INT(world_guarded(&world, H2_GUARD_CONTINUATIONS), 1);
        buf_finish(&out);
        buf_finish(&block);
        sim_peer_free(peer);
        world_close(&world);
    }
}

TEST(test_endless_trailers_end_the_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    struct buf out;
    buf_init(&out, 0);
    empty_data(&out, 0);
    struct buf block;
    buf_init(&block, 0);
    for (unsigned i = 0; i < 40; i++) {
        raw_add_field(&block, "x", "y");
    }
    raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
            block.data, block.len);
    raw_send(&world, peer, out.data, out.len);
    raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    buf_finish(&out);
    buf_finish(&block);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- windows --------------------------------------------------------------------------------- */

TEST(test_window_overflow_is_a_flow_control_error)
{
    /* RFC 9113 §6.9.1 */
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    static const uint8_t most[] = {0x7f, 0xff, 0xff, 0xff};
    raw_frame(&world, peer, NGHTTP2_WINDOW_UPDATE, 0, 0, most, sizeof most);
    raw_expect_end(&world, peer, NGHTTP2_FLOW_CONTROL_ERROR);
    EXPECT_INT(world_closed(&world, CLOSE_PROTOCOL_ERROR), 1);
    sim_peer_free(peer);
    world_close(&world);
}

/* L1: 100 answers behind shut windows: they are given up in time, and hold little until then. */
TEST(test_a_window_that_stays_shut_holds_memory_only_for_a_while)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 1);
    client.keeps_windows = true;
    for (int i = 0; i < 100; i++) {
        EXPECT(client_get(&client, "/big"));
    }
    EXPECT_INT(world.exchanges.live, 100);
    EXPECT_INT(client.streams[0].body.len, 1);
    EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
    sim_advance(world.loop, 9000);
    client_turn(&client);
    EXPECT_INT(world.exchanges.live, 100);
    sim_advance(world.loop, 3000);
    client_turn(&client);
    EXPECT_INT(world.exchanges.live, 0);
    EXPECT_INT(world.big_released, 100);
    EXPECT_INT(client.streams[0].error, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->slow_streams), 100);
    client_close(&client);
    world_close(&world);
}

TEST(test_a_window_of_a_byte_at_a_time_is_too_slow)
{
    struct world world;
    struct h2_client client;
    world_open(&world);
    client_open(&client, &world, 1);
    client.keeps_windows = true;
    struct client_stream *stream = client_get(&client, "/big");
    for (int i = 0; i < 100 && !stream->is_closed; i++) {
        EXPECT_INT(nghttp2_submit_window_update(client.ng, 0, stream->id, 1), 0);
        client_turn(&client);
        sim_advance(world.loop, 200);
    }
    EXPECT(stream->is_closed);
    EXPECT_INT(stream->error, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT(stream->body.len < 100);
    client_close(&client);
    world_close(&world);
}
