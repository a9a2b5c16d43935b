/* An exchange's life on the loop: results, bodies, suspension, a client that leaves at any moment.
 * L4: whatever the order of events, it ends exactly once; under ASan a second end or a late touch
 * would show. */
#include "support_world.h"

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARENA_IS_PIECEWISE true
#else
#define ARENA_IS_PIECEWISE false
#endif

static int answer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg ? arg : "text");
}

static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_printf(rs, 200, NULL, "%s", galley_req_body(rq).ptr);
}

TEST(test_a_loop_handler_answers_inside_dispatch)
{
    struct world world;
    world_init(&world);
    world.route.handler = answer;
    world_request(&world, "GET", "/a");
    world_go(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT_INT(world.status, 200);
    EXPECT_TEXT(world.body, "text");
    EXPECT_TEXT(world.fields_text, "Content-Type: text/plain; charset=utf-8\n"
                                   "X-Content-Type-Options: nosniff\n");
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.emptied, 1);
    world_finish(&world);
}

TEST(test_a_steady_state_allocates_nothing)
{
    if (ARENA_IS_PIECEWISE) {
        test_skip("each piece of an arena is a malloc under sanitizers");
    }
    struct world world;
    world_init(&world);
    world.route.handler = answer;
    for (unsigned i = 0; i < 3; i++) {
        world_request(&world, "GET", "/a%20b");
        world_go(&world);
    }
    mem_fail_nth(1);
    world_request(&world, "GET", "/a%20b");
    world_go(&world);
    EXPECT(!mem_fail_happened());
    mem_fail_nth(0);
    EXPECT_INT(world.ended, 4);
    world_finish(&world);
}

TEST(test_reject_answers_with_a_page)
{
    struct world world;
    world_init(&world);
    exchange_reject(world_request(&world, "GET", "/"), 414);
    EXPECT_INT(world.status, 414);
    EXPECT(strstr(world.body, "URI Too Long"));
    EXPECT(!strstr(world.body, "<script"));
    world_finish(&world);
}

static struct exchange *with_body(struct world *world, int64_t length)
{
    struct exchange *exchange = world_request(world, "POST", "/");
    exchange->request.content_length = length;
    world_go(world);
    return exchange;
}

TEST(test_a_buffered_body_comes_before_the_handler)
{
    struct world world;
    world_init(&world);
    world.route.handler = echo;
    struct exchange *exchange = with_body(&world, -1);
    EXPECT_INT(world.bodies_wanted, 1);
    EXPECT_INT(exchange_body_piece(exchange, SPAN("one ")), 0);
    EXPECT_INT(exchange_body_piece(exchange, SPAN("two")), 0);
    EXPECT_INT(world.responded, 0);
    exchange_body_end(exchange);
    EXPECT_TEXT(world.body, "one two");
    world_finish(&world);
}

TEST(test_a_declared_body_over_the_limit_is_413_before_it_is_read)
{
    struct world world;
    world_init(&world);
    world.route.handler = echo;
    with_body(&world, 101);
    EXPECT_INT(world.bodies_wanted, 0);
    EXPECT_INT(world.status, 413);
    EXPECT(world.must_close);
    world_finish(&world);
}

TEST(test_a_chunked_body_over_the_limit_is_413_at_the_piece_that_passes_it)
{
    struct world world;
    char piece[60] = {0};
    world_init(&world);
    world.route.handler = echo;
    struct exchange *exchange = with_body(&world, -1);
    EXPECT_INT(exchange_body_piece(exchange, span_make(piece, 60)), 0);
    EXPECT_INT(exchange_body_piece(exchange, span_make(piece, 40)), 0);
    EXPECT_INT(exchange_body_piece(exchange, span_make(piece, 1)), 413);
    EXPECT_INT(exchange_body_piece(exchange, span_make(piece, SIZE_MAX)), 413);
    exchange_reject(exchange, 413);
    EXPECT_INT(world.ended, 1);
    world_finish(&world);
}

TEST(test_refused_bodies_are_413_and_none_is_fine)
{
    struct world world;
    world_init(&world);
    world.route.handler = answer;
    world.route.body_mode = EXCHANGE_BODY_REFUSE;
    with_body(&world, 1);
    EXPECT_INT(world.status, 413);
    with_body(&world, -1);
    EXPECT_INT(world.status, 413);
    with_body(&world, 0);
    EXPECT_INT(world.status, 200);
    world_finish(&world);
}

