/* tests/unit/tls/whole/test_whole.c — HTTP/1.1 over TLS through connections: the same answers as
 * over plain TCP, the protocol that was agreed on, and each way a connection can end, with its
 * reason. */
#include "support_whole.h"

#include "base/alloc.h"
#include "loop/warm_file.h"
#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#define EACH_VERSION(v) for (unsigned v = 0; v < sizeof versions / sizeof *versions; v++)

static void close_both(struct whole *whole, struct tls_end *end)
{
    whole_client_close(whole, end);
    whole_close(whole);
}

/* ---- answers --------------------------------------------------------------------------------- */

TEST(test_requests_and_answers)
{
    EACH_VERSION(v)
    {
        struct whole whole;
        struct tls_end end;
        whole_open(&whole, versions[v]);
        struct conn *conn = whole_client(&whole, &end);
        EXPECT(conn->is_tls);
        EXPECT_TEXT(conn->protocol->name, "http/1.1");
        for (int i = 0; i < 3; i++) {
            whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            struct answer answer = whole_answer(&end);
            EXPECT_INT(answer.status, 200);
            EXPECT_SPAN(answer.body, "hello");
            EXPECT_INT(conn->state, CONN_IDLE);
        }
        close_both(&whole, &end);
    }
}

TEST(test_pipelined_answers_share_a_record)
{
    struct whole whole;
    struct tls_end end;
    size_t largest;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    end.keeps_wire = true;
    whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_INT(whole_answer(&end).status, 200);
    EXPECT_INT(whole_answer(&end).status, 200);
    EXPECT_INT(whole_answer(&end).status, 204);
    EXPECT_INT(tls_records(&end.wire, 0, 23, &largest), 1);
    close_both(&whole, &end);
}

