/* tests/unit/tls/test_transport.c — handshakes and bytes both ways, however they are cut, over TLS
 * 1.2 and 1.3. Everything runs on the simulated loop. */
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"

#include <errno.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#define EACH_VERSION(v) for (unsigned v = 0; v < sizeof versions / sizeof *versions; v++)

static void expect_client_got(struct tls_end *end, const char *text)
{
    EXPECT_SPAN(buf_span(&end->client_got), text);
}

static void expect_got(struct tls_end *end, const char *text)
{
    EXPECT_SPAN(buf_span(&end->got), text);
}

/* Both ends say something and hear it. */
static void expect_talk(struct tls_end *end)
{
    tls_client_write(end, "question", 8);
    tls_end_run(end);
    EXPECT(end->got.len >= 8);
    EXPECT(memcmp(end->got.data + end->got.len - 8, "question", 8) == 0);
    end->sent = 0;
    tls_end_send(end, "answer", 6);
    tls_end_run(end);
    EXPECT(end->client_got.len >= 6);
    EXPECT(memcmp(end->client_got.data + end->client_got.len - 6, "answer", 6) == 0);
    EXPECT_INT(end->sent, 6);
}

TEST(test_a_handshake_and_bytes_both_ways)
{
    EACH_VERSION(v)
    {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_connect(&end, &world);
        EXPECT_INT(end.calls.ready, 1);
        EXPECT_INT(SSL_version(end.client), versions[v]);
        EXPECT_SPAN(transport_agreed(&end.transport), "h2");
        EXPECT(tls_transport_ssl(&end.transport) != NULL);
        EXPECT(transport_why(&end.transport) == NULL);
        expect_talk(&end);
        expect_talk(&end);
        tls_end_close(&end);
        tls_world_close(&world);
    }
}

TEST(test_nothing_agreed_is_no_protocol)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_open(&end, &world);
    SSL_set_alpn_protos(end.client, NULL, 0);
    tls_end_run(&end);
    EXPECT_INT(end.ready, 0);
    EXPECT(transport_agreed(&end.transport).ptr == NULL);
    tls_end_close(&end);
    tls_world_close(&world);
}

TEST(test_byte_by_byte)
{
    EACH_VERSION(v)
    {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_open(&end, &world);
        sim_set_max_read(end.peer, 1);
        sim_set_max_write(end.peer, 1);
        tls_end_run(&end);
        EXPECT_INT(end.ready, 0);
        expect_talk(&end);
        tls_end_close(&end);
        tls_world_close(&world);
    }
}

/* The client's bytes come in two parts, cut after so many of all that it says. */
static void run_cut(struct tls_end *end, size_t cut)
{
    size_t said = 0;
    for (;;) {
        struct buf out = tls_client_step(end);
        if (out.len == 0 && sim_received(end->peer).len == 0) {
            buf_finish(&out);
            return;
        }
        size_t first = cut > said && cut - said < out.len ? cut - said : out.len;
        tls_client_send_raw(end, out.data, first);
        if (first < out.len) {
            tls_client_send_raw(end, out.data + first, out.len - first);
        }
        said += out.len;
        buf_finish(&out);
    }
}

/* How much a client says up to the end of its handshake. */
static size_t handshake_bytes(struct tls_world *world)
{
    struct tls_end end;
    tls_end_open(&end, world);
    size_t said = 0;
    while (end.ready == NOT_TOLD) {
        struct buf out = tls_client_step(&end);
        tls_client_send_raw(&end, out.data, out.len);
        said += out.len;
        buf_finish(&out);
    }
    EXPECT_INT(end.ready, 0);
    tls_end_close(&end);
    return said;
}

