/* tests/unit/conn/test_states.c — the table of states: every edge, every deadline. */
#include "support_conn.h"

#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

#define BIT(state) (1U << (state))

/* The table, once more: a change there must be meant. */
static const unsigned open_states = BIT(CONN_IDLE) | BIT(CONN_HEAD) | BIT(CONN_BODY) |
                                    BIT(CONN_BUSY) | BIT(CONN_SENDING) | BIT(CONN_LINGER) |
                                    BIT(CONN_CLOSED);

static unsigned edges_from(enum conn_state from)
{
    switch (from) {
    case CONN_HANDSHAKE:
        return BIT(CONN_FIRST) | BIT(CONN_LINGER) | BIT(CONN_CLOSED);
    case CONN_FIRST:
    case CONN_IDLE:
    case CONN_BODY:
    case CONN_SENDING:
        return open_states;
    case CONN_HEAD:
    case CONN_BUSY:
        return open_states & ~BIT(from);
    case CONN_LINGER:
        return BIT(CONN_CLOSED);
    default:
        return 0;
    }
}

TEST(test_every_edge_of_the_table)
{
    for (int from = 0; from < CONN_STATE_COUNT; from++) {
        for (int to = 0; to < CONN_STATE_COUNT; to++) {
            bool is_allowed = edges_from((enum conn_state)from) & BIT(to);
            if (conn_may_enter((enum conn_state)from, (enum conn_state)to) != is_allowed) {
                test_fail(__FILE__, __LINE__, "%s -> %s", conn_state_name((enum conn_state)from),
                          conn_state_name((enum conn_state)to));
            }
        }
    }
}

TEST(test_entering_is_counted_and_moves_the_connection_to_its_list)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    static const enum conn_state way[] = {CONN_HEAD, CONN_BODY, CONN_BUSY, CONN_SENDING, CONN_IDLE};
    EXPECT_INT(conn->state, CONN_FIRST);
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        uint64_t before = counter_read(&world.set.counters.entered[way[i]]);
        conn_enter(conn, way[i]);
        EXPECT_INT(conn->state, way[i]);
        EXPECT_INT(counter_read(&world.set.counters.entered[way[i]]), before + 1);
        EXPECT(world.set.by_state[way[i]].next == &conn->link);
    }
    EXPECT_INT(counter_read(&world.set.counters.entered[CONN_HANDSHAKE]), 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_an_edge_that_is_not_in_the_table_stops_the_program)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct conn_world world;
        struct sim_peer *peer;
        conn_world_open(&world);
        struct conn *conn = conn_world_in_state(&world, CONN_LINGER, &peer);
        if (freopen("/dev/null", "w", stderr)) {
            conn_enter(conn, CONN_IDLE);
        }
        _exit(0);
    }
    int status = 0;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

struct deadline_row {
    enum conn_state state;
    int64_t ms;
};

TEST(test_each_state_has_its_deadline)
{
    static const struct deadline_row deadlines[] = {
        {CONN_FIRST, 10000}, {CONN_IDLE, 60000},    {CONN_HEAD, 10000},
        {CONN_BODY, 5000},   {CONN_SENDING, 10000}, {CONN_LINGER, 2000},
    };
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        struct conn_world world;
        conn_world_open(&world);
        struct sim_peer *peer;
        struct conn *conn = conn_world_in_state(&world, deadlines[i].state, &peer);
        conn->close_reason = deadlines[i].state == CONN_LINGER ? CLOSE_BAD_REQUEST : CLOSE_NONE;
        sim_advance(world.loop, deadlines[i].ms - 1);
        EXPECT_INT(world.told.closed, 0);
        sim_advance(world.loop, 1);
        EXPECT_INT(world.told.closed, 1);
        EXPECT_INT(counter_read(&world.set.counters.missed[deadlines[i].state]), 1);
        EXPECT_INT(world.told.deadlines, deadlines[i].state != CONN_LINGER);
        sim_peer_free(peer);
        conn_world_close(&world);
    }
}

TEST(test_a_busy_connection_has_no_deadline)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    conn_world_in_state(&world, CONN_BUSY, &peer);
    sim_advance(world.loop, 24 * 3600 * 1000);
    EXPECT_INT(world.told.closed, 0);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_head_after_the_accept_has_the_time_of_the_accept)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_connect(&world, &peer);
    sim_advance(world.loop, 6000);
    conn_enter(conn, CONN_HEAD);
    sim_advance(world.loop, 3999);
    EXPECT_INT(world.told.closed, 0);
    sim_advance(world.loop, 1);
    EXPECT_INT(world.told.closed, 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_a_state_may_have_begun_earlier)
{
    struct conn_world world;
    conn_world_open(&world);
    struct sim_peer *peer;
    struct conn *conn = conn_world_in_state(&world, CONN_SENDING, &peer);
    sim_advance(world.loop, 5000);
    conn_enter_since(conn, CONN_HEAD, loop_now_ms(world.loop) - 9000);
    sim_advance(world.loop, 1000);
    EXPECT_INT(world.told.closed, 1);
    sim_peer_free(peer);
    conn_world_close(&world);
}

TEST(test_every_reason_has_a_name_and_a_sentence)
{
    for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
        EXPECT(strlen(close_reason_name((enum close_reason)i)) > 0);
        EXPECT(strlen(close_reason_sentence((enum close_reason)i)) > 0);
    }
    EXPECT(!close_reason_is_error(CLOSE_CLIENT_CLOSED));
    EXPECT(close_reason_is_error(CLOSE_CLIENT_RESET));
}
