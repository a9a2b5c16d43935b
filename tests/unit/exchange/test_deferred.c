/* galley_res_defer(): finished once, from anywhere, whatever became of the client, the handler, the
 * server. On the sim loop; handlers on the loop and on a worker. */
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

/* ---- the handler gives it away ---- */

static galley_deferred *_Atomic given;
static atomic_int handler_waits; /* 1: it does not return before this is 0 */

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_deferred *d = galley_res_defer(rs);
    EXPECT(d);
    atomic_store(&given, d);
    while (atomic_load(&handler_waits)) {
        pause_ms(1);
    }
    return 418; /* ignored */
}

static void begin(struct world *world, bool on_pool, galley_handler *handler)
{
    world_init(world);
    world->route.handler = handler;
    world->route.on_loop = !on_pool;
    world->services.pool = on_pool ? galley_pool_new(1, NULL) : NULL;
    atomic_store(&given, NULL);
    atomic_store(&handler_waits, 0);
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static galley_deferred *wait_for_deferral(struct world *world)
{
    while (!atomic_load(&given)) {
        loop_turn(world->loop, 0);
        pause_ms(1);
    }
    return atomic_load(&given);
}

static void end(struct world *world)
{
    if (world->services.pool) {
        EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL),
                   0);
    }
    EXPECT_INT(world->pool.deferred, 0);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

static galley_deferred *start(struct world *world, bool on_pool)
{
    begin(world, on_pool, defer);
    world_request(world, "GET", "/a%20b");
    world_go(world);
    galley_deferred *d = wait_for_deferral(world);
    memset(world->head, '#', sizeof world->head); /* the receive buffer is used again */
    memset(world->entries, 0, sizeof world->entries);
    return d;
}

static void answers_later(bool on_pool)
{
    struct world world;
    galley_deferred *d = start(&world, on_pool);
    run_turns(&world);
    EXPECT_INT(world.responded, 0);
    EXPECT_INT(world.pool.deferred, 1);
    EXPECT(galley_deferred_is_wanted(d));
    galley_request *rq = galley_deferred_request(d);
    galley_response *rs = galley_deferred_response(d);
    EXPECT_TEXT(galley_req_path(rq).ptr, "/a b");
    EXPECT_TEXT(galley_req_header(rq, "x-a").ptr, "one, two");
    EXPECT_INT(galley_res_printf(rs, 201, NULL, "later %s", galley_req_path(rq).ptr), 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.responded, 1);
    EXPECT_INT(world.status, 201);
    EXPECT_TEXT(world.body, "later /a b");
    end(&world);
}

TEST(test_a_handler_on_the_loop_is_answered_later)
{
    answers_later(false);
}

TEST(test_a_handler_on_a_worker_is_answered_later)
{
    answers_later(true);
}

/* Under a sanitizer this would be a use after free, were a handle a pointer. */
TEST(test_a_finished_deferral_is_refused_everywhere)
{
    struct world world;
    galley_deferred *d = start(&world, false);
    EXPECT_INT(galley_deferred_finish(d, 204), 0);
    EXPECT_INT(galley_deferred_finish(d, 204), GALLEY_ESTATE);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.status, 204);
    EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ESTATE);
    EXPECT(!galley_deferred_request(d));
    EXPECT(!galley_deferred_response(d));
    EXPECT(!galley_deferred_is_wanted(d));
    end(&world);
    EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ESTATE); /* its server has gone */
    EXPECT(!galley_deferred_is_wanted(d));
    EXPECT_INT(galley_deferred_finish(NULL, 0), GALLEY_EINVAL);
    EXPECT(!galley_deferred_request(NULL));
    EXPECT(!galley_deferred_response(NULL));
    EXPECT(!galley_deferred_is_wanted(NULL));
    EXPECT(!galley_res_defer(NULL));
    EXPECT_INT(galley_stream_write((galley_stream *)d, "x", 1), GALLEY_ESTATE);
}

