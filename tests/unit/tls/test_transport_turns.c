/* tests/unit/tls/test_transport_turns.c — many handshakes at once: a turn of the loop makes a few
 * steps of them, in the order of their coming, and everybody else is served in between. */
#include "support_transport.h"

#include "base/alloc.h"
#include "test.h"
#include "tls/tls_link.h"

#include <errno.h>

enum { MANY = 4 * TLS_STEPS_PER_TURN + 3, TURNS_MAX = 1000 };

/* Connections whose clients have said hello, which nobody has looked at yet. */
struct crowd {
    struct tls_world world;
    struct tls_end ends[MANY];
};

/* The client's next words are on their way, and no turn is made. */
static void client_speaks(struct tls_end *end)
{
    struct buf out = tls_client_step(end);
    EXPECT_INT(sim_send(end->peer, out.data, out.len), 0);
    buf_finish(&out);
}

static void crowd_open(struct crowd *crowd, int version)
{
    tls_world_open(&crowd->world, version);
    for (unsigned i = 0; i < MANY; i++) {
        tls_end_open(&crowd->ends[i], &crowd->world);
    }
    sim_run(crowd->world.loop);
    for (unsigned i = 0; i < MANY; i++) {
        client_speaks(&crowd->ends[i]);
    }
}

static void crowd_close(struct crowd *crowd)
{
    for (unsigned i = 0; i < MANY; i++) {
        tls_end_close(&crowd->ends[i]);
    }
    tls_world_close(&crowd->world);
}

static unsigned answered(const struct crowd *crowd)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MANY; i++) {
        bool is_answered = sim_received(crowd->ends[i].peer).len > 0;
        EXPECT(!is_answered || i == count); /* nobody before another who came earlier */
        count += is_answered;
    }
    return count;
}

TEST(test_a_turn_makes_only_so_many_steps_of_handshakes)
{
    static struct crowd crowd;
    crowd_open(&crowd, TLS1_3_VERSION);
    for (unsigned before = 0, turns = 0; before < MANY; turns++) {
        EXPECT(turns < TURNS_MAX && sim_turn(crowd.world.loop));
        unsigned after = answered(&crowd);
        EXPECT(after - before <= TLS_STEPS_PER_TURN);
        before = after;
    }
    crowd_close(&crowd);
}

TEST(test_each_turn_makes_a_step_as_long_as_somebody_waits)
{
    static struct crowd crowd;
    crowd_open(&crowd, TLS1_3_VERSION);
    unsigned turns = 0;
    while (answered(&crowd) < MANY) {
        EXPECT(turns++ < TURNS_MAX && sim_turn(crowd.world.loop));
    }
    /* one turn more may pass before the bytes have come, and one before they have left */
    EXPECT(turns <= MANY + 3);
    crowd_close(&crowd);
}

static void takes_long(struct tls_end *end)
{
    end->world->shared->shaking.spent_ns = INT64_MAX / 2;
}

static unsigned ready(const struct crowd *crowd)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MANY; i++) {
        count += crowd->ends[i].ready == 0;
    }
    return count;
}

TEST(test_a_step_that_takes_long_is_the_last_of_its_turn)
{
    static struct crowd crowd;
    crowd_open(&crowd, TLS1_3_VERSION);
    sim_run(crowd.world.loop);
    for (unsigned i = 0; i < MANY; i++) {
        crowd.ends[i].on_ready = takes_long;
        client_speaks(&crowd.ends[i]);
    }
    for (unsigned before = 0, turns = 0; before < MANY; turns++) {
        EXPECT(turns < TURNS_MAX);
        crowd.world.shared->shaking.left_ns = 1; /* all else took long, but not as long */
        (void)sim_turn(crowd.world.loop);
        unsigned after = ready(&crowd);
        EXPECT(after - before <= 1);
        before = after;
    }
    crowd_close(&crowd);
}

/* Else a loop that is busy with requests would hardly let anybody in. */
TEST(test_more_steps_are_made_when_all_else_takes_long)
{
    static struct crowd crowd;
    unsigned before = 0;
    crowd_open(&crowd, TLS1_3_VERSION);
    (void)sim_turn(crowd.world.loop);
    for (unsigned turns = 0; before < MANY; turns++) {
        EXPECT(turns < TURNS_MAX);
        crowd.world.shared->shaking.left_ns = 1; /* long ago */
        (void)sim_turn(crowd.world.loop);
        unsigned after = answered(&crowd);
        EXPECT(after - before == TLS_STEPS_PER_TURN || after == MANY || before == 0);
        before = after;
    }
    EXPECT(before == MANY);
    crowd_close(&crowd);
}

