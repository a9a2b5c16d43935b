/* tests/unit/loop/test_fairness.c — one connection that always has more delays nobody: lessons L20,
 * seen from the loop. */
#include "support_rig.h"

#include "loop/sim.h"

#include <sys/mman.h>
#include <unistd.h>

static struct stream greedy, modest;
static unsigned greedy_calls, greedy_calls_before_modest;
static size_t greedy_bytes, greedy_bytes_before_modest;

static void modest_done(struct loop_op *op)
{
    EXPECT(op->result > 0);
    modest.recvs++;
    greedy_calls_before_modest = greedy_calls;
    greedy_bytes_before_modest = greedy_bytes;
}

static void read_on(struct loop_op *op)
{
    if (op->result > 0) {
        greedy_calls++;
        greedy_bytes += (size_t)op->result;
        loop_recv(greedy.loop, &greedy.socket, op, 100, read_on);
    }
}

EACH(a_socket_that_always_has_more_to_read_is_read_once_a_turn)
{
    struct rig rig;
    rig_open(&rig, backend);
    stream_open(&rig, &greedy);
    stream_open(&rig, &modest);
    rig_settle(&rig);
    static char block[20000];
    client_send(&greedy.client, block, sizeof(block));
    loop_recv(rig.loop, &greedy.socket, &greedy.reading, 100, read_on);
    RUN_UNTIL(&rig, greedy_calls == 1);
    for (unsigned turn = 2; turn <= 10; turn++) {
        EXPECT(loop_turn(rig.loop, 1000)); /* never waits: there is more */
        EXPECT_INT(greedy_calls, turn);
    }
    client_send_text(&modest.client, "me too");
    loop_recv(rig.loop, &modest.socket, &modest.reading, 100, modest_done);
    unsigned before = greedy_calls;
    RUN_UNTIL(&rig, modest.recvs == 1);
    EXPECT(greedy_calls_before_modest <= before + 3);
    RUN_UNTIL(&rig, greedy_bytes == sizeof(block));
    loop_cancel(rig.loop, &greedy.reading);
    stream_close(&rig, &greedy);
    stream_close(&rig, &modest);
    rig_close(&rig);
}

static int file_fd;
static bool stop_sending;

static void send_on(struct loop_op *op)
{
    if (op->result > 0 && !stop_sending) {
        greedy_calls++;
        greedy_bytes += (size_t)op->result;
        loop_send_file(greedy.loop, &greedy.socket, op, &(struct loop_file){file_fd, 0, 16 << 20},
                       send_on);
    }
}

EACH(a_big_download_gets_a_bounded_share_of_a_turn)
{
    struct rig rig;
    rig_open(&rig, backend);
    stream_open(&rig, &greedy);
    file_fd = memfd_create("big", MFD_CLOEXEC);
    EXPECT_INT(ftruncate(file_fd, 16 << 20), 0);
    loop_send_file(rig.loop, &greedy.socket, &greedy.writing,
                   &(struct loop_file){file_fd, 0, 16 << 20}, send_on);
    size_t before = 0;
    for (unsigned turn = 0; turn < 12; turn++) {
        loop_turn(rig.loop, 0);
        EXPECT(greedy_bytes - before <= 512 * 1024);
        before = greedy_bytes;
        client_received(&greedy.client); /* a client that takes all there is */
    }
    EXPECT(greedy_bytes > 512 * 1024);
    stop_sending = true;
    stream_close(&rig, &greedy);
    close(file_fd);
    rig_close(&rig);
}

static char letter = 'x';

static void send_byte_after_byte(struct loop_op *op)
{
    if (op->result > 0 && !stop_sending) {
        greedy_calls++;
        loop_send(greedy.loop, &greedy.socket, op, &greedy.iov, 1, send_byte_after_byte);
    }
}

EACH(a_stream_of_tiny_sends_is_bounded_too)
{
    struct rig rig;
    rig_open(&rig, backend);
    stream_open(&rig, &greedy);
    greedy.iov = (struct iovec){&letter, 1};
    loop_send(rig.loop, &greedy.socket, &greedy.writing, &greedy.iov, 1, send_byte_after_byte);
    RUN_UNTIL(&rig, greedy_calls > 0);
    EXPECT(greedy_calls <= 128);
    unsigned before = greedy_calls;
    loop_turn(rig.loop, 10);
    EXPECT(greedy_calls > before && greedy_calls <= before + 128);
    stop_sending = true;
    stream_close(&rig, &greedy);
    rig_close(&rig);
}

EACH(one_send_of_many_megabytes_is_cut_to_the_share)
{
    struct rig rig;
    rig_open(&rig, backend);
    stream_open(&rig, &greedy);
    char *block = calloc(1, 4 << 20);
    stream_send(&greedy, block, 4 << 20);
    RUN_UNTIL(&rig, greedy.sends > 0);
    EXPECT_INT(greedy.sends, 1);
    EXPECT(greedy.send_result > 0 && greedy.send_result <= 512 * 1024);
    stream_close(&rig, &greedy);
    free(block);
    rig_close(&rig);
}

/* Many pieces that together pass the share, the first alone not; and a first that does, followed by
 * an empty one. */
EACH(pieces_are_cut_to_the_share_in_order)
{
    struct rig rig;
    rig_open(&rig, backend);
    enum { BIG = 400 * 1024, HUGE = 600 * 1024 };
    char *block = malloc(HUGE);
    memset(block, 'a', HUGE);
    for (int shape = 0; shape < 2; shape++) {
        stream_open(&rig, &greedy);
        struct iovec two[2] = {{block, BIG}, {block, BIG}};
        struct iovec cut[2] = {{block, HUGE}, {block, 0}};
        greedy.iov = two[0];
        loop_send(rig.loop, &greedy.socket, &greedy.writing, shape ? cut : two, 2,
                  send_byte_after_byte);
        stop_sending = true;
        greedy.writing.result = 0;
        RUN_UNTIL(&rig, !greedy.writing.is_pending);
        EXPECT(greedy.writing.result > 0);
        EXPECT(greedy.writing.result <= (shape ? 512 * 1024 : BIG));
        stream_close(&rig, &greedy);
    }
    free(block);
    rig_close(&rig);
}
