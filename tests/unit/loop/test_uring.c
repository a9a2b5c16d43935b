/* tests/unit/loop/test_uring.c — what the io_uring backend can get wrong before others: buffers shared by
 * all streams, bytes that come unasked, requests that outlive their operations. What it promises
 * like the others stands in the other tests of this folder. */
#include "loop/backend_uring.h"

#include "support_rig.h"

#include <sys/mman.h>
#include <unistd.h>

static void pattern(char *data, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)((offset + i) * 31 >> 3);
    }
}

/* ---- receiving ---- */

struct upload {
    struct stream s;
    size_t sent, got;
    unsigned reads;
    size_t max_bytes;
};

static void upload_read(struct loop_op *op)
{
    struct upload *upload =
        CONTAINER_OF(CONTAINER_OF(op, struct stream, reading), struct upload, s);
    upload->s.recv_result = op->result;
    if (op->result <= 0) {
        return;
    }
    char *expected = malloc((size_t)op->result);
    pattern(expected, (size_t)op->result, upload->got);
    EXPECT(memcmp(expected, op->data, (size_t)op->result) == 0);
    free(expected);
    upload->got += (size_t)op->result;
    upload->reads++;
    loop_recv(upload->s.loop, &upload->s.socket, op, upload->max_bytes, upload_read);
}

