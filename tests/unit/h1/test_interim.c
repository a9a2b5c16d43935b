/* tests/unit/h1/test_interim.c — 103 over HTTP/1.1: where it stands among the answers of a connection,
 * that it leaves at once, and what becomes of it without memory or client. */
#include "support_h1.h"

#include "base/alloc.h"

#include <galley/hints.h>

#include "test.h"

static const char hint[] = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
static const char get[] = "GET /hint HTTP/1.1\r\nHost: a\r\n\r\n";

static int hint_and_suspend(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    EXPECT_INT(galley_res_header(rs, "Link", "</a.css>; rel=preload"), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(exchange_suspend(exchange_of_request(rq)), 0);
    world->later = exchange_of_request(rq);
    return 0;
}

static struct route_target route;
static void (*usual_dispatch)(void *ctx, struct exchange *exchange);

static void dispatch(void *ctx, struct exchange *exchange)
{
    if (span_equal(exchange->request.target.path, SPAN("/hint"))) {
        exchange->route = &route;
        exchange_want_body(exchange);
    } else {
        usual_dispatch(ctx, exchange);
    }
}

static void open_hinting(struct world *world, galley_handler *handler)
{
    world_open(world);
    usual_dispatch = world->services.dispatch;
    world->services.dispatch = dispatch;
    world->services.hints_over_http1 = true;
    route = (struct route_target){
        .handler = handler, .arg = world, .on_loop = true, .max_body_bytes = 100, .label = "hint"};
}

static void resume(struct world *world)
{
    struct exchange *exchange = world->later;
    world->later = NULL;
    EXPECT(exchange != NULL);
    exchange_resume(exchange, 204);
    sim_run(world->loop);
}

/* RFC 8297 §2, RFC 9110 §15.2: before the answer, which is as it would have been. */
TEST(test_a_hint_leaves_while_the_answer_is_being_made)
{
    struct world world;
    open_hinting(&world, hint_and_suspend);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    EXPECT_SPAN(sim_received(peer), hint);
    EXPECT_INT(world_conn(&world)->state, CONN_BUSY);
    sim_consume(peer, sizeof hint - 1);
    sim_advance(world.loop, 100000); /* nobody waits for the client */
    resume(&world);
    EXPECT_INT(first_status(peer), 204);
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, false);
    EXPECT_SPAN(answer_field(&answer, "Link"), "</a.css>; rel=preload");
    EXPECT_INT(world.logged[0].status, 204);
    EXPECT_INT(world.logged[0].bytes_sent, 0);
    EXPECT_INT(world_conn(&world)->state, CONN_IDLE);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_a_hint_stands_behind_the_answers_to_earlier_requests)
{
    struct world world;
    open_hinting(&world, hint_and_suspend);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer,
               "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
               "HEAD /hint HTTP/1.1\r\nHost: a\r\n\r\n"
               "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n");
    struct span rest = sim_received(peer);
    struct answer answer = answer_take(&rest, false, false);
    EXPECT_SPAN(answer.body, "hello");
    EXPECT_SPAN(rest, hint);
    sim_consume(peer, sim_received(peer).len);
    resume(&world);
    EXPECT_INT(answers_count(peer), 2);
    EXPECT_INT(world.logged_count, 3);
    sim_peer_free(peer);
    world_close(&world);
}

static int hint_much(galley_request *rq, galley_response *rs, void *arg)
{
    static char value[400];
    (void)rq, (void)arg;
    memset(value, 'x', sizeof value - 1);
    value[0] = '<';
    value[sizeof value - 2] = '>';
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_INT(galley_res_add_header(rs, "Link", value), 0);
    }
    EXPECT_INT(galley_res_early_hints(rs), 0);
    return 204;
}

TEST(test_a_hint_may_be_long)
{
    struct world world;
    open_hinting(&world, hint_much);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    const char *received = sim_received_text(peer).ptr;
    const char *end = strstr(received, "\r\n\r\n");
    EXPECT(end != NULL);
    EXPECT_INT(end - received, 24 + 20 * (2 + 6 + 399));
    EXPECT(strncmp(end + 4, "HTTP/1.1 204 ", 13) == 0);
    sim_peer_free(peer);
    world_close(&world);
}