TEST(test_discarded_bodies_are_skipped_or_close_the_connection)
{
    struct world world;
    world_init(&world);
    world.route.handler = answer;
    world.route.body_mode = EXCHANGE_BODY_DISCARD;
    struct exchange *exchange = with_body(&world, 5);
    EXPECT_INT(exchange_body_piece(exchange, SPAN("12345")), 0);
    EXPECT_INT(exchange->request.body.len, 0);
    exchange_body_end(exchange);
    EXPECT_INT(world.status, 200);
    EXPECT(!world.must_close);
    with_body(&world, 101);
    EXPECT_INT(world.status, 200);
    EXPECT(world.must_close);
    world_finish(&world);
}

/* ---- suspension ---- */

static int suspend_only(galley_request *rq, galley_response *rs, void *arg)
{
    struct exchange *exchange = exchange_of_request(rq);
    (void)rs;
    int rc = exchange_suspend(exchange);
    if (rc) {
        return rc;
    }
    if (arg) {
        (void)galley_res_text(rs, 200, "early");
        exchange_resume(exchange, 0);
    }
    return 500; /* ignored */
}

TEST(test_a_suspended_exchange_is_resumed_later)
{
    struct world world;
    world_init(&world);
    world.route.handler = suspend_only;
    struct exchange *exchange = world_request(&world, "GET", "/x?q");
    world_go(&world);
    EXPECT_INT(world.responded, 0);
    /* The receive buffer is another request's by now. */
    memset(world.head, '#', sizeof world.head);
    EXPECT_TEXT(galley_req_path((galley_request *)(void *)exchange).ptr, "/x");
    EXPECT_TEXT(galley_req_query((galley_request *)(void *)exchange).ptr, "q");
    EXPECT_TEXT(galley_req_header((galley_request *)(void *)exchange, "host").ptr, "example");
    EXPECT_TEXT(galley_req_header((galley_request *)(void *)exchange, "x-a").ptr, "one, two");
    EXPECT_TEXT(galley_req_method_name((galley_request *)(void *)exchange).ptr, "GET");
    exchange_resume(exchange, 404);
    EXPECT_INT(world.status, 404);
    EXPECT_INT(world.ended, 1);
    world_finish(&world);
}

TEST(test_resuming_inside_the_handler_counts_as_its_result)
{
    struct world world;
    world_init(&world);
    world.route.handler = suspend_only;
    world.route.arg = &world; /* resume at once */
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 200);
    EXPECT_TEXT(world.body, "early");
    EXPECT_INT(world.ended, 1);
    world_finish(&world);
}

TEST(test_a_client_that_leaves_during_a_suspension)
{
    struct world world;
    world_init(&world);
    world.route.handler = suspend_only;
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    exchange_client_gone(exchange);
    EXPECT_INT(world.ended, 0); /* its owner still has it */
    exchange_resume(exchange, 0);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.responded, 0);
    world_finish(&world);
}

TEST(test_a_client_that_leaves_while_the_body_comes)
{
    struct world world;
    world_init(&world);
    world.route.handler = echo;
    struct exchange *exchange = with_body(&world, 50);
    EXPECT_INT(exchange_body_piece(exchange, SPAN("half")), 0);
    exchange_client_gone(exchange);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.responded, 0);
    world_finish(&world);
}

TEST(test_a_client_that_leaves_before_and_after_the_answer)
{
    struct world world;
    world_init(&world);
    world.route.handler = answer;
    exchange_client_gone(world_request(&world, "GET", "/"));
    EXPECT_INT(world.ended, 1);
    world.keeps_it = true;
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.responded, 1);
    EXPECT_INT(world.ended, 1);
    exchange_client_gone(exchange);
    EXPECT_INT(world.ended, 2);
    world_finish(&world);
}

/* ---- galley_res_file ---- */

static int give_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 203, "some.file");
}

static void send_at_once(void *ctx, struct exchange *exchange, struct span path)
{
    (void)ctx;
    EXPECT_SPAN(path, "some.file");
    EXPECT_INT(exchange_suspend(exchange), 0); /* allowed, and changes nothing */
    EXPECT_INT(response_body_copy(exchange, "content", 7), 0);
    exchange_resume(exchange, 0);
}

static void send_later(void *ctx, struct exchange *exchange, struct span path)
{
    (void)ctx;
    (void)exchange;
    (void)path;
}