/* As much as fits, up to `most` in all. */
static void upload_send(struct upload *upload, size_t most)
{
    static char block[64 * 1024];
    for (ssize_t n = 1; n > 0 && upload->sent < most;) {
        size_t len = most - upload->sent < sizeof(block) ? most - upload->sent : sizeof(block);
        pattern(block, len, upload->sent);
        n = send(upload->s.client.fd, block, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        upload->sent += n > 0 ? (size_t)n : 0;
    }
}

static void whole_upload(enum loop_backend_kind backend, size_t bytes, size_t max_bytes)
{
    struct rig rig;
    struct upload upload = {.max_bytes = max_bytes};
    rig_open(&rig, backend);
    stream_open(&rig, &upload.s);
    loop_recv(rig.loop, &upload.s.socket, &upload.s.reading, max_bytes, upload_read);
    while (upload.got < bytes) {
        size_t before = upload.sent + upload.got;
        upload_send(&upload, bytes);
        loop_turn(rig.loop, 100);
        EXPECT(upload.sent + upload.got > before || loop_turn(rig.loop, 1000));
    }
    client_shutdown(&upload.s.client);
    RUN_UNTIL(&rig, upload.s.recv_result == 0);
    EXPECT_INT(upload.got, bytes);
    if (max_bytes > 100000) {
        EXPECT(upload.reads < bytes / URING_BUFFER_BYTES / 2); /* large pieces */
    }
    stream_close(&rig, &upload.s);
    rig_close(&rig);
}

REAL(a_large_body_comes_whole_and_in_large_pieces)
{
    whole_upload(backend, 8 << 20, SIZE_MAX);
}

REAL(a_body_read_in_small_pieces_comes_whole)
{
    whole_upload(backend, 300 * 1000, 777);
}

TEST(what_nobody_reads_stays_in_the_kernel_but_for_a_few_buffers)
{
    struct rig rig;
    struct upload upload = {.max_bytes = SIZE_MAX};
    rig_open(&rig, LOOP_BACKEND_URING);
    stream_open(&rig, &upload.s);
    for (int i = 0; i < 50; i++) {
        upload_send(&upload, 8 << 20);
        loop_turn(rig.loop, 1);
    }
    bool has_cap = !uring_world_of(rig.loop)->has_no_cap;
    EXPECT(upload.s.socket.uring.parked.count <= (has_cap ? 8 : URING_BUFFERS));
    EXPECT(!(upload.s.socket.in_flight & 1 << URING_RECV));
    EXPECT(upload.sent < 8 << 20); /* so the client has to wait */
    size_t sent = upload.sent;
    loop_recv(rig.loop, &upload.s.socket, &upload.s.reading, SIZE_MAX, upload_read);
    RUN_UNTIL(&rig, upload.got == sent);
    loop_cancel(rig.loop, &upload.s.reading);
    stream_close(&rig, &upload.s);
    rig_close(&rig);
}

enum { HOARDERS = 160 };
static struct upload hoarders[HOARDERS];

/* Without the way round, whoever comes next would wait until somebody reads what hoarders sent. */
TEST(clients_who_fill_all_buffers_do_not_keep_others_from_being_read)
{
    struct rig rig;
    struct stream honest;
    rig_open(&rig, LOOP_BACKEND_URING);
    stream_open(&rig, &honest);
    unsigned parked = 0;
    for (int i = 0; i < HOARDERS; i++) {
        hoarders[i].max_bytes = SIZE_MAX;
        stream_open(&rig, &hoarders[i].s);
        upload_send(&hoarders[i], 256 * 1024);
        loop_turn(rig.loop, 0);
    }
    rig_settle(&rig);
    for (int i = 0; i < HOARDERS; i++) {
        parked += hoarders[i].s.socket.uring.parked.count;
    }
    EXPECT_INT(parked, URING_BUFFERS); /* else this tests nothing */
    for (unsigned i = 1; i <= 20; i++) {
        stream_recv(&honest);
        client_send_text(&honest.client, "let me in");
        RUN_UNTIL(&rig, honest.recvs == i);
        EXPECT_TEXT(honest.got, "let me in");
    }
    for (int i = 0; i < HOARDERS; i++) { /* and nothing of theirs is lost */
        struct upload *upload = &hoarders[i];
        loop_recv(rig.loop, &upload->s.socket, &upload->s.reading, SIZE_MAX, upload_read);
        RUN_UNTIL(&rig, upload->got == upload->sent);
        loop_cancel(rig.loop, &upload->s.reading);
        stream_close(&rig, &upload->s);
    }
    stream_close(&rig, &honest);
    rig_close(&rig);
}

TEST(bytes_parked_at_a_socket_that_closes_give_their_buffers_back)
{
    struct rig rig;
    rig_open(&rig, LOOP_BACKEND_URING);
    for (int i = 0; i < 2 * URING_BUFFERS; i++) {
        struct stream s;
        stream_open(&rig, &s);
        client_send_text(&s.client, "unread");
        RUN_UNTIL(&rig, s.socket.has_parked);
        stream_close(&rig, &s);
    }
    struct uring_world *world = uring_world_of(rig.loop);
    for (int i = 0; i < URING_BUFFERS; i++) {
        EXPECT(!world->buffers.is_out[i]);
    }
    rig_close(&rig);
}

/* ---- sending ---- */

enum { SMALL_SEND = 16 * 1024, LARGE_SEND = 512 * 1024 };

static char big[LARGE_SEND];

/* Until a send waits for room. Small ones are the kernel's meanwhile, large ones wait for a poll. */
static void fill(struct rig *rig, struct stream *s, size_t len)
{
    const int few = 64 * 1024;
    EXPECT_INT(setsockopt(s->socket.fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)), 0);
    EXPECT_INT(setsockopt(s->client.fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
    for (unsigned sends = UINT32_MAX; s->sends != sends;) {
        sends = s->sends;
        stream_send(s, big, len);
        rig_settle(rig);
    }
    unsigned waiting = len == SMALL_SEND ? IN_FLIGHT_SEND : 1 << URING_POLL_OUT;
    EXPECT(s->writing.is_pending && (s->socket.in_flight & waiting));
}

TEST(a_send_that_waits_is_cancelled_by_the_kernel_and_may_start_again)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_URING);
    stream_open(&rig, &s);
    fill(&rig, &s, SMALL_SEND);
    unsigned sends = s.sends;
    loop_cancel(rig.loop, &s.writing);
    loop_cancel(rig.loop, &s.writing);
    EXPECT_INT(s.sends, sends); /* not inside the call */
    RUN_UNTIL(&rig, s.sends > sends);
    EXPECT_INT(s.send_result, -ECANCELED);
    EXPECT_INT(s.sends, sends + 1);
    stream_send(&s, "x", 1);
    RUN_UNTIL(&rig, client_received(&s.client).len > 0 && !s.writing.is_pending);
    EXPECT_INT(s.send_result, 1);
    stream_close(&rig, &s);
    rig_close(&rig);
}

