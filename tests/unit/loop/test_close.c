/* tests/unit/loop/test_close.c — closing: who is called back, in which order, and that nobody
 * touches what is gone. lessons L4: events of a socket that a callback of the same batch has
 * closed; meant to run under ASan. */
#include "support_rig.h"

#include "loop/sim.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

EACH(close_calls_back_what_is_pending_then_closed_and_never_inside)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_recv(&s);
    loop_turn(rig.loop, 0);
    loop_socket_close(rig.loop, &s.socket, false);
    EXPECT_INT(s.recvs + s.closes, 0);
    rig_settle(&rig);
    EXPECT_INT(s.recvs, 1);
    EXPECT_INT(s.recv_result, -ECANCELED);
    EXPECT_INT(s.closes, 1);
    RUN_UNTIL(&rig, client_sees_end(&s.client));
    EXPECT(!client_sees_reset(&s.client));
    client_close(&s.client);
    rig_close(&rig);
}

EACH(close_with_reset_sends_rst)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    loop_socket_close(rig.loop, &s.socket, true);
    rig_settle(&rig);
    EXPECT(client_sees_reset(&s.client));
    EXPECT_INT(s.closes, 1);
    client_close(&s.client);
    rig_close(&rig);
}

EACH(what_is_started_on_a_closed_socket_is_cancelled_before_closed)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    loop_socket_close(rig.loop, &s.socket, false);
    stream_recv(&s);
    stream_send(&s, "x", 1);
    EXPECT_INT(s.recvs + s.sends, 0);
    EXPECT_INT(loop_socket_shutdown_write(rig.loop, &s.socket), -ECANCELED);
    rig_settle(&rig);
    EXPECT_INT(s.recv_result, -ECANCELED);
    EXPECT_INT(s.send_result, -ECANCELED);
    EXPECT_INT(s.recvs + s.sends + s.closes, 3);
    client_close(&s.client);
    rig_close(&rig);
}

/* ---- closing others from inside a callback ---- */

enum { CROWD = 6 };

struct member {
    struct loop_socket socket;
    struct loop_op reading, writing;
    struct iovec iov;
    bool is_closed_by_us;
};

static struct loop *crowd_loop;
static struct member *crowd[CROWD];
static unsigned crowd_calls, crowd_cancelled, crowd_closed;

static void member_closed(struct loop_socket *socket)
{
    struct member *member = CONTAINER_OF(socket, struct member, socket);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = crowd[i] == member ? NULL : crowd[i];
    }
    crowd_closed++;
    memset(member, 0xee, sizeof(*member));
    free(member);
}

static void close_member(struct member *member)
{
    if (member && !member->is_closed_by_us) {
        member->is_closed_by_us = true;
        loop_socket_close(crowd_loop, &member->socket, false);
    }
}

/* The first one called closes everybody, itself included. */
static void close_everybody(struct loop_op *op)
{
    crowd_calls++;
    crowd_cancelled += op->result == -ECANCELED;
    for (int i = 0; i < CROWD; i++) {
        close_member(crowd[i]);
    }
}

static void open_crowd(struct rig *rig, struct client *clients)
{
    crowd_loop = rig->loop;
    for (int i = 0; i < CROWD; i++) {
        int fd;
        client_pair(rig, &clients[i], &fd);
        crowd[i] = calloc(1, sizeof(struct member));
        EXPECT_INT(
            loop_socket_open(rig->loop, &crowd[i]->socket, fd, LOOP_SOCKET_STREAM, member_closed),
            0);
    }
    loop_turn(rig->loop, 0); /* the first, writable event is used up */
}

EACH(one_callback_closes_all_sockets_that_have_events_in_the_same_batch)
{
    struct rig rig;
    struct client clients[CROWD];
    rig_open(&rig, backend);
    open_crowd(&rig, clients);
    for (int i = 0; i < CROWD; i++) {
        loop_recv(rig.loop, &crowd[i]->socket, &crowd[i]->reading, 100, close_everybody);
        client_send_text(&clients[i], "x");
    }
    RUN_UNTIL(&rig, crowd_closed == CROWD);
    EXPECT_INT(crowd_calls, CROWD);
    EXPECT_INT(crowd_cancelled, CROWD - 1);
    for (int i = 0; i < CROWD; i++) {
        client_close(&clients[i]);
    }
    rig_close(&rig);
}

static int victim_step;

static void close_a_neighbour(struct loop_op *op)
{
    struct member *member = CONTAINER_OF(op, struct member, reading);
    crowd_calls++;
    if (op->result == -ECANCELED) {
        return;
    }
    for (unsigned i = 0; i < CROWD; i++) {
        if (crowd[i] == member) {
            close_member(crowd[(i + (unsigned)(CROWD + victim_step)) % CROWD]);
        }
    }
    close_member(member);
}

static void neighbours_are_closed(enum loop_backend_kind backend, int step)
{
    struct rig rig;
    struct client clients[CROWD];
    victim_step = step;
    rig_open(&rig, backend);
    open_crowd(&rig, clients);
    for (int i = 0; i < CROWD; i++) {
        loop_recv(rig.loop, &crowd[i]->socket, &crowd[i]->reading, 100, close_a_neighbour);
        client_send_text(&clients[i], "x");
        client_shutdown(&clients[i]);
    }
    RUN_UNTIL(&rig, crowd_closed == CROWD);
    EXPECT_INT(crowd_calls, CROWD);
    for (int i = 0; i < CROWD; i++) {
        client_close(&clients[i]);
    }
    rig_close(&rig);
}

