/* tests/unit/tls/test_transport_hostile.c — peers that do not speak TLS, speak it wrongly, or do
 * not want what we offer; and memory that runs out anywhere. */
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"

#include <errno.h>
#include <openssl/crypto.h>

static void open_raw(struct tls_world *world, struct tls_end *end)
{
    tls_world_open(world, TLS1_3_VERSION);
    tls_end_open(end, world);
}

/* ---- what is not TLS ------------------------------------------------------------------------- */

TEST(test_plain_http_is_told_that_this_is_tls)
{
    static const char *const requests[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "P"};
    for (unsigned i = 0; i < 3; i++) {
        struct tls_world world;
        struct tls_end end;
        open_raw(&world, &end);
        tls_client_send_raw(&end, requests[i], strlen(requests[i]));
        EXPECT_INT(end.ready, TRANSPORT_PLAIN_HTTP);
        struct span answer = sim_received_text(end.peer);
        EXPECT(span_starts_with(answer, SPAN("HTTP/1.1 400 Bad Request\r\n")));
        EXPECT(strstr(answer.ptr, "\r\n\r\nThis port speaks TLS") != NULL);
        EXPECT_INT(end.got.len, strlen(requests[i])); /* raw, to be dropped */
        EXPECT_INT(tls_end_shutdown(&end), 0);
        sim_run(world.loop);
        EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
        tls_end_close_both(&world, &end);
    }
}

/* RFC 8446 §6.2: unexpected_message. */
TEST(test_garbage_gets_an_alert)
{
    struct tls_world world;
    struct tls_end end;
    open_raw(&world, &end);
    tls_client_send_raw(&end, "\x80\x2e\x01\x00\x02", 5); /* SSL 2 looked so */
    EXPECT_INT(end.ready, TRANSPORT_GARBAGE);
    struct span answer = sim_received(end.peer);
    EXPECT(answer.len == 7 && memcmp(answer.ptr, "\x15\x03\x03\x00\x02\x02\x0a", 7) == 0);
    tls_client_send_raw(&end, "more", 4);
    sim_shutdown(end.peer);
    sim_run(world.loop);
    EXPECT_INT(end.recv_result, 0);
    tls_end_close_both(&world, &end);
}

/* It is refused, with an alert; what is sent anyway fails. */
TEST(test_garbage_that_begins_like_tls)
{
    struct tls_world world;
    struct tls_end end;
    open_raw(&world, &end);
    tls_client_send_raw(&end, "\x16\x03\x01\x00\x05hello", 10);
    EXPECT_INT(end.ready, TRANSPORT_BROKEN);
    EXPECT(transport_why(&end.transport) != NULL);
    EXPECT(sim_received(end.peer).len >= 7 && sim_received(end.peer).ptr[0] == 0x15);
    tls_end_send(&end, "answer", 6);
    sim_run(world.loop);
    EXPECT_INT(end.send_result, TRANSPORT_BROKEN);
    tls_end_shut(&end, false);
    tls_end_close_both(&world, &end);
}

/* ---- what is not wanted ---------------------------------------------------------------------- */

TEST(test_a_client_that_does_not_trust_the_certificate)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_open(&end, &world);
        SSL_set_verify(end.client, SSL_VERIFY_PEER, NULL);
        tls_end_run(&end);
        EXPECT_INT(end.ready, TRANSPORT_REFUSED);
        EXPECT(strstr(transport_why(&end.transport), "unknown ca") != NULL);
        tls_end_close_both(&world, &end);
    }
}

TEST(test_no_version_in_common)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(world.server, TLS1_3_VERSION);
    tls_end_open(&end, &world);
    tls_end_run(&end);
    EXPECT_INT(end.ready, TRANSPORT_BROKEN);
    EXPECT_INT(end.client_end, SSL_ERROR_SSL);
    tls_end_close_both(&world, &end);
}

/* RFC 7301 §3.2: no_application_protocol. */
TEST(test_no_protocol_in_common)
{
    struct tls_world world;
    struct tls_end end;
    open_raw(&world, &end);
    SSL_set_alpn_protos(end.client,
                        (const unsigned char *)"\x03"
                                               "foo",
                        4);
    tls_end_run(&end);
    EXPECT_INT(end.ready, TRANSPORT_BROKEN);
    EXPECT_INT(end.client_end, SSL_ERROR_SSL);
    tls_end_close_both(&world, &end);
}

/* ---- after the handshake --------------------------------------------------------------------- */

static void shut_gently(struct tls_end *end)
{
    if (end->recv_result < 0) {
        tls_end_shut(end, false);
    } else {
        tls_end_recv(end);
    }
}

/* RFC 8446 §5.2: bad_record_mac, and the client hears of it. */
TEST(test_a_forged_record_ends_the_connection_with_an_alert)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        struct tls_world world;
        struct tls_end end;
        tls_world_open(&world, versions[v]);
        tls_end_connect(&end, &world);
        end.on_received = shut_gently;
        tls_client_write(&end, "question", 8);
        struct buf out = tls_client_step(&end);
        out.data[out.len - 1] ^= 1;
        tls_client_send_raw(&end, out.data, out.len);
        buf_finish(&out);
        EXPECT_INT(end.recv_result, TRANSPORT_BROKEN);
        EXPECT_INT(end.got.len, 0);
        tls_end_run(&end);
        EXPECT_INT(end.client_end, SSL_ERROR_SSL);
        EXPECT_INT(end.calls.closed, 1);
        tls_end_close_both(&world, &end);
    }
}