static int defer_and_finish_inside(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_deferred *d = galley_res_defer(rs);
    EXPECT(d);
    EXPECT(!galley_res_defer(rs)); /* a second one */
    EXPECT_INT(galley_res_text(rs, 200, "inside"), 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    return GALLEY_EPROTO;
}

TEST(test_a_deferral_may_be_finished_inside_its_handler)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        begin(&world, on_pool, defer_and_finish_inside);
        world_request(&world, "GET", "/");
        world_go(&world);
        world_turn_until(&world, &world.ended);
        EXPECT_INT(world.status, 200);
        EXPECT_TEXT(world.body, "inside");
        end(&world);
    }
}

TEST(test_the_handler_may_return_after_the_deferral_was_finished)
{
    struct world world;
    begin(&world, true, defer);
    atomic_store(&handler_waits, 1);
    world_request(&world, "GET", "/");
    world_go(&world);
    galley_deferred *d = wait_for_deferral(&world);
    EXPECT_INT(galley_res_text(galley_deferred_response(d), 200, "first"), 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    for (int i = 0; i < 10; i++) {
        loop_turn(world.loop, 0);
        pause_ms(1);
    }
    EXPECT_INT(world.responded, 0); /* the handler still holds it */
    atomic_store(&handler_waits, 0);
    world_turn_until(&world, &world.ended);
    EXPECT_TEXT(world.body, "first");
    end(&world);
}

static int defer_after_a_body(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_text(rs, 200, "given"), 0);
    EXPECT(!galley_res_defer(rs));
    return 0;
}

TEST(test_what_has_a_body_cannot_be_deferred)
{
    struct world world;
    begin(&world, false, defer_after_a_body);
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.ended, 1);
    EXPECT_TEXT(world.body, "given");
    end(&world);
}

TEST(test_a_deferral_that_fails_is_an_error_page)
{
    struct world world;
    galley_deferred *d = start(&world, false);
    EXPECT_INT(galley_res_text(galley_deferred_response(d), 200, "thrown away"), 0);
    EXPECT_INT(galley_deferred_finish(d, GALLEY_EFULL), 0);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.status, 503);
    EXPECT(!strstr(world.body, "thrown away"));
    end(&world);
}

/* ---- the client leaves ---- */

TEST(test_an_exchange_is_valid_until_it_is_finished_though_its_client_left)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        galley_deferred *d = start(&world, on_pool);
        pause_ms(2);
        run_turns(&world);
        exchange_client_gone(world.exchange);
        EXPECT(!galley_deferred_is_wanted(d));
        EXPECT_INT(world.ended, 0);
        galley_request *rq = galley_deferred_request(d);
        galley_response *rs = galley_deferred_response(d);
        EXPECT_TEXT(galley_req_path(rq).ptr, "/a b");
        EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), GALLEY_ECLOSED);
        EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ECLOSED);
        EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ECLOSED);
        world_turn_until(&world, &world.ended);
        EXPECT_INT(world.responded, 0);
        end(&world);
    }
}

static int defer_when_it_has_gone(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    exchange_client_gone(exchange_of_request(rq));
    galley_deferred *d = galley_res_defer(rs);
    EXPECT(d);
    atomic_store(&given, d);
    return 0;
}

TEST(test_a_client_that_left_before_the_deferral)
{
    struct world world;
    begin(&world, false, defer_when_it_has_gone);
    world_request(&world, "GET", "/");
    world_go(&world);
    galley_deferred *d = atomic_load(&given);
    EXPECT(!galley_deferred_is_wanted(d));
    EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ECLOSED);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.responded, 0);
    end(&world);
}

/* ---- in pieces ---- */