TEST(test_every_cut_of_a_handshake)
{
    EACH_VERSION(v)
    {
        struct tls_world world;
        tls_world_open(&world, versions[v]);
        size_t len = handshake_bytes(&world);
        EXPECT(len > 200 && len < 2000);
        for (size_t cut = 1; cut < len; cut++) {
            struct tls_end end;
            tls_end_open(&end, &world);
            run_cut(&end, cut);
            EXPECT_INT(end.ready, 0);
            expect_talk(&end);
            tls_end_close(&end);
        }
        tls_world_close(&world);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

TEST(test_the_first_request_may_come_with_the_end_of_the_handshake)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_open(&end, &world);
    struct buf hello = tls_client_step(&end);
    tls_client_send_raw(&end, hello.data, hello.len);
    struct buf finished = tls_client_step(&end); /* not sent yet */
    tls_client_write(&end, "question", 8);
    struct buf request = tls_client_step(&end);
    buf_append(&finished, request.data, request.len);
    tls_client_send_raw(&end, finished.data, finished.len);
    EXPECT_INT(end.ready, 0);
    expect_got(&end, "question");
    buf_finish(&hello);
    buf_finish(&finished);
    buf_finish(&request);
    tls_end_close(&end);
    tls_world_close(&world);
}

TEST(test_a_reader_of_few_bytes_gets_all_in_order)
{
    struct tls_world world;
    struct tls_end end;
    char data[40 * KB];
    tls_fill(data, sizeof data);
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    end.max_bytes = 700;
    for (size_t at = 0; at < sizeof data; at += 10 * KB) {
        tls_client_write(&end, data + at, 10 * KB);
    }
    tls_end_run(&end);
    EXPECT_INT(end.got.len, sizeof data);
    EXPECT(memcmp(end.got.data, data, sizeof data) == 0);
    tls_end_close(&end);
    tls_world_close(&world);
}

/* What nobody wants stays with the client, but for one read of the loop's. */
TEST(test_nothing_is_read_while_the_owner_does_not_read)
{
    struct tls_world world;
    struct tls_end end;
    static char data[400 * KB];
    tls_fill(data, sizeof data);
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    end.reads = false; /* after the recv that is pending */
    for (size_t at = 0; at < sizeof data; at += 10 * KB) {
        tls_client_write(&end, data + at, 10 * KB);
    }
    tls_end_run(&end);
    EXPECT_INT(end.calls.recvs, 1);
    EXPECT(end.got.len > 0 && end.got.len <= 64 * KB);
    sim_advance(world.loop, 1000);
    EXPECT_INT(end.calls.recvs, 1);
    end.reads = true;
    tls_end_recv(&end);
    tls_end_run(&end);
    EXPECT_INT(end.got.len, sizeof data);
    EXPECT(memcmp(end.got.data, data, sizeof data) == 0);
    tls_end_close(&end);
    tls_world_close(&world);
}

static void read_nothing(struct tls_end *end)
{
    (void)end;
}

TEST(test_bytes_that_came_before_somebody_reads_wait)
{
    EACH_VERSION(v)
    {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_open(&end, &world);
        end.on_ready = read_nothing;
        tls_end_run(&end);
        tls_client_write(&end, "question", 8);
        tls_end_run(&end);
        EXPECT_INT(end.got.len, 0);
        tls_end_recv(&end);
        tls_end_run(&end);
        expect_got(&end, "question");
        tls_end_close(&end);
        tls_world_close(&world);
    }
}

/* ---- after the handshake --------------------------------------------------------------------- */

/* RFC 8446 §4.6.3: the one who is asked answers with an update of its own. */
TEST(test_keys_are_updated_by_either_end)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(SSL_key_update(end.client, SSL_KEY_UPDATE_REQUESTED), 1);
        expect_talk(&end);
    }
    EXPECT_INT(SSL_key_update(tls_transport_ssl(&end.transport), SSL_KEY_UPDATE_REQUESTED), 1);
    expect_talk(&end);
    expect_talk(&end);
    tls_end_close(&end);
    tls_world_close(&world);
}

/* RFC 8446 §4.6.3: "prior to sending its next application data record". */
TEST(test_an_update_is_answered_before_the_next_bytes)
{
    struct tls_world world;
    struct tls_end end;
    size_t largest;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    end.keeps_wire = true;
    EXPECT_INT(SSL_key_update(end.client, SSL_KEY_UPDATE_REQUESTED), 1);
    EXPECT_INT(SSL_do_handshake(end.client), 1);
    tls_end_run(&end);
    tls_end_send(&end, "answer", 6);
    tls_end_run(&end);
    EXPECT_INT(tls_records(&end.wire, 0, 23, &largest), 2);
    expect_client_got(&end, "answer");
    tls_end_close(&end);
    tls_world_close(&world);
}

/* So many updates at once, and then a word: does it come? */
static bool is_heard_behind_updates(int kind, int count)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    for (int i = 0; i < count; i++) {
        EXPECT_INT(SSL_key_update(end.client, kind), 1);
        EXPECT_INT(SSL_do_handshake(end.client), 1);
    }
    tls_client_write(&end, "word", 4);
    tls_end_run(&end);
    bool is_heard = span_equal(buf_span(&end.got), SPAN("word"));
    EXPECT(is_heard || end.recv_result == TRANSPORT_BROKEN);
    tls_end_close(&end);
    tls_world_close(&world);
    return is_heard;
}