/* RFC 9110 §15.2: one or more of them may come before the answer. */
TEST(test_a_hint_may_follow_100_continue)
{
    struct world world;
    open_hinting(&world, hint_and_suspend);
    struct sim_peer *peer = world_connect(&world);
    world_send(
        &world, peer,
        "POST /hint HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_SPAN(sim_received(peer), "HTTP/1.1 100 Continue\r\n\r\n");
    sim_consume(peer, sim_received(peer).len);
    world_send(&world, peer, "ab");
    EXPECT_SPAN(sim_received(peer), hint);
    sim_consume(peer, sim_received(peer).len);
    resume(&world);
    EXPECT_INT(first_status(peer), 204);
    sim_peer_free(peer);
    world_close(&world);
}

static int ask_driver(galley_request *rq, galley_response *rs, void *arg)
{
    struct exchange *exchange = exchange_of_request(rq);
    struct response_field bad = {.name = SPAN("Link"), .value = SPAN("</a>\r\nX: y")};
    (void)rs, (void)arg;
    EXPECT_INT(exchange->driver->interim(exchange, 103, &bad), GALLEY_EINVAL);
    return 204;
}

TEST(test_an_interim_answer_ends_no_line_early)
{
    struct world world;
    open_hinting(&world, ask_driver);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    EXPECT_INT(first_status(peer), 204);
    sim_peer_free(peer);
    world_close(&world);
}

TEST(test_behind_an_answer_and_on_a_closed_connection_nothing_is_said)
{
    struct world world;
    struct response_field field = {.name = SPAN("Link"), .value = SPAN("</a>")};
    open_hinting(&world, hint_and_suspend);
    struct sim_peer *peer = world_connect(&world);
    world_send(&world, peer, get);
    conn_close(world_conn(&world), CLOSE_STOP_NOW, true); /* nobody has been told yet */
    const struct exchange_driver *driver = world.later->driver;
    EXPECT_INT(driver->interim(world.later, 103, &field), GALLEY_ECLOSED);
    sim_run(world.loop);
    resume(&world);
    sim_peer_free(peer);
    peer = world_connect(&world);
    sim_set_window(peer, 0);
    world_send(&world, peer, "GET /borrowed HTTP/1.1\r\nHost: a\r\n\r\n");
    struct exchange *exchange = CONTAINER_OF(world.exchanges.live_list.next, struct exchange, live);
    EXPECT(exchange->has_responded);
    EXPECT_INT(driver->interim(exchange, 103, &field), GALLEY_ESTATE);
    sim_peer_free(peer);
    world_close(&world);
}

static int hint_if_possible(galley_request *rq, galley_response *rs, void *arg)
{
    static const char value[] =
        "</a.css>; rel=preload; as=style; title=\"so long that a few of them "
        "do not fit into the room that a usual head takes\"";
    (void)rq, (void)arg;
    int rc = GALLEY_OK;
    for (unsigned i = 0; i < 20 && rc == GALLEY_OK; i++) {
        rc = galley_res_add_header(rs, "Link", value);
    }
    if (rc == GALLEY_OK) {
        rc = galley_res_early_hints(rs);
    }
    EXPECT(rc == GALLEY_OK || rc == GALLEY_ENOMEM);
    return 204;
}

TEST(test_without_memory_there_is_a_whole_hint_or_none)
{
    bool happened = true;
    unsigned whole = 0, none = 0;
    for (uint64_t n = 1; happened; n++) {
        struct world world;
        open_hinting(&world, hint_if_possible);
        mem_fail_nth(n);
        struct sim_peer *peer = world_connect(&world);
        if (peer) {
            world_send(&world, peer, get);
        }
        happened = mem_fail_happened();
        mem_fail_nth(0);
        if (peer) {
            int status = first_status(peer);
            EXPECT(status == 0 || status == 103 || status == 204 || status == 503);
            EXPECT(status != 103 || sim_is_closed(peer) ||
                   strstr(sim_received_text(peer).ptr, "HTTP/1.1 204 "));
            whole += status == 103;
            none += status == 204;
            sim_peer_free(peer);
        }
        world_close(&world);
    }
    EXPECT(whole > 0 && none > 0);
}
