/* tests/unit/h2/test_block.c — files over HTTP/2: what of them is read into blocks, so that their frames
 * leave together, and what stays a file. Seen in the connection's output, before it leaves. */
#include "support_h2.h"

#include "base/alloc.h"
#include "h2/h2_block.h"
#include "loop/warm_file.h"
#include "test.h"

#include <galley/pool.h>

#include <errno.h>
#include <semaphore.h>
#include <unistd.h>

enum { MOST_OUT = 128 * 1024 };

static void open_wide(struct h2_client *client, struct world *world)
{
    client_open(client, world, 0x7fffffff);
    EXPECT_INT(nghttp2_session_set_local_window_size(client->ng, 0, 0, 10 * 1000 * 1000), 0);
    client_turn(client);
}

static void finish(struct world *world, struct h2_client *client)
{
    client_close(client);
    close(world->file_fd);
    world_close(world);
}

static void ask(struct sim_peer *peer, int32_t id, const char *path)
{
    struct buf out;
    buf_init(&out, 0);
    raw_add_get(&out, id, path, NGHTTP2_FLAG_END_STREAM);
    sim_send(peer, out.data, out.len);
    buf_finish(&out);
}

/* So that what is made ready can be seen: it leaves byte by byte. */
static void ask_and_look(struct world *world, struct sim_peer *peer, int32_t id)
{
    sim_set_max_write(peer, 1);
    ask(peer, id, "/file");
    EXPECT(sim_turn(world->loop));
}

static struct sim_peer *open_raw(struct world *world)
{
    static const uint8_t wide[] = {0, 4, 0x7f, 0, 0, 0};
    static const uint8_t update[] = {0x40, 0, 0, 0};
    world_open_file(world);
    struct sim_peer *peer = raw_open(world);
    raw_frame(world, peer, NGHTTP2_SETTINGS, 0, 0, wide, sizeof wide);
    raw_frame(world, peer, NGHTTP2_WINDOW_UPDATE, 0, 0, update, sizeof update);
    return peer;
}

static unsigned parts_of(const struct chain *chain, bool of_files)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < chain->count; i++) {
        count += (chain->parts[chain->first + i].ptr == NULL) == of_files;
    }
    return count;
}

static void finish_raw(struct world *world, struct sim_peer *peer)
{
    sim_peer_free(peer);
    close(world->file_fd);
    world_close(world);
}

/* ---- what is read ---------------------------------------------------------------------------- */

TEST(test_frames_of_a_file_are_one_piece)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    ask_and_look(&world, peer, 1);
    const struct chain *out = &world_conn(&world)->out;
    EXPECT(out->bytes > MOST_OUT - 4096 && out->bytes <= MOST_OUT);
    EXPECT_INT(parts_of(out, true), 0);
    EXPECT(parts_of(out, false) <= 1 + H2_MAX_BLOCKS); /* the head, and blocks */
    finish_raw(&world, peer);
}

TEST(test_a_file_that_is_read_arrives_whole_among_others)
{
    struct world world;
    struct h2_client client;
    world_open_file(&world);
    open_wide(&client, &world);
    sim_set_max_write(client.peer, 10 * 1000);
    struct client_stream *first = client_get(&client, "/file");
    world.file_bytes = 50 * 1000;
    struct client_stream *second = client_get(&client, "/file");
    EXPECT_INT(first->body.len, BIG_BYTES);
    EXPECT(memcmp(first->body.data, world.big, BIG_BYTES) == 0);
    EXPECT_INT(second->body.len, 50 * 1000);
    EXPECT(memcmp(second->body.data, world.big, 50 * 1000) == 0);
    EXPECT(first->is_closed && second->is_closed && !client.has_failed);
    EXPECT_INT(world.logged[0].bytes_sent, BIG_BYTES);
    finish(&world, &client);
}

/* Of one file of a connection after the other: nothing is held when they have left. */
TEST(test_blocks_go_with_their_last_byte)
{
    struct world world;
    struct h2_client client;
    world_open_file(&world);
    open_wide(&client, &world);
    EXPECT(client_get(&client, "/file")->is_closed);
    const struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(session->blocks, 0);
    EXPECT(session->block == NULL);
    EXPECT(world.driver->free_block_count > 0);
    finish(&world, &client);
}

/* ---- what stays a file ----------------------------------------------------------------------- */

TEST(test_what_the_kernel_does_not_take_stays_in_its_file)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    sim_set_window(peer, 20000); /* half of it is sure: no frame */
    ask_and_look(&world, peer, 1);
    const struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(session->blocks, 0);
    EXPECT(parts_of(&session->conn->out, true) > 0);
    EXPECT(session->conn->out.bytes > MOST_OUT - 4096);
    finish_raw(&world, peer);
}

