/* tests/fault/test_loop_uring.c — what happens when io_uring's own calls fail: making the ring, each
 * registration, submitting, waiting. With real sockets. */
#include "base/list.h"
#include "base/span.h"
#include "loop/loop.h"
#include "support_wrap_uring.h"
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
    struct loop_socket socket;
    struct loop_op reading, writing;
    struct iovec iov;
    int client;
    unsigned recvs, sends, closed;
    ssize_t received, sent;
};

static struct loop *loop;
static struct conn conn;

static void make_loop(void)
{
    galley_error err = {0};
    loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err);
    if (!loop && err.code != GALLEY_ENOMEM) {
        test_skip(err.message);
    }
    EXPECT(loop != NULL);
}

static void conn_closed(struct loop_socket *socket)
{
    CONTAINER_OF(socket, struct conn, socket)->closed++;
}

static void received(struct loop_op *op)
{
    conn.received = op->result;
    conn.recvs++;
}

static void sent(struct loop_op *op)
{
    conn.sent = op->result;
    conn.sends++;
}

static bool turn_until(const unsigned *count, unsigned wanted)
{
    for (int i = 0; i < 300 && *count < wanted; i++) {
        loop_turn(loop, 10);
    }
    return *count >= wanted;
}

/* Returns what opening it said. */
static int open_conn(void)
{
    int fds[2];
    conn = (struct conn){.client = -1};
    EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    int result = loop_socket_open(loop, &conn.socket, fds[0], LOOP_SOCKET_STREAM, conn_closed);
    if (result < 0) {
        close(fds[0]);
        close(fds[1]);
        return result;
    }
    conn.client = fds[1];
    return 0;
}

static void close_conn(void)
{
    loop_socket_close(loop, &conn.socket, false);
    EXPECT(turn_until(&conn.closed, 1));
    close(conn.client);
}

static void say(const char *text)
{
    EXPECT_INT(write(conn.client, text, strlen(text)), strlen(text));
}

static void start_both(void)
{
    static char answer[] = "answer";
    conn.iov = (struct iovec){answer, 6};
    loop_recv(loop, &conn.socket, &conn.reading, 100, received);
    loop_send(loop, &conn.socket, &conn.writing, &conn.iov, 1, sent);
}

static void expect_exchange(void)
{
    unsigned before = conn.recvs;
    start_both();
    say("hello");
    EXPECT(turn_until(&conn.recvs, before + 1) && turn_until(&conn.sends, before + 1));
    EXPECT_INT(conn.received, 5);
    EXPECT_INT(conn.sent, 6);
}

/* ---- making ---- */

TEST(what_making_a_ring_needs_may_fail_and_leaves_nothing)
{
    make_loop(); /* or skip */
    loop_destroy(loop);
    const enum wrapped_uring calls[] = {WRAP_URING_INIT, WRAP_URING_PROBE, WRAP_URING_BUFFERS,
                                        WRAP_URING_MMAP};
    const int failures[] = {EPERM, ENOMEM, EINVAL, ENOSYS, EMFILE};
    for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        for (unsigned k = 0; k < sizeof(failures) / sizeof(*failures); k++) {
            galley_error err = {0};
            wrap_uring_fail(calls[i], 0, 3, failures[k]);
            EXPECT(!loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err));
            EXPECT(failures[k] == ENOMEM ? err.code == GALLEY_ENOMEM
                                         : err.sys_errno == failures[k]);
            EXPECT(strstr(err.message, "event loop (io_uring): "));
            wrap_uring_fail(calls[i], 0, 0, 0);
        }
    }
}

TEST(flags_that_a_kernel_does_not_know_are_done_without)
{
    for (unsigned refused = 1; refused <= 2; refused++) {
        wrap_uring_fail(WRAP_URING_INIT, 0, refused, EINVAL);
        make_loop();
        EXPECT_INT(open_conn(), 0);
        for (int i = 0; i < 3; i++) {
            expect_exchange();
        }
        close_conn();
        loop_destroy(loop);
    }
}

