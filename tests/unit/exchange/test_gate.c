/* max_running and max_waiting: who comes in, who waits and in what order, who is sent away and when,
 * and that no place is lost however an exchange ends. Time is the sim loop's. */
#include "support_world.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "exchange/queue_shedder.h"
#include "loop/sim.h"

#include <galley/stream.h>

#include <stdatomic.h>
#include <time.h>

enum { QUEUE_MS = 5000 };

/* Handlers of these worlds hold their place until the test resumes them. */
static struct exchange *inside[8];
static unsigned begun, told_to_stop;

static int hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    told_to_stop += galley_should_stop();
    EXPECT_INT(exchange_suspend(exchange), 0);
    inside[begun++] = exchange;
    return 0;
}

static void open_world(struct world *world, uint32_t max_running, uint32_t max_waiting)
{
    world_init(world);
    world->services.queue_timeout_ms = QUEUE_MS;
    world->route.handler = hold;
    world->route.max_running = max_running;
    world->route.gate = route_gate_create(max_running, max_waiting);
    EXPECT(world->route.gate);
    begun = told_to_stop = 0;
}

static void close_world(struct world *world)
{
    EXPECT_INT(route_gate_running(world->route.gate), 0);
    EXPECT_INT(route_gate_waiting(world->route.gate), 0);
    struct route_gate *gate = world->route.gate;
    world_finish(world);
    route_gate_destroy(gate);
}

static struct exchange *ask(struct world *world)
{
    struct exchange *exchange = world_request(world, "GET", "/");
    EXPECT(exchange);
    world_go(world);
    return exchange;
}

static void let_go(struct world *world, unsigned index)
{
    exchange_resume(inside[index], 204);
    sim_run(world->loop);
}

TEST(test_no_more_than_max_running_are_handled_and_the_rest_in_their_order)
{
    struct world world;
    open_world(&world, 2, 8);
    struct exchange *asked[5];
    for (unsigned i = 0; i < 5; i++) {
        asked[i] = ask(&world);
    }
    EXPECT_INT(begun, 2);
    EXPECT_INT(route_gate_waiting(world.route.gate), 3);
    EXPECT_INT(asked[2]->state, EXCHANGE_WAITING);
    for (unsigned i = 0; i < 5; i++) {
        EXPECT(inside[i] == asked[i]);
        EXPECT(route_gate_running(world.route.gate) <= 2);
        let_go(&world, i);
    }
    EXPECT_INT(world.responded, 5);
    EXPECT_INT(world.status, 204);
    close_world(&world);
}

TEST(test_over_max_waiting_is_503_at_once_before_the_body)
{
    struct world world;
    open_world(&world, 1, 1);
    ask(&world);
    ask(&world);
    struct exchange *exchange = world_request(&world, "POST", "/");
    exchange->request.content_length = 10;
    world_go(&world);
    EXPECT_INT(world.status, 503);
    EXPECT(strstr(world.fields_text, "Retry-After: 1\n"));
    EXPECT(world.must_close);
    EXPECT_INT(world.bodies_wanted, 0);
    EXPECT_INT(counter_read(&world.counters.shed_full), 1);
    ask(&world);
    EXPECT(!world.must_close); /* there is no body that would come */
    EXPECT_INT(counter_read(&world.counters.shed_full), 2);
    let_go(&world, 0);
    let_go(&world, 1);
    EXPECT_INT(counter_read(&world.counters.shed_late), 0);
    close_world(&world);
}

TEST(test_a_place_is_taken_when_the_body_is_there)
{
    struct world world;
    open_world(&world, 1, 8);
    struct exchange *slow = world_request(&world, "POST", "/");
    slow->request.content_length = 3;
    world_go(&world);
    EXPECT_INT(world.bodies_wanted, 1);
    EXPECT_INT(route_gate_running(world.route.gate), 0);
    ask(&world); /* not kept by one that is still sending */
    EXPECT_INT(begun, 1);
    EXPECT_INT(exchange_body_piece(slow, SPAN("abc")), 0);
    exchange_body_end(slow);
    EXPECT_INT(slow->state, EXCHANGE_WAITING);
    let_go(&world, 0);
    EXPECT(inside[1] == slow);
    let_go(&world, 1);
    close_world(&world);
}

