/* 103 over HTTP/2: HEADERS without END_STREAM, before those of the answer; what becomes of them when the
 * client resets, or memory runs out. The client is nghttp2, which judges the order of frames. */
#include "support_h2.h"

#include "base/alloc.h"

#include <galley/hints.h>

#include "test.h"

static int hint_and_suspend(galley_request *rq, galley_response *rs, void *arg)
{
    struct world *world = arg;
    EXPECT_INT(galley_res_header(rs, "Link", "</a.css>; rel=preload"), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(exchange_suspend(exchange_of_request(rq)), 0);
    world->later[world->later_count++] = exchange_of_request(rq);
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
    route = (struct route_target){
        .handler = handler, .arg = world, .on_loop = true, .max_body_bytes = 100, .label = "hint"};
}

/* RFC 9113 §8.1: an interim response is a HEADERS frame without END_STREAM. */
TEST(test_a_hint_leaves_while_the_answer_is_being_made)
{
    struct world world;
    struct h2_client client;
    open_hinting(&world, hint_and_suspend);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/hint");
    EXPECT_INT(stream->interim, 103);
    EXPECT_INT(stream->status, 0);
    EXPECT_TEXT(stream->fields, ":status: 103\nlink: </a.css>; rel=preload\n");
    EXPECT(!stream->is_closed);
    EXPECT_INT(client_get(&client, "/")->status, 200); /* others are not held up */
    stream->fields[0] = '\0';
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    EXPECT_INT(stream->status, 204);
    EXPECT(stream_has_field(stream, "link: </a.css>; rel=preload"));
    EXPECT(stream->is_closed && stream->error == 0);
    EXPECT_INT(world.logged[1].status, 204);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

static int hint_and_answer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_INT(galley_res_add_header(rs, "Link", "</a.css>; rel=preload"), 0);
        EXPECT_INT(galley_res_early_hints(rs), 0);
    }
    return galley_res_text(rs, 200, "page");
}

TEST(test_hints_and_answer_of_one_turn_are_in_order)
{
    struct world world;
    struct h2_client client;
    open_hinting(&world, hint_and_answer);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/hint");
    static const char hints[] = ":status: 103\nlink: </a.css>; rel=preload\n"
                                ":status: 103\nlink: </a.css>; rel=preload\n"
                                ":status: 103\nlink: </a.css>; rel=preload\n"
                                ":status: 200\n";
    EXPECT(strncmp(stream->fields, hints, sizeof hints - 1) == 0);
    EXPECT_SPAN(buf_span(&stream->body), "page");
    EXPECT(stream->is_closed && !client.has_failed);
    const char *const head[] = {":method", "HEAD",  ":scheme", "http", ":authority",
                                "a",       ":path", "/hint",   NULL};
    stream = client_request(&client, head, NULL, true);
    EXPECT_INT(stream->interim, 103);
    EXPECT_INT(stream->status, 200);
    EXPECT(stream->is_closed && !client.has_failed);
    client_close(&client);
    world_close(&world);
}

static int hint_much(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int rc = GALLEY_OK;
    for (unsigned i = 0; i < 30 && rc == GALLEY_OK; i++) {
        rc = galley_res_add_header(rs, "Link", "</a.css>; rel=preload");
    }
    if (rc == GALLEY_OK) {
        rc = galley_res_early_hints(rs);
    }
    EXPECT(rc == GALLEY_OK || rc == GALLEY_ENOMEM);
    return 204;
}

TEST(test_a_hint_may_have_many_lines)
{
    struct world world;
    struct h2_client client;
    open_hinting(&world, hint_much);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/hint");
    const char *answer = strstr(stream->fields, ":status: 204\n");
    EXPECT(answer != NULL);
    EXPECT_INT(answer - stream->fields, 13 + 30 * 28);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

/* RFC 9110 §10.1.1, §15.2: 100 and 103 before one answer. */
TEST(test_a_hint_may_follow_100_continue)
{
    struct world world;
    struct h2_client client;
    open_hinting(&world, hint_and_suspend);
    client_open(&client, &world, 0);
    const char *const head[] = {":method", "POST",  ":scheme", "http",         ":authority", "a",
                                ":path",   "/hint", "expect",  "100-continue", NULL};
    struct client_stream *stream = client_request(&client, head, NULL, false);
    EXPECT_INT(stream->interim, 100);
    client_upload(&client, stream, "ab", 2, true);
    EXPECT_INT(stream->interim, 103);
    EXPECT(world_resume(&world, 204));
    client_turn(&client);
    EXPECT_INT(stream->status, 204);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

static int hint_again(struct exchange *exchange)
{
    struct response_field field = {.name = SPAN("Link"), .value = SPAN("</a>")};
    return exchange->driver->interim(exchange, 103, &field);
}

TEST(test_behind_an_answer_and_on_a_reset_stream_nothing_is_said)
{
    struct world world;
    struct h2_client client;
    open_hinting(&world, hint_and_suspend);
    client_open(&client, &world, 0);
    struct client_stream *stream = client_get(&client, "/hint");
    struct exchange *exchange = world.later[0];
    client_reset(&client, stream);
    EXPECT(exchange->client_is_gone);
    EXPECT_INT(galley_res_early_hints((galley_response *)(void *)exchange), 0); /* nothing new */
    EXPECT_INT(hint_again(exchange), GALLEY_ECLOSED);
    EXPECT(world_resume(&world, 204));
    client.keeps_windows = true;
    stream = client_get(&client, "/source?9");
    EXPECT_INT(stream->status, 200);
    exchange = CONTAINER_OF(world.exchanges.live_list.next, struct exchange, live);
    EXPECT_INT(hint_again(exchange), GALLEY_ESTATE);
    EXPECT(!client.has_failed);
    client_close(&client);
    world_close(&world);
}

TEST(test_without_memory_nothing_is_left_behind)
{
    struct buf out;
    buf_init(&out, 0);
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    buf_append(&out, preface, sizeof preface - 1);
    raw_add(&out, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    raw_add_get(&out, 1, "/hint", NGHTTP2_FLAG_END_STREAM);
    bool happened = true;
    for (uint64_t n = 1; happened; n++) {
        struct world world;
        open_hinting(&world, hint_much);
        mem_fail_nth(n);
        struct sim_peer *peer = world_connect(&world);
        if (peer) {
            raw_send(&world, peer, out.data, out.len);
        }
        happened = mem_fail_happened();
        mem_fail_nth(0);
        if (peer) {
            sim_shutdown(peer);
            sim_advance(world.loop, 100000);
            EXPECT_INT(world.exchanges.live, 0);
            sim_peer_free(peer);
        }
        world_close(&world);
    }
    buf_finish(&out);
}
