/* Answers that go on by themselves, over the whole of h1: streams, sources, deferrals, descriptors;
 * clients that are slow, leave, or speak HTTP/1.0. On the virtual clock. */
#include "support_lab.h"

#include "base/alloc.h"

#include <galley/stream.h>

#include <unistd.h>

static const char get[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
static const char get_plain[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static galley_stream *the_stream;
static unsigned closed_calls;
static galley_stream_options options;
static const char *type;

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

static void open_lab(struct lab *lab, galley_handler *handler)
{
    closed_calls = 0;
    the_stream = NULL;
    type = "text/plain";
    options = (galley_stream_options)GALLEY_STREAM_OPTIONS_INIT;
    options.closed = closed;
    lab_open(lab, handler, EXCHANGE_BODY_BUFFER, true);
}

static galley_stream *start(struct lab *lab, const char *request)
{
    open_lab(lab, begin_stream);
    lab_send(lab, request);
    EXPECT(the_stream);
    return the_stream;
}

static void run(struct lab *lab)
{
    sim_run(lab->world.loop);
}

static void end(struct lab *lab)
{
    run(lab);
    EXPECT_INT(lab->world.exchanges.live, 0);
    EXPECT_INT(closed_calls, the_stream != NULL);
    galley_stream_unref(the_stream);
    lab_close(lab);
}

static bool has_received(const struct lab *lab, const char *text)
{
    struct span all = sim_received(lab->peer);
    return all.ptr && memmem(all.ptr, all.len, text, strlen(text)) != NULL;
}

static void write_text(galley_stream *st, const char *text)
{
    EXPECT_INT(galley_stream_write(st, text, strlen(text)), 0);
}

/* RFC 9112 §7.1 */
TEST(test_a_stream_is_chunked_and_the_connection_goes_on)
{
    struct lab lab;
    galley_stream *st = start(&lab, get);
    EXPECT(has_received(&lab, "Transfer-Encoding: chunked\r\n"));
    write_text(st, "one");
    run(&lab);
    EXPECT(has_received(&lab, "3\r\none\r\n"));
    EXPECT_INT(galley_stream_waiting(st), 0);
    write_text(st, "two");
    galley_stream_close(st);
    run(&lab);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_SPAN(answer.body, "onetwo");
    lab_send(&lab, get_plain);
    answer = lab_answer(&lab, 2);
    EXPECT_SPAN(answer.body, "plain");
    EXPECT_INT(lab.world.logged[0].bytes_sent, 6);
    end(&lab);
}

TEST(test_a_pipelined_request_waits_for_the_end_of_the_stream)
{
    struct lab lab;
    galley_stream *st = start(&lab, get);
    lab_send(&lab, get_plain);
    EXPECT(!has_received(&lab, "plain\n"));
    EXPECT_INT(lab.world.logged_count, 0);
    galley_stream_close(st);
    run(&lab);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    end(&lab);
}

/* RFC 9112 §6.3: to HTTP/1.0 the end of the connection is the end. */
TEST(test_a_stream_to_http_1_0_ends_with_the_connection)
{
    struct lab lab;
    galley_stream *st = start(&lab, "GET /x HTTP/1.0\r\n\r\n");
    write_text(st, "bytes");
    run(&lab);
    EXPECT(has_received(&lab, "Connection: close\r\n"));
    EXPECT(has_received(&lab, "\r\n\r\nbytes"));
    EXPECT(!sim_is_closed(lab.peer));
    galley_stream_close(st);
    run(&lab);
    EXPECT(sim_is_closed(lab.peer));
    EXPECT(!sim_is_reset(lab.peer));
    end(&lab);
}

/* RFC 9110 §9.3.2 */
TEST(test_head_gets_the_head_of_a_stream)
{
    struct lab lab;
    start(&lab, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    run(&lab);
    EXPECT(has_received(&lab, "Transfer-Encoding: chunked\r\n"));
    EXPECT(!has_received(&lab, "0\r\n\r\n"));
    EXPECT_INT(closed_calls, 1);
    size_t len = sim_received(lab.peer).len;
    sim_consume(lab.peer, len);
    lab_send(&lab, get_plain);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "plain");
    end(&lab);
}

/* ---- deadlines ---- */

enum { HOUR_MS = 3600 * 1000 };

TEST(test_a_silent_stream_has_no_deadline)
{
    struct lab lab;
    galley_stream *st = start(&lab, get);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_BUSY);
    sim_advance(lab.world.loop, HOUR_MS);
    EXPECT(!sim_is_closed(lab.peer));
    write_text(st, "still here");
    run(&lab);
    EXPECT(has_received(&lab, "still here"));
    galley_stream_close(st);
    end(&lab);
}

TEST(test_an_event_stream_beats_over_the_wire)
{
    struct lab lab;
    open_lab(&lab, begin_stream);
    type = NULL;
    options.heartbeat_ms = 10000;
    lab_send(&lab, get);
    sim_advance(lab.world.loop, 35000);
    EXPECT_INT(lab.world.exchanges.live, 1);
    EXPECT(has_received(&lab, "2\r\n:\n\r\n2\r\n:\n\r\n2\r\n:\n\r\n"));
    galley_stream_close(the_stream);
    end(&lab);
}

TEST(test_who_does_not_read_what_waits_is_cut)
{
    struct lab lab;
    galley_stream *st = start(&lab, get);
    sim_set_window(lab.peer, 0);
    write_text(st, "nobody reads this");
    run(&lab);
    EXPECT_INT(world_conn(&lab.world)->state, CONN_SENDING);
    EXPECT_INT(galley_stream_waiting(st), 17);
    sim_advance(lab.world.loop, 60000);
    EXPECT(sim_is_reset(lab.peer));
    EXPECT_INT(closed_calls, 1);
    EXPECT_INT(galley_stream_write(st, "x", 1), GALLEY_ECLOSED);
    end(&lab);
}

TEST(test_a_slow_reader_costs_its_buffer_and_gets_all)
{
    struct lab lab;
    open_lab(&lab, begin_stream);
    options.buffer_bytes = 10000;
    lab_send(&lab, get);
    galley_stream *st = the_stream;
    sim_consume(lab.peer, sim_received(lab.peer).len);
    sim_set_window(lab.peer, 0);
    unsigned written = 0;
    while (galley_stream_write(st, "0123456789", 10) == 0) {
        written++;
        run(&lab);
        EXPECT(galley_stream_waiting(st) <= 10000);
    }
    EXPECT_INT(written, 1000);
    EXPECT_INT(galley_stream_write(st, "0123456789", 10), GALLEY_EFULL);
    sim_set_window(lab.peer, 4000);
    run(&lab);
    EXPECT_INT(galley_stream_write(st, "x", 0), 0);
    sim_set_window(lab.peer, SIZE_MAX);
    run(&lab);
    EXPECT_INT(galley_stream_waiting(st), 0);
    EXPECT_INT(galley_stream_write(st, "0123456789", 10), 0);
    galley_stream_close(st);
    end(&lab);
    EXPECT_INT(lab.world.logged[0].bytes_sent, 10010);
}

/* ---- hang-ups, drain, stop ---- */

enum stage { AT_ONCE, WRITTEN, WAITING, FULL, CLOSING, STAGES };

static void go_to(struct lab *lab, enum stage stage)
{
    galley_stream *st = start(lab, get);
    if (stage >= WAITING) {
        sim_set_window(lab->peer, 0);
    }
    if (stage >= WRITTEN) {
        write_text(st, "some bytes");
    }
    if (stage >= WAITING) {
        run(lab);
        write_text(st, "more bytes");
    }
    while (stage >= FULL && galley_stream_write(st, lab->world.big, 1000) == 0) {
    }
    if (stage == CLOSING) {
        galley_stream_close(st);
        run(lab);
    }
}

TEST(test_the_client_hangs_up_at_every_stage)
{
    for (enum stage stage = AT_ONCE; stage < STAGES; stage++) {
        struct lab lab;
        go_to(&lab, stage);
        sim_reset(lab.peer);
        run(&lab);
        EXPECT_INT(closed_calls, 1);
        EXPECT_INT(galley_stream_write(the_stream, "x", 1), GALLEY_ECLOSED);
        end(&lab);
    }
}

TEST(test_the_server_stops_at_once_at_every_stage)
{
    for (enum stage stage = AT_ONCE; stage < STAGES; stage++) {
        struct lab lab;
        go_to(&lab, stage);
        exchange_pool_abandon(&lab.world.exchanges);
        conn_set_close_all(&lab.world.set, CLOSE_STOP_NOW);
        run(&lab);
        EXPECT(sim_is_closed(lab.peer));
        EXPECT_INT(closed_calls, 1);
        EXPECT_INT(galley_stream_write(the_stream, "x", 1), GALLEY_ECLOSED);
        end(&lab);
    }
}

TEST(test_the_server_drains_at_every_stage)
{
    for (enum stage stage = AT_ONCE; stage < STAGES; stage++) {
        struct lab lab;
        go_to(&lab, stage);
        exchange_pool_hint_stop(&lab.world.exchanges);
        conn_set_drain(&lab.world.set);
        run(&lab);
        EXPECT_INT(galley_stream_write(the_stream, "x", 1), GALLEY_ECLOSED);
        EXPECT_INT(sim_is_closed(lab.peer), stage < WAITING);
        sim_set_window(lab.peer, SIZE_MAX);
        run(&lab);
        EXPECT(sim_is_closed(lab.peer));
        EXPECT(!sim_is_reset(lab.peer));
        EXPECT(has_received(&lab, "\r\n0\r\n\r\n"));
        end(&lab);
    }
}

TEST(test_a_half_closed_client_keeps_its_stream)
{
    struct lab lab;
    galley_stream *st = start(&lab, get);
    sim_shutdown(lab.peer);
    run(&lab);
    write_text(st, "heard");
    run(&lab);
    EXPECT(has_received(&lab, "heard"));
    galley_stream_close(st);
    run(&lab);
    EXPECT(sim_is_closed(lab.peer));
    end(&lab);
}

TEST(test_each_allocation_of_a_connection_with_a_stream_may_fail)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct lab lab;
        open_lab(&lab, begin_stream);
        mem_fail_nth(n);
        lab_send(&lab, get);
        for (int i = 0; i < 3; i++) {
            (void)galley_stream_write(the_stream, "0123456789", 10);
            run(&lab);
        }
        galley_stream_close(the_stream);
        run(&lab);
        has_failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(!has_failed || n < 1000);
        end(&lab);
    }
}