TEST(test_one_whose_body_came_too_late_for_a_place_is_503)
{
    struct world world;
    open_world(&world, 1, 1);
    struct exchange *slow = world_request(&world, "POST", "/");
    slow->request.content_length = 3;
    world_go(&world);
    ask(&world);
    ask(&world);
    exchange_body_end(slow);
    EXPECT_INT(world.status, 503);
    EXPECT_INT(counter_read(&world.counters.shed_full), 1);
    let_go(&world, 0);
    let_go(&world, 1);
    close_world(&world);
}

TEST(test_who_waits_longer_than_the_queue_may_take_is_503)
{
    struct world world;
    open_world(&world, 1, 8);
    ask(&world);
    ask(&world);
    sim_advance(world.loop, QUEUE_MS - 1);
    ask(&world);
    EXPECT_INT(world.responded, 0);
    sim_advance(world.loop, 1);
    EXPECT_INT(world.responded, 1);
    EXPECT_INT(world.status, 503);
    EXPECT(strstr(world.fields_text, "Retry-After: 1\n"));
    EXPECT_INT(counter_read(&world.counters.shed_late), 1);
    EXPECT_INT(route_gate_waiting(world.route.gate), 1);
    let_go(&world, 0);
    sim_advance(world.loop, 2 * QUEUE_MS); /* a handler may take longer than a wait */
    EXPECT_INT(world.responded, 2);
    let_go(&world, 1);
    EXPECT_INT(world.responded, 3);
    EXPECT_INT(counter_read(&world.counters.shed_late), 1);
    close_world(&world);
}

TEST(test_without_a_queue_timeout_a_wait_has_no_end)
{
    struct world world;
    open_world(&world, 1, 8);
    world.services.queue_timeout_ms = 0;
    ask(&world);
    ask(&world);
    sim_advance(world.loop, 1000 * QUEUE_MS);
    EXPECT_INT(world.responded, 0);
    let_go(&world, 0);
    let_go(&world, 1);
    close_world(&world);
}

TEST(test_a_client_that_leaves_while_it_waits_leaves_the_line)
{
    struct world world;
    open_world(&world, 1, 8);
    ask(&world);
    struct exchange *leaving = ask(&world);
    struct exchange *staying = ask(&world);
    exchange_client_gone(leaving);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(route_gate_waiting(world.route.gate), 1);
    let_go(&world, 0);
    EXPECT(inside[1] == staying);
    let_go(&world, 1);
    EXPECT_INT(world.responded, 2);
    EXPECT_INT(begun, 2);
    close_world(&world);
}

TEST(test_a_place_on_its_way_to_a_client_that_leaves_goes_on_to_the_next)
{
    struct world world;
    open_world(&world, 1, 8);
    ask(&world);
    struct exchange *leaving = ask(&world);
    struct exchange *next = ask(&world);
    exchange_resume(inside[0], 204); /* the post is in the mailbox */
    EXPECT_INT(world.ended, 1);
    exchange_client_gone(leaving);
    EXPECT_INT(world.ended, 1);
    sim_run(world.loop);
    EXPECT_INT(world.ended, 2);
    EXPECT(inside[1] == next);
    EXPECT_INT(route_gate_running(world.route.gate), 1);
    let_go(&world, 1);
    close_world(&world);
}

TEST(test_a_client_that_leaves_while_it_is_handled_keeps_its_place_until_the_handler_ends)
{
    struct world world;
    open_world(&world, 1, 8);
    struct exchange *leaving = ask(&world);
    ask(&world);
    exchange_client_gone(leaving);
    sim_run(world.loop);
    EXPECT_INT(begun, 1);
    let_go(&world, 0);
    EXPECT_INT(begun, 2);
    let_go(&world, 1);
    close_world(&world);
}

TEST(test_a_drain_lets_those_who_wait_be_handled_and_tells_them)
{
    struct world world;
    open_world(&world, 1, 8);
    ask(&world);
    ask(&world);
    exchange_pool_hint_stop(&world.pool);
    let_go(&world, 0);
    EXPECT_INT(begun, 2);
    EXPECT_INT(told_to_stop, 1);
    let_go(&world, 1);
    EXPECT_INT(world.responded, 2);
    close_world(&world);
}

TEST(test_a_stop_at_once_clears_the_line)
{
    struct world world;
    open_world(&world, 1, 8);
    struct exchange *asked[3] = {ask(&world), ask(&world), ask(&world)};
    exchange_pool_abandon(&world.pool);
    for (unsigned i = 0; i < 3; i++) {
        exchange_client_gone(asked[i]); /* as the driver says of every connection */
    }
    EXPECT_INT(world.ended, 2);
    let_go(&world, 0);
    EXPECT_INT(begun, 1);
    EXPECT_INT(world.ended, 3);
    close_world(&world);
}

