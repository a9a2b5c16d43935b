/* tests/unit/h1/test_faults.c — clients that half-close, reset or stall anywhere, sends that fail
 * or are short anywhere, memory that runs out anywhere, and ends that come in any order. After each
 * nothing is left. */
#include "support_h1.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "test.h"

#include <errno.h>

static const char chunked_post[] =
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nabcde\r\n0\r\n\r\n";
static const char later[] = "GET /later HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";

static void resume_later(struct world *world)
{
    struct exchange *exchange = world->later;
    world->later = NULL;
    if (exchange) {
        exchange_resume(exchange, 204);
    }
}

static void expect_nothing_left(struct world *world)
{
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(world->exchanges.live, 0);
    EXPECT_INT(sim_open_count(world->loop), 0);
}

/* ---- L26: half-closed at every byte ---------------------------------------------------------- */

TEST(test_a_client_that_half_closes_at_any_byte_leaves_nothing_behind)
{
    struct world world;
    world_open(&world);
    size_t len = sizeof chunked_post - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct sim_peer *peer = world_connect(&world);
        world_send_bytes(&world, peer, chunked_post, cut);
        sim_shutdown(peer);
        sim_run(world.loop);
        EXPECT(sim_is_closed(peer));
        if (cut == len) {
            EXPECT_INT(first_status(peer), 200); /* RFC 9112 §9.6: it still gets its answer */
        } else {
            EXPECT(first_status(peer) == 0 || first_status(peer) == 400);
        }
        sim_peer_free(peer);
        sim_run(world.loop);
        expect_nothing_left(&world);
    }
    EXPECT(counter_read(&world.set.counters.closed[CLOSE_CLIENT_VANISHED]) > 0);
    world_close(&world);
}

TEST(test_a_half_closed_client_gets_all_its_pipelined_answers)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    (void)sim_send(peer, later, strlen(later));
    for (int i = 0; i < 3; i++) {
        (void)sim_send(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    }
    sim_shutdown(peer);
    sim_run(world.loop);
    EXPECT(!sim_is_closed(peer));
    sim_advance(world.loop, 100000);
    resume_later(&world);
    sim_run(world.loop);
    EXPECT_INT(answers_count(peer), 4);
    EXPECT(sim_is_closed(peer) && !sim_is_reset(peer));
    expect_nothing_left(&world);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- resets ---------------------------------------------------------------------------------- */

TEST(test_a_client_that_resets_at_any_byte_leaves_nothing_behind)
{
    struct world world;
    world_open(&world);
    size_t len = sizeof chunked_post - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct sim_peer *peer = world_connect(&world);
        world_send_bytes(&world, peer, chunked_post, cut);
        sim_reset(peer);
        sim_run(world.loop);
        sim_peer_free(peer);
        sim_run(world.loop);
        expect_nothing_left(&world);
    }
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_CLIENT_RESET]), len + 1);
    world_close(&world);
}

