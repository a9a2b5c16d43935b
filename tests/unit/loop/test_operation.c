/* tests/unit/loop/test_operation.c — what loop.h promises of operations, over epoll and over
 * sim. */
#include "support_rig.h"

#include "loop/sim.h"

#include <sys/mman.h>
#include <unistd.h>

EACH(recv_waits_for_bytes_and_brings_them)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_recv(&s);
    rig_settle(&rig);
    EXPECT_INT(s.recvs, 0);
    client_send_text(&s.client, "hello");
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_TEXT(s.got, "hello");
    EXPECT(!s.more);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(bytes_that_came_before_the_socket_was_opened_are_found)
{
    struct rig rig;
    struct stream s = {0};
    rig_open(&rig, backend);
    s.loop = rig.loop;
    int fd;
    client_pair(&rig, &s.client, &fd);
    client_send_text(&s.client, "early");
    EXPECT_INT(loop_socket_open(rig.loop, &s.socket, fd, LOOP_SOCKET_STREAM, stream_closed), 0);
    stream_recv(&s);
    EXPECT_INT(s.recvs, 0); /* never inside the call that started it */
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_TEXT(s.got, "early");
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(bytes_that_came_while_no_recv_was_pending_are_found)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    rig_settle(&rig);
    client_send_text(&s.client, "kept");
    rig_settle(&rig);
    EXPECT(s.socket.may_read);
    stream_recv(&s);
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_TEXT(s.got, "kept");
    EXPECT(!s.socket.may_read); /* a short recv: no second one that finds nothing */
    stream_close(&rig, &s);
    rig_close(&rig);
}

static void recv_two(struct loop_op *op)
{
    struct stream *s = CONTAINER_OF(op, struct stream, reading);
    EXPECT(op->result <= 2);
    if (op->result > 0) {
        memcpy(s->got + strlen(s->got), op->data, (size_t)op->result);
    }
    s->recvs++;
    s->more = op->more;
    if (op->result > 0) {
        loop_recv(s->loop, &s->socket, op, 2, recv_two);
    }
}

EACH(recv_respects_max_bytes_and_the_rest_is_not_forgotten)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    client_send_text(&s.client, "abcdefg");
    loop_recv(rig.loop, &s.socket, &s.reading, 2, recv_two);
    RUN_UNTIL(&rig, strlen(s.got) == 7);
    EXPECT_TEXT(s.got, "abcdefg");
    EXPECT_INT(s.recvs, 4);
    loop_cancel(rig.loop, &s.reading);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(the_peers_end_is_a_recv_of_0_also_when_it_came_with_the_last_bytes)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    client_send_text(&s.client, "bye");
    client_shutdown(&s.client);
    stream_recv(&s);
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_TEXT(s.got, "bye");
    EXPECT(s.socket.has_hangup);
    stream_recv(&s);
    RUN_UNTIL(&rig, s.recvs == 2);
    EXPECT_INT(s.recv_result, 0);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(the_peers_end_is_told_to_a_recv_that_waits)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_recv(&s);
    rig_settle(&rig);
    client_shutdown(&s.client);
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_INT(s.recv_result, 0);
    stream_send(&s, "still", 5); /* half-closed: the other direction lives */
    RUN_UNTIL(&rig, s.sends == 1);
    EXPECT_INT(s.send_result, 5);
    RUN_UNTIL(&rig, client_received(&s.client).len == 5);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(a_reset_is_an_error_of_the_recv)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_recv(&s);
    rig_settle(&rig);
    client_reset(&s.client);
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_INT(s.recv_result, -ECONNRESET);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(send_is_tried_first_and_calls_back_later)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_send(&s, "answer", 6);
    EXPECT_INT(s.sends, 0);
    if (rig.is_uring) {
        RUN_UNTIL(&rig, s.sends == 1); /* the next wait hands it in */
    } else {
        EXPECT(loop_turn(rig.loop, 0));
    }
    EXPECT_INT(s.sends, 1);
    EXPECT_INT(s.send_result, 6);
    RUN_UNTIL(&rig, client_received(&s.client).len == 6);
    EXPECT_SPAN(client_received(&s.client), "answer");
    stream_close(&rig, &s);
    rig_close(&rig);
}

static void count_send(struct loop_op *op)
{
    struct stream *s = CONTAINER_OF(op, struct stream, writing);
    s->sends++;
    s->send_result = op->result;
}

