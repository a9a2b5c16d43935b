/* galley_res_source(): asked when there is room, ended once however it goes. */
#include "support_world.h"

#include "base/alloc.h"

#include <galley/stream.h>

#include <stdatomic.h>
#include <time.h>

/* ---- a source that counts down ---- */

struct script {
    const char *const *pieces;
    int64_t length;
    ssize_t failure; /* at the end instead of 0 */
    int handler_result;
    const char *type;
    atomic_uint calls, ends;
    atomic_int on_worker, given;
    atomic_int waits; /* inside fn */
};

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static ssize_t give_next(void *buf, size_t len, void *arg)
{
    struct script *script = arg;
    unsigned at = atomic_fetch_add(&script->calls, 1);
    EXPECT_INT(atomic_load(&script->ends), 0);
    EXPECT(len >= 16 * 1024);
    atomic_store(&script->on_worker, galley_worker_index() >= 0);
    while (atomic_load(&script->waits)) {
        pause_ms(1);
    }
    const char *piece = script->pieces[at];
    if (!piece) {
        return script->failure;
    }
    memcpy(buf, piece, strlen(piece));
    return (ssize_t)strlen(piece);
}

static void note_end(void *arg)
{
    struct script *script = arg;
    atomic_fetch_add(&script->ends, 1);
}

static int begin_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct script *script = arg;
    int rc = galley_res_source(rs, 200, script->type, script->length, give_next, note_end, script);
    atomic_store(&script->given, rc);
    if (rc == GALLEY_OK) {
        EXPECT_INT(galley_res_text(rs, 200, "too late"), GALLEY_ESTATE);
        EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    }
    return rc ? rc : script->handler_result;
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static void begin(struct world *world, struct script *script, bool on_pool)
{
    world_init(world);
    world->route.handler = begin_source;
    world->route.arg = script;
    world->route.on_loop = !on_pool;
    world->services.pool = on_pool ? galley_pool_new(1, NULL) : NULL;
}

static void all_sent(struct world *world)
{
    if (world->exchange) {
        exchange_pieces_wanted(world->exchange);
    }
}

/* The client takes everything, always. */
static void take_all(struct world *world)
{
    for (int i = 0; i < 5000 && world->ended == 0; i++) {
        run_turns(world);
        all_sent(world);
        if (world->services.pool) {
            pause_ms(1);
            world_advance(world, 1);
        }
    }
}

static void end(struct world *world, struct script *script)
{
    if (world->services.pool) {
        EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL),
                   0);
    }
    run_turns(world);
    EXPECT_INT(world->ended, 1);
    EXPECT_INT(world->pool.streams, 0);
    EXPECT_INT(atomic_load(&script->ends), 1);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

static void play(struct world *world, struct script *script, bool on_pool, const char *method)
{
    begin(world, script, on_pool);
    world_request(world, method, "/");
    world_go(world);
    take_all(world);
}

static const char *const three[] = {"one ", "two ", "three", NULL};
static const char *const none[] = {NULL};

TEST(test_a_source_is_asked_until_it_has_no_more)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        struct script script = {.pieces = three, .length = -1, .type = "text/plain"};
        play(&world, &script, on_pool, "GET");
        EXPECT_INT(world.status, 200);
        EXPECT_TEXT(world.body, "one two three");
        EXPECT(world.pieces_ended);
        EXPECT_INT(world.aborted, 0);
        EXPECT_INT(atomic_load(&script.calls), 4);
        EXPECT_INT(atomic_load(&script.on_worker), on_pool);
        EXPECT(strstr(world.fields_text, "Content-Type: text/plain\n"));
        end(&world, &script);
    }
}

TEST(test_a_source_of_declared_length)
{
    struct world world;
    struct script script = {.pieces = three, .length = 13};
    play(&world, &script, false, "GET");
    EXPECT_TEXT(world.body, "one two three");
    EXPECT_INT(world.aborted, 0);
    EXPECT(strstr(world.fields_text, "Content-Type: application/octet-stream\n"));
    end(&world, &script);
}

TEST(test_a_source_is_asked_only_when_there_is_room)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    begin(&world, &script, false);
    world_request(&world, "GET", "/");
    world_go(&world);
    run_turns(&world);
    EXPECT_INT(atomic_load(&script.calls), 1);
    EXPECT_INT(world.pool.streams, 1);
    run_turns(&world);
    EXPECT_INT(atomic_load(&script.calls), 1);
    all_sent(&world);
    EXPECT_INT(atomic_load(&script.calls), 2);
    take_all(&world);
    end(&world, &script);
}