TEST(test_a_streamed_answer_gives_its_place_back_when_its_handler_has_returned)
{
    struct world world;
    open_world(&world, 1, 8);
    world.keeps_it = true; /* a slow reader: the answer is out, but not sent */
    struct exchange *first = ask(&world);
    struct exchange *second = ask(&world);
    let_go(&world, 0);
    EXPECT_INT(first->state, EXCHANGE_RESPONDING);
    EXPECT(inside[1] == second);
    let_go(&world, 1);
    exchange_end(first, &world.pool);
    exchange_end(second, &world.pool);
    close_world(&world);
}

static galley_deferred *given;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    begun++;
    given = galley_res_defer(rs);
    EXPECT(given);
    return 0;
}

TEST(test_a_deferral_keeps_its_place_until_it_is_finished)
{
    struct world world;
    open_world(&world, 1, 8);
    world.route.handler = defer;
    ask(&world);
    struct exchange *second = ask(&world);
    sim_run(world.loop);
    EXPECT_INT(begun, 1);
    EXPECT_INT(route_gate_running(world.route.gate), 1);
    EXPECT_INT(galley_deferred_finish(given, 204), 0);
    sim_run(world.loop);
    EXPECT_INT(begun, 2);
    exchange_client_gone(second);
    EXPECT_INT(route_gate_running(world.route.gate), 1); /* its holder does not know yet */
    EXPECT_INT(galley_deferred_finish(given, 204), GALLEY_ECLOSED);
    sim_run(world.loop);
    close_world(&world);
}

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    begun++;
    galley_stream *stream = galley_res_stream(rs, 200, "text/plain", NULL);
    EXPECT(stream);
    galley_stream_unref(stream); /* closes it: the driver has yet to send the end */
    return 0;
}

TEST(test_a_stream_holds_no_place_once_its_handler_has_returned)
{
    struct world world;
    open_world(&world, 1, 8);
    world.route.handler = begin_stream;
    world.keeps_it = true;
    struct exchange *first = ask(&world);
    sim_run(world.loop);
    EXPECT_INT(route_gate_running(world.route.gate), 0);
    struct exchange *second = ask(&world);
    sim_run(world.loop);
    EXPECT_INT(begun, 2);
    exchange_client_gone(first);
    exchange_client_gone(second);
    sim_run(world.loop);
    EXPECT_INT(world.ended, 2);
    close_world(&world);
}

TEST(test_every_failing_allocation_on_the_way_through_the_gate)
{
    EXPECT(!(mem_fail_nth(1), route_gate_create(1, 1)));
    mem_fail_nth(0);
    route_gate_destroy(NULL);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct world world;
        open_world(&world, 1, 8);
        ask(&world);
        mem_fail_nth(n);
        struct exchange *exchange = world_request(&world, "GET", "/%20");
        if (exchange) {
            world_go(&world);
        }
        failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(failed || route_gate_waiting(world.route.gate) == 1);
        EXPECT(!failed || world.responded == 0 || world.status >= 500);
        let_go(&world, 0);
        if (begun == 2) {
            let_go(&world, 1);
        }
        close_world(&world);
    }
}

/* ---- on workers ---- */

struct door {
    atomic_int entered, open;
};

static int wait_at_door(galley_request *rq, galley_response *rs, void *arg)
{
    struct door *door = arg;
    (void)rq;
    atomic_fetch_add(&door->entered, 1);
    while (!atomic_load(&door->open)) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    return galley_res_text(rs, 200, "through");
}

static void with_workers(struct world *world, struct door *door)
{
    open_world(world, 1, 8);
    world->services.pool = galley_pool_new(2, NULL);
    EXPECT(world->services.pool);
    world->route.on_loop = false;
    world->route.handler = wait_at_door;
    world->route.arg = door;
}

