/* Handlers on workers: results come back by post, pieces through the bounded writer, clients leave,
 * servers let go. */
#include "support_world.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <time.h>

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static void with_pool(struct world *world, galley_handler *handler, void *arg)
{
    world_init(world);
    world->services.pool = galley_pool_new(1, NULL);
    EXPECT(world->services.pool);
    world->route.on_loop = false;
    world->route.handler = handler;
    world->route.arg = arg;
}

static void finish(struct world *world)
{
    EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

static int on_worker(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT_INT(galley_worker_index(), 0);
    return galley_res_printf(rs, 200, NULL, "%s %s", galley_req_path(rq).ptr,
                             galley_req_header(rq, "X-A").ptr);
}

TEST(test_a_worker_answers_from_its_own_copy_of_the_head)
{
    struct world world;
    with_pool(&world, on_worker, NULL);
    world_request(&world, "GET", "/a%20b");
    world_go(&world);
    memset(world.head, '#', sizeof world.head);
    memset(world.entries, 0, sizeof world.entries);
    world_turn_until(&world, &world.ended);
    EXPECT_TEXT(world.body, "/a b one, two");
    finish(&world);
}

struct gate {
    atomic_int entered, open, result;
};

static int wait_at_gate(galley_request *rq, galley_response *rs, void *arg)
{
    struct gate *gate = arg;
    atomic_store(&gate->entered, 1);
    while (!atomic_load(&gate->open)) {
        pause_ms(1);
    }
    EXPECT(galley_alloc(rq, 100));
    atomic_store(&gate->result, galley_should_stop() ? 2 : 1);
    return galley_res_text(rs, 200, "passed");
}

TEST(test_a_client_that_leaves_while_the_handler_runs)
{
    struct world world;
    struct gate gate = {0};
    with_pool(&world, wait_at_gate, &gate);
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    while (!atomic_load(&gate.entered)) {
        pause_ms(1);
    }
    exchange_client_gone(exchange);
    EXPECT_INT(world.ended, 0);
    atomic_store(&gate.open, 1);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(atomic_load(&gate.result), 2);
    EXPECT_INT(world.responded, 0);
    finish(&world);
}

TEST(test_a_client_that_leaves_before_the_handler_starts_spares_it)
{
    struct world world;
    struct gate first = {0}, second = {0};
    with_pool(&world, wait_at_gate, &first);
    world_request(&world, "GET", "/");
    world_go(&world);
    while (!atomic_load(&first.entered)) {
        pause_ms(1);
    }
    world.route.arg = &second;
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    exchange_client_gone(exchange);
    atomic_store(&first.open, 1);
    while (world.ended < 2) {
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    EXPECT_INT(atomic_load(&second.entered), 0);
    EXPECT_INT(world.responded, 1);
    finish(&world);
}

TEST(test_a_closed_pool_is_503_with_retry_after)
{
    struct world world;
    with_pool(&world, on_worker, NULL);
    EXPECT_INT(galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 503);
    EXPECT(strstr(world.fields_text, "Retry-After: 1\n"));
    finish(&world);
}

static void keep(struct exchange_keeper *keeper)
{
    atomic_fetch_add(&keeper->refs, 1000);
}

TEST(test_an_orphan_is_freed_by_the_handler_that_returns)
{
    struct world world;
    struct gate gate = {0};
    struct exchange_keeper keeper = {.refs = 1, .release = keep};
    with_pool(&world, wait_at_gate, &gate);
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    while (!atomic_load(&gate.entered)) {
        pause_ms(1);
    }
    exchange_client_gone(exchange);
    exchange_pool_abandon(&world.pool);
    while (loop_turn(world.loop, 0)) {
    }
    EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper), 1);
    EXPECT_INT(world.pool.live, 0);
    EXPECT_INT(atomic_load(&keeper.refs), 2);
    galley_pool *pool = world.services.pool;
    world_finish(&world); /* the loop is gone before the handler returns */
    memset(&world, 0x5a, sizeof world);
    atomic_store(&gate.open, 1);
    galley_pool_free(pool);
    EXPECT_INT(atomic_load(&keeper.refs), 1);
}

/* ---- pieces ---- */