TEST(test_a_file_answer_goes_through_the_service_now_or_later)
{
    struct world world;
    world_init(&world);
    world.route.handler = give_file;
    world.services.send_file = send_at_once;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 203);
    EXPECT_TEXT(world.body, "content");
    world.services.send_file = send_later;
    struct exchange *exchange = world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.responded, 1);
    exchange_resume(exchange, GALLEY_ENOTFOUND);
    EXPECT_INT(world.status, 404);
    world.services.send_file = NULL;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_INT(world.status, 404);
    EXPECT_INT(world.ended, 3);
    world_finish(&world);
}

/* ---- bodies that borrow ---- */

static int give_path(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str path = galley_req_path(rq);
    return galley_res_data(rs, 200, NULL, path.ptr, path.len, NULL, NULL);
}

static int give_static(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_data(rs, 200, NULL, "static", 6, NULL, NULL);
}

TEST(test_views_of_the_receive_buffer_are_copied_and_other_memory_is_not)
{
    struct world world;
    world_init(&world);
    world.keeps_it = true;
    world.route.handler = give_path;
    struct exchange *exchange = world_request(&world, "GET", "/here");
    world_go(&world);
    EXPECT_TEXT(world.body, "/here");
    EXPECT(exchange_may_end_early(exchange));
    exchange_end(exchange, &world.pool);
    world.route.handler = give_static;
    exchange = world_request(&world, "GET", "/here");
    world_go(&world);
    EXPECT(!exchange_may_end_early(exchange));
    exchange_end(exchange, &world.pool);
    world_finish(&world);
}

/* ---- memory ---- */

static unsigned hooks_run;

static void count_hook(void *arg)
{
    (void)arg;
    hooks_run++;
}

static int use_memory(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    unsigned before = hooks_run;
    int rc = galley_on_end(rq, count_hook, NULL);
    EXPECT(rc == 0 || rc == GALLEY_ENOMEM);
    EXPECT_INT(hooks_run, before);
    if (rc || (rc = exchange_suspend(exchange_of_request(rq)))) {
        return rc;
    }
    if (!galley_req_header(rq, "x-a").ptr || !galley_req_peer(rq).ptr || !galley_alloc(rq, 5000) ||
        !galley_sprintf(rq, "%s", galley_req_body(rq).ptr)) {
        rc = GALLEY_ENOMEM;
    }
    rc = rc ? rc : galley_res_add_header(rs, "Link", "</a>");
    exchange_resume(exchange_of_request(rq), rc ? rc : answer(rq, rs, NULL));
    return 0;
}

TEST(test_every_failing_allocation_gives_503_or_the_answer)
{
    bool did_fail = true;
    for (uint64_t n = 1; did_fail; n++) {
        struct world world;
        world_init(&world);
        world.route.handler = use_memory;
        mem_fail_nth(n);
        struct exchange *exchange = world_request(&world, "POST", "/a%20b?c");
        if (exchange) {
            exchange->request.content_length = 4;
            world_go(&world);
            int status = exchange_body_piece(exchange, SPAN("body"));
            if (status == 0) {
                exchange_body_end(exchange);
            } else {
                EXPECT_INT(status, 503);
                exchange_reject(exchange, status);
            }
        }
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(world.responded == 0 || world.status == 200 || world.status == 503);
        EXPECT(did_fail || world.status == 200);
        EXPECT_INT(world.ended, world.responded);
        EXPECT_INT(world.pool.live, 0);
        world_finish(&world);
    }
}

static int use_too_much(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT(galley_alloc(rq, 60000));
    EXPECT(!galley_alloc(rq, 60000));
    return galley_res_text(rs, 200, "limited");
}

TEST(test_the_memory_of_one_exchange_is_limited)
{
    struct world world;
    world_init(&world);
    world.route.handler = use_too_much;
    world_request(&world, "GET", "/");
    world_go(&world);
    EXPECT_TEXT(world.body, "limited");
    world_finish(&world);
}

TEST(test_statuses_of_results)
{
    EXPECT_INT(exchange_status_of(0), 0);
    EXPECT_INT(exchange_status_of(204), 204);
    EXPECT_INT(exchange_status_of(101), 500);
    EXPECT_INT(exchange_status_of(GALLEY_ENOTFOUND), 404);
    EXPECT_INT(exchange_status_of(GALLEY_ESYS), 500);
}