TEST(test_large_answers_and_files_to_slow_readers)
{
    static const size_t steps[] = {0, 900, 70 * KB};
    for (unsigned i = 0; i < 3; i++) {
        struct whole whole;
        struct tls_end end;
        whole_open(&whole, TLS1_3_VERSION);
        (void)whole_client(&whole, &end);
        whole.world.file_fd = memfd_create("file", MFD_CLOEXEC);
        whole.world.file_bytes = 150 * KB;
        EXPECT_INT(ftruncate(whole.world.file_fd, 150 * KB), 0);
        sim_set_max_write(end.peer, steps[i]);
        whole_say(&end,
                  "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /file HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_INT(whole_answer(&end).body.len, BIG_BYTES);
        EXPECT_INT(whole.world.big_released, 1);
        struct answer answer = whole_answer(&end);
        EXPECT_INT(answer.body.len, 150 * KB);
        EXPECT_INT(answer.body.ptr[1000], 0);
        EXPECT(counter_read(&whole.world.set.counters.bytes_out) > BIG_BYTES + 150 * KB);
        close(whole.world.file_fd);
        close_both(&whole, &end);
    }
}

TEST(test_a_body_and_an_answer_that_comes_later)
{
    struct whole whole;
    struct tls_end end;
    static char body[50 * KB];
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    memset(body, 'b', sizeof body);
    sim_set_max_read(end.peer, 1000);
    whole_say(&end, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 51200\r\n\r\n");
    tls_client_write(&end, body, sizeof body);
    tls_end_run(&end);
    EXPECT_INT(whole_answer(&end).body.len, sizeof body);
    whole_say(&end, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(whole.world.later != NULL);
    exchange_resume(whole.world.later, 204);
    whole.world.later = NULL;
    tls_end_run(&end);
    EXPECT_INT(whole_answer(&end).status, 204);
    close_both(&whole, &end);
}

static sem_t disk_reached, disk_opened;

static void hold_disk(void *arg)
{
    (void)arg;
    sem_post(&disk_reached);
    while (sem_wait(&disk_opened) != 0) {
        /* EINTR */
    }
}

/* The state's rate is the client's, as over plain TCP: conn/ sees where the operation waits. */
TEST(test_a_disk_that_takes_minutes_is_not_held_against_the_client)
{
    struct whole whole;
    struct tls_end end;
    galley_pool *pool = galley_pool_new(1, NULL);
    const galley_job gate = {.run = hold_disk};
    sem_init(&disk_reached, 0, 0);
    sem_init(&disk_opened, 0, 0);
    whole_open(&whole, TLS1_3_VERSION);
    EXPECT_INT(warm_files_start(whole.world.loop, pool), 0);
    sim_set_probe(whole.world.loop, -EAGAIN);
    EXPECT_INT(galley_pool_submit(pool, &gate, 1, 0), 1);
    while (sem_wait(&disk_reached) != 0) {
        /* EINTR */
    }
    (void)whole_client(&whole, &end);
    whole.world.file_fd = memfd_create("file", MFD_CLOEXEC);
    whole.world.file_bytes = 150 * KB;
    EXPECT_INT(ftruncate(whole.world.file_fd, 150 * KB), 0);
    whole_say(&end, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
    sim_advance(whole.world.loop, 600000);
    EXPECT_INT(whole.world.set.count, 1);
    tls_end_run(&end);
    size_t head = end.client_got.len; /* it does not wait for the disk */
    EXPECT(head > 0 && head < 1000);
    sem_post(&disk_opened);
    while (end.client_got.len < head + 150 * KB) {
        if (!sim_turn(whole.world.loop)) {
            sim_sleep(whole.world.loop, 10);
        }
        tls_end_run(&end);
    }
    EXPECT_INT(whole_answer(&end).body.len, 150 * KB);
    EXPECT_INT(warm_files_read_count(whole.world.loop), 1);
    close(whole.world.file_fd);
    galley_pool_free(pool);
    close_both(&whole, &end);
    sem_destroy(&disk_reached);
    sem_destroy(&disk_opened);
}

/* ---- which protocol -------------------------------------------------------------------------- */

TEST(test_nothing_agreed_is_the_first_protocol)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    whole.protocols[0] = h1_driver_protocol(whole.world.driver);
    (void)whole_connect(&whole, &end);
    SSL_set_alpn_protos(end.client, NULL, 0);
    tls_end_run(&end);
    whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_INT(whole_answer(&end).status, 200);
    close_both(&whole, &end);
}

TEST(test_a_protocol_that_the_server_does_not_have)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    whole.entry.protocol_count = 1;
    (void)whole_connect(&whole, &end);
    tls_end_run(&end);
    EXPECT_INT(whole_closed(&whole, CLOSE_HANDSHAKE_FAILED), 0);
    sim_shutdown(end.peer);
    tls_end_run(&end);
    EXPECT_INT(whole_closed(&whole, CLOSE_HANDSHAKE_FAILED), 1);
    close_both(&whole, &end);
}

TEST(test_an_entry_without_an_opener_is_plain)
{
    struct whole whole;
    whole_open(&whole, TLS1_3_VERSION);
    whole.entry.opener = NULL;
    whole.entry.protocols = &whole.protocols[1];
    int fd = -1;
    struct sim_peer *peer = sim_pair(whole.world.loop, &fd);
    struct conn *conn = conn_create_by(&whole.world.set, fd, &whole.entry);
    EXPECT(conn && !conn->is_tls && conn->state == CONN_FIRST);
    world_send(&whole.world, peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_INT(first_status(peer), 200);
    sim_peer_free(peer);
    whole_close(&whole);
}

/* ---- ends ------------------------------------------------------------------------------------ */

TEST(test_a_handshake_has_a_deadline)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    struct conn *conn = whole_connect(&whole, &end);
    struct buf hello = tls_client_step(&end);
    tls_client_send_raw(&end, hello.data, hello.len);
    buf_finish(&hello);
    sim_advance(whole.world.loop, 9999);
    EXPECT_INT(conn->state, CONN_HANDSHAKE);
    sim_advance(whole.world.loop, 1);
    EXPECT_INT(whole_closed(&whole, CLOSE_HANDSHAKE_TIMEOUT), 1);
    EXPECT_INT(whole.world.set.count, 0);
    close_both(&whole, &end);
}

/* RFC 9112 §9.6 and §9.8: the answer, goodbye, FIN. Both records leave in one send. */
TEST(test_the_last_answer_is_followed_by_goodbye)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    unsigned before = sim_sends(end.peer);
    whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_INT(whole_answer(&end).status, 200);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT_INT(sim_sends(end.peer), before + 1);
    EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
    EXPECT_INT(SSL_shutdown(end.client), 1);
    tls_end_run(&end);
    EXPECT_INT(whole_closed(&whole, CLOSE_KEEPALIVE_OFF), 1);
    close_both(&whole, &end);
}

/* Head, file and goodbye. */
TEST(test_a_file_that_ends_its_connection_leaves_with_goodbye)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    whole.world.file_fd = memfd_create("file", MFD_CLOEXEC);
    whole.world.file_bytes = 10 * KB;
    EXPECT_INT(ftruncate(whole.world.file_fd, 10 * KB), 0);
    unsigned before = sim_sends(end.peer);
    whole_say(&end, "GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_INT(whole_answer(&end).body.len, 10 * KB);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT_INT(sim_sends(end.peer), before + 1);
    close(whole.world.file_fd);
    close_both(&whole, &end);
}

TEST(test_an_idle_connection_is_ended_with_goodbye)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    sim_advance(whole.world.loop, 61000);
    tls_end_run(&end);
    EXPECT_INT(whole_closed(&whole, CLOSE_IDLE_TIMEOUT), 1);
    EXPECT_INT(end.client_end, SSL_ERROR_ZERO_RETURN);
    EXPECT(sim_is_closed(end.peer) && !sim_is_reset(end.peer));
    close_both(&whole, &end);
}

TEST(test_a_drain_ends_handshakes_and_idle_connections)
{
    struct whole whole;
    struct tls_end idle;
    struct tls_end shaking;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &idle);
    whole_say(&idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)whole_connect(&whole, &shaking);
    conn_set_drain(&whole.world.set);
    sim_run(whole.world.loop);
    tls_end_run(&idle);
    EXPECT_INT(whole.world.set.count, 0);
    EXPECT_INT(whole_closed(&whole, CLOSE_DRAIN), 2);
    EXPECT_INT(idle.client_end, SSL_ERROR_ZERO_RETURN);
    whole_client_close(&whole, &shaking);
    close_both(&whole, &idle);
}