static int write_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    int rc = galley_res_begin(rs, 200, "text/plain", *(int64_t *)arg);
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        rc = galley_res_write(rs, "piece ", 6);
        pause_ms(2);
    }
    return rc;
}

TEST(test_pieces_come_in_order_and_end)
{
    struct world world;
    int64_t length = -1;
    with_pool(&world, write_pieces, &length);
    world_request(&world, "GET", "/");
    world_go(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_TEXT(world.body, "piece piece piece ");
    EXPECT_INT(world.responded, 1);
    EXPECT(world.pieces_ended);
    EXPECT_INT(world.aborted, 0);
    finish(&world);
}

TEST(test_the_body_for_head_is_counted_and_not_sent)
{
    struct world world;
    int64_t length = 18;
    with_pool(&world, write_pieces, &length);
    world_request(&world, "HEAD", "/");
    world_go(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.body_len, 0);
    EXPECT_INT(world.aborted, 0);
    finish(&world);
}

TEST(test_a_short_body_is_broken_off)
{
    struct world world;
    int64_t length = 19;
    with_pool(&world, write_pieces, &length);
    world_request(&world, "GET", "/");
    world_go(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.aborted, 1);
    EXPECT_INT(counter_read(&world.counters.broken), 1);
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    finish(&world);
}

static atomic_int blocks_written;

static int write_much(galley_request *rq, galley_response *rs, void *arg)
{
    static char block[32 * 1024];
    (void)rq;
    int rc = galley_res_begin(rs, 200, NULL, -1);
    for (unsigned i = 0; i < *(unsigned *)arg && rc == 0; i++) {
        rc = galley_res_write(rs, block, sizeof block);
        atomic_fetch_add(&blocks_written, rc == 0);
    }
    return rc;
}

static unsigned taken_parts;

static void take_nothing(struct exchange *exchange)
{
    struct world *world = exchange->driver_ctx;
    world->responded++;
    taken_parts++;
}

TEST(test_a_writer_waits_at_the_high_mark_until_the_client_has_taken_it)
{
    struct world world;
    unsigned blocks = 40;
    with_pool(&world, write_much, &blocks);
    struct exchange *exchange = world_request(&world, "GET", "/");
    struct exchange_driver patient = *exchange->driver;
    patient.respond = take_nothing;
    patient.pieces = take_nothing;
    exchange->driver = &patient;
    world_go(&world);
    for (unsigned i = 0; i < 50; i++) {
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    /* 256 KiB, and at most one slice more. */
    EXPECT_INT(atomic_load(&blocks_written), 8);
    EXPECT(exchange->response.body.bytes <= 9 * 32 * 1024);
    while (atomic_load(&blocks_written) < 40) {
        chain_clear(&exchange->response.body); /* the client takes all of it */
        exchange_pieces_wanted(exchange);
        EXPECT(exchange->response.body.bytes <= 9 * 32 * 1024);
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    while (!exchange->response.pieces_ended) {
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    exchange_client_gone(exchange);
    EXPECT_INT(world.ended, 1);
    finish(&world);
}

TEST(test_a_waiting_writer_is_woken_when_the_client_leaves)
{
    struct world world;
    unsigned blocks = 1000;
    with_pool(&world, write_much, &blocks);
    struct exchange *exchange = world_request(&world, "GET", "/");
    struct exchange_driver patient = *exchange->driver;
    patient.respond = take_nothing;
    patient.pieces = take_nothing;
    exchange->driver = &patient;
    world_go(&world);
    while (atomic_load(&blocks_written) < 8) {
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    exchange_client_gone(exchange);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.ended, 1);
    finish(&world);
}

TEST(test_every_failing_allocation_on_the_way_to_a_worker_and_back)
{
    bool did_fail = true;
    int64_t length = 18;
    for (uint64_t n = 1; did_fail; n++) {
        struct world world;
        with_pool(&world, write_pieces, &length);
        mem_fail_nth(n);
        if (world_request(&world, "GET", "/a%20b")) {
            world_go(&world);
            while (world.pool.live > 0) {
                loop_turn(world.loop, 0);
                pause_ms(1);
            }
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(world.responded == 0 || world.aborted == 1 || world.status == 200 ||
               world.status == 503);
        EXPECT(did_fail || (world.status == 200 && world.body_len == 18));
        finish(&world);
    }
}
