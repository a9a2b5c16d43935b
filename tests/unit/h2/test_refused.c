/* More streams than may be (RFC 9113 §5.1.2): who is told, and whose connection ends. */
#include "support_h2.h"

#include "test.h"

static void open_later(struct buf *out, unsigned i)
{
    raw_add_get(out, 2 * (int32_t)i + 1, "/later", NGHTTP2_FLAG_END_STREAM);
}

static void open_many(struct world *world, struct sim_peer *peer, unsigned from, unsigned count)
{
    struct buf out;
    buf_init(&out, 0);
    for (unsigned i = 0; i < count; i++) {
        open_later(&out, from + i);
    }
    raw_send(world, peer, out.data, out.len);
    buf_finish(&out);
}

/* RFC 9113 §5.1.2: the client has acknowledged how many there may be. */
TEST(test_streams_beyond_the_limit_without_end_end_the_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    open_many(&world, peer, 0, 200);
    EXPECT_INT(world_guarded(&world, H2_GUARD_REFUSED), 0); /* so many may be a mistake */
    open_many(&world, peer, 200, 1);
    EXPECT_INT(world_guarded(&world, H2_GUARD_REFUSED), 1);
    EXPECT_INT(world.most_live, 100);
    raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_INT(world_closed(&world, CLOSE_FLOOD), 1);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_streams_beyond_the_limit_now_and_then_are_only_refused)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    open_many(&world, peer, 0, 100);
    for (unsigned second = 0; second < 100; second++) {
        open_many(&world, peer, 100 + 9 * second, 9);
        sim_advance(world.loop, 1000);
    }
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->refused_streams), 900);
    sim_peer_free(peer);
    world_close(&world);
}

static struct sim_peer *raw_open_unacked(struct world *world)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct sim_peer *peer = world_connect(world);
    raw_send(world, peer, preface, sizeof preface - 1);
    raw_frame(world, peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    return peer;
}

/* RFC 9113 §5.1.2, §6.5.3: until it has our SETTINGS, a client may think that there is no limit. */
TEST(test_streams_ahead_of_our_settings_are_no_flood)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open_unacked(&world);
    open_many(&world, peer, 0, 1000);
    raw_frame(&world, peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->refused_streams), 900);
    EXPECT_INT(raw_count(peer, NGHTTP2_RST_STREAM, -1, NULL), 900);
    while (world_resume(&world, 0)) {
    }
    open_many(&world, peer, 1000, 100);
    EXPECT_INT(world.handled, 200);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    EXPECT_INT(world_guarded(&world, H2_GUARD_REFUSED), 0);
    sim_peer_free(peer);
    world_close(&world);
}

/* … but not for ever, by acknowledging nothing. */
TEST(test_a_client_cannot_be_ignorant_of_our_settings_for_ever)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open_unacked(&world);
    open_many(&world, peer, 0, 1000);
    sim_advance(world.loop, 11 * 1000);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    open_many(&world, peer, 1000, 1000);
    EXPECT_INT(world_guarded(&world, H2_GUARD_REFUSED), 1);
    raw_expect_end(&world, peer, NGHTTP2_ENHANCE_YOUR_CALM);
    sim_peer_free(peer);
    world_close(&world);
}

/* Handlers of streams that it has reset go on, and the client cannot know. */
TEST(test_refusals_that_a_client_cannot_foresee_are_no_flood)
{
    static const uint8_t cancel[] = {0, 0, 0, 8};
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    open_many(&world, peer, 0, 100);
    for (int32_t i = 0; i < 100; i++) {
        raw_frame(&world, peer, NGHTTP2_RST_STREAM, 0, 2 * i + 1, cancel, sizeof cancel);
    }
    open_many(&world, peer, 100, 1000);
    EXPECT_INT(counter_read(&h2_driver_counters(world.driver)->refused_streams), 1000);
    EXPECT_INT(raw_count(peer, NGHTTP2_GOAWAY, 0, NULL), 0);
    EXPECT_INT(world.exchanges.live, 100);
    sim_peer_free(peer);
    world_close(&world);
}
