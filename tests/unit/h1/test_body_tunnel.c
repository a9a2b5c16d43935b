/* What the client sends behind an upgrade: exchange_tunnel_input() over the whole of h1. */
#include "support_lab.h"

#include "base/alloc.h"
#include "exchange/stream.h"

static const char request[] =
    "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

struct tunnel {
    struct lab lab;
    struct stream *stream;
    struct exchange *exchange;
    bool attaches_later;
    bool pauses; /* after each piece */
    bool closes; /* inside the first piece */
    unsigned ends;
    unsigned stream_ended;
};
static struct tunnel *the_tunnel;

static int take(struct exchange *exchange, struct span piece, void *arg)
{
    struct tunnel *tunnel = arg;
    EXPECT(exchange == tunnel->exchange);
    tunnel->lab.calls++;
    if (piece.len == 0) {
        tunnel->ends++;
        stream_close(tunnel->stream);
        return 0;
    }
    lab_note(&tunnel->lab, piece.ptr, piece.len);
    int rc = stream_write(tunnel->stream, piece.ptr, piece.len);
    EXPECT(rc == 0 || (rc == GALLEY_ENOMEM && mem_fail_happened()));
    if (tunnel->closes) {
        stream_close(tunnel->stream);
    }
    return tunnel->pauses ? EXCHANGE_BODY_PAUSE : 0;
}

static void ended(void *arg)
{
    ((struct tunnel *)arg)->stream_ended++;
}

static int upgrade(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct tunnel *tunnel = the_tunnel;
    struct exchange *exchange = exchange_of_request(rq);
    struct stream_options options = {.buffer_bytes = 2 * BIG_BYTES, .ended = ended, .arg = tunnel};
    int rc = exchange_upgrade(exchange, SPAN("echo"), &options, &tunnel->stream);
    if (rc == GALLEY_OK) {
        tunnel->exchange = exchange;
        if (!tunnel->attaches_later) {
            exchange_tunnel_input(exchange, take, tunnel);
        }
    }
    return rc;
}

static void tunnel_open(struct tunnel *tunnel)
{
    memset(tunnel, 0, sizeof *tunnel);
    the_tunnel = tunnel;
    lab_open(&tunnel->lab, upgrade, EXCHANGE_BODY_BUFFER, true);
}

static void tunnel_close(struct tunnel *tunnel)
{
    lab_disconnect(&tunnel->lab);
    if (tunnel->stream && tunnel->stream_ended == 0) { /* paused: it does not know yet */
        tunnel->pauses = false;
        tunnel->exchange->driver->resume_body(tunnel->exchange);
        sim_run(tunnel->lab.world.loop);
    }
    EXPECT_INT(tunnel->stream_ended, tunnel->stream != NULL);
    if (tunnel->stream) {
        stream_unref(tunnel->stream);
    }
    lab_close(&tunnel->lab);
}

/* Takes the head of the 101 off what came. */
static void expect_switched(struct tunnel *tunnel)
{
    struct span got = sim_received(tunnel->lab.peer);
    static const char line[] = "HTTP/1.1 101 Switching Protocols\r\n";
    EXPECT(got.len > sizeof line && memcmp(got.ptr, line, sizeof line - 1) == 0);
    const char *end = memmem(got.ptr, got.len, "\r\n\r\n", 4);
    EXPECT(end);
    sim_consume(tunnel->lab.peer, (size_t)(end - got.ptr) + 4);
}

TEST(test_bytes_behind_an_upgrade_are_raw_wherever_they_are_cut)
{
    /* RFC 9110 §7.8. What looks like a request is none any more. */
    static const char whole[] =
        "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\xff\r\n";
    size_t len = sizeof whole - 1;
    size_t raw = len - (sizeof request - 1);
    for (size_t at = 1; at <= len; at++) {
        struct tunnel tunnel;
        tunnel_open(&tunnel);
        world_send_bytes(&tunnel.lab.world, tunnel.lab.peer, whole, at);
        world_send_bytes(&tunnel.lab.world, tunnel.lab.peer, whole + at, len - at);
        expect_switched(&tunnel);
        EXPECT_INT(atomic_load(&tunnel.lab.got), raw);
        EXPECT(memcmp(tunnel.lab.body, whole + len - raw, raw) == 0);
        struct span echoed = sim_received(tunnel.lab.peer);
        EXPECT_INT(echoed.len, raw);
        EXPECT(memcmp(echoed.ptr, whole + len - raw, raw) == 0);
        EXPECT_INT(tunnel.lab.world.logged_count, 0); /* one exchange, and it goes on */
        tunnel_close(&tunnel);
    }
}

TEST(test_a_tunnel_has_no_deadline_but_for_a_client_that_does_not_read)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    lab_send(&tunnel.lab, request);
    EXPECT_INT(world_conn(&tunnel.lab.world)->state, CONN_BUSY);
    sim_advance(tunnel.lab.world.loop, 24 * 3600 * 1000);
    EXPECT_INT(world_conn(&tunnel.lab.world)->state, CONN_BUSY);
    lab_send(&tunnel.lab, "still there");
    EXPECT_INT(atomic_load(&tunnel.lab.got), 11);
    sim_set_window(tunnel.lab.peer, 0);
    lab_send(&tunnel.lab, "and again");
    EXPECT_INT(world_conn(&tunnel.lab.world)->state, CONN_SENDING);
    sim_advance(tunnel.lab.world.loop, 60000);
    EXPECT(sim_is_reset(tunnel.lab.peer));
    EXPECT_INT(tunnel.stream_ended, 1);
    EXPECT_INT(counter_read(&tunnel.lab.world.set.counters.closed[CLOSE_SEND_TIMEOUT]), 1);
    tunnel_close(&tunnel);
}