EACH(a_callback_closes_the_next_socket_of_the_batch)
{
    neighbours_are_closed(backend, 1);
}

EACH(a_callback_closes_the_previous_socket_of_the_batch)
{
    neighbours_are_closed(backend, -1);
}

/* L4: recv, send, cancel, close, reset by the client and timeouts in any order: each op ends once,
 * `closed` comes last. */
static unsigned member_index(const struct member *member)
{
    for (unsigned i = 0; i < CROWD; i++) {
        if (crowd[i] == member) {
            return i;
        }
    }
    test_fail(__FILE__, __LINE__, "a callback of somebody who has been freed");
}

static unsigned started_ops, ended_ops;
static void random_deed(struct member *member);

static void deed_read(struct loop_op *op)
{
    struct member *member = CONTAINER_OF(op, struct member, reading);
    ended_ops++;
    member_index(member);
    random_deed(crowd[test_random_below(CROWD)]);
}

static void deed_written(struct loop_op *op)
{
    struct member *member = CONTAINER_OF(op, struct member, writing);
    ended_ops++;
    member_index(member);
    random_deed(crowd[test_random_below(CROWD)]);
}

static void random_deed(struct member *member)
{
    static char bytes[] = "0123456789";
    if (!member) {
        return;
    }
    switch (test_random_below(6)) {
    case 0:
    case 1:
        if (!member->reading.is_pending) {
            started_ops++;
            loop_recv(crowd_loop, &member->socket, &member->reading, 1 + test_random_below(4),
                      deed_read);
        }
        break;
    case 2:
    case 3:
        if (!member->writing.is_pending) {
            started_ops++;
            member->iov = (struct iovec){bytes, 1 + test_random_below(10)};
            loop_send(crowd_loop, &member->socket, &member->writing, &member->iov, 1, deed_written);
        }
        break;
    case 4:
        loop_cancel(crowd_loop, test_random_below(2) ? &member->reading : &member->writing);
        break;
    default:
        if (test_random_below(8) == 0) {
            close_member(member);
        }
    }
}

static void random_client_deed(struct client *client)
{
    if (!client->peer && client->fd < 0) {
        return;
    }
    if (client->peer && test_random_below(4) == 0) {
        sim_set_window(client->peer, test_random_below(30));
        sim_set_max_read(client->peer, test_random_below(3));
    } else if (test_random_below(16) == 0) {
        client_reset(client);
    } else if (test_random_below(16) == 0) {
        client_close(client);
    } else if (client->peer ? sim_send(client->peer, "ab", 2)
                            : send(client->fd, "ab", 2, MSG_NOSIGNAL)) {
        /* sent, or the server has gone */
    }
}

static void random_orders(enum loop_backend_kind backend, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct rig rig;
        struct client clients[CROWD];
        crowd_closed = 0;
        rig_open(&rig, backend);
        open_crowd(&rig, clients);
        for (int step = 0; step < 200; step++) {
            random_client_deed(&clients[test_random_below(CROWD)]);
            random_deed(crowd[test_random_below(CROWD)]);
            loop_turn(rig.loop, 0);
        }
        for (int i = 0; i < CROWD; i++) {
            close_member(crowd[i]);
            client_close(&clients[i]);
        }
        RUN_UNTIL(&rig, crowd_closed == CROWD);
        EXPECT_INT(ended_ops, started_ops);
        rig_close(&rig);
    }
    EXPECT(started_ops > 100);
}

TEST(in_every_order_of_deeds_each_op_ends_once_over_epoll)
{
    random_orders(LOOP_BACKEND_EPOLL, test_rounds(20));
}

TEST(in_every_order_of_deeds_each_op_ends_once_over_io_uring)
{
    random_orders(LOOP_BACKEND_URING, test_rounds(20));
}

TEST(in_every_order_of_deeds_each_op_ends_once_over_sim)
{
    random_orders(LOOP_BACKEND_SIM, test_rounds(200));
}

/* A child between fork and exec keeps the file open: close alone would leave it in the epoll
 * set. */
REAL(a_child_that_holds_the_file_brings_no_event_of_a_closed_socket)
{
    struct rig rig;
    struct client clients[CROWD];
    rig_open(&rig, backend);
    open_crowd(&rig, clients);
    int to_child[2];
    EXPECT_INT(pipe(to_child), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(to_child[1]);
        _exit(read(to_child[0], &byte, 1) == 0 ? 0 : 1);
    }
    crowd_closed = 0;
    for (int i = 0; i < CROWD; i++) {
        close_member(crowd[i]);
    }
    RUN_UNTIL(&rig, crowd_closed == CROWD);
    for (int i = 0; i < CROWD; i++) {
        client_send_text(&clients[i], "to nobody");
    }
    rig_settle(&rig); /* under ASan: no use of freed memory */
    close(to_child[0]);
    close(to_child[1]);
    EXPECT_INT(waitpid(child, NULL, 0), child);
    for (int i = 0; i < CROWD; i++) {
        client_close(&clients[i]);
    }
    rig_close(&rig);
}

TEST(a_cancel_of_an_op_that_shares_its_turn_with_its_event_wins)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_SIM);
    stream_open(&rig, &s);
    stream_recv(&s);
    client_send_text(&s.client, "x");
    loop_cancel(rig.loop, &s.reading);
    rig_settle(&rig);
    EXPECT_INT(s.recvs, 1);
    EXPECT_INT(s.recv_result, -ECANCELED);
    stream_recv(&s); /* and the bytes are still there */
    rig_settle(&rig);
    EXPECT_TEXT(s.got, "x");
    stream_close(&rig, &s);
    rig_close(&rig);
}