TEST(test_all_handshakes_of_a_crowd_come_to_their_end)
{
    static struct crowd crowd;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        crowd_open(&crowd, versions[v]);
        for (unsigned round = 0; round < 3; round++) {
            sim_run(crowd.world.loop);
            for (unsigned i = 0; i < MANY; i++) {
                client_speaks(&crowd.ends[i]);
            }
        }
        sim_run(crowd.world.loop);
        for (unsigned i = 0; i < MANY; i++) {
            EXPECT_INT(crowd.ends[i].ready, 0);
        }
        crowd_close(&crowd);
    }
}

/* While the crowd waits, who has a connection already is answered in each turn. */
TEST(test_a_connection_is_served_between_the_handshakes_of_others)
{
    static struct crowd crowd;
    struct tls_end guest;
    unsigned turns = 0;
    crowd_open(&crowd, TLS1_3_VERSION);
    tls_end_open(&guest, &crowd.world);
    while (guest.ready == NOT_TOLD || answered(&crowd) < MANY) {
        client_speaks(&guest);
        EXPECT(turns++ < TURNS_MAX);
        (void)sim_turn(crowd.world.loop);
    }
    for (unsigned i = 0; i < MANY; i++) {
        client_speaks(&crowd.ends[i]); /* the second step of all */
    }
    for (unsigned i = 0; crowd.ends[MANY - 1].ready == NOT_TOLD; i++) {
        EXPECT(i < TURNS_MAX);
        unsigned before = guest.calls.recvs;
        tls_client_write(&guest, "question", 8);
        client_speaks(&guest);
        EXPECT(sim_turn(crowd.world.loop));
        EXPECT_INT(guest.calls.recvs, before + 1);
    }
    tls_end_close(&guest);
    crowd_close(&crowd);
}

/* In whichever order they go: the row holds no place for who is not there any more. */
TEST(test_connections_may_be_closed_while_they_wait)
{
    static struct crowd crowd;
    crowd_open(&crowd, TLS1_3_VERSION);
    EXPECT(sim_turn(crowd.world.loop));
    for (unsigned i = 0; i < MANY; i += 2) {
        tls_end_shut(&crowd.ends[i], i % 4 == 0);
    }
    sim_run(crowd.world.loop);
    for (unsigned i = 1; i < MANY; i += 2) {
        EXPECT(sim_received(crowd.ends[i].peer).len > 0);
    }
    crowd_close(&crowd);
}

TEST(test_clients_may_go_while_they_wait)
{
    static struct crowd crowd;
    crowd_open(&crowd, TLS1_3_VERSION);
    EXPECT(sim_turn(crowd.world.loop));
    for (unsigned i = 0; i < MANY; i += 2) {
        if (i % 4 == 0) {
            sim_reset(crowd.ends[i].peer);
        } else {
            sim_shutdown(crowd.ends[i].peer);
        }
    }
    sim_run(crowd.world.loop);
    for (unsigned i = 1; i < MANY; i += 2) {
        client_speaks(&crowd.ends[i]);
    }
    sim_run(crowd.world.loop);
    for (unsigned i = 1; i < MANY; i += 2) {
        EXPECT_INT(crowd.ends[i].ready, 0);
    }
    crowd_close(&crowd);
}

/* Bytes that wait are copied: without memory for that one connection ends, and nobody else's. */
TEST(test_who_waits_without_memory_for_it_is_told)
{
    static struct crowd crowd;
    bool is_over = false;
    for (unsigned n = 1; !is_over; n++) {
        unsigned ended = 0;
        crowd_open(&crowd, TLS1_3_VERSION);
        mem_fail_nth(n);
        sim_run(crowd.world.loop);
        is_over = !mem_fail_happened();
        mem_fail_nth(0);
        for (unsigned i = 0; i < MANY; i++) {
            int ready = crowd.ends[i].ready; /* ENOBUFS: the simulated kernel has no memory */
            EXPECT(ready == NOT_TOLD || ready == -ENOMEM || ready == -ENOBUFS);
            ended += ready != NOT_TOLD;
        }
        EXPECT_INT(ended, is_over ? 0 : 1);
        crowd_close(&crowd);
    }
}
