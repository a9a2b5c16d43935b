/* tests/unit/h1/test_cost.c — what a request may cost on a connection that has served one like it:
 * no allocation, no look at a clock and no lock, whether it comes alone or with others; and no copy
 * of a body that is not small. The linker leads calls of pthread_mutex_lock() here (cmake). What it costs in system calls is counted in
 * tests/fault/test_net_syscalls.c. */
#include "support_h1.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "test.h"

#include <pthread.h>

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

/* ---- clocks and locks ------------------------------------------------------------------------ */

/* Any thread of the test: there is one. */
static unsigned locks;
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    locks++;
    return __real_pthread_mutex_lock(mutex);
}

TEST(test_clocks_and_locks_are_counted_here)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    unsigned locks_before = locks;
    uint64_t reads_before = clock_reads();
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    EXPECT_INT(locks, locks_before + 1);
    EXPECT(clock_mono_ms() != 0);
    EXPECT_INT(clock_reads(), reads_before + 1);
}

/* The loop's turns read their clock in the backend, and that of these tests is made up: whatever is
 * read here is read for a request. */
static void serve_without_clock_or_lock(const char *requests)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    send_one(&world, peer, requests);
    uint64_t reads_before = clock_reads();
    unsigned locks_before = locks;
    for (int i = 0; i < 20; i++) {
        send_one(&world, peer, requests);
    }
    EXPECT_INT(clock_reads(), reads_before);
    EXPECT_INT(locks, locks_before);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_request_reads_no_clock_and_takes_no_lock)
{
    serve_without_clock_or_lock(get);
    serve_without_clock_or_lock(missing);
}

TEST(test_nor_do_requests_of_one_turn)
{
    serve_without_clock_or_lock(two);
}

/* ---- copies ---------------------------------------------------------------------------------- */

TEST(test_a_body_that_is_not_small_is_sent_from_where_it_lies)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 0);
    world_send(&world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    struct iovec pieces[4];
    int count = chain_iov(&world_conn(&world)->out, pieces, 4);
    EXPECT_INT(count, 2); /* its head, and all of it */
    EXPECT(pieces[1].iov_base == world.big && pieces[1].iov_len == BIG_BYTES);
    EXPECT_INT(world.big_released, 0);
    sim_set_window(peer, SIZE_MAX);
    sim_run(world.loop);
    EXPECT_INT(world.big_released, 1);
    sim_peer_free(peer);
    world_close(&world);
}
