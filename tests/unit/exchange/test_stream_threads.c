/* Streams and many threads: begun on a worker, written to by everyone, given up in every order.
 * Also under ThreadSanitizer. */
#include "support_world.h"

#include "base/alloc.h"

#include <galley/stream.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static galley_stream *_Atomic the_stream;
static atomic_int handler_waits, handler_result;
static atomic_uint closed_calls;

static void closed(galley_stream *st, void *arg)
{
    (void)arg;
    EXPECT(galley_stream_write(st, "x", 1) != 0);
    atomic_fetch_add(&closed_calls, 1);
}

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    galley_stream *st = galley_res_stream(rs, 200, NULL, &options);
    EXPECT(st);
    EXPECT_INT(galley_stream_write(st, "early ", 6), 0);
    atomic_store(&the_stream, st);
    while (atomic_load(&handler_waits)) {
        pause_ms(1);
    }
    return atomic_load(&handler_result);
}

static void begin(struct world *world)
{
    world_init(world);
    world->services.pool = galley_pool_new(2, NULL);
    world->route.on_loop = false;
    world->route.handler = begin_stream;
    atomic_store(&the_stream, NULL);
    atomic_store(&closed_calls, 0);
    atomic_store(&handler_waits, 0);
    atomic_store(&handler_result, 0);
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static galley_stream *start(struct world *world)
{
    world_request(world, "GET", "/");
    world_go(world);
    while (!atomic_load(&the_stream)) {
        pause_ms(1);
    }
    return atomic_load(&the_stream);
}

static void pump_until_end(struct world *world)
{
    while (world->ended == 0) {
        run_turns(world);
        if (world->exchange) {
            exchange_pieces_wanted(world->exchange);
        }
        pause_ms(1);
    }
}

static void end(struct world *world)
{
    EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    run_turns(world);
    EXPECT_INT(world->ended, 1);
    EXPECT_INT(world->pool.streams, 0);
    EXPECT_INT(atomic_load(&closed_calls), 1);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

TEST(test_a_stream_sends_before_its_handler_has_returned)
{
    struct world world;
    begin(&world);
    atomic_store(&handler_waits, 1);
    galley_stream *st = start(&world);
    world_turn_until(&world, &world.responded);
    EXPECT_TEXT(world.body, "early ");
    exchange_pieces_wanted(world.exchange);
    EXPECT_INT(galley_stream_write(st, "more", 4), 0);
    world_turn_until(&world, &world.pieces);
    EXPECT_TEXT(world.body, "early more");
    galley_stream_close(st);
    run_turns(&world);
    EXPECT_INT(world.ended, 0);
    atomic_store(&handler_waits, 0);
    pump_until_end(&world);
    EXPECT(world.pieces_ended);
    galley_stream_unref(st);
    end(&world);
}

TEST(test_a_handler_that_fails_when_the_head_has_gone_breaks_the_stream_off)
{
    struct world world;
    begin(&world);
    atomic_store(&handler_waits, 1);
    atomic_store(&handler_result, GALLEY_ESYS);
    galley_stream *st = start(&world);
    world_turn_until(&world, &world.responded);
    atomic_store(&handler_waits, 0);
    pump_until_end(&world);
    EXPECT_INT(world.aborted, 1);
    galley_stream_unref(st);
    end(&world);
}

TEST(test_the_client_leaves_while_the_handler_runs)
{
    struct world world;
    begin(&world);
    atomic_store(&handler_waits, 1);
    galley_stream *st = start(&world);
    exchange_client_gone(world.exchange);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(atomic_load(&closed_calls), 0); /* when the handler lets go */
    atomic_store(&handler_waits, 0);
    pump_until_end(&world);
    galley_stream_unref(st);
    end(&world);
}

TEST(test_a_drain_while_the_handler_runs)
{
    struct world world;
    begin(&world);
    atomic_store(&handler_waits, 1);
    galley_stream *st = start(&world);
    exchange_pool_hint_stop(&world.pool);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    atomic_store(&handler_waits, 0);
    pump_until_end(&world);
    EXPECT(world.pieces_ended);
    galley_stream_unref(st);
    end(&world);
}

struct keeper {
    struct exchange_keeper base;
    atomic_uint released;
};

static void keeper_released(struct exchange_keeper *base)
{
    atomic_fetch_add(&CONTAINER_OF(base, struct keeper, base)->released, 1);
}

/* The handler begins its stream when the server has gone already. */
static int begin_late(galley_request *rq, galley_response *rs, void *arg)
{
    atomic_store(&handler_waits, 2);
    while (atomic_load(&handler_waits)) {
        pause_ms(1);
    }
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    galley_stream *st = galley_res_stream(rs, 200, NULL, &options);
    EXPECT(st);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT(!galley_stream_is_open(st));
    galley_stream_unref(st);
    (void)rq, (void)arg;
    return 0;
}

TEST(test_a_stream_of_an_orphan_touches_nothing)
{
    for (int begins_late = 0; begins_late < 2; begins_late++) {
        struct world world;
        struct keeper keeper = {.base = {.release = keeper_released}};
        atomic_init(&keeper.base.refs, 1);
        begin(&world);
        atomic_store(&handler_waits, 1);
        galley_pool *pool = world.services.pool;
        galley_stream *st = NULL;
        if (begins_late) {
            world.route.handler = begin_late;
            world_request(&world, "GET", "/");
            world_go(&world);
            while (atomic_load(&handler_waits) != 2) {
                pause_ms(1);
            }
        } else {
            st = start(&world);
            world_turn_until(&world, &world.responded);
            world_advance(&world, 20000);
        }
        exchange_client_gone(world.exchange);
        exchange_pool_abandon(&world.pool);
        run_turns(&world);
        EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper.base), 1);
        world_finish(&world);
        memset(&world, 0x55, sizeof world);
        EXPECT_INT(galley_stream_write(st, "x", 1), st ? GALLEY_ECLOSED : GALLEY_EINVAL);
        atomic_store(&handler_waits, 0);
        EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        EXPECT_INT(atomic_load(&closed_calls), 1);
        galley_stream_unref(st);
        exchange_keeper_unref(&keeper.base);
        EXPECT_INT(atomic_load(&keeper.released), 1);
        galley_pool_free(pool);
    }
}

