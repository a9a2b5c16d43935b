/* tests/unit/tls/test_warm.c — for whom OpenSSL keeps its buffers: those that read again and again,
 * no more than a loop has places for, and not when they have fallen silent. Which do shows in a mode
 * of the SSL; what they take of the heap test_memory.c counts. */
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"

#include <errno.h>

enum {
    PLACES = 64, /* tls_link.h: TLS_WARM_LINKS */
    SWEEP_MS = 1000,
    HEADER_BYTES = 5 /* RFC 8446 §5.1 */
};

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static bool is_warm(const struct tls_end *end)
{
    return !(SSL_get_mode(tls_transport_ssl(&end->transport)) & SSL_MODE_RELEASE_BUFFERS);
}

static void ask(struct tls_end *end)
{
    tls_client_write(end, "?", 1);
    tls_end_run(end);
}

/* It has asked twice. */
static void make_busy(struct tls_end *end)
{
    ask(end);
    ask(end);
}

static void open_busy(struct tls_world *world, struct tls_end *end, int version)
{
    tls_world_open(world, version);
    tls_end_connect(end, world);
    make_busy(end);
    EXPECT(is_warm(end));
}

/* ---- who ------------------------------------------------------------------------------------- */

TEST(test_the_second_read_makes_a_connection_warm)
{
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_connect(&end, &world);
        EXPECT(!is_warm(&end));
        ask(&end);
        EXPECT(!is_warm(&end));
        ask(&end);
        EXPECT(is_warm(&end));
        tls_end_close_both(&world, &end);
    }
}

TEST(test_a_connection_that_falls_silent_is_warm_no_more)
{
    struct tls_world world;
    struct tls_end end;
    open_busy(&world, &end, TLS1_3_VERSION);
    sim_advance(world.loop, 2 * SWEEP_MS);
    EXPECT(!is_warm(&end));
    ask(&end); /* and is again with its next read */
    EXPECT(is_warm(&end));
    tls_end_close_both(&world, &end);
}

TEST(test_a_connection_that_goes_on_reading_stays_warm)
{
    struct tls_world world;
    struct tls_end end;
    open_busy(&world, &end, TLS1_3_VERSION);
    for (unsigned i = 0; i < 10; i++) {
        sim_advance(world.loop, SWEEP_MS - 100);
        EXPECT(is_warm(&end));
        ask(&end);
    }
    tls_end_close_both(&world, &end);
}

/* A timer that goes on would wake an idle server for ever. */
TEST(test_nobody_is_looked_for_when_nobody_is_warm)
{
    struct tls_world world;
    struct tls_end end;
    open_busy(&world, &end, TLS1_3_VERSION);
    EXPECT(sim_step(world.loop, loop_now_ms(world.loop) + SWEEP_MS + 100));
    sim_advance(world.loop, 2 * SWEEP_MS);
    EXPECT(!sim_step(world.loop, loop_now_ms(world.loop) + 10 * SWEEP_MS));
    tls_end_close_both(&world, &end);
}

/* ---- how many -------------------------------------------------------------------------------- */

struct crowd {
    struct tls_world world;
    struct tls_end ends[PLACES + 6];
};

static void crowd_open(struct crowd *crowd)
{
    tls_world_open(&crowd->world, TLS1_3_VERSION);
    for (unsigned i = 0; i < PLACES + 6; i++) {
        tls_end_connect(&crowd->ends[i], &crowd->world);
        make_busy(&crowd->ends[i]);
    }
}

static unsigned count_warm(const struct crowd *crowd)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PLACES + 6; i++) {
        count += crowd->ends[i].calls.closed == 0 && is_warm(&crowd->ends[i]);
    }
    return count;
}

static void crowd_close(struct crowd *crowd)
{
    for (unsigned i = 0; i < PLACES + 6; i++) {
        tls_end_close(&crowd->ends[i]);
    }
    tls_world_close(&crowd->world);
}

TEST(test_no_more_are_warm_than_a_loop_has_places)
{
    static struct crowd crowd;
    crowd_open(&crowd);
    EXPECT_INT(count_warm(&crowd), PLACES);
    EXPECT(!is_warm(&crowd.ends[PLACES]));
    ask(&crowd.ends[PLACES]); /* it is served without one */
    EXPECT_INT(crowd.ends[PLACES].got.len, 3);
    crowd_close(&crowd);
}

TEST(test_the_place_of_who_falls_silent_is_the_next_ones)
{
    static struct crowd crowd;
    crowd_open(&crowd);
    sim_advance(crowd.world.loop, SWEEP_MS);
    for (unsigned i = 0; i < PLACES; i++) {
        if (i != 0 && i != 17 && i != PLACES - 1) {
            ask(&crowd.ends[i]);
        }
    }
    sim_advance(crowd.world.loop, SWEEP_MS);
    EXPECT_INT(count_warm(&crowd), PLACES - 3);
    EXPECT(!is_warm(&crowd.ends[0]) && !is_warm(&crowd.ends[17]));
    EXPECT(!is_warm(&crowd.ends[PLACES - 1]));
    for (unsigned i = PLACES; i < PLACES + 6; i++) {
        ask(&crowd.ends[i]);
        EXPECT(is_warm(&crowd.ends[i]) == (i < PLACES + 3));
    }
    crowd_close(&crowd);
}

