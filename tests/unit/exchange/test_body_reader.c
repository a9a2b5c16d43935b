/* The way of a body from the loop to a handler on a worker, without a protocol: marks of the
 * read-ahead, codes, and who may touch what when the server lets go. */
#include "support_world.h"

#include "base/alloc.h"
#include "exchange/body_reader.h"

#include <stdatomic.h>
#include <time.h>

struct script {
    atomic_uint may_read; /* bytes the handler may have read by now */
    atomic_uint has_read;
    atomic_int code; /* 1: none yet */
    atomic_uint size;
    atomic_int may_end, last_code;
};

static void pause_a_bit(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* Reads as far as it may, in bites of 1000; after the end it stays until it may go. */
static int follow_script(galley_request *rq, galley_response *rs, void *arg)
{
    struct script *script = arg;
    char bite[1000];
    ssize_t n = 1;
    while (n > 0) {
        if (atomic_load(&script->has_read) >= atomic_load(&script->may_read)) {
            pause_a_bit();
            continue;
        }
        n = galley_req_read(rq, bite, sizeof bite);
        atomic_store(&script->size, (unsigned)galley_req_body_size(rq));
        atomic_fetch_add(&script->has_read, n > 0 ? (unsigned)n : 0);
    }
    atomic_store(&script->code, (int)n);
    while (!atomic_load(&script->may_end)) {
        pause_a_bit();
    }
    atomic_store(&script->last_code, (int)galley_req_read(rq, bite, sizeof bite));
    return n < 0 ? (int)n : galley_res_text(rs, 200, "read");
}

static void open_world(struct world *world, struct script *script)
{
    *script = (struct script){.code = 1};
    world_init(world);
    world->services.pool = galley_pool_new(1, NULL);
    EXPECT(world->services.pool);
    world->route = (struct route_target){.handler = follow_script,
                                         .arg = script,
                                         .body_mode = EXCHANGE_BODY_STREAM,
                                         .max_body_bytes = 1024 * 1024,
                                         .label = "the route"};
    EXPECT(world_request(world, "POST", "/"));
    world->exchange->request.content_length = 1024 * 1024;
}

static void close_world(struct world *world)
{
    EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

static void let_read(struct world *world, struct script *script, unsigned bytes)
{
    atomic_store(&script->may_read, bytes);
    while (atomic_load(&script->has_read) < bytes && atomic_load(&script->code) == 1) {
        loop_turn(world->loop, 0);
        pause_a_bit();
    }
    while (loop_turn(world->loop, 0)) {
    }
}

TEST(test_the_driver_pauses_at_the_high_mark_and_goes_on_at_the_low_one)
{
    static const char bytes[16 * 1024];
    struct world world;
    struct script script;
    open_world(&world, &script);
    world_go(&world);
    EXPECT_INT(world.bodies_wanted, 1);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_INT(exchange_body_piece(world.exchange, span_make(bytes, sizeof bytes)), 0);
    }
    EXPECT_INT(exchange_body_piece(world.exchange, span_make(bytes, sizeof bytes)),
               EXCHANGE_BODY_PAUSE);
    let_read(&world, &script, 40000);
    EXPECT_INT(world.bodies_resumed, 0);
    EXPECT_INT(atomic_load(&script.size), BODY_READER_HIGH);
    let_read(&world, &script, BODY_READER_HIGH - BODY_READER_LOW);
    while (world.bodies_resumed == 0) {
        loop_turn(world.loop, 0);
    }
    let_read(&world, &script, BODY_READER_HIGH);
    EXPECT_INT(world.bodies_resumed, 1); /* once */
    exchange_body_end(world.exchange);
    let_read(&world, &script, UINT32_MAX);
    EXPECT_INT(atomic_load(&script.code), 0);
    atomic_store(&script.may_end, 1);
    world_turn_until(&world, &world.ended);
    EXPECT_TEXT(world.body, "read");
    EXPECT_INT(atomic_load(&script.last_code), 0);
    close_world(&world);
}

TEST(test_a_failure_comes_behind_the_bytes_before_it_and_decides_the_answer)
{
    static const struct {
        int code, status;
    } rows[] = {
        {GALLEY_ETOOBIG, 413}, {GALLEY_ETIMEDOUT, 408}, {GALLEY_EPROTO, 400}, {GALLEY_ENOMEM, 503}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        struct script script;
        open_world(&world, &script);
        world_go(&world);
        EXPECT_INT(exchange_body_piece(world.exchange, SPAN("abc")), 0);
        EXPECT(exchange_body_failed(world.exchange, rows[i].code));
        let_read(&world, &script, 4);
        EXPECT_INT(atomic_load(&script.has_read), 3);
        EXPECT_INT(atomic_load(&script.code), rows[i].code);
        atomic_store(&script.may_end, 1);
        world_turn_until(&world, &world.ended);
        EXPECT_INT(atomic_load(&script.last_code), rows[i].code);
        EXPECT_INT(world.status, rows[i].status);
        close_world(&world);
    }
}

TEST(test_a_body_that_is_whole_can_be_read_when_the_client_has_gone)
{
    struct world world;
    struct script script;
    open_world(&world, &script);
    world_go(&world);
    EXPECT_INT(exchange_body_piece(world.exchange, SPAN("abc")), 0);
    exchange_body_end(world.exchange);
    struct exchange *exchange = world.exchange;
    while (atomic_load(&script.size) == 0) { /* it has begun */
        let_read(&world, &script, 1);
    }
    exchange_client_gone(exchange);
    let_read(&world, &script, UINT32_MAX);
    EXPECT_INT(atomic_load(&script.code), 0);
    atomic_store(&script.may_end, 1);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.responded, 0);
    close_world(&world);
}

