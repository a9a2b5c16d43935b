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
#include <stdlib.h>
#include <unistd.h>

enum { MOST_OUT = 128 * 1024 };

static void open_file(struct world *world)
{
    char path[] = "/tmp/galley-h2-XXXXXX";
    world_open(world);
    world->file_fd = mkstemp(path);
    EXPECT(world->file_fd >= 0);
    (void)unlink(path);
    EXPECT_INT(write(world->file_fd, world->big, BIG_BYTES), BIG_BYTES);
    world->file_bytes = BIG_BYTES;
}

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

/* So that what is made ready can be seen: it leaves byte by byte. */
static void ask_and_look(struct world *world, struct sim_peer *peer, int32_t id)
{
    struct buf out;
    buf_init(&out, 0);
    raw_add_get(&out, id, "/file", NGHTTP2_FLAG_END_STREAM);
    sim_set_max_write(peer, 1);
    sim_send(peer, out.data, out.len);
    buf_finish(&out);
    EXPECT(sim_turn(world->loop));
}

static struct sim_peer *open_raw(struct world *world)
{
    static const uint8_t wide[] = {0, 4, 0x7f, 0, 0, 0};
    static const uint8_t update[] = {0x40, 0, 0, 0};
    open_file(world);
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
    open_file(&world);
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
    open_file(&world);
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

/* Its length was looked at in this millisecond; nothing is invented (RFC 9113 §5.4.1). */
TEST(test_a_file_that_shrinks_between_two_reads_resets_the_connection)
{
    struct world world;
    struct sim_peer *peer = open_raw(&world);
    ask_and_look(&world, peer, 1);
    EXPECT_INT(ftruncate(world.file_fd, 140 * 1000), 0);
    sim_set_max_write(peer, 0);
    sim_run(world.loop);
    EXPECT(sim_is_reset(peer));
    EXPECT_INT(world_closed(&world, CLOSE_FILE_CHANGED), 1);
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