static int begin_or_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_deferred *d = galley_res_defer(rs);
    if (!d) {
        return GALLEY_ENOMEM;
    }
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    galley_stream *st = galley_res_stream(galley_deferred_response(d), 200, NULL, &options);
    if (st) {
        atomic_store(&the_stream, st);
        (void)galley_stream_event(st, "1", "tick", "data");
    }
    (void)galley_deferred_finish(d, st ? 0 : GALLEY_ENOMEM);
    return 0;
}

/* A deferral and a stream, begun on a worker; whichever thread it hits. */
TEST(test_each_allocation_on_a_worker_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        begin(&world);
        world.route.handler = begin_or_fail;
        mem_fail_nth(n);
        bool has_begun = world_request(&world, "GET", "/");
        if (has_begun) {
            world_go(&world);
        }
        while (has_begun && !atomic_load(&the_stream) && world.ended == 0) {
            run_turns(&world);
            pause_ms(1);
        }
        galley_stream *st = atomic_load(&the_stream);
        galley_stream_close(st);
        if (has_begun) {
            pump_until_end(&world);
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        galley_stream_unref(st);
        atomic_store(&closed_calls, 1);
        world.ended = 1;
        end(&world);
    }
}

/* ---- many writers ---- */

enum { WRITERS = 4, EVENTS = 200 };

struct writer {
    galley_stream *st;
    char letter;
    unsigned written;
};

static void *write_letters(void *arg)
{
    struct writer *writer = arg;
    while (writer->written < EVENTS) {
        int rc = galley_stream_write(writer->st, &writer->letter, 1);
        EXPECT(rc == GALLEY_OK || rc == GALLEY_EFULL);
        writer->written += rc == GALLEY_OK;
    }
    galley_stream_unref(writer->st);
    return NULL;
}

TEST(test_what_many_threads_write_all_comes)
{
    struct world world;
    begin(&world);
    galley_stream *st = start(&world);
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.st = galley_stream_ref(st), .letter = (char)('A' + i)};
        EXPECT_INT(pthread_create(&threads[i], NULL, write_letters, &writers[i]), 0);
    }
    galley_stream_unref(st); /* the last of them closes */
    pump_until_end(&world);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    EXPECT_INT(world.body_len, 6 + WRITERS * EVENTS);
    unsigned counts[WRITERS] = {0};
    for (size_t i = 6; i < world.body_len; i++) {
        counts[world.body[i] - 'A']++;
    }
    for (int i = 0; i < WRITERS; i++) {
        EXPECT_INT(counts[i], EVENTS);
    }
    end(&world);
}

static void *use_until_gone(void *arg)
{
    galley_stream *st = arg;
    for (;;) {
        galley_stream *mine = galley_stream_ref(st);
        int rc = galley_stream_event(st, "1", "tick", "some\ndata");
        (void)galley_stream_waiting(st);
        if (mine) {
            galley_stream_unref(mine);
        }
        if (rc == GALLEY_ESTATE) {
            return NULL;
        }
        if (rc == GALLEY_ECLOSED) {
            pause_ms(1);
        }
    }
}

/* The client leaves, or the server stops, while everybody writes; then the handle goes. */
static void leave_in_the_middle(bool is_stop, bool on_loop)
{
    struct world world;
    begin(&world);
    world.route.on_loop = on_loop;
    galley_stream *st = start(&world);
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, use_until_gone, st), 0);
    }
    for (int i = 0; i < 3; i++) {
        run_turns(&world);
        exchange_pieces_wanted(world.exchange);
        world.body_len = 0;
    }
    if (is_stop) {
        exchange_pool_hint_stop(&world.pool);
    } else {
        exchange_client_gone(world.exchange);
    }
    pump_until_end(&world);
    galley_stream_unref(st);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    end(&world);
}

TEST(test_the_client_leaves_while_everybody_writes)
{
    for (unsigned round = 0; round < test_rounds(20); round++) {
        leave_in_the_middle(false, round % 2);
    }
}

TEST(test_the_server_drains_while_everybody_writes)
{
    for (unsigned round = 0; round < test_rounds(20); round++) {
        leave_in_the_middle(true, round % 2);
    }
}
