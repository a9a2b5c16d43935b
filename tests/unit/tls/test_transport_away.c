/* tests/unit/tls/test_transport_away.c — steps of handshakes on other threads: the loop goes on, and
 * whatever happens to the connection meanwhile happens when it is back. The worker is held inside
 * the step, or before it, so that nothing here depends on who is quicker. */
#include "support_tls.h"
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"
#include "tls/tls_link.h"
#include "tls/tls_set.h"

#include <semaphore.h>
#include <stdatomic.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#define EACH_VERSION(v) for (unsigned v = 0; v < sizeof versions / sizeof *versions; v++)

/* ---- a world with a worker that can be held -------------------------------------------------- */

struct rig {
    struct tls_world world;
    galley_pool *pool;
    unsigned conns;      /* on the loop, as it is told */
    bool sends_away;     /* the loop's alone */
    atomic_bool is_held; /* a step on the worker waits for `go_on`; written while none is made */
    atomic_uint made;    /* steps there */
    sem_t begun, go_on;
};

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct rig *rig = arg;
    (void)alert;
    if (!galley_worker_pool()) {
        return tls_hello_may_pause(ssl) && rig->sends_away ? SSL_CLIENT_HELLO_RETRY
                                                           : SSL_CLIENT_HELLO_SUCCESS;
    }
    atomic_fetch_add(&rig->made, 1);
    if (atomic_load(&rig->is_held)) {
        sem_post(&rig->begun);
        tls_await_post(&rig->go_on);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void rig_open(struct rig *rig, int version)
{
    *rig = (struct rig){.sends_away = true, .conns = 2};
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 1;
    options.queue_capacity = 2;
    rig->pool = galley_pool_open(&options, NULL);
    EXPECT(rig->pool != NULL);
    sem_init(&rig->begun, 0, 0);
    sem_init(&rig->go_on, 0, 0);
    tls_world_open(&rig->world, version);
    tls_shared_use_pool(rig->world.shared, rig->pool, &rig->conns);
    SSL_CTX_set_client_hello_cb(rig->world.server, on_hello, rig);
}

static void rig_close(struct rig *rig)
{
    galley_pool_free(rig->pool);
    sim_run(rig->world.loop);
    tls_world_close(&rig->world);
    sem_destroy(&rig->begun);
    sem_destroy(&rig->go_on);
}

static struct tls_link *link_of(struct tls_end *end)
{
    return end->transport.state;
}

/* Until nobody is away, and the loop has nothing to do. */
static void await(struct loop *loop)
{
    for (;;) {
        if (sim_turn(loop)) {
            continue;
        }
        if (sim_is_quiet(loop, 0)) {
            return;
        }
        sim_sleep(loop, 1000);
    }
}

/* As tls_end_run(), with steps that are away in between. */
static void run_both(struct tls_end *end)
{
    for (;;) {
        await(end->world->loop);
        struct buf out = tls_client_step(end);
        bool is_silent = out.len == 0;
        if (!is_silent) {
            tls_client_send_raw(end, out.data, out.len);
        }
        buf_finish(&out);
        if (is_silent && sim_is_quiet(end->world->loop, 0)) {
            return;
        }
    }
}

static void say_hello(struct tls_end *end)
{
    struct buf out = tls_client_step(end);
    tls_client_send_raw(end, out.data, out.len);
    buf_finish(&out);
}

/* It is away, and its step has begun. */
static void send_away(struct rig *rig, struct tls_end *end)
{
    atomic_store(&rig->is_held, true);
    tls_end_open(end, &rig->world);
    say_hello(end);
    EXPECT(link_of(end)->away != NULL);
    tls_await_post(&rig->begun);
}

static void let_go(struct rig *rig)
{
    atomic_store(&rig->is_held, false);
    sem_post(&rig->go_on);
    await(rig->world.loop);
}

/* ---- it goes and comes back ------------------------------------------------------------------ */

TEST(test_a_handshake_whose_step_was_away_comes_to_its_end)
{
    EACH_VERSION(v)
    {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, versions[v]);
        tls_end_open(&end, &rig.world);
        run_both(&end);
        EXPECT_INT(end.ready, 0);
        EXPECT_INT(atomic_load(&rig.made), 1);
        tls_client_write(&end, "question", 8);
        run_both(&end);
        EXPECT_SPAN(buf_span(&end.got), "question");
        tls_end_send(&end, "answer", 6);
        run_both(&end);
        EXPECT_SPAN(buf_span(&end.client_got), "answer");
        tls_end_close(&end);
        rig_close(&rig);
    }
}

