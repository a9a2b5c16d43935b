/* tests/unit/tls/test_memory.c — what OpenSSL takes of the heap for a connection is not more than
 * tls_transport.h says, for the sums that a server makes of its memory. Counted at OpenSSL's own
 * door; what the client at the other end takes is told apart by who was at work. */
#include "support_tls.h"
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum {
    SEVERAL_RECORDS = 40000,
    WARM_LINKS = 64, /* tls_link.h: TLS_WARM_LINKS */
    SWEEP_MS = 1000,
    BUFFERS_BYTES = 36 * KB /* tls_memory.c */
};

/* ---- counting -------------------------------------------------------------------------------- */

enum side { OTHERS, SERVER, SIDES };

/* In front of each block; as large as malloc aligns. */
struct head {
    _Alignas(16) size_t bytes;
    enum side side;
};

static enum side at_work;
static uint64_t taken[SIDES], most[SIDES];

static void *count_alloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    struct head *head = malloc(sizeof *head + bytes);
    if (!head) {
        return NULL;
    }
    *head = (struct head){bytes, at_work};
    taken[at_work] += mem_cost(bytes);
    most[at_work] = most[at_work] > taken[at_work] ? most[at_work] : taken[at_work];
    return head + 1;
}

static void count_free(void *block, const char *file, int line)
{
    (void)file, (void)line;
    if (block) {
        struct head *head = (struct head *)block - 1;
        taken[head->side] -= mem_cost(head->bytes);
        free(head);
    }
}

static void *count_resize(void *block, size_t bytes, const char *file, int line)
{
    void *larger = count_alloc(bytes, file, line);
    if (block && larger) {
        size_t old = ((struct head *)block - 1)->bytes;
        memcpy(larger, block, old < bytes ? old : bytes);
        count_free(block, file, line);
    }
    return larger;
}

/* ---- connections ----------------------------------------------------------------------------- */

struct rig {
    struct world certs;
    struct tls_world tls;
    struct tls_end end;
    uint64_t before; /* the connection */
};

/* The door has to be set before OpenSSL is used at all: first of all in a test. */
static void start_counting(void)
{
    if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0) {
        test_skip("the figures are those of OpenSSL 3.0");
    }
    EXPECT_INT(CRYPTO_set_mem_functions(count_alloc, count_resize, count_free), 1);
}

static void rig_open(struct rig *rig, const char *key, int version)
{
    world_open(&rig->certs);
    const galley_tls_pair pairs[] = {world_pair(&rig->certs, "a", key, "DNS:a.example"), {0}};
    galley_tls_options options = world_options(&rig->certs, pairs);
    EXPECT(world_start(&rig->certs, &options));
    tls_world_open(&rig->tls, version);
    SSL_CTX_free(rig->tls.server);
    rig->tls.server = tls_context_acquire(rig->certs.tls);
}

static void rig_close(struct rig *rig)
{
    tls_world_close(&rig->tls);
    world_close(&rig->certs);
}

static void serve(struct rig *rig)
{
    at_work = SERVER;
    sim_run(rig->tls.loop);
    at_work = OTHERS;
}

/* The client's turn, then the server's; false: neither had anything to say. */
static bool step(struct rig *rig)
{
    struct buf out = tls_client_step(&rig->end);
    bool has_said = out.len > 0;
    EXPECT_INT(sim_send(rig->end.peer, out.data, out.len), 0);
    buf_finish(&out);
    serve(rig);
    return has_said || sim_received(rig->end.peer).len > 0;
}

static void run(struct rig *rig)
{
    while (step(rig)) {
    }
}

/* A connection, of which no byte has been exchanged. */
static void open_end(struct rig *rig)
{
    char name[] = "a.example";
    tls_end_prepare(&rig->end, &rig->tls);
    EXPECT_INT(SSL_set_tlsext_host_name(rig->end.client, name), 1);
    at_work = SERVER;
    rig->before = most[SERVER] = taken[SERVER];
    EXPECT_INT(tls_end_start(&rig->end), 0);
    at_work = OTHERS;
}

static void talk(struct rig *rig)
{
    static char data[SEVERAL_RECORDS];
    tls_client_write(&rig->end, data, sizeof data);
    run(rig);
    at_work = SERVER;
    tls_end_send(&rig->end, data, sizeof data);
    at_work = OTHERS;
    run(rig);
    EXPECT_INT(rig->end.got.len, sizeof data);
}

/* What OpenSSL makes once, at the first handshake of its kind, is no connection's. */
static void warm_up(struct rig *rig)
{
    open_end(rig);
    run(rig);
    talk(rig);
    tls_end_close(&rig->end);
}

static uint64_t held(const struct rig *rig)
{
    return taken[SERVER] - rig->before;
}

static uint64_t held_at_most(const struct rig *rig)
{
    return most[SERVER] - rig->before;
}

/* So long that no connection is warm any more. */
static void fall_silent(struct rig *rig)
{
    at_work = SERVER;
    sim_advance(rig->tls.loop, 2 * SWEEP_MS);
    at_work = OTHERS;
}

