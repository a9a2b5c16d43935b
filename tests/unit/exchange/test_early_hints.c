/* Early hints (RFC 8297): who gets them, what goes, how often; from the loop, from workers and from
 * the holders of deferrals. */
#include "support_world.h"

#include "base/alloc.h"
#include "exchange/early_hints.h"

#include <galley/hints.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static const char css[] = "</a.css>; rel=preload; as=style";
static const char script[] = "</a.js>; rel=preload; as=script";

/* Asked by a client of HTTP/2, unless the test says otherwise. */
static struct exchange *request(struct world *world, galley_handler *handler, void *arg)
{
    struct exchange *exchange = world_request(world, "GET", "/");
    EXPECT(exchange);
    exchange->request.version = 20;
    world->route.handler = handler;
    world->route.arg = arg;
    return exchange;
}

static void with_pool(struct world *world)
{
    world_init(world);
    world->services.pool = galley_pool_new(1, NULL);
    EXPECT(world->services.pool);
    world->route.on_loop = false;
}

static void finish_with_pool(struct world *world)
{
    EXPECT_INT(galley_pool_shutdown(world->services.pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    world_finish(world);
    galley_pool_free(world->services.pool);
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

/* ---- what goes ------------------------------------------------------------------------------- */

static int hint_twice(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_header(rs, "X-Secret", "no"), 0);
    EXPECT_INT(galley_res_add_header(rs, "link", css), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0); /* nothing new */
    EXPECT_INT(galley_res_add_header(rs, "Link", script), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    return galley_res_text(rs, 200, "page");
}

/* RFC 8297 §2: the answer repeats what the hints said. */
TEST(test_hints_are_the_links_set_since_the_last_ones_and_the_answer_repeats_all)
{
    struct world world;
    world_init(&world);
    request(&world, hint_twice, NULL);
    world_go(&world);
    EXPECT_INT(world.interim.count, 2);
    EXPECT_INT(world.interim.status, 103);
    EXPECT_TEXT(world.interim.text, "link: </a.css>; rel=preload; as=style\n\n"
                                    "Link: </a.js>; rel=preload; as=script\n\n");
    EXPECT_INT(world.status, 200);
    EXPECT(strstr(world.fields_text, "X-Secret: no\nlink: </a.css>; rel=preload; as=style\n"
                                     "Link: </a.js>; rel=preload; as=script\n"));
    EXPECT_TEXT(world.body, "page");
    EXPECT_INT(counter_read(&world.counters.early_hints), 2);
    EXPECT_INT(world.ended, 1);
    EXPECT_INT(world.ended_status, 200);
    world_finish(&world);
}

static int hint_with_policy(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_header(rs, "Content-Security-Policy", "style-src 'self'"), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0); /* alone it is no hint */
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_res_header(rs, "Link", script), 0); /* another in its place is new */
    EXPECT_INT(galley_res_early_hints(rs), 0);
    return 204;
}

TEST(test_the_policy_goes_once_with_the_links_that_it_is_about)
{
    struct world world;
    world_init(&world);
    request(&world, hint_with_policy, NULL);
    world_go(&world);
    EXPECT_TEXT(world.interim.text, "Content-Security-Policy: style-src 'self'\n"
                                    "Link: </a.css>; rel=preload; as=style\n\n"
                                    "Link: </a.js>; rel=preload; as=script\n\n");
    EXPECT(strstr(world.fields_text, "Link: </a.js>"));
    EXPECT(!strstr(world.fields_text, "Link: </a.css>"));
    world_finish(&world);
}

/* ---- who gets them --------------------------------------------------------------------------- */

/* RFC 9110 §15.2: a server MUST NOT send a 1xx to a client of HTTP/1.0. RFC 8297 §3: to those of 1.1
 * only if it is known to be safe. */
TEST(test_clients_of_http_1_get_hints_only_where_that_was_asked_for)
{
    static const struct {
        uint16_t version;
        bool over_http1;
        unsigned interims;
    } rows[] = {{10, false, 0}, {10, true, 0}, {11, false, 0}, {11, true, 2}, {20, false, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        world_init(&world);
        world.services.hints_over_http1 = rows[i].over_http1;
        request(&world, hint_twice, NULL)->request.version = (uint8_t)rows[i].version;
        world_go(&world);
        EXPECT_INT(world.interim.count, rows[i].interims);
        EXPECT_INT(counter_read(&world.counters.early_hints), rows[i].interims);
        EXPECT_INT(world.status, 200);
        world_finish(&world);
    }
}

/* ---- what cannot be -------------------------------------------------------------------------- */

static int hint_too_late(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_early_hints(NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, 0), 0);
    EXPECT_INT(galley_res_early_hints(rs), GALLEY_ESTATE);
    return 0;
}

TEST(test_behind_the_head_there_are_no_hints)
{
    struct world world;
    world_init(&world);
    request(&world, hint_too_late, NULL);
    world_go(&world);
    EXPECT_INT(world.interim.count, 0);
    EXPECT_INT(world.responded, 1);
    world_finish(&world);
    with_pool(&world);
    request(&world, hint_too_late, NULL);
    world_go(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.interim.count, 0);
    EXPECT_INT(world.responded, 1);
    finish_with_pool(&world);
}

static int hint_without_end(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    for (unsigned i = 0; i < EARLY_HINTS_MAX; i++) {
        EXPECT_INT(galley_res_add_header(rs, "Link", css), 0);
        EXPECT_INT(galley_res_early_hints(rs), 0);
    }
    EXPECT_INT(galley_res_early_hints(rs), 0); /* nothing new: nothing to refuse */
    EXPECT_INT(galley_res_add_header(rs, "Link", script), 0);
    EXPECT_INT(galley_res_early_hints(rs), GALLEY_EFULL);
    return 204;
}

TEST(test_what_a_handler_can_pile_up_is_bounded)
{
    struct world world;
    world_init(&world);
    request(&world, hint_without_end, NULL);
    world_go(&world);
    EXPECT_INT(world.interim.count, EARLY_HINTS_MAX);
    EXPECT_INT(world.status, 204);
    world_finish(&world);
    with_pool(&world);
    request(&world, hint_without_end, NULL);
    world_go(&world);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.interim.count, EARLY_HINTS_MAX);
    finish_with_pool(&world);
}

