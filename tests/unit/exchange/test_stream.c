/* Streams: what writers are told, what the loop sends, and how they end. On the sim loop with a
 * driver that takes everything at once; when it says that all was sent is the test's choice. */
#include "support_world.h"

#include "base/alloc.h"
#include "exchange/stream.h"

#include <galley/stream.h>

#include <time.h>

/* ---- a handler that begins one ---- */

static galley_stream *the_stream;
static galley_stream_options options;
static const char *type;
static int handler_result, begin_status;
static unsigned closed_calls;
static int write_in_closed;
static bool unrefs_in_closed;
static galley_stream *closed_with;

static void closed(galley_stream *st, void *arg)
{
    EXPECT(arg == &options);
    closed_calls++;
    closed_with = st;
    write_in_closed = galley_stream_write(st, "late", 4);
    EXPECT(!galley_stream_is_open(st));
    EXPECT_INT(galley_stream_waiting(st), 0);
    if (unrefs_in_closed) {
        galley_stream_unref(st);
    }
}

static int begin_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    the_stream = galley_res_stream(rs, begin_status, type, &options);
    EXPECT(the_stream);
    EXPECT_INT(galley_res_text(rs, 200, "too late"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-Too", "late"), GALLEY_ESTATE);
    EXPECT(!galley_res_defer(rs));
    return handler_result;
}

static void begin(struct world *world, galley_handler *handler)
{
    world_init(world);
    world->route.handler = handler;
    the_stream = NULL;
    options = (galley_stream_options)GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    options.arg = &options;
    options.heartbeat_ms = GALLEY_NO_LIMIT;
    type = "text/plain";
    begin_status = 200;
    handler_result = 0;
    closed_calls = 0;
    closed_with = NULL;
    write_in_closed = 0;
    unrefs_in_closed = false;
}

static void run_turns(struct world *world)
{
    while (loop_turn(world->loop, 0)) {
    }
}

static galley_stream *start_method(struct world *world, const char *method)
{
    world_request(world, method, "/");
    world_go(world);
    return the_stream;
}

static galley_stream *start(struct world *world)
{
    begin(world, begin_stream);
    return start_method(world, "GET");
}

static void all_sent(struct world *world)
{
    if (world->exchange) {
        exchange_pieces_wanted(world->exchange);
    }
}

static void end(struct world *world)
{
    run_turns(world);
    EXPECT_INT(world->pool.live, 0);
    EXPECT_INT(world->pool.streams, 0);
    EXPECT_INT(closed_calls, 1);
    EXPECT(!the_stream || closed_with == the_stream);
    galley_stream_unref(the_stream);
    EXPECT_INT(galley_stream_write(the_stream, "x", 1), the_stream ? GALLEY_ESTATE : GALLEY_EINVAL);
    world_finish(world);
}

TEST(test_a_stream_goes_on_after_its_handler)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT_INT(world.status, 200);
    EXPECT_INT(world.pool.streams, 1);
    EXPECT(strstr(world.fields_text, "Content-Type: text/plain\n"));
    EXPECT(strstr(world.fields_text, "X-Content-Type-Options: nosniff\n"));
    EXPECT(!strstr(world.fields_text, "Cache-Control"));
    EXPECT(galley_stream_is_open(st));
    EXPECT_INT(galley_stream_write(st, "one ", 4), 0);
    EXPECT_INT(galley_stream_waiting(st), 4);
    run_turns(&world);
    EXPECT_TEXT(world.body, "one ");
    EXPECT_INT(galley_stream_write(st, "", 0), 0);
    EXPECT_INT(galley_stream_write(st, "two ", 4), 0);
    EXPECT_INT(galley_stream_write(st, "three", 5), 0);
    run_turns(&world);
    EXPECT_TEXT(world.body, "one "); /* the first has not been taken */
    EXPECT_INT(galley_stream_waiting(st), 13);
    all_sent(&world);
    EXPECT_TEXT(world.body, "one two three");
    EXPECT_INT(galley_stream_waiting(st), 9);
    all_sent(&world);
    EXPECT_INT(galley_stream_waiting(st), 0);
    EXPECT_INT(closed_calls, 0);
    galley_stream_close(st);
    EXPECT(!galley_stream_is_open(st));
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_stream_write(st, "", 0), GALLEY_ECLOSED);
    run_turns(&world);
    EXPECT(world.pieces_ended);
    EXPECT_INT(world.ended, 1);
    galley_stream_close(st); /* any number of times */
    EXPECT_INT(write_in_closed, GALLEY_ECLOSED);
    end(&world);
}

