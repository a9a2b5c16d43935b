/* tests/unit/tls/test_transport_send.c — sending through TLS: bounded memory, partial sends, the
 * size of records, files. On the simulated loop. */
#include "support_transport.h"

#include "base/alloc.h"
#include "loop/warm_file.h"
#include "test.h"

#include <errno.h>
#include <unistd.h>

enum { APPLICATION_DATA = 23 }; /* RFC 8446 §5.1 */

static char big[MB];

static void open_connected(struct tls_world *world, struct tls_end *end, int version)
{
    tls_world_open(world, version);
    tls_end_connect(end, world);
    end->keeps_wire = true;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* Never is more called sent than has left, and never does more wait than one buffer. */
TEST(test_a_slow_reader_gets_all_and_takes_one_buffer)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    tls_fill(big, sizeof big);
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, versions[v]);
        int64_t blocks = mem_live_blocks();
        sim_set_window(end.peer, 0);
        tls_end_send(&end, big, sizeof big);
        while (end.sent < sizeof big) {
            sim_set_window(end.peer, 3000);
            tls_end_run(&end);
            EXPECT(end.sent <= end.wire.len);
            EXPECT(mem_live_blocks() <= blocks + 4); /* the buffer, and the test's own */
        }
        sim_set_window(end.peer, SIZE_MAX);
        tls_end_run(&end);
        EXPECT(end.calls.sends > 50); /* progress is told in small steps: rates are judged by it */
        tls_end_expect(&end, big, sizeof big);
        tls_end_close_both(&world, &end);
    }
}

TEST(test_sends_of_any_size_arrive_in_order_over_any_socket)
{
    struct tls_world world;
    struct tls_end end;
    tls_fill(big, sizeof big);
    open_connected(&world, &end, TLS1_3_VERSION);
    size_t at = 0;
    for (unsigned i = 0; i < test_rounds(60); i++) {
        size_t len = 1 + test_random_below(i % 3 ? 3 * KB : 200 * KB);
        len = len < sizeof big - at ? len : sizeof big - at;
        sim_set_max_write(end.peer, test_random_below(2) ? 1 + test_random_below(20 * KB) : 0);
        sim_set_max_read(end.peer, test_random_below(3) ? 0 : 1 + test_random_below(50));
        tls_client_write(&end, big, 1 + test_random_below(100));
        if (len > 0) {
            tls_end_send(&end, big + at, len);
            tls_end_run(&end);
        }
        at += len;
        EXPECT_INT(end.sent, at);
    }
    tls_end_expect(&end, big, at);
    tls_end_close_both(&world, &end);
}

static void write_into_closed(struct tls_end *end)
{
    (void)end;
}

TEST(test_an_error_of_the_socket_ends_this_send_and_the_next)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    end.on_sent = write_into_closed;
    sim_fail_next(end.peer, LOOP_OP_SEND, EPIPE);
    tls_end_send(&end, "answer", 6);
    sim_run(world.loop);
    EXPECT_INT(end.send_result, -EPIPE);
    tls_end_send(&end, "answer", 6);
    sim_run(world.loop);
    EXPECT_INT(end.send_result, -EPIPE);
    EXPECT_INT(tls_end_shutdown(&end), -EPIPE);
    tls_end_close_both(&world, &end);
}

/* ---- records --------------------------------------------------------------------------------- */

TEST(test_a_head_and_its_body_share_a_record)
{
    struct tls_world world;
    struct tls_end end;
    size_t largest;
    open_connected(&world, &end, TLS1_3_VERSION);
    end.pieces[0] = (struct iovec){(void *)(uintptr_t) "head", 4};
    end.pieces[1] = (struct iovec){(void *)(uintptr_t) "", 0};
    end.pieces[2] = (struct iovec){(void *)(uintptr_t) "body", 4};
    end.piece_count = 3;
    tls_end_send_pieces(&end);
    tls_end_run(&end);
    EXPECT_SPAN(buf_span(&end.client_got), "headbody");
    EXPECT_INT(tls_records(&end.wire, 0, APPLICATION_DATA, &largest), 1);
    tls_end_close_both(&world, &end);
}

TEST(test_records_fit_a_packet_at_first_and_after_a_silence)
{
    struct tls_world world;
    struct tls_end end;
    size_t largest;
    open_connected(&world, &end, TLS1_3_VERSION);
    tls_end_send(&end, big, 10 * KB);
    tls_end_run(&end);
    EXPECT_INT(tls_records(&end.wire, 0, APPLICATION_DATA, &largest), 8);
    EXPECT(largest <= 1400);
    tls_end_send(&end, big, 200 * KB);
    tls_end_run(&end);
    size_t at = end.wire.len;
    tls_end_send(&end, big, 200 * KB);
    tls_end_run(&end);
    EXPECT_INT(tls_records(&end.wire, at, APPLICATION_DATA, &largest), 13);
    EXPECT(largest > 16 * KB && largest <= 16 * KB + 256);
    sim_advance(world.loop, 1001);
    at = end.wire.len;
    tls_end_send(&end, big, 5 * KB);
    tls_end_run(&end);
    (void)tls_records(&end.wire, at, APPLICATION_DATA, &largest);
    EXPECT(largest <= 1400);
    tls_end_close_both(&world, &end);
}