TEST(an_old_kernel_is_told_by_the_probe)
{
    make_loop();
    loop_destroy(loop);
    wrap_uring_be_old();
    galley_error err = {0};
    EXPECT(!loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err));
    EXPECT_INT(err.sys_errno, EOPNOTSUPP);
}

/* Without it each call looks the ring up, which is all. */
TEST(a_ring_that_cannot_be_registered_for_its_thread_serves_as_well)
{
    wrap_uring_fail(WRAP_URING_RING_FD, 0, UINT32_MAX, EINVAL);
    make_loop();
    EXPECT_INT(open_conn(), 0);
    for (int i = 0; i < 3; i++) {
        expect_exchange();
        loop_leave(loop);
    }
    EXPECT(wrap_uring_calls(WRAP_URING_RING_FD) >= 3);
    close_conn();
    loop_destroy(loop);
}

/* ---- submitting and waiting ---- */

TEST(a_wait_that_fails_is_made_again_and_nothing_is_lost)
{
    const int failures[] = {EAGAIN, EBUSY, EINTR, ENOMEM, ETIME};
    make_loop();
    EXPECT_INT(open_conn(), 0);
    for (unsigned i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        for (unsigned skip = 0; skip < 3; skip++) {
            wrap_uring_fail(WRAP_URING_WAIT, skip, 2, failures[i]);
            expect_exchange();
        }
    }
    wrap_uring_fail(WRAP_URING_WAIT, 0, 2, EAGAIN);
    close_conn();
    loop_destroy(loop);
}

enum { CROWD = 300 }; /* more than the queue has places */
static struct conn crowd[CROWD];

static void count_send(struct loop_op *op)
{
    struct conn *one = CONTAINER_OF(op, struct conn, writing);
    one->sent = op->result;
    one->sends++;
}

static void crowd_sends(void)
{
    static char letter[] = "x";
    for (int i = 0; i < CROWD; i++) {
        crowd[i].iov = (struct iovec){letter, 1};
        loop_send(loop, &crowd[i].socket, &crowd[i].writing, &crowd[i].iov, 1, count_send);
    }
}

static void open_crowd(void)
{
    make_loop();
    loop_turn(loop, 0);
    for (int i = 0; i < CROWD; i++) {
        int fds[2];
        EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        crowd[i] = (struct conn){.client = fds[1]};
        EXPECT_INT(
            loop_socket_open(loop, &crowd[i].socket, fds[0], LOOP_SOCKET_STREAM, conn_closed), 0);
    }
}

static void close_crowd(void)
{
    for (int i = 0; i < CROWD; i++) {
        loop_socket_close(loop, &crowd[i].socket, false);
    }
    for (int i = 0; i < CROWD; i++) {
        EXPECT(turn_until(&crowd[i].closed, 1));
        close(crowd[i].client);
    }
    loop_destroy(loop);
}

TEST(a_queue_that_is_full_is_handed_in_although_that_fails_at_first)
{
    const int failures[] = {EAGAIN, EBUSY, EINTR};
    open_crowd();
    for (unsigned i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        wrap_uring_fail(WRAP_URING_SUBMIT, 0, 3, failures[i]);
        crowd_sends();
        for (int k = 0; k < CROWD; k++) {
            EXPECT(turn_until(&crowd[k].sends, i + 1));
            EXPECT_INT(crowd[k].sent, 1);
        }
    }
    EXPECT(wrap_uring_calls(WRAP_URING_SUBMIT) > 0);
    close_crowd();
}

static void count_recv(struct loop_op *op)
{
    struct conn *one = CONTAINER_OF(op, struct conn, reading);
    one->received = op->result;
    one->recvs++;
}

