/* The heartbeat of event streams, on the virtual clock. */
#include "support_world.h"

#include "base/alloc.h"

#include <galley/stream.h>

static galley_stream *the_stream;
static galley_stream_options options;
static const char *type;
static unsigned closed_calls;

static void closed(galley_stream *st, void *arg)
{
    (void)st, (void)arg;
    closed_calls++;
}

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    the_stream = galley_res_stream(rs, 200, type, &options);
    return the_stream ? 0 : GALLEY_ENOMEM;
}

static void begin(struct world *world)
{
    world_init(world);
    world->route.handler = begin_stream;
    options = (galley_stream_options)GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    closed_calls = 0;
}

static galley_stream *start(struct world *world)
{
    world_request(world, "GET", "/");
    world_go(world);
    EXPECT(the_stream);
    return the_stream;
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static void all_sent(struct world *world)
{
    exchange_pieces_wanted(world->exchange);
}

static void end(struct world *world)
{
    run_turns(world);
    EXPECT_INT(world->pool.live, 0);
    EXPECT_INT(closed_calls, 1);
    galley_stream_unref(the_stream);
    world_finish(world);
}

TEST(test_a_silent_event_stream_beats)
{
    struct world world;
    begin(&world);
    type = "text/event-stream; charset=utf-8";
    options.heartbeat_ms = 1000;
    galley_stream *st = start(&world);
    world_advance(&world, 999);
    EXPECT_INT(world.body_len, 0);
    world_advance(&world, 1);
    EXPECT_TEXT(world.body, ":\n");
    world_advance(&world, 5000);
    EXPECT_TEXT(world.body, ":\n"); /* not taken yet: the client has enough to read */
    all_sent(&world);
    EXPECT_INT(galley_stream_write(st, "data: x\n\n", 9), 0);
    run_turns(&world);
    all_sent(&world);
    world_advance(&world, 900);
    EXPECT_TEXT(world.body, ":\ndata: x\n\n"); /* there was output: silence counts anew */
    world_advance(&world, 100);
    EXPECT_TEXT(world.body, ":\ndata: x\n\n:\n");
    all_sent(&world);
    EXPECT_INT(galley_stream_write(st, "data: un", 8), 0);
    run_turns(&world);
    all_sent(&world);
    world_advance(&world, 3000);
    EXPECT_TEXT(world.body, ":\ndata: x\n\n:\ndata: un"); /* not into the middle of a line */
    galley_stream_close(st);
    end(&world);
}

TEST(test_the_heart_beats_every_15_seconds_unless_said_otherwise)
{
    struct world world;
    begin(&world);
    type = NULL;
    options.heartbeat_ms = 0;
    start(&world);
    world_advance(&world, 14999);
    EXPECT_INT(world.body_len, 0);
    world_advance(&world, 1);
    EXPECT_TEXT(world.body, ":\n");
    exchange_client_gone(world.exchange);
    end(&world);
}

TEST(test_other_types_have_no_heartbeat)
{
    struct world world;
    begin(&world);
    type = "text/event-streams";
    options.heartbeat_ms = 1000;
    start(&world);
    world_advance(&world, 100000);
    EXPECT_INT(world.body_len, 0);
    exchange_client_gone(world.exchange);
    end(&world);
}

TEST(test_no_heartbeat_when_it_is_not_wanted)
{
    struct world world;
    begin(&world);
    type = NULL;
    options.heartbeat_ms = GALLEY_NO_LIMIT;
    start(&world);
    world_advance(&world, 100000);
    EXPECT_INT(world.body_len, 0);
    exchange_client_gone(world.exchange);
    end(&world);
}

TEST(test_a_heart_that_finds_no_memory_tries_again)
{
    struct world world;
    begin(&world);
    type = NULL;
    options.heartbeat_ms = 1000;
    start(&world);
    mem_fail_nth(1);
    world_advance(&world, 1000);
    mem_fail_nth(0);
    world_advance(&world, 1000);
    EXPECT_TEXT(world.body, ":\n");
    exchange_client_gone(world.exchange);
    end(&world);
}