TEST(test_others_are_served_while_a_step_is_away)
{
    struct rig rig;
    struct tls_end guest, end;
    rig_open(&rig, TLS1_3_VERSION);
    tls_end_open(&guest, &rig.world);
    run_both(&guest);
    send_away(&rig, &end);
    for (unsigned i = 0; i < 3; i++) {
        guest.got.len = 0;
        tls_client_write(&guest, "question", 8);
        tls_end_run(&guest);
        EXPECT_SPAN(buf_span(&guest.got), "question");
    }
    EXPECT_INT(end.ready, NOT_TOLD);
    EXPECT_INT(sim_received(end.peer).len, 0);
    let_go(&rig);
    run_both(&end);
    EXPECT_INT(end.ready, 0);
    tls_end_close(&end);
    tls_end_close(&guest);
    rig_close(&rig);
}

/* RFC 8446 §4.1.4: each ClientHello leads to a step, and each of these goes. */
TEST(test_a_second_hello_goes_like_the_first)
{
    struct rig rig;
    struct tls_end end;
    rig_open(&rig, TLS1_3_VERSION);
    EXPECT_INT(SSL_CTX_set1_groups_list(rig.world.server, "P-384"), 1);
    EXPECT_INT(SSL_CTX_set1_groups_list(rig.world.client, "P-256:P-384"), 1);
    tls_end_open(&end, &rig.world);
    run_both(&end);
    EXPECT_INT(end.ready, 0);
    EXPECT_INT(atomic_load(&rig.made), 2);
    tls_end_close(&end);
    rig_close(&rig);
}

TEST(test_a_hello_that_comes_byte_by_byte_goes_when_it_is_whole)
{
    struct rig rig;
    struct tls_end end;
    rig_open(&rig, TLS1_3_VERSION);
    tls_end_open(&end, &rig.world);
    end.client_piece = 1;
    tls_end_run(&end);
    run_both(&end);
    EXPECT_INT(end.ready, 0);
    EXPECT_INT(atomic_load(&rig.made), 1);
    tls_end_close(&end);
    rig_close(&rig);
}

TEST(test_the_only_connection_of_a_loop_stays_there)
{
    struct rig rig;
    struct tls_end alone, end;
    rig_open(&rig, TLS1_3_VERSION);
    rig.conns = 1;
    tls_end_open(&alone, &rig.world);
    run_both(&alone);
    EXPECT_INT(alone.ready, 0);
    EXPECT_INT(atomic_load(&rig.made), 0);
    rig.conns = 2;
    tls_end_open(&end, &rig.world);
    run_both(&end);
    EXPECT_INT(end.ready, 0);
    EXPECT_INT(atomic_load(&rig.made), 1);
    tls_end_close(&end);
    tls_end_close(&alone);
    rig_close(&rig);
}

/* ---- what happens meanwhile ------------------------------------------------------------------ */

TEST(test_a_close_while_it_is_away_is_done_when_it_is_back)
{
    for (unsigned is_reset = 0; is_reset < 2; is_reset++) {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, TLS1_3_VERSION);
        send_away(&rig, &end);
        tls_end_shut(&end, is_reset);
        sim_advance(rig.world.loop, 5000);
        EXPECT_INT(end.calls.closed, 0); /* its memory is still the worker's */
        let_go(&rig);
        EXPECT_INT(end.calls.closed, 1);
        EXPECT_INT(end.ready, NOT_TOLD);
        EXPECT_INT(sim_received(end.peer).len, 0);
        EXPECT(sim_is_closed(end.peer) || sim_is_reset(end.peer));
        tls_end_close(&end);
        rig_close(&rig);
    }
}

