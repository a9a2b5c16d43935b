/* tests/unit/tls/whole/test_away.c — connections whose handshake is under way on another thread, when
 * their time is up, when the server drains, and when it is cut short. */
#include "support_whole.h"

#include "test.h"
#include "tls/tls_link.h"
#include "tls/tls_set.h"

#include <semaphore.h>

struct rig {
    struct whole whole;
    struct tls_end end;
    galley_pool *pool;
    sem_t begun, go_on;
};

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct rig *rig = arg;
    (void)alert;
    if (!galley_worker_pool()) {
        return tls_hello_may_pause(ssl) ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
    }
    sem_post(&rig->begun);
    tls_await_post(&rig->go_on);
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* A connection whose step has begun on a worker, which is held there. */
static struct conn *rig_open(struct rig *rig)
{
    static const unsigned two = 2; /* the loop's connections: somebody else would have to wait */
    memset(rig, 0, sizeof *rig);
    rig->pool = galley_pool_new(1, NULL);
    EXPECT(rig->pool != NULL);
    sem_init(&rig->begun, 0, 0);
    sem_init(&rig->go_on, 0, 0);
    whole_open(&rig->whole, TLS1_3_VERSION);
    tls_shared_use_pool(rig->whole.tls.shared, rig->pool, &two);
    SSL_CTX_set_client_hello_cb(rig->whole.tls.server, on_hello, rig);
    struct conn *conn = whole_connect(&rig->whole, &rig->end);
    struct buf hello = tls_client_step(&rig->end);
    tls_client_send_raw(&rig->end, hello.data, hello.len);
    buf_finish(&hello);
    tls_await_post(&rig->begun);
    return conn;
}

static void let_go(struct rig *rig)
{
    struct loop *loop = rig->whole.world.loop;
    sem_post(&rig->go_on);
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

static void rig_close(struct rig *rig)
{
    galley_pool_free(rig->pool);
    whole_client_close(&rig->whole, &rig->end);
    whole_close(&rig->whole);
    sem_destroy(&rig->begun);
    sem_destroy(&rig->go_on);
}

/* It has ended for this reason, once it was back, and the client was told nothing. */
static void expect_ended(struct rig *rig, enum close_reason reason)
{
    EXPECT_INT(rig->whole.world.set.count, 1);
    let_go(rig);
    EXPECT_INT(rig->whole.world.set.count, 0);
    EXPECT_INT(whole_closed(&rig->whole, reason), 1);
    EXPECT_INT(sim_received(rig->end.peer).len, 0);
}

TEST(test_a_request_follows_upon_a_handshake_that_was_away)
{
    struct rig rig;
    struct conn *conn = rig_open(&rig);
    let_go(&rig);
    tls_end_run(&rig.end);
    EXPECT_INT(conn->state, CONN_FIRST);
    whole_say(&rig.end, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_INT(whole_answer(&rig.end).status, 200);
    rig_close(&rig);
}

TEST(test_the_deadline_of_a_handshake_may_pass_while_it_is_away)
{
    struct rig rig;
    struct conn *conn = rig_open(&rig);
    sim_advance(rig.whole.world.loop, 9999);
    EXPECT_INT(conn->state, CONN_HANDSHAKE);
    sim_advance(rig.whole.world.loop, 10000);
    expect_ended(&rig, CLOSE_HANDSHAKE_TIMEOUT);
    rig_close(&rig);
}

TEST(test_a_drain_waits_for_who_is_away)
{
    struct rig rig;
    (void)rig_open(&rig);
    conn_set_drain(&rig.whole.world.set);
    sim_run(rig.whole.world.loop);
    expect_ended(&rig, CLOSE_DRAIN);
    rig_close(&rig);
}

TEST(test_a_cut_waits_for_who_is_away)
{
    struct rig rig;
    (void)rig_open(&rig);
    conn_set_close_all(&rig.whole.world.set, CLOSE_STOP_NOW);
    sim_run(rig.whole.world.loop);
    expect_ended(&rig, CLOSE_STOP_NOW);
    rig_close(&rig);
}
