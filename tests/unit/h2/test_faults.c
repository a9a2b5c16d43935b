/* Clients that leave anywhere, sends that are short or fail anywhere, memory that runs out anywhere, and
 * ends that come in any order. After each nothing is left. */
#include "support_h2.h"

#include "base/alloc.h"
#include "test.h"

#include <errno.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void add_post(struct buf *out, int32_t id, const char *path)
{
    struct buf block;
    buf_init(&block, 0);
    raw_add_request(&block, "POST", path);
    raw_add_field(&block, "cookie", "a=b");
    raw_add_field(&block, "cookie", "c=d");
    raw_add(out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block.data, block.len);
    raw_add(out, NGHTTP2_DATA, 0, id, "abc", 3);
    raw_add(out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, "def", 3);
    buf_finish(&block);
}

/* A bit of everything; wide windows, so that nothing waits for the client. */
static void add_all(struct buf *out)
{
    static const uint8_t wide[] = {0, 4, 0x7f, 0, 0, 0};
    static const uint8_t update[] = {0x40, 0, 0, 0};
    static const uint8_t cancel[] = {0, 0, 0, 8};
    buf_append(out, preface, sizeof preface - 1);
    raw_add(out, NGHTTP2_SETTINGS, 0, 0, wide, sizeof wide);
    raw_add(out, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    raw_add(out, NGHTTP2_WINDOW_UPDATE, 0, 0, update, sizeof update);
    raw_add_get(out, 1, "/", NGHTTP2_FLAG_END_STREAM);
    add_post(out, 3, "/echo");
    raw_add_get(out, 5, "/borrowed", NGHTTP2_FLAG_END_STREAM);
    raw_add_get(out, 7, "/many", NGHTTP2_FLAG_END_STREAM);
    raw_add_get(out, 9, "/source?3", NGHTTP2_FLAG_END_STREAM);
    raw_add_get(out, 11, "/later", NGHTTP2_FLAG_END_STREAM);
    add_post(out, 13, "/sink");
    raw_add_get(out, 15, "/big", NGHTTP2_FLAG_END_STREAM);
    raw_add(out, NGHTTP2_RST_STREAM, 0, 11, cancel, sizeof cancel);
    raw_add(out, NGHTTP2_PING, 0, 0, "12345678", 8);
    raw_add_get(out, 17, "/later", NGHTTP2_FLAG_END_STREAM);
}

static void expect_nothing_left(struct world *world)
{
    while (world_resume(world, 204)) {
    }
    sim_advance(world->loop, 100000);
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(world->exchanges.live, 0);
    EXPECT_INT(sim_open_count(world->loop), 0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(test_memory_that_runs_out_anywhere_leaves_nothing_behind)
{
    struct buf out;
    buf_init(&out, 0);
    add_all(&out);
    bool happened = true;
    for (uint64_t n = 1; happened; n++) {
        struct world world;
        world_open(&world);
        mem_fail_nth(n);
        struct sim_peer *peer = world_connect(&world);
        if (peer) {
            raw_send(&world, peer, out.data, out.len);
            (void)world_resume(&world, 204);
            conn_set_drain(&world.set);
            sim_run(world.loop);
        }
        happened = mem_fail_happened();
        mem_fail_nth(0);
        if (peer) {
            sim_shutdown(peer);
        }
        expect_nothing_left(&world);
        if (peer) {
            sim_peer_free(peer);
        }
        world_close(&world);
    }
    buf_finish(&out);
}

TEST(test_a_driver_without_memory_is_no_driver)
{
    struct world world;
    world_open(&world);
    mem_fail_nth(1);
    EXPECT(h2_driver_create(&world.exchanges, &world.options) == NULL);
    mem_fail_nth(0);
    h2_driver_destroy(NULL);
    world_close(&world);
}

/* ---- clients that leave, sends that fail ----------------------------------------------------- */

TEST(test_a_client_may_leave_at_any_byte)
{
    struct buf out;
    buf_init(&out, 0);
    add_all(&out);
    struct world world;
    world_open(&world);
    for (size_t cut = 0; cut <= out.len; cut++) {
        struct sim_peer *peer = world_connect(&world);
        raw_send(&world, peer, out.data, cut);
        if (cut % 2) {
            sim_reset(peer);
        } else {
            sim_shutdown(peer);
        }
        sim_run(world.loop);
        expect_nothing_left(&world);
        sim_peer_free(peer);
    }
    buf_finish(&out);
    world_close(&world);
}

TEST(test_sends_may_be_short_or_fail_anywhere)
{
    struct buf out;
    buf_init(&out, 0);
    add_all(&out);
    for (size_t window = 0; window < 1500000; window = window * 2 + 7) {
        struct world world;
        world_open(&world);
        struct sim_peer *peer = world_connect(&world);
        sim_set_max_write(peer, 1000 + window / 3);
        sim_set_window(peer, window);
        raw_send(&world, peer, out.data, out.len);
        sim_fail_next(peer, LOOP_OP_SEND, window % 2 ? ECONNRESET : EPIPE);
        sim_set_window(peer, SIZE_MAX);
        sim_run(world.loop);
        sim_shutdown(peer);
        sim_run(world.loop);
        expect_nothing_left(&world);
        EXPECT_INT(world.big_released, 1);
        sim_peer_free(peer);
        world_close(&world);
    }
    buf_finish(&out);
}

/* ---- L4: ends in every order ----------------------------------------------------------------- */

enum end { END_RESET_STREAM, END_RESUME, END_SHUTDOWN, END_RESET, END_TIME, END_DRAIN, END_COUNT };

static void do_end(struct world *world, struct sim_peer *peer, enum end end)
{
    static const uint8_t cancel[] = {0, 0, 0, 8};
    switch (end) {
    case END_RESET_STREAM:
        for (int32_t id = 1; id <= 17; id += 2) {
            raw_frame(world, peer, NGHTTP2_RST_STREAM, 0, id, cancel, sizeof cancel);
        }
        break;
    case END_RESUME:
        (void)world_resume(world, 204);
        break;
    case END_SHUTDOWN:
        sim_shutdown(peer);
        break;
    case END_RESET:
        sim_reset(peer);
        break;
    case END_TIME:
        sim_advance(world->loop, 15000);
        break;
    default:
        conn_set_drain(&world->set);
        break;
    }
    sim_run(world->loop);
}

static void run_order(const enum end *order, const struct buf *out, size_t window)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, window);
    raw_send(&world, peer, out->data, out->len);
    for (int i = 0; i < END_COUNT; i++) {
        do_end(&world, peer, order[i]);
    }
    expect_nothing_left(&world);
    EXPECT_INT(world.big_released, 1);
    sim_peer_free(peer);
    world_close(&world);
}

/* Heap's algorithm. */
static unsigned permute(enum end *order, unsigned n, const struct buf *out, size_t window)
{
    if (n == 1) {
        run_order(order, out, window);
        return 1;
    }
    unsigned count = 0;
    for (unsigned i = 0; i < n; i++) {
        count += permute(order, n - 1, out, window);
        unsigned with = n % 2 ? 0 : i;
        enum end kept = order[with];
        order[with] = order[n - 1];
        order[n - 1] = kept;
    }
    return count;
}

TEST(test_ends_may_come_in_any_order)
{
    static const size_t windows[] = {20 * 1000, SIZE_MAX};
    struct buf out;
    buf_init(&out, 0);
    add_all(&out);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        enum end order[END_COUNT] = {END_RESET_STREAM, END_RESUME, END_SHUTDOWN,
                                     END_RESET,        END_TIME,   END_DRAIN};
        EXPECT_INT(permute(order, END_COUNT, &out, windows[i]), 720);
    }
    buf_finish(&out);
}
