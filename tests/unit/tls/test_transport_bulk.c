/* tests/unit/tls/test_transport_bulk.c — much data through TLS: how much is encrypted ahead for a
 * client who does not read, what the kernel is told of what follows, and that neither shows in the
 * bytes. On the simulated loop. */
#include "support_transport.h"

#include "base/alloc.h"
#include "loop/warm_file.h"
#include "test.h"
#include "tls/tls_link.h"

#include <errno.h>
#include <unistd.h>

static char big[MB];

static void open_connected(struct tls_world *world, struct tls_end *end, int version)
{
    tls_fill(big, sizeof big);
    tls_world_open(world, version);
    tls_end_connect(end, world);
}

static const struct tls_out *out_of(const struct tls_end *end)
{
    const struct tls_link *link = end->transport.state;
    return link->out;
}

/* What has no room is not encrypted: a knock, and what the last record had too much. */
static void expect_little_ahead(struct tls_world *world, struct tls_end *end, size_t window)
{
    sim_set_window(end->peer, window);
    sim_run(world->loop);
    EXPECT(out_of(end) != NULL);
    EXPECT(out_of(end)->room <= TLS_OUT_SMALL_BYTES + TLS_KNOCK_BYTES);
}

TEST(test_a_client_who_does_not_read_holds_little)
{
    static const size_t windows[] = {0, 1, 3000, 5000, 20 * KB, 60 * KB, 300 * KB};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned i = 0; i < 2 * sizeof windows / sizeof *windows; i++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, versions[i % 2]);
        sim_set_window(end.peer, 0);
        int fd = tls_make_file(big, sizeof big);
        tls_end_send_file(&end, fd, 0, sizeof big);
        expect_little_ahead(&world, &end, windows[i / 2]);
        expect_little_ahead(&world, &end, windows[i / 2]);
        sim_set_window(end.peer, SIZE_MAX);
        tls_end_run(&end);
        tls_end_expect(&end, big, sizeof big);
        EXPECT(out_of(&end) == NULL);
        close(fd);
        tls_end_close_both(&world, &end);
    }
}

/* The socket takes less than it has said: what is left moves to a block of its own size. */
TEST(test_what_a_socket_leaves_of_a_buffer_is_kept_alone)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    tls_end_send(&end, big, 200 * KB);
    sim_set_window(end.peer, 60 * KB); /* after it was asked */
    sim_run(world.loop);
    EXPECT(out_of(&end) != NULL);
    EXPECT_INT(out_of(&end)->size, TLS_OUT_EXACT);
    EXPECT_INT(out_of(&end)->room, out_of(&end)->end);
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    tls_end_expect(&end, big, 200 * KB);
    tls_end_close_both(&world, &end);
}

/* Of the simulated world's allocations some are met, which end the connection's sends. */
TEST(test_without_memory_for_that_it_stays_where_it_is)
{
    unsigned went_on = 0;
    for (int n = 1, has_failed = 1; has_failed; n++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, TLS1_3_VERSION);
        tls_end_send(&end, big, 200 * KB);
        sim_set_window(end.peer, 60 * KB);
        mem_fail_nth((uint64_t)n);
        sim_run(world.loop);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        sim_set_window(end.peer, SIZE_MAX);
        tls_end_run(&end);
        if (end.send_result > 0) {
            tls_end_expect(&end, big, 200 * KB);
            went_on += has_failed ? 1 : 0;
        }
        tls_end_close_both(&world, &end);
    }
    EXPECT(went_on > 0);
}

/* The kernel may keep an end that fills no packet while more of the same is to come, and only then. */
TEST(test_all_sends_but_the_last_of_a_file_say_that_more_follows)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 300 * KB);
    sim_set_window(end.peer, 150 * KB);
    tls_end_send_file(&end, fd, 0, 300 * KB);
    sim_run(world.loop);
    EXPECT(sim_expects_more(end.peer));
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    EXPECT(!sim_expects_more(end.peer));
    tls_end_expect(&end, big, 300 * KB);
    close(fd);
    tls_end_close_both(&world, &end);
}

TEST(test_a_small_answer_says_that_nothing_follows)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    tls_end_send(&end, big, 600);
    tls_end_run(&end);
    EXPECT(!sim_expects_more(end.peer));
    tls_end_expect(&end, big, 600);
    tls_end_close_both(&world, &end);
}

/* In whatever pieces it lies, over whatever window. */
TEST(test_pieces_of_any_size_become_records)
{
    static const size_t firsts[] = {1, 1359, 1361, 16383, 16384, 16385, 40000};
    for (unsigned i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end, TLS1_3_VERSION);
        size_t first = firsts[i], second = 30000, third = 70000;
        end.pieces[0] = (struct iovec){big, first};
        end.pieces[1] = (struct iovec){big + first, 0};
        end.pieces[2] = (struct iovec){big + first, second};
        end.pieces[3] = (struct iovec){big + first + second, third};
        end.piece_count = 4;
        end.file.fd = -1;
        tls_end_send_pieces(&end);
        tls_end_run(&end);
        tls_end_expect(&end, big, first + second + third);
        tls_end_close_both(&world, &end);
    }
}

/* A disk that does not say what is in memory: the job's window goes, chunk by chunk. */
TEST(test_a_file_system_that_cannot_tell_is_awaited)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end, TLS1_3_VERSION);
    int fd = tls_make_file(big, 300 * KB);
    EXPECT_INT(warm_files_start(world.loop, NULL), 0);
    sim_set_probe(world.loop, -EOPNOTSUPP);
    tls_end_send_file(&end, fd, 0, 300 * KB);
    tls_end_run(&end);
    tls_end_expect(&end, big, 300 * KB);
    close(fd);
    tls_end_close_both(&world, &end);
}