static void keep(struct exchange_keeper *keeper)
{
    atomic_fetch_add(&keeper->refs, 1000);
}

TEST(test_an_orphan_that_reads_does_not_touch_its_loop)
{
    struct world world;
    struct script script;
    struct exchange_keeper keeper = {.refs = 1, .release = keep};
    open_world(&world, &script);
    world_go(&world);
    struct exchange *exchange = world.exchange;
    EXPECT_INT(exchange_body_piece(exchange, SPAN("abc")), 0);
    let_read(&world, &script, 3);
    atomic_store(&script.may_read, UINT32_MAX); /* it waits for more */
    exchange_client_gone(exchange);
    exchange_pool_abandon(&world.pool);
    while (loop_turn(world.loop, 0) || atomic_load(&script.code) == 1) {
        pause_a_bit();
    }
    EXPECT_INT(atomic_load(&script.code), GALLEY_ECLOSED);
    EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper), 1);
    galley_pool *pool = world.services.pool;
    world_finish(&world);
    memset(&world, 0x5a, sizeof world);
    atomic_store(&script.may_end, 1);
    galley_pool_free(pool);
    EXPECT_INT(atomic_load(&script.last_code), GALLEY_ECLOSED);
    EXPECT_INT(atomic_load(&keeper.refs), 1);
}

TEST(test_a_reader_that_has_no_memory_is_503)
{
    bool has_failed = true;
    for (unsigned n = 1; has_failed; n++) {
        struct world world;
        struct script script;
        open_world(&world, &script);
        atomic_store(&script.may_read, UINT32_MAX);
        atomic_store(&script.may_end, 1);
        mem_fail_nth(n);
        world_go(&world);
        if (world.exchange) {
            int status = exchange_body_piece(world.exchange, SPAN("abc"));
            if (status == 503) {
                EXPECT(exchange_body_failed(world.exchange, GALLEY_ENOMEM));
            } else {
                exchange_body_end(world.exchange);
            }
        }
        world_turn_until(&world, &world.ended);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(world.status, has_failed ? 503 : 200);
        close_world(&world);
    }
}