/* One that wants an answer counts twice. */
TEST(test_a_peer_that_only_updates_keys_is_cut)
{
    EXPECT(is_heard_behind_updates(SSL_KEY_UPDATE_NOT_REQUESTED, 32));
    EXPECT(!is_heard_behind_updates(SSL_KEY_UPDATE_NOT_REQUESTED, 33));
    EXPECT(is_heard_behind_updates(SSL_KEY_UPDATE_REQUESTED, 16));
    EXPECT(!is_heard_behind_updates(SSL_KEY_UPDATE_REQUESTED, 18));
}

TEST(test_tickets_after_the_handshake_leave_with_the_next_answer)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    EXPECT_INT(SSL_new_session_ticket(tls_transport_ssl(&end.transport)), 1);
    expect_talk(&end);
    tls_end_close(&end);
    tls_world_close(&world);
}

/* RFC 5746 §4.5: a server may refuse, by an alert that is no error; what the client makes of it is
 * the client's (OpenSSL's gives up). */
TEST(test_renegotiation_is_refused)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_2_VERSION);
    tls_end_connect(&end, &world);
    EXPECT_INT(SSL_renegotiate(end.client), 1);
    (void)SSL_do_handshake(end.client);
    tls_end_run(&end);
    EXPECT_INT(end.calls.ready, 1);
    EXPECT_INT(end.recv_result, TRANSPORT_REFUSED);
    EXPECT(transport_why(&end.transport) != NULL);
    tls_end_close(&end);
    tls_world_close(&world);
}

TEST(test_a_session_is_resumed)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    expect_talk(&end);
    SSL_SESSION *session = SSL_get1_session(end.client);
    SSL_set_shutdown(end.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* so it stays good */
    tls_end_close(&end);
    tls_end_open(&end, &world);
    SSL_set_session(end.client, session);
    tls_end_run(&end);
    EXPECT_INT(end.ready, 0);
    EXPECT(SSL_session_reused(end.client));
    expect_client_got(&end, "");
    SSL_SESSION_free(session);
    tls_end_close(&end);
    tls_world_close(&world);
}

/* ---- after something else -------------------------------------------------------------------- */

enum { HEADER_BYTES = 8 };

static void header_received(struct loop_op *op)
{
    struct tls_end *end = CONTAINER_OF(op, struct tls_end, recv_op);
    EXPECT(op->result >= HEADER_BYTES && memcmp(op->data, "PROXY..\n", HEADER_BYTES) == 0);
    struct span rest = {op->data + HEADER_BYTES, (size_t)op->result - HEADER_BYTES};
    mem_fail_nth(end->sent); /* borrowed here: which allocation fails */
    int result = tls_end_wrap(end, rest);
    mem_fail_nth(0);
    if (result < 0) {
        EXPECT_INT(result, -ENOMEM);
        transport_close(&end->transport, true);
    }
    end->send_result = result;
}

static void plain_closed(struct transport *transport)
{
    CONTAINER_OF(transport, struct tls_end, transport)->calls.closed++;
}

/* The header is followed by so many bytes of the ClientHello at once, the rest comes later. */
static void begin_plain(struct tls_world *world, struct tls_end *end, size_t bytes, size_t failing)
{
    tls_end_prepare(end, world);
    EXPECT_INT(transport_plain_open(&end->transport, world->loop, end->server_fd, plain_closed), 0);
    transport_recv(&end->transport, &end->recv_op, 64 * KB, header_received);
    end->sent = failing;
    struct buf hello = tls_client_step(end);
    struct buf all = {0};
    buf_init(&all, 0);
    bytes = bytes < hello.len ? bytes : hello.len;
    buf_append(&all, "PROXY..\n", HEADER_BYTES);
    buf_append(&all, hello.data, bytes);
    tls_client_send_raw(end, all.data, all.len);
    tls_client_send_raw(end, hello.data + bytes, hello.len - bytes);
    buf_finish(&hello);
    buf_finish(&all);
}

TEST(test_a_plain_transport_goes_on_as_tls)
{
    static const size_t bytes[] = {0, 1, 5, 100, 10000};
    struct tls_world world;
    tls_world_open(&world, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct tls_end end;
        begin_plain(&world, &end, bytes[i], 0);
        tls_end_run(&end);
        EXPECT_INT(end.ready, 0);
        expect_talk(&end);
        tls_end_close(&end);
    }
    tls_world_close(&world);
}

TEST(test_a_plain_transport_stays_plain_without_memory)
{
    struct tls_world world;
    tls_world_open(&world, TLS1_3_VERSION);
    for (size_t failing = 1; failing <= 2; failing++) {
        struct tls_end end;
        begin_plain(&world, &end, 100, failing);
        EXPECT_INT(end.send_result, -ENOMEM);
        EXPECT_INT(end.calls.closed, 1);
        tls_end_drop(&end);
    }
    tls_world_close(&world);
}