TEST(test_a_deferral_may_answer_in_pieces)
{
    struct world world;
    galley_deferred *d = start(&world, false);
    galley_response *rs = galley_deferred_response(d);
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", -1), 0);
    EXPECT_INT(galley_res_write(rs, "one ", 4), 0);
    run_turns(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT_TEXT(world.body, "one ");
    EXPECT_INT(galley_res_write(rs, "two", 3), 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    world_turn_until(&world, &world.ended);
    EXPECT(world.pieces_ended);
    EXPECT_TEXT(world.body, "one two");
    end(&world);
}

struct loop_writer {
    struct loop_post post;
    galley_response *rs;
    char *data;
    int first, over, later;
};

enum { HALF = 128 * 1024 };

static void write_on_loop(struct loop_post *post)
{
    struct loop_writer *writer = CONTAINER_OF(post, struct loop_writer, post);
    EXPECT_INT(galley_res_begin(writer->rs, 200, "text/plain", -1), 0);
    writer->first = galley_res_write(writer->rs, writer->data, HALF + 1);
    writer->over = galley_res_write(writer->rs, writer->data, HALF);
    writer->later = galley_res_write(writer->rs, writer->data, 10);
}

/* Of a thread that runs an event loop: it must not wait, for it may be the one that has to send. */
TEST(test_a_holder_on_a_loop_is_told_that_there_is_no_room)
{
    struct world world;
    galley_deferred *d = start(&world, false);
    struct loop_writer writer = {.post = {.run = write_on_loop},
                                 .rs = galley_deferred_response(d),
                                 .data = mem_alloc_zero(1, HALF + 1)};
    loop_post(world.loop, &writer.post);
    run_turns(&world);
    EXPECT_INT(writer.first, 0);
    EXPECT_INT(writer.over, GALLEY_EFULL);
    EXPECT_INT(writer.later, 0);
    EXPECT_INT(galley_deferred_finish(d, 0), 0);
    world_turn_until(&world, &world.ended);
    EXPECT(world.pieces_ended);
    mem_free(writer.data);
    end(&world);
}

/* ---- the server stops ---- */

struct keeper {
    struct exchange_keeper base;
    atomic_uint released;
};

static void keeper_released(struct exchange_keeper *base)
{
    atomic_fetch_add(&CONTAINER_OF(base, struct keeper, base)->released, 1);
}

static atomic_uint hooks_run;

static void count_end(void *arg)
{
    (void)arg;
    atomic_fetch_add(&hooks_run, 1);
}

static void *finish_late(void *arg)
{
    galley_deferred *d = arg;
    galley_response *rs = galley_deferred_response(d);
    EXPECT(rs);
    EXPECT(!galley_deferred_is_wanted(d));
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), GALLEY_ECLOSED);
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ECLOSED);
    EXPECT_INT(galley_deferred_finish(d, 0), GALLEY_ESTATE);
    return NULL;
}

TEST(test_a_deferral_may_be_finished_when_its_server_has_gone)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        struct keeper keeper = {.base = {.release = keeper_released}};
        atomic_init(&keeper.base.refs, 1);
        atomic_store(&hooks_run, 0);
        galley_deferred *d = start(&world, on_pool);
        EXPECT_INT(galley_on_end(galley_deferred_request(d), count_end, NULL), 0);
        if (on_pool) { /* the handler has returned for certain */
            EXPECT_INT(
                galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
        }
        run_turns(&world);
        exchange_client_gone(world.exchange);
        exchange_pool_abandon(&world.pool);
        run_turns(&world);
        EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper.base), 1);
        EXPECT_INT(world.pool.live, 0);
        end(&world);
        memset(&world, 0x55, sizeof world); /* nothing of it may be touched */
        pthread_t thread;
        EXPECT_INT(pthread_create(&thread, NULL, finish_late, d), 0);
        pthread_join(thread, NULL);
        EXPECT_INT(atomic_load(&hooks_run), 1);
        exchange_keeper_unref(&keeper.base);
        EXPECT_INT(atomic_load(&keeper.released), 1);
    }
}

static void *finish_now(void *arg)
{
    galley_deferred *d = arg;
    (void)galley_deferred_is_wanted(d);
    int rc = galley_deferred_finish(d, 200);
    EXPECT(rc == 0 || rc == GALLEY_ECLOSED);
    return NULL;
}