static int hint_again_after_failure(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    (void)rq;
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    world->interim.code = GALLEY_ENOMEM;
    EXPECT_INT(galley_res_early_hints(rs), GALLEY_ENOMEM);
    world->interim.code = GALLEY_ECLOSED;
    EXPECT_INT(galley_res_early_hints(rs), GALLEY_ECLOSED);
    world->interim.code = GALLEY_OK;
    EXPECT_INT(galley_res_early_hints(rs), 0);
    return 204;
}

TEST(test_hints_that_failed_are_not_taken_for_sent)
{
    struct world world;
    world_init(&world);
    request(&world, hint_again_after_failure, &world);
    world_go(&world);
    EXPECT_INT(world.interim.count, 1);
    EXPECT_INT(counter_read(&world.counters.early_hints), 1);
    EXPECT_INT(world.status, 204);
    world_finish(&world);
}

/* ---- from elsewhere -------------------------------------------------------------------------- */

struct gate {
    atomic_int hinted, open, result;
};

static int hint_and_wait(galley_request *rq, galley_response *rs, void *arg)
{
    struct gate *gate = arg;
    (void)rq;
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    atomic_store(&gate->hinted, 1);
    while (!atomic_load(&gate->open)) {
        pause_ms(1);
    }
    EXPECT_INT(galley_res_add_header(rs, "Link", script), 0);
    atomic_store(&gate->result, galley_res_early_hints(rs));
    return galley_res_text(rs, 200, "page");
}

TEST(test_hints_of_a_worker_leave_while_it_works)
{
    struct world world;
    struct gate gate = {0};
    with_pool(&world);
    request(&world, hint_and_wait, &gate);
    world_go(&world);
    world_turn_until(&world, &world.interim.count);
    EXPECT_TEXT(world.interim.text, "Link: </a.css>; rel=preload; as=style\n\n");
    EXPECT_INT(world.responded, 0);
    atomic_store(&gate.open, 1);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(world.interim.count, 2);
    EXPECT_INT(world.status, 200);
    EXPECT_INT(atomic_load(&gate.result), 0);
    finish_with_pool(&world);
}