/* 100 kB are sure to be taken for half of that. */
TEST(test_no_more_is_read_than_the_kernel_surely_takes)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    sim_set_window(peer, 100 * 1000);
    ask_and_look(&world, peer, 1);
    const struct h2_session *session = world_conn(&world)->session;
    const struct chain *out = &session->conn->out;
    uint64_t memory = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct chain_part *part = &out->parts[out->first + i];
        memory += part->ptr ? part->len : 0;
    }
    EXPECT_INT(session->blocks, 1);
    EXPECT(memory > 16384 && memory <= 50 * 1000 + 4096);
    EXPECT(parts_of(out, true) > 0);
    finish_raw(&world, peer);
}

/* It says when it takes a lot again; until then it may have some room, and takes nothing. */
TEST(test_nothing_is_read_for_a_socket_that_has_refused_something)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    struct conn *conn = world_conn(&world);
    conn->transport.socket.may_write = false;
    EXPECT(h2_block_room(conn->session, 1000) == NULL);
    conn->transport.socket.may_write = true;
    EXPECT(h2_block_room(conn->session, 1000) != NULL);
    EXPECT(!h2_block_add(conn->session, 0));
    EXPECT_INT(((struct h2_session *)conn->session)->blocks, 0);
    finish_raw(&world, peer);
}

/* A connection that cannot send holds two blocks and no more, however often it is asked. */
TEST(test_a_connection_holds_two_blocks_at_most)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    const struct h2_session *session = world_conn(&world)->session;
    world.file_bytes = 10;
    for (int32_t id = 1; id < 15; id += 2) {
        ask_and_look(&world, peer, id);
        EXPECT(session->blocks <= H2_MAX_BLOCKS);
    }
    EXPECT_INT(session->blocks, H2_MAX_BLOCKS);
    EXPECT(parts_of(&session->conn->out, true) > 0);
    finish_raw(&world, peer);
}

static void hold(void *arg)
{
    while (sem_wait(arg) != 0) { /* EINTR */
    }
}

/* Whoever would read it here would wait for the disk. */
TEST(test_what_is_not_in_memory_stays_in_its_file)
{
    struct world world;
    sem_t gate;
    struct sim_peer *peer = open_raw(&world);
    galley_pool *pool = galley_pool_new(1, NULL);
    const galley_job job = {.run = hold, .arg = &gate};
    sem_init(&gate, 0, 0);
    EXPECT_INT(galley_pool_submit(pool, &job, 1, 0), 1); /* the disk does not answer */
    EXPECT_INT(warm_files_start(world.loop, pool), 0);
    sim_set_probe(world.loop, -EAGAIN);
    ask_and_look(&world, peer, 1);
    const struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(session->blocks, 0);
    EXPECT_INT(parts_of(&session->conn->out, true), 8);
    EXPECT_INT(world.driver->free_block_count, 1); /* it was tried */
    sem_post(&gate);
    sim_peer_free(peer);
    galley_pool_free(pool);
    close(world.file_fd);
    world_close(&world);
    sem_destroy(&gate);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

/* What DATA of the stream held; *ret_end: END_STREAM was among it. */
static struct buf data_of(const struct sim_peer *peer, int32_t id, bool *ret_end)
{
    struct buf data;
    struct span rest = sim_received(peer);
    struct frame frame;
    buf_init(&data, 0);
    *ret_end = false;
    while (raw_next(&rest, &frame)) {
        if (frame.type == NGHTTP2_DATA && frame.id == id) {
            EXPECT(!*ret_end && frame.payload.len > 0);
            buf_append(&data, frame.payload.ptr, frame.payload.len);
            *ret_end = frame.flags & NGHTTP2_FLAG_END_STREAM;
        }
    }
    EXPECT_INT(rest.len, 0); /* no frame is promised and not there */
    return data;
}

static void expect_broken_off(struct world *world, const struct sim_peer *peer, int32_t id,
                              size_t len)
{
    bool has_ended = false;
    uint32_t code = 0;
    struct buf data = data_of(peer, id, &has_ended);
    EXPECT_INT(data.len, len);
    EXPECT(!has_ended && memcmp(data.data, world->big, len) == 0);
    EXPECT_INT(raw_count(peer, NGHTTP2_RST_STREAM, id, &code), 1);
    EXPECT_INT(code, NGHTTP2_INTERNAL_ERROR);
    EXPECT_INT(counter_read(&h2_driver_counters(world->driver)->aborted), 1);
    buf_finish(&data);
}

static void expect_whole(const struct world *world, const struct sim_peer *peer, int32_t id,
                         size_t len)
{
    bool has_ended = false;
    struct buf data = data_of(peer, id, &has_ended);
    EXPECT_INT(data.len, len);
    EXPECT(has_ended && memcmp(data.data, world->big, len) == 0);
    EXPECT_INT(raw_count(peer, NGHTTP2_RST_STREAM, id, NULL), 0);
    buf_finish(&data);
}

/* Its length was looked at in this millisecond. What was read leaves, and no more is promised; RFC 9113
 * §5.4.2: the connection goes on, with what is asked for beside it. */
static void expect_only_the_stream_is_lost(uint64_t bytes, size_t shrunk, size_t arrive)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    world.file_bytes = bytes;
    ask_and_look(&world, peer, 1);
    EXPECT(world_conn(&world)->out.bytes > MOST_OUT - 4096);
    EXPECT_INT(ftruncate(world.file_fd, (off_t)shrunk), 0);
    ask(peer, 3, "/big");
    sim_set_max_write(peer, 0);
    sim_run(world.loop);
    expect_broken_off(&world, peer, 1, arrive);
    expect_whole(&world, peer, 3, BIG_BYTES);
    EXPECT(!sim_is_reset(peer) && world_conn(&world));
    EXPECT_INT(world.logged[0].bytes_sent, arrive);
    struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(session->frames.send_window, 65535 + 0x40000000 - (int)arrive - BIG_BYTES);
    finish_raw(&world, peer);
}

