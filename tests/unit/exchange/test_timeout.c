/* timeout_ms of a route: the whole of an exchange, from its head to its last byte, whoever has it
 * when time is up. Time is the sim loop's. */
#include "support_world.h"

#include "base/alloc.h"
#include "loop/sim.h"

#include <galley/stream.h>

#include <stdatomic.h>
#include <time.h>

enum { TIMEOUT_MS = 1000 };

static struct exchange *held;

static int hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    (void)arg;
    held = exchange_of_request(rq);
    return exchange_suspend(held);
}

static int answer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "in time");
}

static void open_world(struct world *world, galley_handler *handler)
{
    world_init(world);
    world->route.handler = handler;
    world->route.timeout_ms = TIMEOUT_MS;
}

static struct exchange *ask(struct world *world, int64_t body_bytes)
{
    struct exchange *exchange = world_request(world, "POST", "/");
    EXPECT(exchange);
    exchange->request.content_length = body_bytes;
    world_go(world);
    return exchange;
}

static uint64_t timeouts(const struct world *world)
{
    return counter_read(&world->counters.timeouts);
}

TEST(test_an_answer_in_time_is_left_alone)
{
    struct world world;
    open_world(&world, answer);
    ask(&world, 0);
    EXPECT_INT(world.status, 200);
    sim_advance(world.loop, 2 * TIMEOUT_MS);
    EXPECT_INT(timeouts(&world), 0);
    EXPECT_INT(world.given_up, 0);
    world_finish(&world);
}

TEST(test_a_handler_that_takes_too_long_is_answered_for)
{
    struct world world;
    open_world(&world, hold);
    struct exchange *exchange = ask(&world, 0);
    sim_advance(world.loop, TIMEOUT_MS - 1);
    EXPECT_INT(world.given_up, 0);
    EXPECT(!exchange->should_stop.raised);
    sim_advance(world.loop, 1);
    EXPECT_INT(world.given_up, 1);
    EXPECT_INT(world.given_up_status, 503);
    EXPECT_INT(timeouts(&world), 1);
    EXPECT(exchange->should_stop.raised);
    EXPECT_INT(world.ended, 0); /* its owner still has it */
    exchange_resume(held, 200);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.ended_status, 503); /* what the log says is what the client got */
    EXPECT_INT(world.responded, 0);
    world_finish(&world);
}

TEST(test_a_body_that_takes_too_long_is_refused)
{
    struct world world;
    open_world(&world, answer);
    struct exchange *exchange = ask(&world, 10);
    EXPECT_INT(exchange->state, EXCHANGE_BODY);
    sim_advance(world.loop, TIMEOUT_MS);
    EXPECT_INT(world.status, 503);
    EXPECT(world.must_close);
    EXPECT_INT(world.given_up, 0);
    EXPECT_INT(timeouts(&world), 1);
    EXPECT_INT(world.ended, 1);
    world_finish(&world);
}

TEST(test_time_goes_on_while_it_waits_at_the_gate_and_behind_it)
{
    struct world world;
    open_world(&world, hold);
    world.services.queue_timeout_ms = TIMEOUT_MS / 2;
    world.route.gate = route_gate_create(1, 8);
    ask(&world, 0);
    struct exchange *first = held;
    sim_advance(world.loop, 800);
    ask(&world, 0); /* waits; it may until 1300, and be answered until 1800 */
    exchange_resume(first, 204);
    EXPECT_INT(world.responded, 1);
    sim_run(world.loop);
    EXPECT(held != first);
    sim_advance(world.loop, TIMEOUT_MS - 1);
    EXPECT_INT(world.given_up, 0);
    sim_advance(world.loop, 1);
    EXPECT_INT(world.given_up, 1);
    EXPECT_INT(timeouts(&world), 1);
    EXPECT_INT(counter_read(&world.counters.shed_late), 0);
    EXPECT_INT(route_gate_running(world.route.gate), 1); /* until its handler lets go */
    exchange_resume(held, 204);
    EXPECT_INT(route_gate_running(world.route.gate), 0);
    route_gate_destroy(world.route.gate);
    world_finish(&world);
}

TEST(test_time_that_is_up_while_it_waits_at_the_gate)
{
    struct world world;
    open_world(&world, hold);
    world.services.queue_timeout_ms = 10 * TIMEOUT_MS;
    world.route.gate = route_gate_create(1, 8);
    world.route.timeout_ms = 0;
    ask(&world, 0);
    world.route.timeout_ms = TIMEOUT_MS;
    ask(&world, 0);
    sim_advance(world.loop, TIMEOUT_MS);
    EXPECT_INT(world.status, 503);
    EXPECT_INT(world.given_up, 0);
    EXPECT_INT(timeouts(&world), 1);
    EXPECT_INT(route_gate_waiting(world.route.gate), 0);
    exchange_resume(held, 204);
    route_gate_destroy(world.route.gate);
    world_finish(&world);
}

TEST(test_a_slow_reader_has_no_more_time_than_the_route_gives)
{
    struct world world;
    open_world(&world, answer);
    world.keeps_it = true;
    struct exchange *exchange = ask(&world, 0);
    EXPECT_INT(exchange->state, EXCHANGE_RESPONDING);
    sim_advance(world.loop, TIMEOUT_MS);
    EXPECT_INT(world.given_up, 1); /* the driver resets: a part of the answer is out */
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.ended_status, 200);
    EXPECT_INT(timeouts(&world), 1);
    world_finish(&world);
}

static galley_deferred *given;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    given = galley_res_defer(rs);
    EXPECT(given);
    return 0;
}