TEST(test_the_place_of_who_goes_is_the_next_ones)
{
    static struct crowd crowd;
    crowd_open(&crowd);
    tls_end_shut(&crowd.ends[5], true);
    tls_end_shut(&crowd.ends[PLACES - 1], true);
    sim_run(crowd.world.loop);
    EXPECT_INT(count_warm(&crowd), PLACES - 2);
    ask(&crowd.ends[PLACES]);
    ask(&crowd.ends[PLACES + 1]);
    EXPECT(is_warm(&crowd.ends[PLACES]) && is_warm(&crowd.ends[PLACES + 1]));
    EXPECT_INT(count_warm(&crowd), PLACES);
    crowd_close(&crowd);
}

/* ---- in the middle of things ------------------------------------------------------------------- */

/* A record of the client's is cut after so many bytes; the rest comes when the connection has been
 * silent for long. */
static void fall_silent_inside_record(struct tls_end *end, size_t cut)
{
    static const char text[] = "the request that came in two parts";
    size_t before = end->got.len;
    tls_client_write(end, text, sizeof text - 1);
    struct buf out = tls_client_step(end);
    EXPECT(cut < out.len && out.len > HEADER_BYTES + sizeof text);
    tls_client_send_raw(end, out.data, cut);
    sim_advance(end->world->loop, 5 * SWEEP_MS);
    EXPECT(is_warm(end));
    tls_client_send_raw(end, out.data + cut, out.len - cut);
    EXPECT_INT(end->got.len, before + sizeof text - 1);
    EXPECT(memcmp(end->got.data + before, text, sizeof text - 1) == 0);
    buf_finish(&out);
}

/* RFC 8446 §5.1: a record may come in any pieces; behind its header is the one that OpenSSL had
 * forgotten to look at. */
TEST(test_a_connection_that_falls_silent_inside_a_record_keeps_its_place)
{
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        open_busy(&world, &end, versions[v]);
        for (size_t cut = 1; cut < 40; cut++) {
            fall_silent_inside_record(&end, cut);
            sim_advance(world.loop, 2 * SWEEP_MS);
            EXPECT(!is_warm(&end));
            make_busy(&end);
            EXPECT(is_warm(&end));
        }
        tls_end_close_both(&world, &end);
    }
}

/* The owner takes few bytes at once, and then none: the rest of the record lies in the buffer. */
TEST(test_a_connection_that_falls_silent_with_bytes_unread_keeps_its_place)
{
    static char data[10 * KB];
    struct tls_world world;
    struct tls_end end;
    tls_fill(data, sizeof data);
    open_busy(&world, &end, TLS1_3_VERSION);
    buf_clear(&end.got);
    end.max_bytes = 1000;
    ask(&end); /* the recv of before took 64 KB */
    end.reads = false;
    buf_clear(&end.got);
    tls_client_write(&end, data, sizeof data);
    tls_end_run(&end);
    EXPECT_INT(end.got.len, 1000);
    sim_advance(world.loop, 3 * SWEEP_MS);
    EXPECT(is_warm(&end));
    end.reads = true;
    tls_end_recv(&end);
    tls_end_run(&end);
    EXPECT_INT(end.got.len, sizeof data);
    EXPECT(memcmp(end.got.data, data, sizeof data) == 0);
    sim_advance(world.loop, 2 * SWEEP_MS);
    EXPECT(!is_warm(&end));
    tls_end_close_both(&world, &end);
}

/* A slow reader: what is encrypted is on its way, more of the same send is to come. */
TEST(test_a_connection_that_cools_inside_a_send_loses_nothing)
{
    static char data[300 * KB];
    struct tls_world world;
    struct tls_end end;
    tls_fill(data, sizeof data);
    open_busy(&world, &end, TLS1_3_VERSION);
    sim_set_window(end.peer, 5000);
    tls_end_send(&end, data, sizeof data);
    tls_end_run(&end);
    sim_advance(world.loop, 2 * SWEEP_MS);
    EXPECT(!is_warm(&end));
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    tls_end_expect(&end, data, sizeof data);
    tls_end_close_both(&world, &end);
}

TEST(test_a_connection_that_was_closed_may_cool_while_its_goodbye_waits)
{
    struct tls_world world;
    struct tls_end end;
    open_busy(&world, &end, TLS1_3_VERSION);
    sim_advance(world.loop, SWEEP_MS);
    sim_set_window(end.peer, 0);
    tls_end_shut(&end, false);
    sim_advance(world.loop, SWEEP_MS - 1);
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    tls_end_close_both(&world, &end);
}

/* RFC 8446 §6.2: behind a fatal alert nothing more is read. */
TEST(test_a_connection_that_has_failed_may_cool)
{
    struct tls_world world;
    struct tls_end end;
    open_busy(&world, &end, TLS1_3_VERSION);
    tls_client_send_raw(&end,
                        "\x17\x03\x03\x00\x20"
                        "a record that nobody has sealed.",
                        37);
    EXPECT_INT(end.recv_result, TRANSPORT_BROKEN);
    sim_advance(world.loop, 2 * SWEEP_MS);
    EXPECT(!is_warm(&end));
    tls_end_close_both(&world, &end);
}
