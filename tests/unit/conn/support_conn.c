/* tests/unit/conn/support_conn.c — see support_conn.h. */
#include "support_conn.h"

#include "test.h"

static struct conn_world *world_of(struct conn *conn)
{
    return conn->protocol->ctx;
}

static int told_open(struct conn *conn)
{
    world_of(conn)->told.opened++;
    return world_of(conn)->open_fails ? GALLEY_ENOMEM : GALLEY_OK;
}

static void told_received(struct conn *conn, char *data, size_t len)
{
    world_of(conn)->told.received++;
    world_of(conn)->told.bytes += len;
    memset(data, 0, len); /* the protocol may write there */
}

static void told_input_ended(struct conn *conn)
{
    world_of(conn)->told.input_ended++;
}

static void told_sent(struct conn *conn)
{
    world_of(conn)->told.sent++;
}

static void told_deadline(struct conn *conn)
{
    world_of(conn)->told.deadlines++;
    conn_close(conn, CLOSE_IDLE_TIMEOUT, false);
}

static void told_drain(struct conn *conn)
{
    world_of(conn)->told.drains++;
}

static void told_closed(struct conn *conn)
{
    world_of(conn)->told.closed++;
    world_of(conn)->told.reason = (enum close_reason)conn->close_reason;
}

static void told_removed(struct conn_set *set, void *ctx)
{
    (void)set;
    ((struct conn_world *)ctx)->removed++;
}

static void told_emptied(struct conn_set *set, void *ctx)
{
    EXPECT_INT(set->count, 0);
    ((struct conn_world *)ctx)->emptied++;
}

void conn_world_open(struct conn_world *world)
{
    *world = (struct conn_world){.limits = {.handshake_ms = 7000,
                                            .head_ms = 10000,
                                            .idle_ms = 60000,
                                            .body_grace_ms = 5000,
                                            .body_min_rate = 1024,
                                            .send_grace_ms = 10000,
                                            .send_min_rate = 1024,
                                            .linger_ms = 2000,
                                            .linger_bytes = 1000,
                                            .max_pending_in = 4096},
                                 .protocol = {.name = "told",
                                              .open = told_open,
                                              .received = told_received,
                                              .input_ended = told_input_ended,
                                              .sent = told_sent,
                                              .deadline = told_deadline,
                                              .drain = told_drain,
                                              .closed = told_closed}};
    world->protocol.ctx = world;
    struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    world->loop = loop_create(&options, NULL);
    EXPECT(world->loop != NULL);
    conn_set_init(&world->set, world->loop, &world->limits, NULL);
    world->set.removed = told_removed;
    world->set.emptied = told_emptied;
    world->set.ctx = world;
}

void conn_world_close(struct conn_world *world)
{
    conn_set_close_all(&world->set, CLOSE_STOP_NOW);
    sim_run(world->loop);
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(sim_open_count(world->loop), 0);
    conn_set_finish(&world->set);
    loop_destroy(world->loop);
}

struct conn *conn_world_connect(struct conn_world *world, struct sim_peer **ret_peer)
{
    int fd = -1;
    *ret_peer = sim_pair(world->loop, &fd);
    EXPECT(*ret_peer != NULL);
    struct conn *conn = conn_create(&world->set, fd, &world->protocol);
    sim_run(world->loop);
    return conn;
}

struct conn *conn_world_in_state(struct conn_world *world, enum conn_state state,
                                 struct sim_peer **ret_peer)
{
    struct conn *conn = conn_world_connect(world, ret_peer);
    if (state != CONN_FIRST) {
        conn_enter(conn, state);
    }
    return conn;
}