TEST(test_what_was_written_before_the_close_is_sent_though_more_is_under_way)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(galley_stream_write(st, "one ", 4), 0);
    run_turns(&world);
    EXPECT_INT(galley_stream_write(st, "two", 3), 0);
    galley_stream_close(st);
    run_turns(&world);
    EXPECT_TEXT(world.body, "one two");
    EXPECT_INT(world.ended, 1);
    end(&world);
}

/* Each write would cost a wake-up, for a client that has enough to read. */
TEST(test_the_loop_is_left_alone_while_a_batch_is_with_the_client)
{
    struct world world;
    galley_stream *st = start(&world);
    run_turns(&world);
    EXPECT_INT(galley_stream_write(st, "one ", 4), 0);
    EXPECT(loop_turn(world.loop, 0));
    run_turns(&world);
    EXPECT_INT(galley_stream_write(st, "two", 3), 0);
    EXPECT(!loop_turn(world.loop, 0));
    all_sent(&world);
    EXPECT_TEXT(world.body, "one two");
    galley_stream_close(st);
    end(&world);
}

TEST(test_an_event_stream_says_so)
{
    struct world world;
    begin(&world, begin_stream);
    type = NULL;
    galley_stream *st = start_method(&world, "GET");
    EXPECT(strstr(world.fields_text, "Content-Type: text/event-stream\n"));
    EXPECT(strstr(world.fields_text, "Cache-Control: no-store\n"));
    galley_stream_close(st);
    options.heartbeat_ms = GALLEY_NO_LIMIT;
    end(&world);
}

static int begin_cached(galley_request *rq, galley_response *rs, void *arg)
{
    EXPECT_INT(galley_res_header(rs, "Cache-Control", "private"), 0);
    return begin_stream(rq, rs, arg);
}

TEST(test_a_cache_control_that_is_set_stays)
{
    struct world world;
    begin(&world, begin_cached);
    type = NULL;
    galley_stream *st = start_method(&world, "GET");
    EXPECT(strstr(world.fields_text, "Cache-Control: private\n"));
    EXPECT(!strstr(world.fields_text, "no-store"));
    galley_stream_close(st);
    end(&world);
}

TEST(test_a_write_that_does_not_fit_takes_nothing)
{
    struct world world;
    begin(&world, begin_stream);
    options.buffer_bytes = 10;
    galley_stream *st = start_method(&world, "GET");
    EXPECT_INT(galley_stream_write(st, "12345678901", 11), GALLEY_EFULL);
    EXPECT_INT(galley_stream_waiting(st), 0);
    EXPECT_INT(galley_stream_write(st, "1234567890", 10), 0);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_EFULL);
    run_turns(&world);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_EFULL); /* with the client, not taken */
    all_sent(&world);
    EXPECT_INT(galley_stream_write(st, "x", 1), 0);
    galley_stream_close(st);
    run_turns(&world);
    EXPECT_TEXT(world.body, "1234567890x");
    end(&world);
}

TEST(test_the_default_buffer_holds_256_kib)
{
    struct world world;
    galley_stream *st = start(&world);
    enum { FULL = 256 * 1024 };
    char *data = mem_alloc_zero(1, FULL + 1);
    EXPECT_INT(galley_stream_write(st, data, FULL + 1), GALLEY_EFULL);
    EXPECT_INT(galley_stream_write(st, data, FULL), 0);
    EXPECT_INT(galley_stream_write(st, data, 1), GALLEY_EFULL);
    mem_free(data);
    exchange_client_gone(world.exchange);
    end(&world);
}