TEST(test_a_paused_tunnel_takes_a_bounded_lot_and_goes_on_when_it_is_told)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    lab_send(&tunnel.lab, request);
    tunnel.pauses = true;
    EXPECT_INT(sim_send(tunnel.lab.peer, tunnel.lab.world.big, BIG_BYTES), 0);
    sim_run(tunnel.lab.world.loop);
    EXPECT_INT(tunnel.lab.calls, 1);
    EXPECT(counter_read(&tunnel.lab.world.set.counters.bytes_in) < 400 * 1024);
    sim_advance(tunnel.lab.world.loop, 3600000);
    while (atomic_load(&tunnel.lab.got) < BIG_BYTES) {
        unsigned calls = tunnel.lab.calls;
        tunnel.exchange->driver->resume_body(tunnel.exchange);
        sim_run(tunnel.lab.world.loop);
        EXPECT_INT(tunnel.lab.calls, calls + 1);
    }
    tunnel_close(&tunnel);
}

TEST(test_what_came_before_somebody_listens_waits)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    tunnel.attaches_later = true;
    lab_send(&tunnel.lab, request);
    lab_send(&tunnel.lab, "early");
    sim_shutdown(tunnel.lab.peer);
    sim_run(tunnel.lab.world.loop);
    EXPECT_INT(tunnel.lab.calls, 0);
    exchange_tunnel_input(tunnel.exchange, take, &tunnel);
    sim_run(tunnel.lab.world.loop);
    EXPECT(memcmp(tunnel.lab.body, "early", 5) == 0);
    EXPECT_INT(tunnel.ends, 1);
    expect_switched(&tunnel);
    EXPECT_SPAN(sim_received(tunnel.lab.peer), "early");
    tunnel_close(&tunnel);
}

TEST(test_the_end_of_the_input_is_told_once_behind_what_came)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    lab_send(&tunnel.lab, request);
    tunnel.pauses = true;
    lab_send(&tunnel.lab, "last");
    lab_send(&tunnel.lab, "words");
    sim_shutdown(tunnel.lab.peer);
    sim_run(tunnel.lab.world.loop);
    EXPECT_INT(tunnel.ends, 0);
    tunnel.pauses = false;
    tunnel.exchange->driver->resume_body(tunnel.exchange);
    sim_run(tunnel.lab.world.loop);
    EXPECT_INT(tunnel.ends, 1);
    expect_switched(&tunnel);
    EXPECT_SPAN(sim_received(tunnel.lab.peer), "lastwords");
    EXPECT(sim_is_closed(tunnel.lab.peer) && !sim_is_reset(tunnel.lab.peer));
    tunnel_close(&tunnel);
}

TEST(test_a_tunnel_that_is_closed_inside_a_piece_closes_the_connection)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    tunnel.closes = true;
    lab_send(&tunnel.lab, request);
    lab_send(&tunnel.lab, "bye");
    EXPECT(sim_is_closed(tunnel.lab.peer) && !sim_is_reset(tunnel.lab.peer));
    lab_send(&tunnel.lab, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(tunnel.lab.calls, 1);
    tunnel_close(&tunnel);
}

TEST(test_a_reset_ends_a_tunnel)
{
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    lab_send(&tunnel.lab, request);
    sim_reset(tunnel.lab.peer);
    sim_run(tunnel.lab.world.loop);
    EXPECT_INT(tunnel.stream_ended, 1);
    EXPECT_INT(tunnel.ends, 0);
    EXPECT_INT(tunnel.lab.world.exchanges.live, 0);
    tunnel_close(&tunnel);
}

TEST(test_behind_a_body_that_is_not_whole_there_is_no_tunnel)
{
    /* RFC 9110 §7.8: the client cannot use the new protocol before its request is whole */
    struct tunnel tunnel;
    tunnel_open(&tunnel);
    tunnel.lab.route.body_mode = EXCHANGE_BODY_STREAM;
    lab_send(&tunnel.lab, "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                          "Upgrade: echo\r\nContent-Length: 5\r\n\r\nab");
    lab_send(&tunnel.lab, "cde and more");
    EXPECT_INT(tunnel.lab.calls, 0);
    stream_close(tunnel.stream);
    sim_run(tunnel.lab.world.loop);
    EXPECT(sim_is_closed(tunnel.lab.peer));
    tunnel_close(&tunnel);
}

TEST(test_every_allocation_of_a_tunnel_may_fail)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct tunnel tunnel;
        tunnel_open(&tunnel);
        tunnel.pauses = true;
        mem_fail_nth(n);
        (void)sim_send(tunnel.lab.peer, request, sizeof request - 1);
        sim_run(tunnel.lab.world.loop);
        (void)sim_send(tunnel.lab.peer, "\0", 1);
        (void)sim_send(tunnel.lab.peer, "\0", 1);
        sim_run(tunnel.lab.world.loop);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        tunnel_close(&tunnel);
    }
}