TEST(test_a_file_that_shrinks_between_two_reads_costs_its_stream)
{
    expect_only_the_stream_is_lost(BIG_BYTES, 140 * 1000, 140 * 1000);
    expect_only_the_stream_is_lost(BIG_BYTES, 9 * 16384, 9 * 16384);
}

/* The frame that would have been the last says END_STREAM no more. */
TEST(test_a_file_that_lacks_its_last_byte_is_not_whole)
{
    expect_only_the_stream_is_lost(140 * 1000, 140 * 1000 - 1, 140 * 1000 - 1);
}

/* Behind a read that brought less it is asked again before a range of the file is promised, also in this
 * millisecond. */
TEST(test_a_file_that_shrinks_where_the_kernel_takes_no_more_costs_its_stream)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    ask_and_look(&world, peer, 1);
    struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(ftruncate(world.file_fd, 140 * 1000), 0);
    session->room = 0;                                          /* what was sure before */
    sim_set_window(peer, session->conn->out.bytes + 40 * 1000); /* half is sure: one frame */
    sim_set_max_write(peer, 0);
    sim_run(world.loop);
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    expect_broken_off(&world, peer, 1, 140 * 1000);
    EXPECT(!sim_is_reset(peer) && world_conn(&world));
    finish_raw(&world, peer);
}

/* What was read of it before leaves all the same. */
TEST(test_a_file_that_is_emptied_between_two_reads_costs_its_stream)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    ask_and_look(&world, peer, 1);
    EXPECT_INT(ftruncate(world.file_fd, 0), 0);
    sim_set_max_write(peer, 0);
    sim_run(world.loop);
    bool has_ended = false;
    struct buf data = data_of(peer, 1, &has_ended);
    EXPECT(data.len > MOST_OUT - 4096 && data.len < MOST_OUT);
    expect_broken_off(&world, peer, 1, data.len);
    buf_finish(&data);
    EXPECT(!sim_is_reset(peer) && world_conn(&world));
    finish_raw(&world, peer);
}

/* What is in memory leaves at once, in shorter frames, and the rest as it is read from the disk. */
TEST(test_a_file_that_is_in_memory_in_part_arrives_whole)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    EXPECT_INT(warm_files_start(world.loop, NULL), 0);
    sim_set_probe(world.loop, 5000);
    world.file_bytes = 500 * 1000;
    ask_and_look(&world, peer, 1);
    EXPECT_INT(((struct h2_session *)world_conn(&world)->session)->blocks, H2_MAX_BLOCKS);
    sim_set_probe(world.loop, -EAGAIN);
    ask(peer, 3, "/big");
    sim_set_max_write(peer, 0);
    sim_run(world.loop);
    EXPECT(warm_files_read_count(world.loop) > 0);
    EXPECT(raw_count(peer, NGHTTP2_DATA, 1, NULL) > 500 * 1000 / 16384 + 10);
    expect_whole(&world, peer, 1, 500 * 1000);
    expect_whole(&world, peer, 3, BIG_BYTES);
    finish_raw(&world, peer);
}

TEST(test_a_client_that_leaves_takes_its_blocks_along)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    ask_and_look(&world, peer, 1);
    sim_reset(peer);
    sim_run(world.loop);
    EXPECT(world_conn(&world) == NULL);
    EXPECT(world.driver->free_block_count > 0);
    finish_raw(&world, peer);
}

TEST(test_each_lack_of_memory_leaves_nothing_behind)
{
    struct buf out;
    buf_init(&out, 0);
    for (int32_t id = 1; id < 7; id += 2) {
        raw_add_get(&out, id, "/file", NGHTTP2_FLAG_END_STREAM);
    }
    uint64_t n = 0;
    bool happened = true;
    while (happened) {
        struct world world;
        struct sim_peer *peer = open_raw(&world);
        world.file_bytes = 300 * 1000;
        mem_fail_nth(++n);
        raw_send(&world, peer, out.data, out.len);
        happened = mem_fail_happened();
        mem_fail_nth(0);
        finish_raw(&world, peer);
    }
    EXPECT(n > 3);
    buf_finish(&out);
}