/* ---- files ----------------------------------------------------------------------------------- */

TEST(test_a_file_is_read_into_records)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 300 * KB);
    tls_end_send_file(&end, fd, 0, 300 * KB);
    tls_end_run(&end);
    tls_end_expect(&end, big, 300 * KB);
    EXPECT(end.calls.sends < 6);
    close(fd);
    tls_end_close_both(&world, &end);
}

TEST(test_a_part_of_a_file_to_a_slow_reader)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 100 * KB);
    sim_set_max_write(end.peer, 1000);
    tls_end_send_file(&end, fd, 1, 100 * KB - 2);
    tls_end_run(&end);
    EXPECT_INT(end.client_got.len, 100 * KB - 2);
    EXPECT(memcmp(end.client_got.data, big + 1, 100 * KB - 2) == 0);
    close(fd);
    tls_end_close_both(&world, &end);
}

static void file_follows(struct tls_end *end)
{
    end->on_sent = NULL;
    EXPECT_INT(end->send_result, 4);
    EXPECT_INT(sim_received(end->peer).len, 0); /* not alone */
    tls_end_send_file(end, (int)end->max_bytes, 0, 10 * KB);
}

TEST(test_a_head_waits_for_the_file_that_follows)
{
    for (int is_cold = 0; is_cold < 2; is_cold++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, TLS1_3_VERSION);
        int fd = tls_make_file(big, 10 * KB);
        EXPECT_INT(warm_files_start(world.loop, NULL), 0); /* jobs run at once */
        sim_set_probe(world.loop, is_cold ? -EAGAIN : 0);
        end.max_bytes = (size_t)fd;
        end.on_sent = file_follows;
        end.more_follows = true;
        tls_end_send(&end, "head", 4);
        EXPECT_INT(end.calls.sends, 0);
        tls_end_run(&end);
        EXPECT_INT(end.client_got.len, 4 + 10 * KB);
        EXPECT(memcmp(end.client_got.data, "head", 4) == 0);
        EXPECT(memcmp(end.client_got.data + 4, big, 10 * KB) == 0);
        EXPECT_INT(warm_files_read_count(world.loop), is_cold);
        close(fd);
        tls_end_close_both(&world, &end);
    }
}

static void big_file_follows(struct tls_end *end)
{
    end->on_sent = NULL;
    tls_end_send_file(end, (int)end->max_bytes, 0, 100 * KB);
}

/* What is held back fills the buffer: it has to leave before the file is read. */
TEST(test_a_head_as_large_as_the_buffer_and_a_file)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 100 * KB);
    end.max_bytes = (size_t)fd;
    end.on_sent = big_file_follows;
    end.more_follows = true;
    tls_end_send(&end, big, 64 * KB);
    tls_end_run(&end);
    EXPECT_INT(end.client_got.len, 164 * KB);
    EXPECT(memcmp(end.client_got.data + 64 * KB, big, 100 * KB) == 0);
    close(fd);
    tls_end_close_both(&world, &end);
}

/* Small records take more room for each byte than full ones: there is enough, whatever stands before. */
TEST(test_heads_of_any_length_and_a_file_that_fills_the_buffer)
{
    struct tls_world world;
    int fd = tls_make_file(big, 100 * KB);
    tls_world_open(&world, TLS1_3_VERSION);
    for (size_t head = 1000; head <= 17000; head += 97) {
        struct tls_end end;
        tls_end_connect(&end, &world);
        end.max_bytes = (size_t)fd;
        end.on_sent = big_file_follows;
        end.more_follows = true;
        tls_end_send(&end, big, head);
        tls_end_run(&end);
        EXPECT_INT(end.client_got.len, head + 100 * KB);
        EXPECT(memcmp(end.client_got.data + head, big, 100 * KB) == 0);
        tls_end_close(&end);
    }
    tls_world_close(&world);
    close(fd);
}

/* The owner was wrong, or has gone another way: what was held back leaves all the same. */
TEST(test_a_head_that_nothing_follows_leaves_alone)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    end.more_follows = true;
    tls_end_send(&end, "head", 4);
    tls_end_run(&end);
    EXPECT_SPAN(buf_span(&end.client_got), "head");
    tls_end_close_both(&world, &end);
}

TEST(test_a_file_that_ends_early_is_told_as_nothing)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 100 * KB);
    tls_end_send_file(&end, fd, 0, 200 * KB);
    tls_end_run(&end);
    EXPECT_INT(end.sent, 100 * KB);
    EXPECT_INT(end.send_result, 0);
    tls_end_send_file(&end, 1000, 0, 10);
    tls_end_run(&end);
    EXPECT_INT(end.send_result, -EBADF);
    close(fd);
    tls_end_close_both(&world, &end);
}

TEST(test_a_close_while_a_file_is_awaited)
{
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, TLS1_3_VERSION);
        int fd = tls_make_file(big, 100 * KB);
        tls_end_send_file(&end, fd, 0, 100 * KB);
        tls_end_shut(&end, is_reset);
        sim_run(world.loop);
        EXPECT_INT(end.send_result, -ECANCELED);
        close(fd);
        tls_end_close_both(&world, &end);
    }
}