TEST(test_a_step_that_nobody_wants_any_more_is_not_made)
{
    struct rig rig;
    struct tls_end first, second;
    rig_open(&rig, TLS1_3_VERSION);
    send_away(&rig, &first);
    tls_end_open(&second, &rig.world);
    say_hello(&second);
    EXPECT(link_of(&second)->away != NULL);
    tls_end_shut(&second, true);
    let_go(&rig);
    EXPECT_INT(second.calls.closed, 1);
    EXPECT_INT(atomic_load(&rig.made), 1);
    tls_end_close(&second);
    tls_end_close(&first);
    rig_close(&rig);
}

/* The owner waits for `ready` with them; but who does not is called back all the same. */
TEST(test_what_the_owner_starts_meanwhile_is_called_back)
{
    struct rig rig;
    struct tls_end end;
    rig_open(&rig, TLS1_3_VERSION);
    send_away(&rig, &end);
    end.reads = false;
    tls_end_recv(&end);
    EXPECT_INT(tls_end_shutdown(&end), 0);
    sim_run(rig.world.loop);
    EXPECT_INT(end.calls.recvs, 0);
    tls_end_shut(&end, false);
    let_go(&rig);
    EXPECT_INT(end.recv_result, -ECANCELED);
    tls_end_close(&end);
    rig_close(&rig);
}

TEST(test_a_client_that_goes_meanwhile_is_missed_afterwards)
{
    for (unsigned is_reset = 0; is_reset < 2; is_reset++) {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, TLS1_3_VERSION);
        send_away(&rig, &end);
        is_reset ? sim_reset(end.peer) : sim_shutdown(end.peer);
        sim_run(rig.world.loop);
        EXPECT_INT(end.ready, NOT_TOLD);
        let_go(&rig);
        EXPECT(end.ready == -ECONNRESET || end.ready == -EPIPE);
        tls_end_close(&end);
        rig_close(&rig);
    }
}

/* It waits in the socket, or, when it came with the hello, where that was kept. */
TEST(test_what_comes_behind_the_hello_waits)
{
    static const char noise[] = "\x17\x03\x03\x00\x05noise";
    for (unsigned comes_with_it = 0; comes_with_it < 2; comes_with_it++) {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, TLS1_3_VERSION);
        atomic_store(&rig.is_held, true);
        tls_end_open(&end, &rig.world);
        struct buf out = tls_client_step(&end);
        if (comes_with_it) {
            buf_append(&out, noise, sizeof noise - 1);
        }
        tls_client_send_raw(&end, out.data, out.len);
        buf_finish(&out);
        tls_await_post(&rig.begun);
        if (!comes_with_it) {
            tls_client_send_raw(&end, noise, sizeof noise - 1);
        }
        EXPECT_INT(end.ready, NOT_TOLD);
        let_go(&rig);
        EXPECT_INT(end.ready, TRANSPORT_BROKEN);
        EXPECT(sim_received(end.peer).len > 7); /* the server's hello, and an alert */
        tls_end_close(&end);
        rig_close(&rig);
    }
}

/* RFC 7301 §3.2: no_application_protocol, which is found behind the hello. */
TEST(test_a_step_that_fails_there_sends_its_alert)
{
    EACH_VERSION(v)
    {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, versions[v]);
        tls_end_open(&end, &rig.world);
        SSL_set_alpn_protos(end.client, (const unsigned char *)"\x02xx", 3);
        run_both(&end);
        EXPECT_INT(atomic_load(&rig.made), 1);
        EXPECT_INT(end.ready, TRANSPORT_BROKEN);
        EXPECT_INT(end.client_end, SSL_ERROR_SSL);
        EXPECT(transport_why(&end.transport) != NULL);
        tls_end_close(&end);
        rig_close(&rig);
    }
}

/* ---- no room, no memory, no pool ------------------------------------------------------------- */

enum { MORE_THAN_FIT = 6 };

TEST(test_who_has_no_room_in_the_queue_is_served_by_the_loop)
{
    struct rig rig;
    struct tls_end first, ends[MORE_THAN_FIT];
    unsigned answered = 0, away = 0;
    rig_open(&rig, TLS1_3_VERSION);
    send_away(&rig, &first);
    for (unsigned i = 0; i < MORE_THAN_FIT; i++) {
        tls_end_open(&ends[i], &rig.world);
        say_hello(&ends[i]);
        away += link_of(&ends[i])->away != NULL;
        answered += sim_received(ends[i].peer).len > 0;
    }
    EXPECT(away > 0 && answered > 0 && away + answered == MORE_THAN_FIT);
    let_go(&rig);
    for (unsigned i = 0; i < MORE_THAN_FIT; i++) {
        run_both(&ends[i]);
        EXPECT_INT(ends[i].ready, 0);
        tls_end_close(&ends[i]);
    }
    tls_end_close(&first);
    rig_close(&rig);
}

