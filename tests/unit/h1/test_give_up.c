/* An exchange whose owner does not let go: the driver answers in its place, or cuts what was begun.
 * And 101: what an upgrade looks like on the wire. */
#include "support_lab.h"

#include "base/alloc.h"
#include "exchange/stream.h"

#include <galley/stream.h>

static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

static galley_deferred *the_deferral;
static struct exchange *the_exchange;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    the_exchange = exchange_of_request(rq);
    the_deferral = galley_res_defer(rs);
    return the_deferral ? 0 : GALLEY_ENOMEM;
}

static void run(struct lab *lab)
{
    sim_run(lab->world.loop);
}

/* As exchange_timeout.c does. */
static void give_up(int status)
{
    the_exchange->given_up = the_exchange->has_responded ? 0 : (uint16_t)status;
    the_exchange->driver->give_up(the_exchange, status);
    exchange_client_gone(the_exchange);
}

static void start(struct lab *lab, const char *request)
{
    the_deferral = NULL;
    lab_open(lab, defer, EXCHANGE_BODY_BUFFER, true);
    lab_send(lab, request);
    run(lab);
}

/* RFC 9110 §10.2.3, RFC 9112 §9.6 */
TEST(test_the_driver_answers_in_the_owners_place)
{
    struct lab lab;
    start(&lab, get);
    give_up(503);
    run(&lab);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.status, 503);
    EXPECT_SPAN(answer.body, "Service Unavailable\n");
    EXPECT_SPAN(answer_field(&answer, "Connection"), "close");
    EXPECT_SPAN(answer_field(&answer, "Retry-After"), "1");
    EXPECT_SPAN(answer_field(&answer, "X-Content-Type-Options"), "nosniff");
    EXPECT_INT(lab.world.logged_count, 0); /* the owner has it still */
    EXPECT_INT(galley_res_text(galley_deferred_response(the_deferral), 200, "too late"), 0);
    EXPECT(!galley_deferred_is_wanted(the_deferral));
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), GALLEY_ECLOSED);
    run(&lab);
    EXPECT_INT(lab.world.logged_count, 1);
    EXPECT_INT(lab.world.logged[0].status, 503);
    EXPECT_INT(lab.world.logged[0].bytes_sent, 20);
    lab_close(&lab);
}

TEST(test_to_head_it_has_no_content)
{
    struct lab lab;
    start(&lab, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    give_up(503);
    run(&lab);
    struct span rest = sim_received(lab.peer);
    struct answer answer = answer_take(&rest, true, false);
    EXPECT_INT(answer.status, 503);
    EXPECT_SPAN(answer_field(&answer, "Content-Length"), "20");
    EXPECT_INT(rest.len, 0);
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), GALLEY_ECLOSED);
    run(&lab);
    EXPECT_INT(lab.world.logged[0].bytes_sent, 0);
    lab_close(&lab);
}

TEST(test_what_was_begun_is_cut)
{
    struct lab lab;
    start(&lab, get);
    EXPECT_INT(galley_res_begin(galley_deferred_response(the_deferral), 200, NULL, -1), 0);
    EXPECT_INT(galley_res_write(galley_deferred_response(the_deferral), "half", 4), 0);
    run(&lab);
    give_up(503);
    run(&lab);
    EXPECT(sim_is_reset(lab.peer));
    EXPECT_INT(galley_res_write(galley_deferred_response(the_deferral), "x", 1), GALLEY_ECLOSED);
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), GALLEY_ECLOSED);
    run(&lab);
    EXPECT_INT(lab.world.logged[0].status, 200);
    EXPECT_INT(lab.world.logged[0].bytes_sent, 4);
    lab_close(&lab);
}

TEST(test_giving_up_when_the_client_resets_in_the_same_turn)
{
    struct lab lab;
    start(&lab, get);
    sim_reset(lab.peer);
    run(&lab);
    EXPECT(the_exchange->client_is_gone);
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), GALLEY_ECLOSED);
    lab_close(&lab);
}

TEST(test_a_page_without_memory_is_a_reset)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct lab lab;
        start(&lab, get);
        mem_fail_nth(n);
        give_up(503);
        run(&lab);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(sim_is_reset(lab.peer) || lab_answer(&lab, 1).status == 503);
        EXPECT_INT(galley_deferred_finish(the_deferral, 0), GALLEY_ECLOSED);
        lab_close(&lab);
    }
}

/* ---- 101 ---- */

static struct stream *tunnel;
static const struct stream_options tunnel_options = {.buffer_bytes = 1000};

static int upgrade(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT_INT(galley_res_header(rs, "X-Accept", "yes"), 0);
    return exchange_upgrade(exchange_of_request(rq), SPAN("echo/2"), &tunnel_options, &tunnel);
}

/* RFC 9110 §7.8, §15.2.2; RFC 9112 §6.3: no length, no chunks. */
TEST(test_an_upgrade_on_the_wire)
{
    struct lab lab;
    lab_open(&lab, upgrade, EXCHANGE_BODY_BUFFER, true);
    lab_send(&lab, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/2\r\n\r\n");
    EXPECT_INT(stream_write(tunnel, "raw ", 4), 0);
    run(&lab);
    EXPECT_INT(stream_write(tunnel, "bytes", 5), 0);
    run(&lab);
    struct span all = sim_received(lab.peer);
    EXPECT(memmem(all.ptr, all.len, "HTTP/1.1 101 Switching Protocols\r\n", 34) == all.ptr);
    EXPECT(memmem(all.ptr, all.len, "\r\nConnection: Upgrade\r\nUpgrade: echo/2\r\n", 40));
    EXPECT(memmem(all.ptr, all.len, "\r\nX-Accept: yes\r\n", 17));
    EXPECT(memmem(all.ptr, all.len, "\r\n\r\nraw bytes", 13) == all.ptr + all.len - 13);
    EXPECT(!memmem(all.ptr, all.len, "Content-Length", 14));
    EXPECT(!memmem(all.ptr, all.len, "Transfer-Encoding", 17));
    EXPECT(!memmem(all.ptr, all.len, "close", 5));
    EXPECT(!sim_is_closed(lab.peer));
    stream_close(tunnel);
    run(&lab);
    EXPECT(sim_is_closed(lab.peer));
    EXPECT(!sim_is_reset(lab.peer));
    EXPECT_INT(lab.world.logged[0].status, 101);
    EXPECT_INT(lab.world.logged[0].bytes_sent, 9);
    stream_unref(tunnel);
    lab_close(&lab);
}