EACH(send_gathers_pieces_in_order)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    struct iovec iov[] = {{(char[]){'a', 'b'}, 2}, {(char[]){0}, 0}, {(char[]){'c'}, 1}};
    loop_send(rig.loop, &s.socket, &s.writing, iov, 3, count_send);
    RUN_UNTIL(&rig, s.sends == 1);
    EXPECT_INT(s.send_result, 3);
    RUN_UNTIL(&rig, client_received(&s.client).len == 3);
    EXPECT_SPAN(client_received(&s.client), "abc");
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(more_pieces_than_one_send_takes_are_sent_in_several)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    enum { PIECES = 200 };
    struct iovec iov[PIECES];
    char letter = 'x';
    for (unsigned i = 0; i < PIECES; i++) {
        iov[i] = (struct iovec){&letter, 1};
    }
    int done = 0;
    while (done < PIECES) {
        unsigned before = s.sends;
        loop_send(rig.loop, &s.socket, &s.writing, iov + done, PIECES - done, count_send);
        RUN_UNTIL(&rig, s.sends > before);
        EXPECT(s.send_result > 0);
        done += (int)s.send_result;
    }
    RUN_UNTIL(&rig, client_received(&s.client).len == PIECES);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(a_send_to_a_full_socket_waits_for_room)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    static char block[256 * 1024];
    if (rig.is_sim) {
        sim_set_window(s.client.peer, 300 * 1024);
    }
    size_t sent = 0;
    unsigned sends;
    do { /* until one waits */
        sends = s.sends;
        stream_send(&s, block, sizeof(block));
        rig_settle(&rig);
        sent += s.sends > sends ? (size_t)s.send_result : 0;
    } while (s.sends > sends);
    EXPECT(sent > 0 && s.writing.is_pending && !s.socket.may_write);
    if (rig.is_sim) {
        sim_set_window(s.client.peer, SIZE_MAX);
    }
    RUN_UNTIL(&rig, client_received(&s.client).len >= sent && s.sends > sends);
    EXPECT(s.send_result > 0);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(a_send_after_the_peer_has_gone_is_an_error)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    rig_settle(&rig);
    client_reset(&s.client);
    rig_settle(&rig);
    stream_send(&s, "x", 1);
    RUN_UNTIL(&rig, s.sends == 1);
    EXPECT(s.send_result == -EPIPE || s.send_result == -ECONNRESET);
    stream_close(&rig, &s);
    rig_close(&rig);
}

static int make_file(const char *text)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

EACH(send_file_sends_the_range)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    int fd = make_file("0123456789");
    loop_send_file(rig.loop, &s.socket, &s.writing, &(struct loop_file){fd, 3, 4}, count_send);
    RUN_UNTIL(&rig, s.sends == 1);
    EXPECT_INT(s.send_result, 4);
    RUN_UNTIL(&rig, client_received(&s.client).len == 4);
    EXPECT_SPAN(client_received(&s.client), "3456");
    close(fd);
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* lessons L25: a file that has shrunk is no success. */
EACH(send_file_behind_the_end_results_in_0)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    int fd = make_file("0123456789");
    loop_send_file(rig.loop, &s.socket, &s.writing, &(struct loop_file){fd, 8, 100}, count_send);
    RUN_UNTIL(&rig, s.sends == 1);
    EXPECT_INT(s.send_result, 2);
    loop_send_file(rig.loop, &s.socket, &s.writing, &(struct loop_file){fd, 10, 98}, count_send);
    RUN_UNTIL(&rig, s.sends == 2);
    EXPECT_INT(s.send_result, 0);
    close(fd);
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(a_cancelled_op_is_called_back_once_with_ecanceled_and_may_start_again)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    stream_recv(&s);
    rig_settle(&rig);
    loop_cancel(rig.loop, &s.reading);
    loop_cancel(rig.loop, &s.reading);
    EXPECT_INT(s.recvs, 0); /* not inside the call */
    rig_settle(&rig);
    EXPECT_INT(s.recvs, 1);
    EXPECT_INT(s.recv_result, -ECANCELED);
    loop_cancel(rig.loop, &s.reading); /* not pending: nothing */
    client_send_text(&s.client, "again");
    stream_recv(&s);
    RUN_UNTIL(&rig, s.recvs == 2);
    EXPECT_TEXT(s.got, "again");
    stream_close(&rig, &s);
    rig_close(&rig);
}

EACH(shutdown_write_ends_one_direction_only)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    EXPECT_INT(loop_socket_shutdown_write(rig.loop, &s.socket), 0);
    RUN_UNTIL(&rig, client_sees_end(&s.client));
    EXPECT(!client_sees_reset(&s.client));
    client_send_text(&s.client, "more");
    stream_recv(&s);
    RUN_UNTIL(&rig, s.recvs == 1);
    EXPECT_TEXT(s.got, "more");
    stream_close(&rig, &s);
    rig_close(&rig);
}

struct order {
    struct stream *s;
    unsigned step, answered_at, timer_at;
    struct timer timer;
};
static struct order order;

static void note_answer(struct loop_op *op)
{
    (void)op;
    order.answered_at = ++order.step;
}

static void answer(struct loop_op *op)
{
    (void)op;
    order.step++;
    static char ok[] = "ok";
    order.s->iov = (struct iovec){ok, 2};
    loop_send(order.s->loop, &order.s->socket, &order.s->writing, &order.s->iov, 1, note_answer);
}

EACH(what_a_callback_starts_is_tried_in_the_same_turn)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, backend);
    stream_open(&rig, &s);
    order = (struct order){.s = &s};
    client_send_text(&s.client, "?");
    loop_recv(rig.loop, &s.socket, &s.reading, 100, answer);
    RUN_UNTIL(&rig, order.step > 0);
    if (rig.is_uring) {
        RUN_UNTIL(&rig, order.answered_at); /* handed in together with all others of the turn */
    }
    EXPECT_INT(order.answered_at, 2);
    stream_close(&rig, &s);
    rig_close(&rig);
}
