/* What h2_driver_memory() promises is not below what clients can make a connection take of the heap. */
#include "support_h2.h"

#include "base/alloc.h"
#include "h2/h2_head.h"
#include "h2/h2_session.h"
#include "test.h"

static uint64_t used(const struct world *world)
{
    return world->driver->blocks.used_bytes;
}

static struct h2_memory promised(const struct world *world)
{
    struct h2_memory memory;
    h2_driver_memory(&world->options, &memory);
    return memory;
}

/* RFC 7541 §4.1: an entry counts 32 bytes more than its name and value. The smallest cost us most. */
static void fill_decoder(struct world *world, struct sim_peer *peer, int32_t id, const char *path)
{
    struct buf out;
    struct buf block;
    buf_init(&out, 0);
    buf_init(&block, 0);
    raw_add_request(&block, "GET", path);
    for (unsigned i = 0; i < 95; i++) {
        buf_append_char(&block, 0x40); /* RFC 7541 §6.2.1: literal, indexed from now on */
        buf_append_char(&block, 1);
        buf_append_char(&block, (char)('a' + i % 26));
        buf_append_char(&block, 0);
    }
    raw_add(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
            block.data, block.len);
    raw_send(world, peer, out.data, out.len);
    buf_finish(&out);
    buf_finish(&block);
}

TEST(test_an_idle_connection_takes_no_more_than_promised)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    uint64_t session = mem_cost(sizeof(struct h2_session));
    EXPECT(session + used(&world) <= promised(&world).idle_bytes);
    fill_decoder(&world, peer, 1, "/many");
    fill_decoder(&world, peer, 3, "/many");
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT(session + used(&world) <= promised(&world).idle_bytes);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_streams_at_work_take_no_more_than_promised)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    fill_decoder(&world, peer, 1, "/many");
    fill_decoder(&world, peer, 3, "/many");
    uint64_t before = used(&world);
    for (int32_t i = 0; i < 100; i++) {
        fill_decoder(&world, peer, 5 + 2 * i, "/later");
    }
    EXPECT_INT(world.later_count, 100);
    struct h2_memory memory = promised(&world);
    uint64_t streams = used(&world) - before + 100 * mem_cost(sizeof(struct h2_stream));
    EXPECT(streams <= memory.input_bytes - h2_head_bytes(&world.http_limits) -
                          2 * mem_cost(h2_all_windows(&world.driver->options)));
    sim_peer_free(peer);
    world_close(&world);
}

/* Answers whose heads wait, for the client reads nothing. */
TEST(test_answers_that_wait_take_no_more_than_promised)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = raw_open(&world);
    sim_set_window(peer, 0);
    uint64_t before = used(&world);
    struct buf out;
    buf_init(&out, 0);
    for (int32_t i = 0; i < 100; i++) {
        raw_add_get(&out, 1 + 2 * i, i < 8 ? "/big" : "/hop", NGHTTP2_FLAG_END_STREAM);
    }
    raw_send(&world, peer, out.data, out.len);
    struct h2_memory memory = promised(&world);
    EXPECT(used(&world) - before + 100 * mem_cost(sizeof(struct h2_stream)) <=
           memory.input_bytes - h2_head_bytes(&world.http_limits) -
               2 * mem_cost(h2_all_windows(&world.driver->options)));
    buf_finish(&out);
    sim_peer_free(peer);
    world_close(&world);
}

/* What was taken is given back, or kept for the next as far as was promised. */
TEST(test_a_driver_keeps_no_more_than_promised)
{
    struct world world;
    world_open(&world);
    for (int round = 0; round < 3; round++) {
        struct sim_peer *peer = raw_open(&world);
        for (int32_t i = 0; i < 100; i++) {
            fill_decoder(&world, peer, 1 + 2 * i, "/later");
        }
        sim_peer_free(peer);
        while (world_resume(&world, 0)) {
        }
        sim_run(world.loop);
    }
    EXPECT_INT(used(&world), 0);
    EXPECT(world.driver->blocks.free_bytes <= h2_blocks_kept_bytes());
    EXPECT(h2_blocks_kept_bytes() < promised(&world).driver_bytes);
    world_close(&world);
}