TEST(test_a_deferral_that_takes_too_long_is_not_wanted_any_more)
{
    struct world world;
    open_world(&world, defer);
    ask(&world, 0);
    sim_advance(world.loop, TIMEOUT_MS - 1);
    EXPECT(galley_deferred_is_wanted(given));
    sim_advance(world.loop, 1);
    EXPECT_INT(world.given_up, 1);
    EXPECT(!galley_deferred_is_wanted(given));
    EXPECT(galley_deferred_request(given)); /* still its holder's */
    EXPECT_INT(galley_deferred_finish(given, 204), GALLEY_ECLOSED);
    sim_run(world.loop);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.ended_status, 503);
    world_finish(&world);
}

static galley_stream *stream;

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    stream = galley_res_stream(rs, 200, "text/plain", NULL);
    EXPECT(stream);
    return 0;
}

TEST(test_a_stream_ends_when_its_time_is_up)
{
    struct world world;
    open_world(&world, begin_stream);
    world.keeps_it = true;
    ask(&world, 0);
    EXPECT_INT(galley_stream_write(stream, "a", 1), 0);
    sim_advance(world.loop, TIMEOUT_MS);
    EXPECT_INT(world.given_up, 1);
    EXPECT_INT(galley_stream_write(stream, "b", 1), GALLEY_ECLOSED);
    galley_stream_unref(stream);
    sim_run(world.loop);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.ended_status, 200);
    world_finish(&world);
}

TEST(test_a_client_that_leaves_ends_the_count)
{
    struct world world;
    open_world(&world, hold);
    exchange_client_gone(ask(&world, 0));
    sim_advance(world.loop, 2 * TIMEOUT_MS);
    EXPECT_INT(timeouts(&world), 0);
    EXPECT_INT(world.given_up, 0);
    exchange_resume(held, 200);
    EXPECT_INT(world.ended_status, 0);
    world_finish(&world);
}

TEST(test_a_route_without_a_timeout_has_no_timer)
{
    struct world world;
    open_world(&world, hold);
    world.route.timeout_ms = 0;
    struct exchange *exchange = ask(&world, 0);
    EXPECT(!timer_is_armed(&exchange->turn.timer));
    exchange_resume(held, 200);
    world_finish(&world);
}

/* A block of the body is being written by a file thread: the exchange stays until it is back. */
TEST(test_time_that_is_up_while_a_body_is_written_to_its_file)
{
    struct world world;
    open_world(&world, answer);
    galley_pool *files = galley_pool_new(1, NULL);
    world.services.file_pool = files;
    world.route.body_mode = EXCHANGE_BODY_SPOOL;
    struct exchange *exchange = ask(&world, 3);
    EXPECT_INT(exchange_body_piece(exchange, SPAN("abc")), 0);
    exchange_body_end(exchange); /* starts the job; it can come back in a later turn only */
    sim_advance(world.loop, TIMEOUT_MS);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(timeouts(&world) + (world.status == 200), 1);
    EXPECT_INT(world.given_up, timeouts(&world));
    galley_pool_free(files);
    world_finish(&world);
}

/* ---- on a worker ---- */

struct stuck {
    atomic_int entered, saw_stop;
};

static int until_told(galley_request *rq, galley_response *rs, void *arg)
{
    struct stuck *stuck = arg;
    (void)rq;
    atomic_store(&stuck->entered, 1);
    while (!galley_should_stop()) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    atomic_store(&stuck->saw_stop, 1);
    return galley_res_text(rs, 200, "too late");
}

static void open_pool(struct world *world, struct stuck *stuck)
{
    *stuck = (struct stuck){0};
    open_world(world, until_told);
    world->services.pool = galley_pool_new(1, NULL);
    EXPECT(world->services.pool);
    world->route.on_loop = false;
    world->route.arg = stuck;
    ask(world, 0);
    while (!atomic_load(&stuck->entered)) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

static void close_pool(struct world *world)
{
    world_turn_until(world, &world->ended);
    EXPECT_INT(world->responded, 0);
    galley_pool_free(world->services.pool);
    world_finish(world);
}

TEST(test_a_worker_is_told_that_time_is_up_and_its_result_is_thrown_away)
{
    struct world world;
    struct stuck stuck;
    open_pool(&world, &stuck);
    loop_turn(world.loop, 0);
    sim_advance(world.loop, TIMEOUT_MS);
    EXPECT_INT(world.given_up, 1);
    close_pool(&world);
    EXPECT_INT(atomic_load(&stuck.saw_stop), 1);
    EXPECT_INT(world.ended_status, 503);
}

TEST(test_a_worker_is_told_that_the_client_left)
{
    struct world world;
    struct stuck stuck;
    open_pool(&world, &stuck);
    exchange_client_gone(world.exchange);
    close_pool(&world);
    EXPECT_INT(atomic_load(&stuck.saw_stop), 1);
}

TEST(test_a_worker_is_told_that_the_server_stops)
{
    struct world world;
    struct stuck stuck;
    open_pool(&world, &stuck);
    exchange_pool_hint_stop(&world.pool);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.status, 200); /* a drain still wants its answer */
    world.responded = 0;
    close_pool(&world);
}

static int ask_whether_to_stop(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    *(int *)arg = galley_should_stop();
    return galley_res_status(rs, 200);
}

TEST(test_a_handler_on_the_loop_is_told_that_the_server_stops)
{
    struct world world;
    int stops = -1;
    open_world(&world, ask_whether_to_stop);
    world.route.arg = &stops;
    ask(&world, 0);
    EXPECT_INT(stops, 0);
    exchange_pool_hint_stop(&world.pool);
    ask(&world, 0);
    EXPECT_INT(stops, 1);
    EXPECT(!galley_should_stop()); /* nothing of it stays on the thread */
    world_finish(&world);
}
