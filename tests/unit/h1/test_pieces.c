/* tests/unit/h1/test_pieces.c — answers in pieces: chunked, of declared length, to the end of the
 * connection, given up. Handlers run on a real worker and meet the simulated loop; without a pool
 * they run at once on the loop. */
#include "support_h1.h"

#include <galley/pool.h>

#include "test.h"

#include <time.h>

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

static void pause_briefly(void)
{
    pause_ms(5);
}

struct pool_world {
    struct world world;
    galley_pool *pool;
    struct sim_peer *peer;
};

static void open_with_pool(struct pool_world *with, bool pauses)
{
    world_init(&with->world);
    with->pool = galley_pool_new(1, NULL);
    EXPECT(with->pool != NULL);
    with->world.services.pool = with->pool;
    with->world.worker_pauses = pauses ? pause_briefly : NULL;
    world_start(&with->world);
    with->peer = world_connect(&with->world);
}

static void close_with_pool(struct pool_world *with)
{
    sim_peer_free(with->peer);
    conn_set_close_all(&with->world.set, CLOSE_STOP_NOW);
    for (int i = 0; i < 5000 && with->world.exchanges.live > 0; i++) {
        sim_run(with->world.loop);
        pause_ms(1);
    }
    galley_pool_free(with->pool);
    world_close(&with->world);
}

/* The worker is on a real clock: wait until so many requests have ended. */
static void wait_for_end(struct pool_world *with, unsigned logged)
{
    for (int i = 0; i < 20000 && with->world.logged_count < logged; i++) {
        sim_run(with->world.loop);
        pause_ms(1);
    }
    sim_run(with->world.loop);
    EXPECT_INT(with->world.logged_count, logged);
}

static struct answer ask(struct pool_world *with, const char *request, bool for_head)
{
    unsigned logged = with->world.logged_count;
    sim_consume(with->peer, sim_received(with->peer).len);
    world_send(&with->world, with->peer, request);
    wait_for_end(with, logged + 1);
    struct span rest = sim_received(with->peer);
    struct answer answer = answer_take(&rest, for_head, sim_is_closed(with->peer));
    EXPECT(answer.is_whole);
    EXPECT_INT(rest.len, 0);
    return answer;
}

/* RFC 9112 §7.1 */
TEST(test_pieces_of_unknown_length_are_chunked_for_http_1_1)
{
    struct pool_world with;
    open_with_pool(&with, true);
    struct answer answer = ask(&with, "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT(answer.is_chunked);
    EXPECT_SPAN(answer.body, "onetwothree");
    EXPECT_INT(with.world.logged[0].bytes_sent, 11);
    EXPECT(!sim_is_closed(with.peer));
    answer = ask(&with, "HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT(answer.is_chunked);
    answer = ask(&with, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT_SPAN(answer.body, "hello");
    close_with_pool(&with);
}

/* RFC 9112 §6.1: no chunked to 1.0; §6.3 item 8: the end of the connection ends the body */
TEST(test_pieces_of_unknown_length_close_the_connection_of_http_1_0)
{
    struct pool_world with;
    open_with_pool(&with, true);
    struct answer answer =
        ask(&with, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false);
    EXPECT(!answer.is_chunked && !answer.has_length);
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT_SPAN(answer.body, "onetwothree");
    EXPECT(sim_is_closed(with.peer) && !sim_is_reset(with.peer));
    close_with_pool(&with);
}

TEST(test_pieces_of_declared_length_are_not_chunked)
{
    struct pool_world with;
    open_with_pool(&with, true);
    struct answer answer = ask(&with, "GET /declared HTTP/1.1\r\nHost: a\r\n\r\n", false);
    EXPECT(answer.has_length && !answer.is_chunked);
    EXPECT_SPAN(answer.body, "onetwothree");
    answer = ask(&with, "HEAD /declared HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "11");
    close_with_pool(&with);
}

TEST(test_an_answer_that_breaks_off_resets_the_connection)
{
    static const char *const requests[] = {"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "GET /short HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        struct pool_world with;
        open_with_pool(&with, true);
        world_send(&with.world, with.peer, requests[i]);
        wait_for_end(&with, 1);
        EXPECT(sim_is_reset(with.peer));
        EXPECT_INT(counter_read(&with.world.set.counters.closed[CLOSE_HANDLER_FAILED]), 1);
        EXPECT_INT(counter_read(&h1_driver_counters(with.world.driver)->aborted), 1);
        close_with_pool(&with);
    }
}

TEST(test_a_worker_waits_for_a_slow_reader_and_memory_stays_bounded)
{
    struct pool_world with;
    open_with_pool(&with, false);
    sim_set_window(with.peer, 1000);
    world_send(&with.world, with.peer, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        sim_run(with.world.loop);
        pause_ms(1);
    }
    EXPECT(world_conn(&with.world)->out.bytes > 0);
    EXPECT(world_conn(&with.world)->out.bytes < BIG_BYTES);
    EXPECT_INT(with.world.logged_count, 0);
    sim_set_window(with.peer, SIZE_MAX);
    wait_for_end(&with, 1);
    EXPECT_INT(with.world.logged[0].bytes_sent, 4 * BIG_BYTES);
    EXPECT_INT(answers_count(with.peer), 1);
    close_with_pool(&with);
}

TEST(test_a_client_that_goes_while_a_worker_waits_lets_the_worker_go)
{
    struct pool_world with;
    open_with_pool(&with, false);
    sim_set_window(with.peer, 1000);
    world_send(&with.world, with.peer, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    pause_ms(20);
    sim_run(with.world.loop);
    sim_reset(with.peer);
    wait_for_end(&with, 1);
    EXPECT(with.world.logged[0].client_is_gone);
    EXPECT_INT(with.world.set.count, 0);
    close_with_pool(&with);
}

TEST(test_pieces_that_are_all_there_get_a_length)
{
    struct world world;
    world_open(&world); /* no pool: the handler runs at once */
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n");
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, false);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "11");
    EXPECT_SPAN(answer.body, "onetwothree");
    sim_peer_free(peer);
    world_close(&world);
}