/* The last two to hold it are the server that lets go and the thread that finishes. */
TEST(test_finishing_races_with_letting_go)
{
    for (unsigned round = 0; round < test_rounds(100); round++) {
        struct world world;
        struct keeper keeper = {.base = {.release = keeper_released}};
        atomic_init(&keeper.base.refs, 1);
        galley_deferred *d = start(&world, false);
        pthread_t thread;
        EXPECT_INT(pthread_create(&thread, NULL, finish_now, d), 0);
        exchange_pool_abandon(&world.pool);
        bool is_orphan = exchange_pool_orphan(&world.pool, &keeper.base) == 1;
        pthread_join(thread, NULL);
        if (!is_orphan) {
            world_turn_until(&world, &world.ended);
        }
        exchange_keeper_unref(&keeper.base);
        EXPECT_INT(atomic_load(&keeper.released), 1);
        EXPECT_INT(world.pool.live, 0);
        end(&world);
    }
}

static void *finish_if_first(void *arg)
{
    galley_deferred *d = arg;
    while (galley_deferred_is_wanted(d)) {
        if (galley_deferred_finish(d, 204) == 0) {
            return d;
        }
    }
    return NULL;
}

TEST(test_of_many_that_finish_one_wins)
{
    enum { THREADS = 4 };
    for (unsigned round = 0; round < test_rounds(30); round++) {
        struct world world;
        galley_deferred *d = start(&world, false);
        pthread_t threads[THREADS];
        unsigned winners = 0;
        for (int i = 0; i < THREADS; i++) {
            EXPECT_INT(pthread_create(&threads[i], NULL, finish_if_first, d), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *won = NULL;
            pthread_join(threads[i], &won);
            winners += won != NULL;
        }
        EXPECT_INT(winners, 1);
        world_turn_until(&world, &world.ended);
        EXPECT_INT(world.status, 204);
        end(&world);
    }
}

/* ---- memory ---- */

static int defer_or_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_deferred *d = galley_res_defer(rs);
    atomic_store(&given, d);
    return d ? 0 : GALLEY_ENOMEM;
}

TEST(test_each_allocation_of_a_deferral_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        begin(&world, false, defer_or_fail);
        mem_fail_nth(n);
        if (world_request(&world, "GET", "/")) {
            world_go(&world);
        }
        galley_deferred *d = atomic_load(&given);
        if (d) {
            EXPECT_INT(galley_deferred_finish(d, 204), 0);
        }
        run_turns(&world);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(world.pool.live, 0);
        EXPECT_INT(world.pool.deferred, 0);
        end(&world);
    }
}

/* ---- strangers ---- */

struct stranger {
    galley_request *rq;
    galley_response *rs;
    int text, header, begun;
    bool defers;
};

static void *call_as_stranger(void *arg)
{
    struct stranger *stranger = arg;
    stranger->text = galley_res_text(stranger->rs, 200, "not mine");
    stranger->header = galley_res_header(stranger->rs, "X-Not", "mine");
    stranger->begun = galley_res_begin(stranger->rs, 200, NULL, -1);
    stranger->defers = galley_res_defer(stranger->rs) != NULL;
    return NULL;
}

static int lend(galley_request *rq, galley_response *rs, void *arg)
{
    struct stranger *stranger = arg;
    stranger->rq = rq;
    stranger->rs = rs;
    pthread_t thread;
    EXPECT_INT(pthread_create(&thread, NULL, call_as_stranger, stranger), 0);
    pthread_join(thread, NULL);
    return galley_res_text(rs, 200, "mine");
}

static void note_line(void *ctx, int level, const char *line)
{
    (void)level;
    snprintf(ctx, 200, "%s", line);
}

TEST(test_builds_with_checks_refuse_the_calls_of_other_threads)
{
    struct world world;
    struct stranger stranger = {0};
    char line[200] = "";
    struct log_sink log = {.write = note_line, .ctx = line, .level = LOG_DEBUG};
    begin(&world, false, lend);
    world.services.log = &log;
    world.route.arg = &stranger;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(stranger.text, GALLEY_ESTATE);
    EXPECT_INT(stranger.header, GALLEY_ESTATE);
    EXPECT_INT(stranger.begun, GALLEY_ESTATE);
    EXPECT(!stranger.defers);
    EXPECT_INT(world.status, 200);
    EXPECT_TEXT(world.body, "mine");
    EXPECT(strstr(line, "refused"));
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    end(&world);
}
