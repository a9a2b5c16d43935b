/* Early hints as a user sees them: by the test client, which reads past them, and by a connection of it,
 * which shows them. */
#include "support_counters.h"
#include "support_test_client.h"

#include <galley/hints.h>

static const char link_value[] = "</a.css>; rel=preload; as=style";
static const char hint[] =
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n";

static int give_hint(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    EXPECT_INT(galley_res_header(rs, "Link", link_value), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    return galley_res_text(rs, 200, arg);
}

static galley_deferred *held;

static int give_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    held = galley_res_defer(rs);
    return held ? 0 : 500;
}

static galley_server *hinting(uint32_t flags)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.flags = flags;
    galley_server *srv = make_with(&opt);
    galley_route_options loop = on_loop();
    galley_server_route(srv, "/pool", give_hint, "page", NULL);
    galley_server_route(srv, "/loop", give_hint, "page", &loop);
    galley_server_route(srv, "/later", give_later, NULL, NULL);
    return srv;
}

TEST(test_the_test_client_reads_past_hints)
{
    galley_server *srv = hinting(GALLEY_SERVER_HINTS_HTTP1);
    galley_test *t = drive(srv);
    galley_test_reply r;
    static const char *const requests[] = {"GET /pool", "GET /loop", "HEAD /pool"};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(galley_test_call(t, requests[i], NULL, 0, &r), 0);
        EXPECT_INT(r.status, 200);
        EXPECT_SPAN(r.body, i < 2 ? "page" : "");
        galley_str link = galley_test_header(t, &r, "Link");
        EXPECT_SPAN(link, link_value);
    }
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    EXPECT_INT(stats.responses[1], 0); /* an exchange counts by its answer */
    EXPECT_INT(stats.responses[2], 3);
    EXPECT_INT(counter_of(srv, "early_hints"), 3);
    end(t, srv);
}

TEST(test_hints_stand_before_their_answer_and_behind_earlier_ones)
{
    galley_server *srv = hinting(GALLEY_SERVER_HINTS_HTTP1);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/pool") GET("/loop")), 0);
    const char *at = galley_test_received(c).ptr;
    for (int i = 0; i < 2; i++) {
        EXPECT(strncmp(at, hint, sizeof hint - 1) == 0);
        at += sizeof hint - 1;
        EXPECT(strncmp(at, "HTTP/1.1 200 ", 13) == 0);
        at = strstr(at, "\r\n\r\npage");
        EXPECT(at != NULL);
        at += 8;
    }
    EXPECT_TEXT(at, "");
    end(t, srv);
}

TEST(test_a_holder_hints_before_it_answers)
{
    galley_server *srv = hinting(GALLEY_SERVER_HINTS_HTTP1);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/later")), 0);
    EXPECT_TEXT(galley_test_received(c).ptr, "");
    galley_response *rs = galley_deferred_response(held);
    EXPECT_INT(galley_res_header(rs, "Link", link_value), 0);
    EXPECT_INT(galley_res_early_hints(rs), 0);
    EXPECT_INT(galley_test_send(c, "", 0), 0); /* the loop turns */
    EXPECT_TEXT(galley_test_received(c).ptr, hint);
    EXPECT_INT(galley_deferred_finish(held, 204), 0);
    EXPECT_INT(galley_test_send(c, "", 0), 0);
    EXPECT(has(c, "HTTP/1.1 204 "));
    end(t, srv);
}

TEST(test_a_holder_hears_that_the_client_has_gone)
{
    galley_server *srv = hinting(GALLEY_SERVER_HINTS_HTTP1);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/later")), 0);
    EXPECT_INT(galley_test_hangup(c), 0);
    galley_response *rs = galley_deferred_response(held);
    EXPECT_INT(galley_res_header(rs, "Link", link_value), 0);
    EXPECT_INT(galley_res_early_hints(rs), GALLEY_ECLOSED);
    EXPECT_INT(galley_deferred_finish(held, 204), GALLEY_ECLOSED);
    end(t, srv);
}

/* RFC 8297 §3 */
TEST(test_clients_of_http_1_1_get_none_unless_the_server_says_so)
{
    galley_server *srv = hinting(0);
    galley_test *t = drive(srv);
    galley_test_conn *c = galley_test_connect(t);
    EXPECT_INT(SEND(c, GET("/pool")), 0);
    EXPECT(strncmp(galley_test_received(c).ptr, "HTTP/1.1 200 ", 13) == 0);
    EXPECT_INT(counter_of(srv, "early_hints"), 0);
    end(t, srv);
}