/* Its bytes are in the cache now: it is not handed in with the others. */
TEST(a_large_send_is_sent_at_once_and_waits_by_a_poll)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_URING);
    stream_open(&rig, &s);
    fill(&rig, &s, LARGE_SEND);
    EXPECT(!(s.socket.in_flight & IN_FLIGHT_SEND));
    unsigned sends = s.sends;
    RUN_UNTIL(&rig, client_received(&s.client).len > 0 && s.sends > sends);
    EXPECT(s.send_result > 0);
    rig_settle(&rig);
    fill(&rig, &s, LARGE_SEND);
    sends = s.sends;
    loop_cancel(rig.loop, &s.writing);
    EXPECT_INT(s.sends, sends); /* not inside the call */
    RUN_UNTIL(&rig, s.sends > sends);
    EXPECT_INT(s.send_result, -ECANCELED);
    stream_send(&s, "x", 1); /* the poll that was asked for serves it */
    RUN_UNTIL(&rig, client_received(&s.client).len > 0 && !s.writing.is_pending);
    EXPECT_INT(s.send_result, 1);
    stream_close(&rig, &s);
    rig_close(&rig);
}

TEST(closed_waits_until_the_kernel_has_let_go_of_a_send)
{
    struct rig rig;
    struct stream s;
    rig_open(&rig, LOOP_BACKEND_URING);
    for (int i = 0; i < 4; i++) {
        bool is_reset = i & 1;
        size_t len = i & 2 ? LARGE_SEND : SMALL_SEND;
        stream_open(&rig, &s);
        fill(&rig, &s, len);
        stream_recv(&s);
        unsigned sends = s.sends;
        loop_socket_close(rig.loop, &s.socket, is_reset);
        EXPECT(s.socket.fd >= 0); /* no number that others may get while requests name it */
        RUN_UNTIL(&rig, s.closes == 1);
        EXPECT_INT(s.sends, sends + 1);
        EXPECT_INT(s.send_result, -ECANCELED);
        EXPECT_INT(s.recv_result, -ECANCELED);
        EXPECT(s.socket.fd < 0 && !s.socket.in_flight);
        client_close(&s.client);
    }
    rig_close(&rig);
}

/* ---- many at once ---- */

enum { CROWD = 400 }; /* more than the submission queue has places */
static struct stream crowd[CROWD];

REAL(more_requests_than_the_queue_has_places_are_handed_in_in_between)
{
    struct rig rig;
    rig_open(&rig, backend);
    loop_turn(rig.loop, 0); /* from now on it is this thread's */
    for (int i = 0; i < CROWD; i++) {
        stream_open(&rig, &crowd[i]);
    }
    for (unsigned round = 1; round <= 3; round++) {
        for (int i = 0; i < CROWD; i++) {
            stream_recv(&crowd[i]);
            stream_send(&crowd[i], "pong", 4);
            client_send_text(&crowd[i].client, "ping");
        }
        for (int i = 0; i < CROWD; i++) {
            RUN_UNTIL(&rig, crowd[i].recvs == round && crowd[i].sends == round);
            EXPECT_TEXT(crowd[i].got, "ping");
            EXPECT_INT(crowd[i].send_result, 4);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        RUN_UNTIL(&rig, client_received(&crowd[i].client).len == 12);
        loop_socket_close(rig.loop, &crowd[i].socket, false);
    }
    for (int i = 0; i < CROWD; i++) {
        RUN_UNTIL(&rig, crowd[i].closes == 1);
        client_close(&crowd[i].client);
    }
    rig_close(&rig);
}