TEST(test_a_source_without_bytes_is_an_empty_answer)
{
    struct world world;
    struct script script = {.pieces = none, .length = -1};
    play(&world, &script, false, "GET");
    EXPECT_INT(world.status, 200);
    EXPECT_INT(world.body_len, 0);
    EXPECT(world.pieces_ended);
    end(&world, &script);
}

TEST(test_a_source_that_fails_at_once_is_an_error_page)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        struct script script = {.pieces = none, .length = -1, .failure = GALLEY_EFULL};
        play(&world, &script, on_pool, "GET");
        EXPECT_INT(world.status, 503);
        EXPECT_INT(world.aborted, 0);
        end(&world, &script);
    }
}

TEST(test_a_source_that_fails_later_breaks_the_answer_off)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct world world;
        struct script script = {.pieces = three, .length = -1, .failure = GALLEY_ESYS};
        play(&world, &script, on_pool, "GET");
        EXPECT_INT(world.aborted, 1);
        EXPECT_INT(world.abort_code, GALLEY_ESYS);
        EXPECT_INT(counter_read(&world.counters.broken), 1);
        end(&world, &script);
    }
}

TEST(test_a_source_that_gives_less_than_it_declared)
{
    struct world world;
    struct script script = {.pieces = three, .length = 14};
    play(&world, &script, false, "GET");
    EXPECT_INT(world.aborted, 1);
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    end(&world, &script);
}

TEST(test_a_source_that_gives_more_than_it_declared)
{
    struct world world;
    struct script script = {.pieces = three, .length = 12};
    play(&world, &script, false, "GET");
    EXPECT_INT(world.aborted, 1);
    EXPECT_TEXT(world.body, "one two ");
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    end(&world, &script);
}

static ssize_t give_nonsense(void *buf, size_t len, void *arg)
{
    (void)buf, (void)arg;
    return (ssize_t)len + 1;
}

static int begin_nonsense(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_source(rs, 200, NULL, -1, give_nonsense, note_end, arg);
}

TEST(test_a_source_that_claims_more_than_it_was_asked_for)
{
    struct world world;
    struct script script = {0};
    begin(&world, &script, false);
    world.route.handler = begin_nonsense;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 500);
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    end(&world, &script);
}

/* RFC 9110 §9.3.2: nobody would read it. */
TEST(test_to_head_a_source_is_not_asked)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    play(&world, &script, false, "HEAD");
    EXPECT_INT(world.status, 200);
    EXPECT_INT(atomic_load(&script.calls), 0);
    EXPECT(world.pieces_ended);
    end(&world, &script);
}

TEST(test_a_handler_that_returns_something_else_wants_no_source)
{
    static const int results[] = {GALLEY_ENOTFOUND, 201, 7};
    static const int statuses[] = {404, 201, 500};
    for (int i = 0; i < 3; i++) {
        struct world world;
        struct script script = {.pieces = three, .length = -1, .handler_result = results[i]};
        play(&world, &script, false, "GET");
        EXPECT_INT(world.status, statuses[i]);
        EXPECT_INT(atomic_load(&script.calls), 0);
        end(&world, &script);
    }
}

static int begin_wrongly(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct script *script = arg;
    EXPECT_INT(galley_res_source(NULL, 200, NULL, -1, give_next, note_end, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -1, NULL, note_end, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 99, NULL, -1, give_next, note_end, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -2, give_next, note_end, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, "a\nb", -1, give_next, note_end, arg), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 99, NULL, -1, give_next, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_text(rs, 200, "fine"), 0);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -1, give_next, note_end, arg), GALLEY_ESTATE);
    EXPECT_INT(atomic_load(&script->ends), 6);
    atomic_store(&script->ends, 1);
    return 0;
}

TEST(test_a_source_that_is_refused_is_ended)
{
    struct world world;
    struct script script = {0};
    begin(&world, &script, false);
    world.route.handler = begin_wrongly;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 500); /* two bodies */
    end(&world, &script);
}

TEST(test_the_client_leaves_a_source_that_waits_for_room)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    begin(&world, &script, false);
    world_request(&world, "GET", "/");
    world_go(&world);
    exchange_client_gone(world.exchange);
    EXPECT_INT(atomic_load(&script.calls), 1);
    end(&world, &script);
}

/* ---- on the pool ---- */

static void wait_for_calls(struct world *world, struct script *script, unsigned calls)
{
    while (atomic_load(&script->calls) < calls) {
        run_turns(world);
        pause_ms(1);
    }
}