static void for_each_kind(void (*check)(struct rig *rig))
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const keys[] = {"P-256", "RSA:2048"};
    static struct rig rig;
    start_counting();
    for (unsigned i = 0; i < 4; i++) {
        rig_open(&rig, keys[i / 2], versions[i % 2]);
        warm_up(&rig);
        open_end(&rig);
        check(&rig);
        tls_end_close(&rig.end);
        rig_close(&rig);
    }
}

/* ---- the promises: enough, and not twice of it ------------------------------------------------ */

static void check_idle(struct rig *rig)
{
    run(rig);
    EXPECT(held(rig) <= tls_openssl_idle_bytes() && held(rig) > tls_openssl_idle_bytes() / 2);
    talk(rig);
    fall_silent(rig);
    EXPECT(held(rig) <= tls_openssl_idle_bytes());
}

TEST(test_an_idle_connection_takes_no_more_of_openssl_than_is_said)
{
    for_each_kind(check_idle);
}

static void check_at_work(struct rig *rig)
{
    uint64_t promised = tls_openssl_idle_bytes() + tls_openssl_work_bytes();
    run(rig);
    EXPECT(held_at_most(rig) <= promised && held_at_most(rig) > promised / 2);
    most[SERVER] = taken[SERVER];
    talk(rig);
    EXPECT(held_at_most(rig) <= promised);
}

TEST(test_a_connection_at_work_takes_no_more_of_openssl_than_is_said)
{
    for_each_kind(check_at_work);
}

/* A client that has said hello and then nothing. */
static void check_half_way(struct rig *rig)
{
    (void)step(rig);
    EXPECT_INT(rig->end.ready, NOT_TOLD);
    EXPECT(held(rig) <= tls_openssl_idle_bytes() + tls_openssl_work_bytes());
}

TEST(test_a_handshake_half_way_takes_no_more_of_openssl_than_is_said)
{
    for_each_kind(check_half_way);
}

/* ---- warm ones -------------------------------------------------------------------------------- */

static void ask(struct rig *rig)
{
    tls_client_write(&rig->end, "?", 1);
    run(rig);
    at_work = SERVER;
    tls_end_send(&rig->end, "!", 1);
    at_work = OTHERS;
    run(rig);
}

/* Twice, and once more: what it keeps it has now. */
static void be_busy(struct rig *rig)
{
    for (unsigned i = 0; i < 3; i++) {
        ask(rig);
    }
}

/* It keeps a buffer each way, and no more. */
static void check_warm(struct rig *rig)
{
    run(rig);
    be_busy(rig);
    uint64_t silent = held(rig);
    fall_silent(rig);
    silent -= held(rig);
    EXPECT(silent <= BUFFERS_BYTES && silent > BUFFERS_BYTES / 2);
}

TEST(test_a_warm_connection_keeps_buffers_of_the_size_that_is_said)
{
    for_each_kind(check_warm);
}

/* What could not be given back because a record was half there is when it is whole. */
static void check_half_record(struct rig *rig)
{
    run(rig);
    be_busy(rig);
    tls_client_write(&rig->end, "the rest of it comes later", 26);
    struct buf out = tls_client_step(&rig->end);
    EXPECT_INT(sim_send(rig->end.peer, out.data, 20), 0);
    serve(rig);
    fall_silent(rig);
    EXPECT(held(rig) > tls_openssl_idle_bytes());
    EXPECT(held(rig) <= tls_openssl_idle_bytes() + BUFFERS_BYTES);
    EXPECT_INT(sim_send(rig->end.peer, out.data + 20, out.len - 20), 0);
    serve(rig);
    EXPECT_INT(rig->end.got.len, 3 + 26);
    fall_silent(rig);
    EXPECT(held(rig) <= tls_openssl_idle_bytes());
    buf_finish(&out);
}

TEST(test_a_connection_that_falls_silent_inside_a_record_gives_its_buffers_back_behind_it)
{
    for_each_kind(check_half_record);
}

/* However many ask again and again. */
TEST(test_a_loops_connections_keep_no_more_buffers_than_it_has_places)
{
    static struct rig rigs[WARM_LINKS + 20];
    const uint64_t places = WARM_LINKS;
    start_counting();
    rig_open(&rigs[0], "P-256", TLS1_3_VERSION);
    warm_up(&rigs[0]);
    uint64_t before = taken[SERVER];
    for (unsigned i = 0; i < WARM_LINKS + 20; i++) {
        rigs[i].tls = rigs[0].tls;
        open_end(&rigs[i]);
        run(&rigs[i]);
        be_busy(&rigs[i]);
    }
    uint64_t kept = taken[SERVER] - before;
    fall_silent(&rigs[0]);
    kept -= taken[SERVER] - before;
    EXPECT(kept <= places * BUFFERS_BYTES && kept > places * BUFFERS_BYTES / 2);
    EXPECT(taken[SERVER] - before <= (WARM_LINKS + 20) * tls_openssl_idle_bytes());
    for (unsigned i = 0; i < WARM_LINKS + 20; i++) {
        tls_end_close(&rigs[i].end);
    }
    rig_close(&rigs[0]);
}