TEST(test_who_waits_holds_no_worker)
{
    struct world world;
    struct door door = {0};
    with_workers(&world, &door);
    for (unsigned i = 0; i < 5; i++) {
        ask(&world);
    }
    galley_pool_stats stats = {.size = sizeof stats};
    while (atomic_load(&door.entered) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    EXPECT_INT(galley_pool_get_stats(world.services.pool, &stats), 0);
    EXPECT_INT(stats.accepted, 1);
    atomic_store(&door.open, 1);
    while (world.ended < 5) {
        loop_turn(world.loop, 0);
    }
    EXPECT_INT(atomic_load(&door.entered), 5);
    galley_pool *pool = world.services.pool;
    galley_pool_free(pool);
    close_world(&world);
}

/* ---- an overloaded pool ---- */

/* A shedder in the middle of an overload, which will not be over within this test: the measuring
 * was done in the future. */
static struct queue_shedder *overloaded(void)
{
    struct queue_shedder *shedder = queue_shedder_create(1, 1);
    int64_t at_ms = clock_mono_ms() + 3600 * 1000;
    for (unsigned i = 0; i < 200; i++) {
        queue_shedder_add(shedder);
        EXPECT(queue_shedder_start(shedder, 2, at_ms + i));
    }
    EXPECT(queue_shedder_is_shedding(shedder));
    return shedder;
}

TEST(test_an_overloaded_pool_refuses_before_the_body)
{
    struct world world;
    struct door door = {.open = 1};
    with_workers(&world, &door);
    struct queue_shedder *shedder = overloaded();
    world.services.shedder = shedder;
    queue_shedder_add(shedder); /* somebody is queued */
    struct exchange *exchange = world_request(&world, "POST", "/");
    exchange->request.content_length = 10;
    world_go(&world);
    EXPECT_INT(world.status, 503);
    EXPECT(strstr(world.fields_text, "Retry-After: 1\n"));
    EXPECT(world.must_close);
    EXPECT_INT(world.bodies_wanted, 0);
    EXPECT_INT(counter_read(&world.counters.shed_full), 1);
    world.route.on_loop = true; /* not concerned */
    ask(&world);
    EXPECT_INT(world.status, 200);
    world.route.on_loop = false;
    world.route.pool = world.services.pool; /* another pool, without a shedder */
    world.ended = 0;
    ask(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.status, 200);
    galley_pool_free(world.services.pool);
    close_world(&world);
    queue_shedder_destroy(shedder);
}

TEST(test_who_waited_too_long_for_an_overloaded_pool_is_not_started)
{
    struct world world;
    struct door door = {0};
    with_workers(&world, &door);
    galley_pool_free(world.services.pool);
    world.services.pool = galley_pool_new(1, NULL);
    struct route_gate *gate = world.route.gate;
    world.route.gate = NULL;
    ask(&world);
    while (atomic_load(&door.entered) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    struct queue_shedder *shedder = overloaded();
    world.services.shedder = shedder;
    ask(&world); /* there is room: nobody else is queued */
    EXPECT_INT(queue_shedder_queued(shedder), 1);
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); /* late is 2 ms */
    atomic_store(&door.open, 1);
    while (world.ended < 2) {
        loop_turn(world.loop, 0);
    }
    EXPECT_INT(atomic_load(&door.entered), 1);
    EXPECT_INT(world.status, 503);
    EXPECT_INT(counter_read(&world.counters.shed_late), 1);
    EXPECT_INT(queue_shedder_queued(shedder), 0);
    galley_pool_free(world.services.pool);
    world.route.gate = gate;
    close_world(&world);
    queue_shedder_destroy(shedder);
}

TEST(test_a_job_that_the_pool_refuses_or_drops_is_not_counted_as_queued)
{
    struct world world;
    struct door door = {0};
    with_workers(&world, &door);
    world.services.shedder = queue_shedder_create(2, 20);
    EXPECT_INT(galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    ask(&world);
    EXPECT_INT(world.status, 503);
    EXPECT_INT(queue_shedder_queued(world.services.shedder), 0);
    galley_pool_free(world.services.pool);
    close_world(&world);
    queue_shedder_destroy(world.services.shedder);
}

/* ---- orphans ---- */

static void keep(struct exchange_keeper *keeper)
{
    (void)keeper;
}

TEST(test_an_orphan_gives_its_place_back)
{
    struct world world;
    struct door door = {0};
    struct exchange_keeper keeper = {.refs = 1, .release = keep};
    with_workers(&world, &door);
    struct exchange *stuck = ask(&world);
    struct exchange *waiting = ask(&world);
    while (atomic_load(&door.entered) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    exchange_pool_abandon(&world.pool);
    exchange_client_gone(stuck);
    exchange_client_gone(waiting);
    EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper), 1);
    EXPECT_INT(route_gate_running(world.route.gate), 1);
    atomic_store(&door.open, 1);
    galley_pool_free(world.services.pool);
    EXPECT_INT(route_gate_running(world.route.gate), 0);
    close_world(&world);
}