struct ending {
    const char *said;    /* in the clear; NULL: nothing */
    const char *request; /* after a handshake; NULL: none takes place */
    bool is_raw;         /* `said` comes after the handshake */
    enum close_reason reason;
    bool is_reset;
    const char *log; /* what the debug log says of it; NULL: nothing */
};

static const struct ending endings[] = {
    {"GET / HTTP/1.1\r\n\r\n", NULL, false, CLOSE_PLAIN_ON_TLS, false, "spoke plain HTTP"},
    {"hello", NULL, false, CLOSE_NOT_TLS, false, "was not TLS"},
    {"\x16\x09\x09\x09\x09hello", NULL, false, CLOSE_HANDSHAKE_FAILED, false, "("},
    {"\x16\x03", NULL, false, CLOSE_HANDSHAKE_GIVEN_UP, false, "went away"},
    {NULL, NULL, false, CLOSE_CLIENT_CLOSED, false, NULL},
    {NULL, "", false, CLOSE_CLIENT_CLOSED, false, NULL},
    {NULL, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, CLOSE_CLIENT_CLOSED, false, NULL},
    {NULL, "GET / HTTP/1.1\r\n", false, CLOSE_TLS_TRUNCATED, true, "without ending TLS"},
    {NULL, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", false,
     CLOSE_TLS_TRUNCATED, true, "without ending TLS"},
    {"GET / HTTP/1.1\r\n\r\n", "", true, CLOSE_TLS_FAILED, false, "broke a rule of TLS ("},
};

TEST(test_each_end_has_its_reason)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const struct ending *ending = &endings[i];
        struct whole whole;
        struct tls_end end;
        whole_open(&whole, TLS1_3_VERSION);
        (void)(ending->request ? whole_client(&whole, &end) : whole_connect(&whole, &end));
        if (ending->request && *ending->request) {
            whole_say(&end, ending->request);
        }
        if (ending->said) {
            tls_client_send_raw(&end, ending->said, strlen(ending->said));
        }
        sim_shutdown(end.peer);
        sim_run(whole.world.loop);
        if (whole_closed(&whole, ending->reason) != 1) {
            test_fail(__FILE__, __LINE__, "row %zu: %s, not %s", i, whole.logged,
                      close_reason_name(ending->reason));
        }
        EXPECT_INT(sim_is_reset(end.peer), ending->is_reset);
        EXPECT(ending->log ? strstr(whole.logged, ending->log) != NULL : !*whole.logged);
        close_both(&whole, &end);
    }
}

/* Who is told something has the time to read it, and does not keep the connection for ever. */
TEST(test_a_refused_client_that_stays_is_closed)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    struct conn *conn = whole_connect(&whole, &end);
    tls_client_send_raw(&end, "GET / HTTP/1.1\r\n\r\n", 18);
    EXPECT_INT(conn->state, CONN_LINGER);
    EXPECT_INT(first_status(end.peer), 400);
    EXPECT(sim_is_closed(end.peer));
    tls_client_send_raw(&end, "more", 4);
    sim_advance(whole.world.loop, 2000);
    EXPECT_INT(whole_closed(&whole, CLOSE_PLAIN_ON_TLS), 1);
    EXPECT_INT(whole.world.set.count, 0);
    close_both(&whole, &end);
}

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(test_an_idle_connection_holds_no_buffer)
{
    struct whole whole;
    struct tls_end end;
    whole_open(&whole, TLS1_3_VERSION);
    (void)whole_client(&whole, &end);
    whole_say(&end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    int64_t blocks = mem_live_blocks();
    struct tls_end other;
    (void)whole_client(&whole, &other);
    whole_say(&other, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    int64_t of_the_test = 1; /* end.client_got */
    EXPECT(mem_live_blocks() - blocks <= 2 + of_the_test + 3 /* the simulated socket */);
    EXPECT(conn_idle_bytes() <= 400);
    EXPECT(tls_transport_idle_bytes() <= 400);
    whole_client_close(&whole, &other);
    close_both(&whole, &end);
}

TEST(test_connections_without_memory_are_refused)
{
    struct whole whole;
    whole_open(&whole, TLS1_3_VERSION);
    bool has_happened = true;
    for (uint64_t n = 1; has_happened; n++) {
        struct tls_end end;
        tls_end_prepare(&end, &whole.tls);
        SSL_set_alpn_protos(end.client, (const unsigned char *)"\x08http/1.1", 9);
        mem_fail_nth(n);
        struct conn *conn = conn_create_by(&whole.world.set, end.server_fd, &whole.entry);
        if (conn) {
            tls_end_run(&end);
        }
        has_happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(conn || has_happened);
        EXPECT_INT(whole_closed(&whole, CLOSE_SYSTEM_ERROR), 0);
        whole_client_close(&whole, &end);
    }
    EXPECT(whole_closed(&whole, CLOSE_OUT_OF_MEMORY) >= 2);
    whole_close(&whole);
}
