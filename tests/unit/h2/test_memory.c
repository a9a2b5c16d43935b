/* What h2_driver_memory() promises is not below what clients can make a connection take of the heap. */
#include "support_h2.h"

#include "base/alloc.h"
#include "h2/h2_head.h"
#include "h2/h2_lines.h"
#include "h2/h2_session.h"
#include "loop/sim_world.h"
#include "test.h"

/* Of frames: what was received in part, and what waits. */
static uint64_t used(const struct world *world)
{
    const struct h2_session *session = world_conn(world)->session;
    return mem_cost(session->frames.out.control.capacity) +
           mem_cost(session->frames.block.rest.capacity);
}

static uint64_t bytes_of_peer(const struct sim_peer *peer)
{
    return mem_cost(sizeof *peer) + mem_cost(peer->to_client.capacity) +
           mem_cost(peer->to_server.capacity);
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
    struct sim_peer *peer = raw_open(&world); /* what the loop's rooms keep is there now */
    fill_decoder(&world, peer, 1, "/many");
    sim_peer_free(peer);
    sim_run(world.loop);
    int64_t before = mem_live_bytes();
    uint64_t most = promised(&world).idle_bytes + conn_idle_bytes();
    peer = raw_open(&world);
    EXPECT((uint64_t)(mem_live_bytes() - before) - bytes_of_peer(peer) <= most);
    for (int32_t id = 1; id < 9; id += 2) {
        fill_decoder(&world, peer, id, "/many");
        EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
        EXPECT((uint64_t)(mem_live_bytes() - before) - bytes_of_peer(peer) <= most);
    }
    for (uint8_t id = 9; id < 200; id = (uint8_t)(id + 2)) { /* priorities ahead of streams */
        const uint8_t update[] = {0, 0, 0, id, 'u', '=', '1'};
        raw_frame(&world, peer, 0x10, 0, 0, update, sizeof update);
    }
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    EXPECT((uint64_t)(mem_live_bytes() - before) - bytes_of_peer(peer) <= most);
    EXPECT(mem_is_watched() || (uint64_t)(mem_live_bytes() - before) > bytes_of_peer(peer));
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
    const struct h2_driver *driver = world.driver;
    EXPECT_INT(driver->streams, 0);
    EXPECT(driver->free_stream_count > 0);
    uint64_t kept = mem_cost(sizeof *driver) +
                    driver->free_stream_count * mem_cost(sizeof(struct h2_stream)) +
                    h2_heads_kept_bytes(&world.http_limits) + h2_lines_kept_bytes() +
                    mem_cost(driver->scratch.capacity) + mem_cost(driver->name.capacity);
    EXPECT(kept <= promised(&world).driver_bytes);
    world_close(&world);
}