TEST(test_the_last_reference_closes)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT(galley_stream_ref(st) == st);
    galley_stream_unref(st);
    EXPECT_INT(galley_stream_write(st, "still here", 10), 0);
    galley_stream_unref(st);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_stream_event(st, NULL, NULL, "x"), GALLEY_ESTATE);
    EXPECT(!galley_stream_ref(st));
    EXPECT(!galley_stream_is_open(st));
    EXPECT_INT(galley_stream_waiting(st), 0);
    galley_stream_close(st);
    galley_stream_unref(st);
    run_turns(&world);
    EXPECT_TEXT(world.body, "still here");
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(write_in_closed, GALLEY_ESTATE);
    end(&world);
}

TEST(test_ten_thousand_references)
{
    struct world world;
    galley_stream *st = start(&world);
    for (int i = 0; i < 10000; i++) {
        EXPECT(galley_stream_ref(st) == st);
    }
    for (int i = 0; i < 10000; i++) {
        galley_stream_unref(st);
    }
    EXPECT(galley_stream_is_open(st));
    galley_stream_close(st);
    end(&world);
}

TEST(test_a_reference_may_be_given_up_in_closed)
{
    struct world world;
    begin(&world, begin_stream);
    unrefs_in_closed = true;
    galley_stream *st = start_method(&world, "GET");
    exchange_client_gone(world.exchange);
    EXPECT_INT(closed_calls, 1);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ESTATE);
    end(&world);
}

TEST(test_the_handle_outlives_the_server)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(galley_stream_write(st, "x", 1), 0);
    exchange_client_gone(world.exchange);
    run_turns(&world);
    world_finish(&world);
    memset(&world, 0x55, sizeof world);
    EXPECT_INT(closed_calls, 1);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_stream_waiting(st), 0);
    EXPECT(galley_stream_ref(st) == st);
    galley_stream_unref(st);
    galley_stream_unref(st);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ESTATE);
}

/* ---- how the handler ends ---- */

TEST(test_a_handler_that_fails_answers_with_its_error)
{
    struct world world;
    begin(&world, begin_stream);
    handler_result = GALLEY_EFULL;
    start_method(&world, "GET");
    EXPECT_INT(world.status, 503);
    EXPECT_INT(closed_calls, 1);
    end(&world);
}

TEST(test_a_status_from_the_handler_ends_the_stream)
{
    struct world world;
    begin(&world, begin_stream);
    handler_result = 204;
    begin_status = 201;
    start_method(&world, "GET");
    run_turns(&world);
    EXPECT_INT(world.status, 201);
    EXPECT(world.pieces_ended);
    end(&world);
}

TEST(test_garbage_from_the_handler_is_500)
{
    struct world world;
    begin(&world, begin_stream);
    handler_result = 99;
    start_method(&world, "GET");
    EXPECT_INT(world.status, 500);
    EXPECT_INT(counter_read(&world.counters.mistakes), 1);
    end(&world);
}

static int close_at_once(galley_request *rq, galley_response *rs, void *arg)
{
    int rc = begin_stream(rq, rs, arg);
    EXPECT_INT(galley_stream_write(the_stream, "all of it", 9), 0);
    galley_stream_close(the_stream);
    return rc;
}

TEST(test_a_stream_that_is_closed_in_its_handler)
{
    struct world world;
    begin(&world, close_at_once);
    start_method(&world, "GET");
    run_turns(&world);
    EXPECT_TEXT(world.body, "all of it");
    EXPECT(world.pieces_ended);
    end(&world);
}

/* RFC 9110 §9.3.2: the answer to HEAD has no content. */
TEST(test_to_head_a_stream_is_closed_from_its_beginning)
{
    struct world world;
    begin(&world, begin_stream);
    galley_stream *st = start_method(&world, "HEAD");
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT(!galley_stream_is_open(st));
    run_turns(&world);
    EXPECT_INT(world.status, 200);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.body_len, 0);
    end(&world);
}

/* ---- how it cannot begin ---- */

