/* tests/unit/tls/test_transport_close.c — the ends of TLS connections: said, not said, cut, and in
 * any state. What support_transport.c checks holds in each: one call for every start, `closed` the
 * last. */
#include "support_transport.h"

#include "test.h"

#include <errno.h>
#include <unistd.h>

static const char text[100 * KB];

static void open_connected(struct tls_world *world, struct tls_end *end)
{
    tls_world_open(world, TLS1_3_VERSION);
    tls_end_connect(end, world);
}

/* ---- half closes ----------------------------------------------------------------------------- */

/* RFC 8446 §6.1: either party may close its side; the other one may go on. */
TEST(test_a_client_that_has_said_goodbye_still_gets_its_answer)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_connect(&end, &world);
        tls_client_write(&end, "question", 8);
        EXPECT_INT(SSL_shutdown(end.client), 0);
        tls_end_run(&end);
        EXPECT_SPAN(buf_span(&end.got), "question");
        EXPECT_INT(end.recv_result, 0);
        tls_end_send(&end, "answer", 6);
        tls_end_run(&end);
        EXPECT_SPAN(buf_span(&end.client_got), "answer");
        tls_end_recv(&end); /* once more: the same end */
        tls_end_run(&end);
        EXPECT_INT(end.recv_result, 0);
        tls_end_close_both(&world, &end);
    }
}

TEST(test_after_our_goodbye_the_client_may_go_on)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    EXPECT_INT(tls_end_shutdown(&end), 0);
    tls_end_run(&end);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
    tls_client_write(&end, "late", 4);
    tls_end_run(&end);
    EXPECT_SPAN(buf_span(&end.got), "late");
    sim_shutdown(end.peer);
    tls_end_run(&end);
    EXPECT_INT(end.recv_result, TRANSPORT_TRUNCATED);
    tls_end_close_both(&world, &end);
}

TEST(test_a_goodbye_follows_the_last_byte_to_a_slow_reader)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_set_max_write(end.peer, 1);
    EXPECT_INT(tls_end_shutdown(&end), 0);
    EXPECT(!sim_is_closed(end.peer)); /* FIN waits for the alert */
    tls_end_run(&end);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT(sim_is_closed(end.peer));
    tls_end_close_both(&world, &end);
}

/* ---- ends that nobody has announced ---------------------------------------------------------- */

TEST(test_an_end_without_goodbye_is_a_truncation)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_shutdown(end.peer);
    tls_end_run(&end);
    EXPECT_INT(end.recv_result, TRANSPORT_TRUNCATED);
    tls_end_close_both(&world, &end);
}

TEST(test_a_reset_is_told_as_one)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_reset(end.peer);
    sim_run(world.loop);
    EXPECT_INT(end.recv_result, -ECONNRESET);
    tls_end_close_both(&world, &end);
}

/* A client that goes after so many bytes of its handshake; false: it was done before. */
static bool go_after(struct tls_world *world, size_t bytes, bool is_reset)
{
    struct tls_end end;
    size_t said = 0;
    tls_end_open(&end, world);
    while (end.ready == NOT_TOLD && said < bytes) {
        struct buf out = tls_client_step(&end);
        size_t n = out.len < bytes - said ? out.len : bytes - said;
        tls_client_send_raw(&end, out.data, n);
        said += n;
        buf_finish(&out);
    }
    bool is_done = end.ready == 0;
    if (!is_done) {
        is_reset ? sim_reset(end.peer) : sim_shutdown(end.peer);
        sim_run(world->loop);
        bool is_probe = bytes == 0 && !is_reset;
        EXPECT_INT(end.ready, is_probe ? TRANSPORT_TRUNCATED : -ECONNRESET);
    }
    tls_end_close(&end);
    return !is_done;
}

TEST(test_clients_that_go_anywhere_in_a_handshake)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        tls_world_open(&world, versions[v]);
        for (size_t bytes = 0; go_after(&world, bytes, bytes % 2); bytes++) {
            EXPECT(bytes < 2000);
        }
        EXPECT(go_after(&world, 0, true));
        EXPECT(go_after(&world, 100, false));
        tls_world_close(&world);
    }
}

/* ---- closing --------------------------------------------------------------------------------- */