TEST(test_a_reset_while_the_handler_works_tells_the_handler)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, later);
    sim_reset(peer);
    sim_run(world.loop);
    EXPECT_INT(world.set.count, 0);
    EXPECT(world.later->client_is_gone);
    EXPECT(world.later->should_stop.raised != 0);
    EXPECT_INT(world.logged_count, 0);
    resume_later(&world);
    EXPECT_INT(world.logged_count, 1);
    expect_nothing_left(&world);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_reset_in_the_middle_of_an_answer_says_how_much_was_sent)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 1000);
    world_send(&world, peer, "GET /borrowed HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(world.logged_count, 0);
    sim_reset(peer);
    sim_run(world.loop);
    expect_nothing_left(&world);
    EXPECT_INT(world.logged_count, 1);
    EXPECT(world.logged[0].bytes_sent > 500 && world.logged[0].bytes_sent < 1000);
    sim_peer_free(peer);
    world_close(&world);
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

TEST(test_what_is_unsent_is_released_before_the_memory_of_the_exchange)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_set_window(peer, 100);
    world_send(&world, peer, later);
    struct exchange *exchange = world.later;
    world.later = NULL;
    bool *is_released = arena_alloc(&exchange->arena, sizeof *is_released);
    EXPECT(is_released != NULL);
    *is_released = false;
    EXPECT_INT(response_body_data(exchange, world.big, 5000, NULL, NULL), 0);
    EXPECT_INT(response_body_data(exchange, world.big, 5000, set_true, is_released), 0);
    exchange_resume(exchange, 200);
    sim_run(world.loop);
    sim_reset(peer); /* a sanitizer would see the release write into memory that has gone */
    sim_run(world.loop);
    expect_nothing_left(&world);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- sends ----------------------------------------------------------------------------------- */

static const char mixed_requests[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /borrowed HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(test_answers_are_the_same_when_sends_are_short)
{
    struct world world;
    world_open(&world);
    size_t whole = 0;
    for (size_t most = 0; most < 400; most += most < 20 ? 1 : 37) {
        struct sim_peer *peer = world_connect(&world);
        sim_set_max_write(peer, most);
        world_send(&world, peer, mixed_requests);
        EXPECT_INT(answers_count(peer), 3);
        whole = whole ? whole : sim_received(peer).len;
        EXPECT_INT(sim_received(peer).len, whole);
        sim_peer_free(peer);
        sim_run(world.loop);
    }
    EXPECT_INT(world.logged_count % 3, 0);
    world_close(&world);
}

TEST(test_a_send_that_fails_at_any_byte_ends_the_connection)
{
    struct world world;
    world_open(&world);
    static const int errors[] = {EPIPE, ECONNRESET, ENOBUFS, EIO};
    static const enum close_reason reasons[] = {CLOSE_CLIENT_RESET, CLOSE_CLIENT_RESET,
                                                CLOSE_OUT_OF_MEMORY, CLOSE_SYSTEM_ERROR};
    for (size_t window = 0; window < 3300; window += 13) {
        struct sim_peer *peer = world_connect(&world);
        unsigned kind = (unsigned)(window / 13 % 4);
        sim_set_window(peer, window);
        world_send(&world, peer, mixed_requests);
        uint64_t before = counter_read(&world.set.counters.closed[reasons[kind]]);
        sim_fail_next(peer, LOOP_OP_SEND, errors[kind]);
        sim_set_window(peer, SIZE_MAX);
        sim_run(world.loop);
        EXPECT_INT(counter_read(&world.set.counters.closed[reasons[kind]]), before + 1);
        sim_peer_free(peer);
        sim_run(world.loop);
        expect_nothing_left(&world);
    }
    world_close(&world);
}

TEST(test_a_read_that_fails_ends_the_connection)
{
    struct world world;
    world_open(&world);
    struct sim_peer *peer = world_connect(&world);
    sim_fail_next(peer, LOOP_OP_RECV, EIO);
    world_send(&world, peer, later);
    EXPECT_INT(counter_read(&world.set.counters.closed[CLOSE_SYSTEM_ERROR]), 1);
    expect_nothing_left(&world);
    sim_peer_free(peer);
    world_close(&world);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* A connection's life with everything in it; every step may fail for want of memory. */
static void live_once(struct world *world)
{
    struct sim_peer *peer = world_connect(world);
    if (!peer) {
        return;
    }
    world_send(world, peer, mixed_requests);
    world_send_bytes(world, peer, chunked_post, 40);
    world_send_bytes(world, peer, chunked_post + 40, sizeof chunked_post - 1 - 40);
    world_send(world, peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    world_send(world, peer, "bc");
    world_send(world, peer, later);
    world_send(world, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    resume_later(world);
    sim_run(world->loop);
    world_send(world, peer, "GET /bad%zz HTTP/1.1\r\nHost: a\r\n\r\n");
    sim_peer_free(peer);
    sim_run(world->loop);
}

TEST(test_memory_that_runs_out_anywhere_ends_cleanly)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct world world;
        world_open(&world);
        mem_fail_nth(n);
        live_once(&world);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        live_once(&world); /* and afterwards all is well */
        EXPECT(world.logged_count >= 7);
        EXPECT_INT(world.logged[world.logged_count - 1].status, 400);
        world_close(&world);
        EXPECT(n < 1000);
    }
}

TEST(test_a_driver_that_cannot_be_made_leaves_nothing)
{
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct h1_options options = {.limits = &limits};
    struct exchange_services services = {0};
    struct exchange_pool exchanges;
    exchange_pool_init(&exchanges, &services);
    mem_fail_nth(1);
    EXPECT(h1_driver_create(&exchanges, &options) == NULL);
    EXPECT(mem_fail_happened());
    h1_driver_destroy(NULL);
    exchange_pool_finish(&exchanges);
}

/* ---- L4: ends in every order ----------------------------------------------------------------- */

enum { END_RESET, END_FIN, END_DEADLINE, END_CLOSE, END_RESUME, END_WINDOW, END_DRAIN, ENDS };

static void make_end(struct world *world, struct sim_peer *peer, int end)
{
    struct conn *conn = world_conn(world);
    switch (end) {
    case END_RESET:
        sim_reset(peer);
        break;
    case END_FIN:
        sim_shutdown(peer);
        break;
    case END_DEADLINE:
        sim_advance(world->loop, 130000);
        break;
    case END_CLOSE:
        if (conn) {
            conn_close(conn, CLOSE_STOP_NOW, true);
        }
        break;
    case END_RESUME:
        resume_later(world);
        break;
    case END_WINDOW:
        sim_set_window(peer, SIZE_MAX);
        break;
    default:
        conn_set_drain(&world->set);
        world->set.is_draining = false;
        break;
    }
}

static void end_in_order(struct world *world, const char *request, const int *order,
                         bool with_turns)
{
    struct sim_peer *peer = world_connect(world);
    sim_set_window(peer, 100);
    world_send(world, peer, request);
    for (int i = 0; i < ENDS; i++) {
        make_end(world, peer, order[i]);
        if (with_turns) {
            sim_run(world->loop);
        }
    }
    sim_run(world->loop);
    resume_later(world);
    sim_advance(world->loop, 3000);
    sim_peer_free(peer);
    sim_run(world->loop);
    expect_nothing_left(world);
}

/* The next permutation in lexicographic order. */
static bool next_order(int *order)
{
    int i = ENDS - 2;
    while (i >= 0 && order[i] > order[i + 1]) {
        i--;
    }
    if (i < 0) {
        return false;
    }
    int k = ENDS - 1;
    while (order[k] < order[i]) {
        k--;
    }
    int swapped = order[i];
    order[i] = order[k];
    order[k] = swapped;
    for (int a = i + 1, b = ENDS - 1; a < b; a++, b--) {
        swapped = order[a];
        order[a] = order[b];
        order[b] = swapped;
    }
    return true;
}

TEST_TIMEOUT(test_ends_may_come_in_any_order, 120)
{
    static const char *const requests[] = {
        "GET / HT",
        "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /borrowed HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        "GET /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        "bad\r\n\r\n",
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int order[ENDS] = {0, 1, 2, 3, 4, 5, 6};
        unsigned round = 0;
        do {
            end_in_order(&world, requests[i], order, round++ % 2);
        } while (next_order(order));
    }
    world_close(&world);
}