TEST(test_a_step_that_the_pool_drops_is_made_by_the_loop)
{
    struct rig rig;
    struct tls_end first, second, third;
    rig_open(&rig, TLS1_3_VERSION);
    send_away(&rig, &first);
    tls_end_open(&second, &rig.world);
    say_hello(&second);
    EXPECT(link_of(&second)->away != NULL);
    EXPECT_INT(galley_pool_shutdown(rig.pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
    sim_run(rig.world.loop);
    EXPECT(link_of(&second)->away == NULL && sim_received(second.peer).len > 0);
    let_go(&rig);
    tls_end_open(&third, &rig.world); /* the pool is closed now */
    run_both(&first);
    run_both(&second);
    run_both(&third);
    EXPECT(first.ready == 0 && second.ready == 0 && third.ready == 0);
    EXPECT_INT(atomic_load(&rig.made), 1);
    tls_end_close(&third);
    tls_end_close(&second);
    tls_end_close(&first);
    rig_close(&rig);
}

TEST(test_without_memory_for_going_away_the_loop_makes_the_step)
{
    bool is_over = false;
    unsigned stayed = 0;
    for (unsigned n = 1; !is_over; n++) {
        struct rig rig;
        struct tls_end end;
        rig_open(&rig, TLS1_3_VERSION);
        tls_end_open(&end, &rig.world);
        struct buf out = tls_client_step(&end);
        EXPECT_INT(sim_send(end.peer, out.data, out.len), 0);
        buf_finish(&out);
        mem_fail_nth_here(n);
        await(rig.world.loop);
        is_over = !mem_fail_happened();
        mem_fail_nth(0);
        run_both(&end);
        bool is_ready = end.ready == 0;
        stayed += is_ready && atomic_load(&rig.made) == 0;
        EXPECT(is_ready || end.ready == -ENOMEM || end.ready == -ENOBUFS);
        EXPECT(is_ready || !is_over);
        tls_end_close(&end);
        rig_close(&rig);
    }
    EXPECT(stayed >= 2); /* the job, the output */
}

/* ---- who goes -------------------------------------------------------------------------------- */

static void hold_worker(void *arg)
{
    struct rig *rig = arg;
    tls_await_post(&rig->go_on);
}

/* The worker is held before the step, so that it cannot be back already. */
static bool goes_away(struct rig *rig, struct world *certs, const char *key)
{
    struct tls_end end;
    const galley_tls_pair pairs[] = {world_pair(certs, "leaf", key, "DNS:a.example"), {0}};
    galley_tls_options options = world_options(certs, pairs);
    galley_tls *tls = world_start(certs, &options);
    EXPECT(tls != NULL);
    SSL_CTX *before = rig->world.server;
    rig->world.server = tls_context_acquire(tls);
    EXPECT_INT(galley_pool_execute(rig->pool, hold_worker, rig), 0);
    tls_end_open(&end, &rig->world);
    say_hello(&end);
    bool is_away = link_of(&end)->away != NULL;
    EXPECT_INT(sim_received(end.peer).len > 0, !is_away);
    let_go(rig);
    run_both(&end);
    EXPECT_INT(end.ready, 0);
    tls_end_close(&end);
    tls_set_leave(rig->world.server);
    SSL_CTX_free(rig->world.server);
    rig->world.server = before;
    return is_away;
}

TEST(test_steps_that_sign_with_rsa_go_and_others_stay)
{
    static const char *const keys[] = {"RSA:2048", "P-256", "ED25519"};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct rig rig;
        struct world certs;
        world_open(&certs);
        rig_open(&rig, TLS1_3_VERSION);
        EXPECT_INT(goes_away(&rig, &certs, keys[i]), i == 0);
        rig_close(&rig);
        world_close(&certs);
    }
}
