/* Handlers on workers that outlive their stream, their connection, the driver and the loop. */
#include "support_h2.h"

#include "h2/h2_session.h"
#include "test.h"

#include <stdatomic.h>
#include <time.h>

struct gate {
    atomic_int entered;
    atomic_int is_open;
    atomic_int told; /* handlers that were told to stop */
};

static struct gate the_gate;

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static int wait_at_gate(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    atomic_fetch_add(&the_gate.entered, 1);
    while (!atomic_load(&the_gate.is_open)) {
        pause_ms(1);
    }
    atomic_fetch_add(&the_gate.told, galley_should_stop());
    EXPECT(galley_alloc(rq, 100)); /* its memory is its own */
    EXPECT(strcmp(galley_req_path(rq).ptr, "/gate") == 0);
    return galley_res_text(rs, 200, "passed");
}

static const struct route_target gated = {
    .handler = wait_at_gate, .body_mode = EXCHANGE_BODY_DISCARD, .label = "/gate"};

static void dispatch_to_gate(void *ctx, struct exchange *exchange)
{
    (void)ctx;
    exchange->route = &gated;
    exchange_want_body(exchange);
}

static void open_world(struct world *world, unsigned workers)
{
    world_init(world);
    world->services.pool = galley_pool_new(workers, NULL);
    EXPECT(world->services.pool);
    world_start(world);
    world->services.dispatch = dispatch_to_gate;
    atomic_store(&the_gate.entered, 0);
    atomic_store(&the_gate.is_open, 0);
    atomic_store(&the_gate.told, 0);
}

static void await_handlers(int count)
{
    while (atomic_load(&the_gate.entered) < count) {
        pause_ms(1);
    }
}

static void ignore(struct exchange_keeper *keeper)
{
    (void)keeper;
}

/* As a server that stops and does not wait: connections, driver and loop go, then the handlers return. */
static void let_go(struct world *world, unsigned orphans)
{
    struct exchange_keeper keeper = {.refs = 1, .release = ignore};
    galley_pool *pool = world->services.pool;
    conn_set_close_all(&world->set, CLOSE_STOP_NOW);
    sim_run(world->loop);
    exchange_pool_abandon(&world->exchanges);
    sim_run(world->loop);
    EXPECT_INT(exchange_pool_orphan(&world->exchanges, &keeper), orphans);
    EXPECT_INT(world->exchanges.live, 0);
    world_close(world); /* the driver says so if a stream is left */
    memset(world, 0x5a, sizeof *world);
    EXPECT_INT(atomic_load(&keeper.refs), 1 + orphans);
    atomic_store(&the_gate.is_open, 1);
    galley_pool_free(pool);
    EXPECT_INT(atomic_load(&keeper.refs), 1);
    EXPECT_INT(atomic_load(&the_gate.told), orphans);
}

TEST(test_streams_of_a_connection_that_is_cut_leave_orphans)
{
    struct world world;
    struct h2_client client;
    open_world(&world, 2);
    client_open(&client, &world, 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(client_get(&client, "/gate"));
    }
    await_handlers(2);
    client_close(&client);
    EXPECT_INT(world.exchanges.live, 2);
    let_go(&world, 2);
}

TEST(test_a_stream_that_was_reset_leaves_an_orphan)
{
    struct world world;
    struct h2_client client;
    open_world(&world, 1);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/gate");
    await_handlers(1);
    client_reset(&client, stream);
    EXPECT(stream->is_closed);
    EXPECT_INT(world.exchanges.live, 1);
    let_go(&world, 1);
    sim_peer_free(client.peer);
    client.peer = NULL;
    client_close(&client);
}

/* The loop lets go while the connection is still open: its stream is without an exchange then. */
TEST(test_a_connection_may_outlive_its_orphans)
{
    struct world world;
    struct h2_client client;
    struct exchange_keeper keeper = {.refs = 1, .release = ignore};
    open_world(&world, 1);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/gate");
    await_handlers(1);
    client_reset(&client, stream);
    exchange_pool_abandon(&world.exchanges);
    sim_run(world.loop);
    EXPECT_INT(exchange_pool_orphan(&world.exchanges, &keeper), 1);
    EXPECT_INT(world.exchanges.live, 0);
    client_turn(&client);
    EXPECT_INT(world.set.count, 1);
    const struct h2_session *session = world_conn(&world)->session;
    EXPECT_INT(session->abandoned, 0);
    atomic_store(&the_gate.is_open, 1);
    galley_pool_free(world.services.pool);
    EXPECT_INT(atomic_load(&keeper.refs), 1);
    client_close(&client);
    world_close(&world);
}
