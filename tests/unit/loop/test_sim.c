/* tests/unit/loop/test_sim.c — the simulated world keeps the script: pieces, windows, failures,
 * time. */
#include "support_rig.h"

#include "base/alloc.h"
#include "loop/sim.h"

#include <sys/mman.h>
#include <unistd.h>

static struct rig rig;
static struct stream s;
static struct sim_peer *peer;
static char pieces[128];

static void set_up(void)
{
    rig_open(&rig, LOOP_BACKEND_SIM);
    stream_open(&rig, &s);
    peer = s.client.peer;
}

static void tear_down(void)
{
    stream_close(&rig, &s);
    EXPECT_INT(sim_open_count(rig.loop), 0);
    rig_close(&rig);
}

static void add_piece(const void *bytes, size_t len)
{
    size_t used = strlen(pieces);
    EXPECT(used + len < sizeof(pieces));
    memcpy(pieces + used, bytes, len);
    pieces[used + len] = '\0';
}

static void note_piece(struct loop_op *op)
{
    if (op->result <= 0) {
        add_piece(op->result == 0 ? "." : "!", 1);
        return;
    }
    add_piece(op->data, (size_t)op->result);
    add_piece("|", 1);
    loop_recv(s.loop, &s.socket, op, 100, note_piece);
}

TEST(bytes_come_in_pieces_of_the_scripted_size)
{
    set_up();
    sim_set_max_read(peer, 2);
    EXPECT_INT(sim_send(peer, "abcde", 5), 0);
    loop_recv(rig.loop, &s.socket, &s.reading, 100, note_piece);
    sim_run(rig.loop);
    EXPECT_TEXT(pieces, "ab|cd|e|");
    EXPECT_INT(sim_send(peer, "fg", 2), 0);
    sim_shutdown(peer);
    sim_run(rig.loop);
    EXPECT_TEXT(pieces, "ab|cd|e|fg|.");
    tear_down();
}

static void note_sent(struct loop_op *op)
{
    char number[32];
    int len = snprintf(number, sizeof(number), "%zd ", op->result);
    add_piece(number, (size_t)len);
    if (op->result > 0 && (size_t)op->result < s.iov.iov_len) {
        s.iov.iov_base = (char *)s.iov.iov_base + op->result;
        s.iov.iov_len -= (size_t)op->result;
        loop_send(s.loop, &s.socket, op, &s.iov, 1, note_sent);
    }
}

static void send_text(const char *text)
{
    s.iov = (struct iovec){(void *)(uintptr_t)text, strlen(text)};
    loop_send(rig.loop, &s.socket, &s.writing, &s.iov, 1, note_sent);
}

TEST(sends_are_taken_in_pieces_of_the_scripted_size)
{
    set_up();
    sim_set_max_write(peer, 3);
    send_text("abcdefgh");
    sim_run(rig.loop);
    EXPECT_TEXT(pieces, "3 3 2 ");
    EXPECT_SPAN(sim_received(peer), "abcdefgh");
    sim_consume(peer, 6);
    EXPECT_SPAN(sim_received(peer), "gh");
    tear_down();
}

TEST(a_window_holds_the_server_until_it_opens)
{
    set_up();
    sim_set_window(peer, 4);
    send_text("abcdefgh");
    sim_advance(rig.loop, 100000);
    EXPECT_SPAN(sim_received(peer), "abcd");
    sim_set_window(peer, SIZE_MAX);
    sim_run(rig.loop);
    EXPECT_SPAN(sim_received(peer), "abcdefgh");
    tear_down();
}

TEST(scripted_failures_hit_the_next_operation_of_their_kind)
{
    set_up();
    sim_fail_next(peer, LOOP_OP_SEND, ENOBUFS);
    send_text("x");
    sim_run(rig.loop);
    EXPECT_INT(s.writing.result, -ENOBUFS);
    stream_recv(&s);
    sim_run(rig.loop);
    sim_fail_next(peer, LOOP_OP_RECV, ETIMEDOUT);
    sim_run(rig.loop);
    EXPECT_INT(s.recv_result, -ETIMEDOUT);
    sim_fail_next(peer, LOOP_OP_SEND, EAGAIN); /* spuriously full: goes on by itself */
    send_text("y");
    sim_run(rig.loop);
    EXPECT_SPAN(sim_received(peer), "y");
    tear_down();
}