TEST(test_a_close_says_goodbye)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    tls_end_shut(&end, false);
    tls_end_run(&end);
    EXPECT_INT(end.calls.closed, 1);
    EXPECT_INT(end.recv_result, -ECANCELED);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
    tls_end_close_both(&world, &end);
}

TEST(test_a_reset_says_nothing)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    tls_end_shut(&end, true);
    tls_end_run(&end);
    EXPECT_INT(end.calls.closed, 1);
    EXPECT_INT(end.client_end, 0);
    EXPECT(sim_is_reset(end.peer));
    tls_end_close_both(&world, &end);
}

/* RFC 8446 §6.1: the owner has said that nothing follows, so close_notify is behind the last byte. */
TEST(test_a_goodbye_leaves_with_the_last_bytes)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_connect(&end, &world);
        unsigned before = sim_sends(end.peer);
        end.is_last = true;
        tls_end_send(&end, "answer", 6);
        tls_end_run(&end);
        EXPECT_SPAN(buf_span(&end.client_got), "answer");
        EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
        EXPECT_INT(end.sent, 6);
        EXPECT(!sim_is_closed(end.peer));
        tls_end_shut(&end, false);
        tls_end_run(&end);
        EXPECT_INT(sim_sends(end.peer), before + 1);
        EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
        tls_end_close_both(&world, &end);
    }
}

TEST(test_who_has_said_goodbye_with_the_last_bytes_still_reads_and_half_closes)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    end.is_last = true;
    tls_end_send(&end, "answer", 6);
    tls_end_run(&end);
    EXPECT_INT(tls_end_shutdown(&end), 0);
    tls_client_write(&end, "late", 4);
    tls_end_run(&end);
    EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
    EXPECT_SPAN(buf_span(&end.got), "late");
    tls_end_close_both(&world, &end);
}

/* Not behind the first chunk of it, and not before all of it has been read. */
TEST(test_a_goodbye_is_behind_the_last_chunk_of_what_is_large)
{
    static char data[300 * KB];
    int fd = tls_make_file(data, sizeof data);
    for (unsigned is_file = 0; is_file < 2; is_file++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end);
        end.is_last = true;
        sim_set_max_write(end.peer, 10000);
        if (is_file) {
            tls_end_send_file(&end, fd, 0, sizeof data);
        } else {
            tls_end_send(&end, data, sizeof data);
        }
        tls_end_run(&end);
        tls_end_expect(&end, data, sizeof data);
        EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
        tls_end_close_both(&world, &end);
    }
    close(fd);
}

/* The room in the output is gone with the head; close_notify waits for the next. */
TEST(test_a_goodbye_that_has_no_room_leaves_next)
{
    static char data[64 * KB];
    for (size_t len = sizeof data - 40; len <= sizeof data; len++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end);
        end.is_last = true;
        tls_end_send(&end, data, len);
        tls_end_run(&end);
        tls_end_expect(&end, data, len);
        EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
        tls_end_close_both(&world, &end);
    }
}

/* It is in the output, but what it follows has not left. */
TEST(test_a_reset_before_the_last_bytes_have_left_is_no_goodbye)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    end.is_last = true;
    sim_set_window(end.peer, 1000);
    tls_end_send(&end, text, 3000);
    sim_run(world.loop);
    tls_end_shut(&end, true);
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    EXPECT(end.client_end != SSL_ERROR_ZERO_RETURN);
    EXPECT(sim_is_reset(end.peer));
    tls_end_close_both(&world, &end);
}

/* A cut answer must not look whole. */
TEST(test_a_close_in_the_middle_of_a_send_does_not_say_goodbye)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_set_window(end.peer, 1000);
    tls_end_send(&end, text, sizeof text);
    sim_run(world.loop);
    tls_end_shut(&end, false);
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    EXPECT_INT(end.send_result, -ECANCELED);
    EXPECT_INT(end.calls.closed, 1);
    EXPECT(end.client_end != SSL_ERROR_ZERO_RETURN);
    tls_end_close_both(&world, &end);
}

TEST(test_a_goodbye_that_nobody_takes_is_given_up_after_a_second)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_set_window(end.peer, 0);
    tls_end_shut(&end, false);
    sim_run(world.loop);
    EXPECT_INT(end.recv_result, -ECANCELED);
    EXPECT_INT(end.calls.closed, 0);
    sim_advance(world.loop, 900);
    EXPECT_INT(end.calls.closed, 0);
    sim_advance(world.loop, 200);
    EXPECT_INT(end.calls.closed, 1);
    tls_end_close_both(&world, &end);
}