/* ---- sources ---- */

static unsigned pulls, ends;
static size_t left;

static ssize_t give_digits(void *buf, size_t len, void *arg)
{
    (void)arg;
    pulls++;
    size_t n = left < len ? left : len;
    memset(buf, '7', n);
    left -= n;
    return (ssize_t)n;
}

static void note_end(void *arg)
{
    (void)arg;
    ends++;
}

static int64_t declared;

static int begin_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_source(rs, 200, NULL, declared, give_digits, note_end, NULL);
}

static void open_source(struct lab *lab, size_t bytes, int64_t length)
{
    pulls = 0;
    ends = 0;
    left = bytes;
    declared = length;
    open_lab(lab, begin_source);
}

TEST(test_a_source_over_the_wire)
{
    struct lab lab;
    open_source(&lab, 1000000, 1000000);
    lab_send(&lab, get);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.body.len, 1000000);
    EXPECT(answer.has_length);
    EXPECT_INT(ends, 1);
    left = 200000;
    declared = -1;
    lab_send(&lab, get);
    answer = lab_answer(&lab, 2);
    EXPECT(answer.is_chunked);
    EXPECT_INT(answer.body.len, 200000);
    EXPECT_INT(ends, 2);
    end(&lab);
}

TEST(test_a_source_waits_for_a_slow_reader)
{
    struct lab lab;
    open_source(&lab, 1000000, -1);
    sim_set_window(lab.peer, 1000);
    lab_send(&lab, get);
    EXPECT_INT(pulls, 1);
    sim_set_window(lab.peer, 1000);
    run(&lab);
    EXPECT_INT(pulls, 1);
    sim_reset(lab.peer);
    run(&lab);
    EXPECT_INT(ends, 1);
    end(&lab);
}