/* More completions at once than the ring has room for: the kernel keeps them until the next look. */
TEST(completions_that_find_no_room_in_the_ring_come_later)
{
    wrap_uring_shrink();
    open_crowd();
    for (unsigned round = 1; round <= 3; round++) {
        for (int i = 0; i < CROWD; i++) {
            loop_recv(loop, &crowd[i].socket, &crowd[i].reading, 100, count_recv);
            EXPECT_INT(write(crowd[i].client, "hello", 5), 5);
        }
        crowd_sends();
        for (int i = 0; i < CROWD; i++) {
            EXPECT(turn_until(&crowd[i].recvs, round) && turn_until(&crowd[i].sends, round));
            EXPECT_INT(crowd[i].received, 5);
            EXPECT_INT(crowd[i].sent, 1);
        }
    }
    EXPECT(wrap_uring_overflows() > 0); /* else this tests nothing */
    close_crowd();
}

/* No room for good: operations end with an error, none hangs, closing goes on. */
TEST(a_queue_that_stays_full_fails_operations_and_still_lets_sockets_close)
{
    open_crowd();
    wrap_uring_fail(WRAP_URING_SUBMIT, 0, UINT32_MAX, EAGAIN);
    crowd_sends();
    unsigned failed = 0;
    for (int k = 0; k < CROWD; k++) {
        EXPECT(turn_until(&crowd[k].sends, 1));
        failed += crowd[k].sent == -ENOMEM;
        EXPECT(crowd[k].sent == 1 || crowd[k].sent == -ENOMEM);
    }
    EXPECT(failed > 0 && failed < CROWD);
    close_crowd(); /* also those for whom there was no room to tell the kernel */
}

/* ---- a thread leaves, and there is no ring for the next ---- */

TEST(a_ring_that_cannot_be_made_anew_is_tried_again)
{
    const enum wrapped_uring calls[] = {WRAP_URING_INIT, WRAP_URING_PROBE, WRAP_URING_BUFFERS};
    make_loop();
    EXPECT_INT(open_conn(), 0);
    for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        expect_exchange();
        unsigned before = conn.recvs;
        start_both();
        loop_leave(loop);
        wrap_uring_fail(calls[i], 0, 5, ENOMEM);
        say("again");
        EXPECT(turn_until(&conn.recvs, before + 1) && turn_until(&conn.sends, before + 1));
        EXPECT(conn.received == 5 || conn.received == -ENOMEM);
        EXPECT(conn.sent == 6 || conn.sent == -ENOMEM);
        if (conn.received < 0) { /* the end of a stream is its end */
            wrap_uring_fail(calls[i], 0, 0, 0);
            close_conn();
            EXPECT_INT(open_conn(), 0);
        }
    }
    close_conn();
    loop_destroy(loop);
}

/* ---- every call once ---- */

static bool exchange_with_failure(unsigned n, int sys_errno)
{
    galley_error err = {0};
    wrap_uring_fail_nth(n, sys_errno);
    loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_URING}, &err);
    if (!loop) {
        EXPECT(wrap_uring_has_failed());
        return true;
    }
    if (open_conn() == 0) {
        start_both();
        say("hello");
        EXPECT(turn_until(&conn.recvs, 1) && turn_until(&conn.sends, 1));
        loop_leave(loop);
        start_both();
        loop_cancel(loop, &conn.reading);
        EXPECT(turn_until(&conn.recvs, 2) && turn_until(&conn.sends, 2));
        close_conn();
    }
    loop_destroy(loop);
    bool has_failed = wrap_uring_has_failed();
    wrap_uring_fail_nth(0, 0);
    return has_failed;
}

TEST(whichever_call_fails_each_operation_ends_once_and_nothing_leaks)
{
    make_loop();
    loop_destroy(loop);
    const int failures[] = {ENOMEM, EAGAIN};
    for (unsigned i = 0; i < 2; i++) {
        unsigned n = 1;
        while (exchange_with_failure(n, failures[i])) {
            n++;
        }
        EXPECT(n > 8);
    }
}