TEST(test_a_worker_hears_that_the_client_has_gone)
{
    struct world world;
    struct gate gate = {0};
    with_pool(&world);
    struct exchange *exchange = request(&world, hint_and_wait, &gate);
    world_go(&world);
    while (!atomic_load(&gate.hinted)) {
        pause_ms(1);
    }
    exchange_client_gone(exchange); /* the first hints may still be in the mailbox */
    atomic_store(&gate.open, 1);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(atomic_load(&gate.result), GALLEY_ECLOSED);
    EXPECT_INT(world.interim.count, 0);
    finish_with_pool(&world);
}

static int hint_then_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_res_add_header(rs, "Link", script), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", -1), 0);
    return galley_res_write(rs, "piece", 5);
}

/* The driver of the world fails the test if one comes behind the answer. */
TEST(test_hints_of_a_worker_come_before_its_pieces)
{
    struct world world;
    with_pool(&world);
    for (unsigned i = 1; i <= 20; i++) {
        world.responded = 0;
        request(&world, hint_then_pieces, NULL);
        world_go(&world);
        while (world.ended < i) {
            loop_turn(world.loop, 0);
        }
        EXPECT_INT(world.interim.count, 2 * i);
        EXPECT_INT(world.responded, 1);
    }
    finish_with_pool(&world);
}

static int hint_and_defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    *(galley_deferred **)arg = galley_res_defer(rs);
    return 0;
}

static void *hold(void *arg)
{
    galley_deferred *deferred = arg;
    galley_response *rs = galley_deferred_response(deferred);
    EXPECT_INT(galley_res_header(rs, "Link", css), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_deferred_finish(deferred, 204), 0);
    return NULL;
}

TEST(test_the_holder_of_a_deferral_may_hint)
{
    struct world world;
    galley_deferred *deferred = NULL;
    pthread_t thread;
    world_init(&world);
    request(&world, hint_and_defer, &deferred);
    world_go(&world);
    EXPECT_INT(pthread_create(&thread, NULL, hold, deferred), 0);
    world_turn_until(&world, &world.ended);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT_INT(world.interim.count, 1);
    EXPECT_INT(world.status, 204);
    world_finish(&world);
}

static void keep(struct exchange_keeper *keeper)
{
    (void)keeper;
}

TEST(test_an_orphan_gives_no_hints_and_asks_no_loop)
{
    struct world world;
    struct gate gate = {0};
    struct exchange_keeper keeper = {.refs = 1, .release = keep};
    with_pool(&world);
    struct exchange *exchange = request(&world, hint_and_wait, &gate);
    world_go(&world);
    while (!atomic_load(&gate.hinted)) {
        pause_ms(1);
    }
    exchange_client_gone(exchange);
    exchange_pool_abandon(&world.pool);
    while (loop_turn(world.loop, 0)) {
    }
    EXPECT_INT(exchange_pool_orphan(&world.pool, &keeper), 1);
    galley_pool *pool = world.services.pool;
    world_finish(&world);
    memset(&world, 0x5a, sizeof world);
    atomic_store(&gate.open, 1);
    galley_pool_free(pool);
    EXPECT_INT(atomic_load(&gate.result), GALLEY_ECLOSED);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int hint_with_little_memory(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int rc = galley_res_header(rs, "Link", css);
    for (unsigned i = 0; i < 12 && rc == GALLEY_OK; i++) {
        rc = galley_res_add_header(rs, "Link", css);
    }
    if (rc == GALLEY_OK) {
        rc = galley_res_early_hints(rs);
    }
    EXPECT(rc == GALLEY_OK || rc == GALLEY_ENOMEM);
    return rc == GALLEY_OK ? 204 : rc;
}

TEST(test_without_memory_nothing_is_hinted_and_nothing_is_lost)
{
    bool happened = true;
    unsigned failed = 0;
    for (uint64_t n = 1; happened; n++) {
        struct world world;
        world_init(&world);
        mem_fail_nth(n);
        struct exchange *exchange = world_request(&world, "GET", "/");
        if (exchange) {
            exchange->request.version = 20;
            world.route.handler = hint_with_little_memory;
            world_go(&world);
            EXPECT_INT(world.ended, 1);
            EXPECT(world.status == 204 ? world.interim.count == 1 : world.status == 503);
            failed += world.status == 503;
        }
        happened = mem_fail_happened();
        mem_fail_nth(0);
        world_finish(&world);
    }
    EXPECT(failed > 0);
}