TEST(test_a_source_that_is_short_resets)
{
    struct lab lab;
    open_source(&lab, 999, 1000);
    lab_send(&lab, get);
    EXPECT(sim_is_reset(lab.peer));
    EXPECT_INT(ends, 1);
    end(&lab);
}

TEST(test_a_source_of_nothing_has_no_bytes)
{
    struct lab lab;
    open_source(&lab, 0, -1);
    lab_send(&lab, get);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.body.len, 0);
    EXPECT(answer.has_length); /* known by then */
    lab_send(&lab, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_INT(ends, 2);
    EXPECT(has_received(&lab, "Transfer-Encoding: chunked\r\n"));
    end(&lab);
}

/* ---- deferrals ---- */

static galley_deferred *the_deferral;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    the_deferral = galley_res_defer(rs);
    return the_deferral ? 0 : GALLEY_ENOMEM;
}

TEST(test_a_deferred_answer_keeps_its_place_in_the_order)
{
    struct lab lab;
    open_lab(&lab, defer);
    lab_send(&lab, get);
    lab_send(&lab, get_plain);
    sim_advance(lab.world.loop, HOUR_MS);
    EXPECT_INT(sim_received(lab.peer).len, 0);
    EXPECT_INT(galley_res_text(galley_deferred_response(the_deferral), 200, "later"), 0);
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), 0);
    run(&lab);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "later");
    EXPECT_SPAN(lab_answer(&lab, 2).body, "plain");
    end(&lab);
}