static int begin_wrongly(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT(!galley_res_stream(NULL, 200, NULL, NULL));
    EXPECT(!galley_res_stream(rs, 101, NULL, NULL));
    EXPECT(!galley_res_stream(rs, 600, NULL, NULL));
    EXPECT(!galley_res_stream(rs, 200, "a\r\nb: c", NULL));
    galley_stream_options bad = GALLEY_STREAM_OPTIONS_INIT;
    bad.size = 0;
    EXPECT(!galley_res_stream(rs, 200, NULL, &bad));
    struct {
        galley_stream_options known;
        char more[8];
    } newer = {.known = GALLEY_STREAM_OPTIONS_INIT, .more = "wishes"};
    newer.known.size = sizeof newer;
    EXPECT(!galley_res_stream(rs, 200, NULL, &newer.known));
    return galley_res_text(rs, 200, "as if nothing had been tried");
}

TEST(test_a_stream_that_cannot_begin_leaves_the_answer_alone)
{
    struct world world;
    begin(&world, begin_wrongly);
    start_method(&world, "GET");
    EXPECT_INT(world.status, 200);
    EXPECT_TEXT(world.body, "as if nothing had been tried");
    closed_calls = 1;
    end(&world);
}

static int begin_second(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_text(rs, 200, "first"), 0);
    EXPECT(!galley_res_stream(rs, 200, NULL, NULL));
    return 0;
}

TEST(test_a_stream_after_a_body_is_a_mistake)
{
    struct world world;
    begin(&world, begin_second);
    start_method(&world, "GET");
    EXPECT_INT(world.status, 500);
    closed_calls = 1;
    end(&world);
}

/* ---- everybody leaves ---- */

TEST(test_a_client_that_leaves_closes)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(galley_stream_write(st, "lost", 4), 0);
    exchange_client_gone(world.exchange);
    EXPECT_INT(closed_calls, 1);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_stream_waiting(st), 0);
    end(&world);
}

TEST(test_a_drain_ends_streams)
{
    struct world world;
    galley_stream *st = start(&world);
    EXPECT_INT(galley_stream_write(st, "before", 6), 0);
    exchange_pool_hint_stop(&world.pool);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    run_turns(&world);
    EXPECT_TEXT(world.body, "before");
    EXPECT(world.pieces_ended);
    EXPECT_INT(closed_calls, 1);
    end(&world);
}

TEST(test_a_stream_that_begins_while_the_server_drains_ends)
{
    struct world world;
    begin(&world, begin_stream);
    exchange_pool_hint_stop(&world.pool);
    start_method(&world, "GET");
    run_turns(&world);
    EXPECT_INT(world.status, 200);
    EXPECT(world.pieces_ended);
    end(&world);
}

TEST(test_a_stop_at_once_closes_for_writers)
{
    struct world world;
    galley_stream *st = start(&world);
    exchange_pool_abandon(&world.pool);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    exchange_client_gone(world.exchange); /* its connection is cut */
    EXPECT_INT(closed_calls, 1);
    end(&world);
}

/* ---- memory ---- */

TEST(test_a_write_without_memory_takes_nothing)
{
    struct world world;
    galley_stream *st = start(&world);
    mem_fail_nth(1);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ENOMEM);
    mem_fail_nth(1);
    EXPECT_INT(galley_stream_event(st, NULL, NULL, "x"), GALLEY_ENOMEM);
    mem_fail_nth(0);
    EXPECT_INT(galley_stream_waiting(st), 0);
    EXPECT_INT(galley_stream_write(st, "y", 1), 0);
    galley_stream_close(st);
    run_turns(&world);
    EXPECT_TEXT(world.body, "y");
    end(&world);
}

static int begin_or_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    the_stream = galley_res_stream(rs, 200, NULL, &options);
    if (!the_stream) {
        closed_calls++; /* will not be called */
        return GALLEY_ENOMEM;
    }
    (void)galley_stream_write(the_stream, "first", 5);
    return 0;
}

TEST(test_each_allocation_of_a_stream_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct world world;
        begin(&world, begin_or_fail);
        mem_fail_nth(n);
        if (world_request(&world, "GET", "/")) {
            world_go(&world);
        } else {
            closed_calls++;
        }
        run_turns(&world);
        (void)galley_stream_write(the_stream, "second", 6);
        all_sent(&world);
        run_turns(&world);
        galley_stream_close(the_stream);
        run_turns(&world);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        if (world.exchange) {
            exchange_client_gone(world.exchange);
        }
        end(&world);
    }
}