static void nothing_is_read(struct tls_end *end)
{
    sim_set_max_write(end->peer, 100); /* of what the server says last in the handshake */
    sim_set_window(end->peer, 100);
}

/* What a socket has left of the output stands in a block of just its size: there is no room for the
 * goodbye until all of that has gone, in however many pieces. */
TEST(test_a_goodbye_waits_behind_what_leaves_in_small_pieces)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_open(&end, &world);
    end.on_ready = nothing_is_read;
    struct buf said = tls_client_step(&end);
    while (end.ready == NOT_TOLD) {
        tls_client_send_raw(&end, said.data, said.len);
        buf_finish(&said);
        sim_run(world.loop);
        said = tls_client_step(&end);
    }
    buf_finish(&said);
    tls_end_shut(&end, false);
    for (unsigned i = 0; i < 20; i++) { /* far from the second that it has */
        sim_set_window(end.peer, 100);
        sim_run(world.loop);
    }
    sim_set_window(end.peer, SIZE_MAX);
    tls_end_run(&end);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    tls_end_close_both(&world, &end);
}

TEST(test_a_client_that_resets_while_the_goodbye_waits)
{
    struct tls_world world;
    struct tls_end end;
    open_connected(&world, &end);
    sim_set_window(end.peer, 0);
    tls_end_shut(&end, false);
    sim_run(world.loop);
    sim_reset(end.peer);
    sim_run(world.loop);
    EXPECT_INT(end.calls.closed, 1);
    tls_end_close_both(&world, &end);
}

/* ---- in any state, also inside callbacks ------------------------------------------------------ */

static void shut_gently(struct tls_end *end)
{
    tls_end_shut(end, false);
}

static void shut_hard(struct tls_end *end)
{
    tls_end_shut(end, true);
}

/* What is started after the close is called back too. */
static void shut_and_start(struct tls_end *end)
{
    tls_end_shut(end, false);
    if (!end->recv_op.is_pending) {
        tls_end_recv(end);
    }
    end->on_received = NULL;
    end->on_sent = NULL;
    end->reads = false;
    tls_end_send(end, "more", 4);
}

static void (*const shuts[])(struct tls_end *) = {shut_gently, shut_hard, shut_and_start};

TEST(test_closing_inside_of_each_callback)
{
    for (unsigned i = 0; i < 9; i++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, TLS1_3_VERSION);
        tls_end_open(&end, &world);
        if (i / 3 == 0) {
            end.on_ready = shuts[i % 3];
        }
        tls_end_run(&end);
        if (i / 3 == 1) {
            end.on_received = shuts[i % 3];
            tls_client_write(&end, "question", 8);
        } else if (i / 3 == 2) {
            end.on_sent = shuts[i % 3];
            tls_end_send(&end, "answer", 6);
        }
        tls_end_run(&end);
        sim_advance(world.loop, 1500);
        EXPECT_INT(end.calls.closed, 1);
        tls_end_close_both(&world, &end);
    }
}

/* However far the handshake has come. */
TEST(test_closing_after_each_step_of_a_handshake)
{
    for (unsigned steps = 0; steps < 4; steps++) {
        for (unsigned how = 0; how < 3; how++) {
            struct tls_world world;
            struct tls_end end;
            tls_world_open(&world, steps % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
            tls_end_open(&end, &world);
            for (unsigned i = 0; i < steps; i++) {
                struct buf out = tls_client_step(&end);
                tls_client_send_raw(&end, out.data, out.len);
                buf_finish(&out);
            }
            shuts[how](&end);
            tls_end_run(&end);
            EXPECT_INT(end.calls.closed, 1);
            tls_end_close_both(&world, &end);
        }
    }
}

TEST(test_closing_with_bytes_that_nobody_has_read)
{
    for (unsigned how = 0; how < 3; how++) {
        struct tls_world world;
        struct tls_end end;
        open_connected(&world, &end);
        end.reads = false;
        end.max_bytes = 10;
        for (int i = 0; i < 5; i++) {
            tls_client_write(&end, text, 10 * KB);
        }
        tls_end_run(&end);
        shuts[how](&end);
        tls_end_run(&end);
        EXPECT_INT(end.calls.closed, 1);
        tls_end_close_both(&world, &end);
    }
}