TEST(test_a_deferral_may_begin_a_stream_or_a_source)
{
    struct lab lab;
    open_lab(&lab, defer);
    lab_send(&lab, get);
    the_stream =
        galley_res_stream(galley_deferred_response(the_deferral), 200, "text/plain", &options);
    EXPECT(the_stream);
    write_text(the_stream, "before the end of the deferral");
    run(&lab);
    EXPECT(has_received(&lab, "before the end of the deferral"));
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), 0);
    run(&lab);
    write_text(the_stream, " and after");
    galley_stream_close(the_stream);
    run(&lab);
    EXPECT_SPAN(lab_answer(&lab, 1).body, "before the end of the deferral and after");
    lab_send(&lab, get);
    ends = 0;
    left = 5;
    EXPECT_INT(galley_res_source(galley_deferred_response(the_deferral), 200, NULL, 5, give_digits,
                                 note_end, NULL),
               0);
    EXPECT_INT(galley_deferred_finish(the_deferral, 0), 0);
    run(&lab);
    EXPECT_SPAN(lab_answer(&lab, 2).body, "77777");
    EXPECT_INT(ends, 1);
    end(&lab);
}

TEST(test_a_client_that_resets_is_seen_by_its_deferral)
{
    struct lab lab;
    open_lab(&lab, defer);
    lab_send(&lab, get);
    EXPECT(galley_deferred_is_wanted(the_deferral));
    sim_reset(lab.peer);
    run(&lab);
    EXPECT(!galley_deferred_is_wanted(the_deferral));
    EXPECT_INT(galley_deferred_finish(the_deferral, 200), GALLEY_ECLOSED);
    end(&lab);
    EXPECT(lab.world.logged[0].client_is_gone);
}

/* ---- descriptors ---- */

static off_t file_bytes, shrinks_to;

static int give_fd(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    char path[] = "/tmp/galley-test-XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(ftruncate(fd, file_bytes), 0);
    EXPECT_INT(pwrite(fd, "begin", 5, 0), 5);
    int rc = galley_res_fd(rs, 200, "text/csv", fd, 0, -1);
    EXPECT_INT(ftruncate(fd, shrinks_to), 0);
    return rc;
}

TEST(test_a_file_by_descriptor_over_the_wire)
{
    struct lab lab;
    file_bytes = 100000;
    shrinks_to = 100000;
    open_lab(&lab, give_fd);
    lab_send(&lab, get);
    struct answer answer = lab_answer(&lab, 1);
    EXPECT_INT(answer.body.len, 100000);
    EXPECT(memcmp(answer.body.ptr, "begin", 6) == 0);
    EXPECT_SPAN(answer_field(&answer, "Content-Type"), "text/csv");
    end(&lab);
}

TEST(test_a_file_that_shrinks_while_it_is_sent_resets)
{
    struct lab lab;
    file_bytes = 100000;
    shrinks_to = 50000;
    open_lab(&lab, give_fd);
    lab_send(&lab, get);
    run(&lab);
    EXPECT(sim_is_reset(lab.peer));
    end(&lab);
}