TEST(a_failing_send_file_is_scripted_too)
{
    set_up();
    int fd = memfd_create("f", MFD_CLOEXEC);
    EXPECT_INT(write(fd, "abc", 3), 3);
    sim_fail_next(peer, LOOP_OP_SEND_FILE, EIO);
    loop_send_file(rig.loop, &s.socket, &s.writing, &(struct loop_file){fd, 0, 3}, note_sent);
    sim_run(rig.loop);
    EXPECT_INT(s.writing.result, -EIO);
    close(fd);
    tear_down();
}

static struct timer timers[3];
static int64_t fired_at[3];

static void note_timer(struct timer *timer)
{
    fired_at[timer - timers] = loop_now_ms(rig.loop);
}

TEST(advance_runs_what_falls_due_in_order_at_its_own_time)
{
    set_up();
    int64_t start = loop_now_ms(rig.loop);
    EXPECT_INT(start, 1000000);
    for (int i = 0; i < 3; i++) {
        loop_timer_start(rig.loop, &timers[i], start + 1000 * (i + 1) + i, note_timer);
    }
    sim_advance(rig.loop, 2500);
    EXPECT_INT(fired_at[0], start + 1000);
    EXPECT_INT(fired_at[1], start + 2001);
    EXPECT_INT(fired_at[2], 0);
    EXPECT_INT(loop_now_ms(rig.loop), start + 2500);
    EXPECT_INT(loop_wall_s(rig.loop), 1767225600 + 2);
    sim_advance(rig.loop, INT64_C(86400) * 365 * 1000);
    EXPECT_INT(fired_at[2], start + 3002);
    tear_down();
}

TEST(closing_with_unread_bytes_resets_as_linux_does)
{
    set_up();
    EXPECT_INT(sim_send(peer, "unread", 6), 0);
    loop_socket_close(rig.loop, &s.socket, false);
    sim_run(rig.loop);
    EXPECT(sim_is_closed(peer) && sim_is_reset(peer));
    EXPECT_INT(sim_send(peer, "x", 1), GALLEY_ECLOSED);
    client_close(&s.client);
    rig_close(&rig);
}

TEST(a_client_may_go_before_the_server_closes_or_after)
{
    set_up();
    stream_recv(&s);
    client_close(&s.client);
    sim_run(rig.loop);
    EXPECT_INT(s.recv_result, 0);
    send_text("x");
    sim_run(rig.loop);
    EXPECT_INT(s.writing.result, -EPIPE);
    loop_socket_close(rig.loop, &s.socket, false);
    sim_run(rig.loop);
    EXPECT_INT(s.closes, 1);
    rig_close(&rig);
}

TEST(descriptors_are_not_used_twice_and_a_closed_one_cannot_be_opened)
{
    set_up();
    int fd = s.socket.fd, other;
    stream_close(&rig, &s);
    struct loop_socket socket;
    EXPECT_INT(loop_socket_open(rig.loop, &socket, fd, LOOP_SOCKET_STREAM, NULL), -EBADF);
    peer = sim_pair(rig.loop, &other);
    EXPECT(other != fd);
    loop_close_fd(rig.loop, other);
    EXPECT_INT(sim_open_count(rig.loop), 0);
    loop_destroy(rig.loop);
    EXPECT(sim_is_closed(peer)); /* the client's end outlives the world */
    sim_peer_free(peer);
}

TEST(each_allocation_of_the_world_may_fail)
{
    rig_open(&rig, LOOP_BACKEND_SIM);
    int fd = -1, listener = -1;
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        mem_fail_nth(n);
        listener = sim_listener(rig.loop);
        peer = sim_pair(rig.loop, &fd);
        struct sim_peer *waiting = listener >= 0 ? sim_connect(rig.loop, listener) : NULL;
        if (peer) {
            int result = sim_send(peer, "abc", 3);
            EXPECT(result == 0 || result == GALLEY_ENOMEM);
            loop_close_fd(rig.loop, fd);
        }
        sim_peer_free(peer);
        sim_peer_free(waiting);
        has_failed = mem_fail_happened();
    }
    mem_fail_nth(0);
    loop_destroy(rig.loop);
}