/* What came before the forgery is good. */
TEST(test_bytes_before_a_forged_record_arrive)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    tls_client_write(&end, "question", 8);
    struct buf out = tls_client_step(&end);
    buf_append(&out, "\x17\x03\x03\x00\x02zz", 7);
    tls_client_send_raw(&end, out.data, out.len);
    buf_finish(&out);
    EXPECT_SPAN(buf_span(&end.got), "question");
    EXPECT_INT(end.recv_result, TRANSPORT_BROKEN);
    tls_end_send(&end, "answer", 6);
    sim_run(world.loop);
    EXPECT_INT(end.send_result, TRANSPORT_BROKEN);
    tls_end_close_both(&world, &end);
}

TEST(test_plain_bytes_after_the_handshake_are_a_broken_rule)
{
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world);
    tls_client_send_raw(&end, "GET / HTTP/1.1\r\n\r\n", 18);
    EXPECT_INT(end.recv_result, TRANSPORT_BROKEN);
    tls_end_close_both(&world, &end);
}

TEST(test_noise_of_any_kind_ends_what_it_meets)
{
    struct tls_world world;
    tls_world_open(&world, TLS1_3_VERSION);
    for (unsigned i = 0; i < test_rounds(200); i++) {
        struct tls_end end;
        char noise[200];
        tls_end_open(&end, &world);
        for (unsigned k = 0; k < sizeof noise; k++) {
            noise[k] = (char)test_random_below(256);
        }
        if (i % 2) {
            struct buf out = tls_client_step(&end);
            out.data[test_random_below(out.len)] = noise[0];
            tls_client_send_raw(&end, out.data, out.len);
            buf_finish(&out);
        } else if (i % 4) {
            noise[0] = 0x16;
            noise[1] = 3;
        }
        tls_client_send_raw(&end, noise, sizeof noise);
        tls_end_run(&end);
        sim_shutdown(end.peer);
        tls_end_run(&end);
        EXPECT(end.ready != NOT_TOLD);
        tls_end_close(&end);
    }
    tls_world_close(&world);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static char data[100 * KB];

/* As much as can be done; each step may fail. */
static void use_all(struct tls_end *end)
{
    tls_end_run(end);
    if (end->ready == 0) {
        end->reads = false;
        for (int i = 0; i < 4; i++) {
            tls_client_write(end, data, 10 * KB);
        }
        end->max_bytes = 5 * KB;
        tls_end_run(end); /* keeps what has come */
        end->reads = true;
        if (!end->recv_op.is_pending) {
            tls_end_recv(end);
        }
        sim_set_max_write(end->peer, 10 * KB);
        tls_end_send(end, data, sizeof data);
        tls_end_run(end);
        (void)(end->send_op.is_pending ? 0 : tls_end_shutdown(end));
    }
    tls_end_run(end);
    tls_end_shut(end, false);
}

TEST(test_memory_that_runs_out_ends_the_connection)
{
    struct tls_world world;
    tls_world_open(&world, TLS1_3_VERSION);
    bool has_happened = true;
    unsigned failed = 0;
    for (uint64_t n = 1; has_happened; n++) {
        struct tls_end end;
        tls_end_prepare(&end, &world);
        mem_fail_nth(n);
        int result = tls_end_start(&end);
        if (result == 0) {
            use_all(&end);
        } else {
            EXPECT_INT(result, -ENOMEM);
            loop_close_fd(world.loop, end.server_fd);
            failed++;
        }
        has_happened = mem_fail_happened();
        mem_fail_nth(0);
        if (result == 0) {
            EXPECT(has_happened || end.sent == sizeof data);
            tls_end_close(&end);
        } else {
            tls_end_drop(&end);
        }
    }
    EXPECT(failed >= 1);
    tls_world_close(&world);
}

TEST(test_what_a_loop_shares_may_fail)
{
    struct loop *loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_SIM}, NULL);
    mem_fail_nth(1);
    EXPECT(tls_shared_create(loop) == NULL);
    mem_fail_nth(0);
    tls_shared_destroy(NULL);
    loop_destroy(loop);
}

/* OpenSSL's own memory: the n-th allocation of a connection fails. */
static uint64_t countdown;

static void *openssl_malloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return countdown > 0 && --countdown == 0 ? NULL : malloc(bytes);
}

static void *openssl_realloc(void *block, size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return countdown > 0 && --countdown == 0 ? NULL : realloc(block, bytes);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file, (void)line;
    free(block);
}

/* The server's share of one step; the client's memory does not fail. */
static void step_with_failure(struct tls_end *end, uint64_t *left)
{
    struct buf out = tls_client_step(end);
    if (out.len > 0) {
        (void)sim_send(end->peer, out.data, out.len);
    }
    countdown = *left;
    sim_run(end->world->loop);
    *left = countdown;
    countdown = 0;
    buf_finish(&out);
}

TEST(test_openssl_without_memory_ends_the_connection)
{
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free)) {
        test_skip("OpenSSL has allocated already");
    }
    struct tls_world world;
    struct tls_end end;
    tls_world_open(&world, TLS1_3_VERSION);
    tls_end_connect(&end, &world); /* what is made once is there */
    tls_end_close(&end);
    bool has_happened = true;
    for (uint64_t n = 1; has_happened; n += 1 + n / 50) {
        uint64_t left = n;
        tls_end_prepare(&end, &world);
        countdown = left;
        int result = tls_end_start(&end);
        left = countdown;
        countdown = 0;
        for (int i = 0; i < 6 && result == 0 && end.ready == NOT_TOLD; i++) {
            step_with_failure(&end, &left);
        }
        has_happened = left == 0;
        EXPECT(has_happened || end.ready == 0);
        EXPECT(end.ready != TRANSPORT_REFUSED); /* nobody has */
        if (result == 0) {
            tls_end_close(&end);
        } else {
            EXPECT_INT(result, -ENOMEM);
            loop_close_fd(world.loop, end.server_fd);
            tls_end_drop(&end);
        }
    }
    tls_world_close(&world);
}
