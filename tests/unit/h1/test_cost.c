/* tests/unit/h1/test_cost.c — what a request may cost on a connection that has served one like it:
 * no allocation, whether it comes alone or with others. What it costs in system calls is counted in
 * tests/fault/test_net_syscalls.c. */
#include "support_h1.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "test.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const char missing[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
static const char two[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";

/* Under sanitizers each piece of an arena is a block of its own, so that they see through it. */
static void skip_if_arenas_allocate_each_piece(void)
{
    struct arena arena;
    arena_init(&arena, 1000);
    bool is_there = arena_alloc(&arena, 1) != NULL;
    int64_t before = mem_live_blocks();
    is_there = arena_alloc(&arena, 1) && is_there;
    bool is_piecewise = mem_live_blocks() > before;
    arena_finish(&arena);
    EXPECT(is_there);
    if (is_piecewise) {
        test_skip("arenas allocate each piece");
    }
}

static void send_one(struct world *world, struct sim_peer *peer, const char *requests)
{
    world_send(world, peer, requests);
    EXPECT(answers_count(peer) > 0);
    sim_consume(peer, sim_received(peer).len);
}

/* No allocation for each request. Each one would meet the failure. */
static void serve_without_memory(const char *requests)
{
    skip_if_arenas_allocate_each_piece();
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    for (int i = 0; i < 3; i++) {
        send_one(&world, peer, requests); /* what is kept is taken now */
    }
    mem_fail_nth(1);
    for (int i = 0; i < 20; i++) {
        send_one(&world, peer, requests);
    }
    EXPECT(!mem_fail_happened());
    mem_fail_nth(0);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_request_on_a_connection_that_served_one_allocates_nothing)
{
    serve_without_memory(get);
}

TEST(test_nor_do_requests_that_come_together)
{
    serve_without_memory(two);
}

TEST(test_nor_does_one_for_what_is_not_there)
{
    serve_without_memory(missing);
}