TEST(test_the_client_leaves_while_a_worker_fills_a_piece)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    atomic_store(&script.waits, 1);
    begin(&world, &script, true);
    world_request(&world, "GET", "/");
    world_go(&world);
    wait_for_calls(&world, &script, 1);
    exchange_client_gone(world.exchange);
    EXPECT_INT(world.ended, 0);
    atomic_store(&script.waits, 0);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(atomic_load(&script.calls), 1);
    end(&world, &script);
}

TEST(test_no_worker_is_held_between_two_pieces)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    begin(&world, &script, true);
    world_request(&world, "GET", "/");
    world_go(&world);
    world_turn_until(&world, &world.responded);
    galley_pool_stats stats = {.size = sizeof stats};
    do {
        pause_ms(1);
        EXPECT_INT(galley_pool_get_stats(world.services.pool, &stats), 0);
    } while (stats.running > 0);
    EXPECT_INT(stats.queued, 0);
    EXPECT_INT(world.pool.streams, 1);
    take_all(&world);
    EXPECT_TEXT(world.body, "one two three");
    end(&world, &script);
}

static atomic_int blocker_waits;

static void block(void *arg)
{
    (void)arg;
    while (atomic_load(&blocker_waits)) {
        pause_ms(1);
    }
}

/* A full pool is no failure of an answer that is under way. */
TEST(test_a_source_tries_again_when_the_pool_is_full)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    begin(&world, &script, true);
    galley_pool_free(world.services.pool);
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 1;
    options.queue_capacity = 1;
    world.services.pool = galley_pool_open(&options, NULL);
    EXPECT(world.services.pool);
    world_request(&world, "GET", "/");
    world_go(&world);
    world_turn_until(&world, &world.responded);
    atomic_store(&blocker_waits, 1);
    galley_job job = {.run = block};
    unsigned blockers = 0;
    while (blockers < 2) { /* one runs, one fills the queue */
        ptrdiff_t accepted = galley_pool_submit(world.services.pool, &job, 1, 0);
        blockers += accepted == 1;
        pause_ms(1);
    }
    all_sent(&world);
    world_advance(&world, 100);
    EXPECT_INT(atomic_load(&script.calls), 1);
    EXPECT_INT(world.aborted, 0);
    atomic_store(&blocker_waits, 0);
    take_all(&world);
    EXPECT_TEXT(world.body, "one two three");
    end(&world, &script);
}

TEST(test_a_closed_pool_breaks_the_answer_off)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    begin(&world, &script, true);
    world_request(&world, "GET", "/");
    world_go(&world);
    world_turn_until(&world, &world.responded);
    EXPECT_INT(galley_pool_shutdown(world.services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    all_sent(&world);
    EXPECT_INT(world.aborted, 1);
    end(&world, &script);
}

struct keeper {
    struct exchange_keeper base;
    atomic_uint released;
};

static void keeper_released(struct exchange_keeper *base)
{
    atomic_fetch_add(&CONTAINER_OF(base, struct keeper, base)->released, 1);
}

TEST(test_a_server_lets_go_of_a_source_that_hangs)
{
    struct world world;
    struct script script = {.pieces = three, .length = -1};
    struct keeper keeper = {.base = {.release = keeper_released}};
    atomic_init(&keeper.base.refs, 1);
    atomic_store(&script.waits, 1);
    begin(&world, &script, true);
    galley_pool *pool = world.services.pool;
    world_request(&world, "GET", "/");
    world_go(&world);
    wait_for_calls(&world, &script, 1);
    exchange_client_gone(world.exchange);
    exchange_pool_abandon(&world.pool);
    run_turns(&world);
    EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper.base), 1);
    world_finish(&world);
    memset(&world, 0x55, sizeof world);
    EXPECT_INT(atomic_load(&script.ends), 0);
    atomic_store(&script.waits, 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(atomic_load(&script.ends), 1);
    exchange_keeper_unref(&keeper.base);
    EXPECT_INT(atomic_load(&keeper.released), 1);
    galley_pool_free(pool);
}

/* ---- memory ---- */

TEST(test_each_allocation_of_a_source_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        struct script script = {.pieces = three, .length = -1};
        begin(&world, &script, false);
        mem_fail_nth(n);
        if (world_request(&world, "GET", "/")) {
            world_go(&world);
            take_all(&world);
        } else {
            atomic_store(&script.ends, 1); /* there was no handler */
            world.ended = 1;
        }
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        end(&world, &script);
    }
}
