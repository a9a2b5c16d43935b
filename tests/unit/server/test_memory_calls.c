/* Each call of a handler while memory is short: once with every allocation of it failing in turn,
 * once with the exchange's own limit (max_memory_bytes) used up. What cannot be had is
 * GALLEY_ENOMEM, or nothing, and nothing has happened: the handler may answer something else. */
#include "test.h"

#include "base/alloc.h"

#include <galley/server.h>
#include <galley/test.h>
#include <galley/websocket.h>

#include <fcntl.h>
#include <unistd.h>

/* ---- the calls: 0, or GALLEY_ENOMEM also for those that give a pointer ---- */

static int of(const void *ptr)
{
    return ptr ? 0 : GALLEY_ENOMEM;
}

static int query_param(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_query_param(rq, "q").ptr);
}

static int host(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_host(rq).ptr);
}

static int param(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_param(rq, "name").ptr);
}

static int path(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_path(rq).ptr);
}

static int header(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_header(rq, "X-Two").ptr);
}

static int cookie(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_cookie(rq, "sid").ptr);
}

static int peer(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_req_peer(rq).ptr);
}

static int alloc(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_alloc(rq, 20000));
}

static int print(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return of(galley_sprintf(rq, "%8000d", 1));
}

static void nothing(void *arg)
{
    (void)arg;
}

static int on_end(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return galley_on_end(rq, nothing, NULL);
}

static int set(galley_request *rq, galley_response *rs)
{
    (void)rs;
    int rc = galley_req_set(rq, &set, rq);
    EXPECT(rc == 0 || !galley_req_get(rq, &set));
    return rc;
}

static int set_header(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_header(rs, "X-A", "a");
}

static int add_header(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_add_header(rs, "X-A", "a");
}

static int lasting_header(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_lasting_header(rs, "X-A", "a");
}

static int text(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_text(rs, 201, "text");
}

static int print_answer(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_printf(rs, 201, "text/csv", "%9000d", 1);
}

static int releases; /* of data and sources, less the calls */

static void release(void *arg)
{
    (void)arg;
    releases++;
}

static int data(galley_request *rq, galley_response *rs)
{
    (void)rq;
    releases--;
    return galley_res_data(rs, 201, "image/png", "data", 4, release, NULL);
}

static int file(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_file(rs, 201, GALLEY_SOURCE_DIR "/README.md");
}

static int descriptor(galley_request *rq, galley_response *rs)
{
    (void)rq;
    int fd = open(GALLEY_SOURCE_DIR "/README.md", O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    return galley_res_fd(rs, 201, NULL, fd, 0, -1); /* closed also on failure: the harness looks */
}

static int redirect(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_redirect(rs, 303, "/elsewhere");
}

static int begin(galley_request *rq, galley_response *rs)
{
    (void)rq;
    return galley_res_begin(rs, 201, "text/csv", -1);
}

static ssize_t give_nothing(void *buf, size_t len, void *arg)
{
    (void)buf;
    (void)len;
    (void)arg;
    return 0;
}

static int source(galley_request *rq, galley_response *rs)
{
    (void)rq;
    releases--;
    return galley_res_source(rs, 201, "text/csv", -1, give_nothing, release, NULL);
}

static int defer(galley_request *rq, galley_response *rs)
{
    (void)rq;
    galley_deferred *d = galley_res_defer(rs);
    return d ? galley_deferred_finish(d, 204) : GALLEY_ENOMEM;
}

static int stream(galley_request *rq, galley_response *rs)
{
    (void)rq;
    galley_stream *st = galley_res_stream(rs, 201, NULL, NULL);
    galley_stream_unref(st);
    return of(st);
}

static int upgrade(galley_request *rq, galley_response *rs)
{
    galley_ws_options opt = GALLEY_WS_OPTIONS_INIT;
    galley_ws *ws = NULL;
    opt.protocols = "chat";
    int rc = galley_ws_accept(rq, rs, &opt, &ws);
    EXPECT((rc == 0) == (ws != NULL));
    galley_ws_unref(ws);
    return rc;
}

static int take(galley_request *rq, galley_response *rs, const void *piece, ssize_t len, void *arg)
{
    (void)rq;
    (void)piece;
    (void)arg;
    return len == 0 ? galley_res_text(rs, 201, "taken") : 0;
}

static int sink(galley_request *rq, galley_response *rs)
{
    (void)rs;
    return galley_req_sink(rq, take, NULL);
}

typedef int call_fn(galley_request *rq, galley_response *rs);

/* shows: GALLEY_ENOMEM of galley_on_end(), galley_req_set(), galley_res_header(),
 * galley_res_add_header(), galley_res_lasting_header(), galley_res_text(), galley_res_printf(), galley_res_data(),
 * galley_res_file(), galley_res_fd(), galley_res_redirect(), galley_res_begin(), galley_res_source(),
 * galley_req_sink(), galley_ws_accept() */
static const struct call {
    const char *name;
    call_fn *run;
    bool reads; /* a request with a body */
} calls[] = {
    {"galley_req_query_param", query_param, false},
    {"galley_req_host", host, false},
    {"galley_req_param", param, false},
    {"galley_req_path", path, false},
    {"galley_req_header", header, false},
    {"galley_req_cookie", cookie, false},
    {"galley_req_peer", peer, false},
    {"galley_alloc", alloc, false},
    {"galley_sprintf", print, false},
    {"galley_on_end", on_end, false},
    {"galley_req_set", set, false},
    {"galley_res_header", set_header, false},
    {"galley_res_add_header", add_header, false},
    {"galley_res_lasting_header", lasting_header, false},
    {"galley_res_text", text, false},
    {"galley_res_printf", print_answer, false},
    {"galley_res_data", data, false},
    {"galley_res_file", file, false},
    {"galley_res_fd", descriptor, false},
    {"galley_res_redirect", redirect, false},
    {"galley_res_begin", begin, false},
    {"galley_res_source", source, false},
    {"galley_res_defer", defer, false},
    {"galley_res_stream", stream, false},
    {"galley_ws_accept", upgrade, false},
    {"galley_req_sink", sink, true},
};
enum { CALLS = sizeof calls / sizeof *calls };

/* ---- the exchange around them ---- */

static struct {
    const struct call *call;
    uint64_t nth; /* allocation of the call that fails; 0: the limit is used up instead */
    int rc;
    bool did_fail;
} now;

static void use_up(galley_request *rq)
{
    for (size_t bytes = 32768; bytes > 0;) {
        bytes = galley_alloc(rq, bytes) ? bytes : bytes / 2;
    }
}

static int handler(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    if (now.nth == 0) {
        use_up(rq);
    }
    mem_fail_nth_here(now.nth);
    now.rc = now.call->run(rq, rs);
    now.did_fail = mem_fail_happened();
    mem_fail_nth(0);
    if (now.rc == 0) {
        return 0;
    }
    return now.nth == 0 ? now.rc : galley_res_text(rs, 200, "instead");
}

static galley_server *make(void)
{
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT;
    opt.max_memory_bytes = 65536;
    loop.run = GALLEY_ON_LOOP;
    galley_server *srv = galley_server_new(&opt, NULL);
    EXPECT(srv);
    EXPECT_INT(galley_server_route(srv, "/calls/{name}", handler, NULL, &loop), 0);
    loop.body = GALLEY_BODY_STREAM;
    EXPECT_INT(galley_server_route(srv, "/reads/{name}", handler, NULL, &loop), 0);
    return srv;
}

static void ask(galley_test *t, const struct call *call, uint64_t nth, galley_test_reply *reply)
{
    static const char fields[] =
        "\nHost: Example.COM\nX-Two: 1\nX-Two: 2\nCookie: sid=x\nUpgrade: websocket\n"
        "Connection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: chat\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    bool reads = call->reads;
    char request[512];
    snprintf(request, sizeof request, "%s/a%%20b?q=1+2%s", reads ? "POST /reads" : "GET /calls",
             fields);
    now.call = call;
    now.nth = nth;
    now.rc = 1;
    int rc = galley_test_call(t, request, reads ? "body" : NULL, reads ? 4 : 0, reply);
    if (rc != 0 || now.rc > 0) {
        test_fail(__FILE__, __LINE__, "%s, allocation %d: %d, %d", call->name, (int)nth, rc,
                  now.rc);
    }
}

/* As if the call had not been made. */
static void expect_untouched(galley_test *t, const galley_test_reply *reply, uint64_t nth)
{
    galley_str type = galley_test_header(t, reply, "Content-Type");
    bool is_right = reply->status == 200 && strcmp(reply->body.ptr, "instead") == 0 &&
                    strcmp(type.ptr, "text/plain; charset=utf-8") == 0 &&
                    !galley_test_header(t, reply, "Location").ptr &&
                    !galley_test_header(t, reply, "Cache-Control").ptr &&
                    !galley_test_header(t, reply, "Sec-WebSocket-Accept").ptr &&
                    !galley_test_header(t, reply, "X-A").ptr;
    if (!is_right) {
        test_fail(__FILE__, __LINE__, "%s, allocation %d, left something: %s\n%s", now.call->name,
                  (int)nth, reply->head.ptr, reply->body.ptr);
    }
}

TEST_TIMEOUT(test_an_allocation_that_fails_is_told_and_leaves_nothing, 120)
{
    galley_server *srv = make();
    galley_test *t = galley_test_new(srv, NULL);
    unsigned failures = 0;
    EXPECT(t);
    for (size_t i = 0; i < CALLS; i++) {
        uint64_t n = 1;
        do {
            galley_test_reply reply;
            ask(t, &calls[i], n++, &reply);
            EXPECT(now.rc == 0 || (now.rc == GALLEY_ENOMEM && now.did_fail));
            if (now.rc == 0) {
                EXPECT(reply.status < 300 || reply.status == 303);
            } else {
                expect_untouched(t, &reply, n - 1);
            }
            failures += now.rc != 0;
        } while (now.did_fail);
    }
    EXPECT(failures > 5);
    galley_test_free(t);
    galley_server_free(srv);
    EXPECT_INT(releases, 0); /* whatever came of it, once each */
}

TEST(test_an_exchange_whose_limit_is_used_up_is_told_too)
{
    galley_server *srv = make();
    galley_test *t = galley_test_new(srv, NULL);
    EXPECT(t);
    for (size_t i = 0; i < CALLS; i++) {
        galley_test_reply reply;
        ask(t, &calls[i], 0, &reply);
        if (now.rc != GALLEY_ENOMEM || reply.status != 503) {
            test_fail(__FILE__, __LINE__, "%s: %d, status %d", calls[i].name, now.rc, reply.status);
        }
    }
    galley_test_free(t);
    galley_server_free(srv);
    EXPECT_INT(releases, 0);
}

/* ---- what is not there for want of memory must not look as if it had not been sent ---- */

TEST(test_a_page_of_another_site_stays_out_without_memory)
{
    static const char request[] =
        "GET /calls/a\nOrigin: https://evil.example\nOrigin: https://evil.example\n"
        "Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    static const struct call call = {"galley_ws_accept", upgrade, false};
    galley_server *srv = make();
    galley_test *t = galley_test_new(srv, NULL);
    galley_test_reply reply;
    EXPECT(t);
    now.call = &call;
    for (now.nth = 1, now.did_fail = true; now.did_fail; now.nth++) {
        EXPECT_INT(galley_test_call(t, request, NULL, 0, &reply), 0);
        EXPECT(now.rc == 403 || (now.did_fail && now.rc == GALLEY_ENOMEM));
    }
    now.nth = 0;
    EXPECT_INT(galley_test_call(t, request, NULL, 0, &reply), 0);
    EXPECT_INT(now.rc, GALLEY_ENOMEM);
    galley_test_free(t);
    galley_server_free(srv);
}

/* ---- a response in pieces ---- */

static int write_until_failure(galley_request *rq, galley_response *rs, void *arg)
{
    static char piece[5000];
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), 0);
    mem_fail_nth_here(now.nth);
    now.rc = galley_res_write(rs, piece, sizeof piece);
    now.did_fail = mem_fail_happened();
    mem_fail_nth(0);
    EXPECT_INT(galley_res_write(rs, "end", 3), 0);
    return 0;
}

TEST(test_a_piece_that_there_is_no_memory_for_is_left_out)
{
    for (int run = GALLEY_ON_POOL; run <= GALLEY_ON_LOOP; run++) {
        galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
        galley_server *srv = galley_server_new(NULL, NULL);
        opt.run = run;
        EXPECT_INT(galley_server_route(srv, "/", write_until_failure, NULL, &opt), 0);
        galley_test *t = galley_test_new(srv, NULL);
        galley_test_reply reply;
        unsigned failures = 0;
        now.nth = 0;
        do {
            now.nth++;
            EXPECT_INT(galley_test_get(t, "/", &reply), 0);
            EXPECT(now.rc == 0 || now.did_fail);
            EXPECT(now.rc == 0 || now.rc == GALLEY_ENOMEM);
            EXPECT_INT(galley_res_write(NULL, "x", 1), GALLEY_EINVAL);
            EXPECT_INT(reply.body.len, now.rc == 0 ? 5003 : 3);
            failures += now.rc == GALLEY_ENOMEM; /* shows: GALLEY_ENOMEM of galley_res_write() */
        } while (now.did_fail);
        EXPECT(failures > 0);
        galley_test_free(t);
        galley_server_free(srv);
    }
}

static int write_much(galley_request *rq, galley_response *rs, void *arg)
{
    static char much[150000];
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), 0);
    mem_fail_nth(now.nth);
    now.rc = galley_res_write(rs, much, sizeof much);
    now.did_fail = mem_fail_happened();
    mem_fail_nth(0);
    return 0; /* it does not look */
}

TEST(test_a_piece_of_which_only_a_part_was_taken_ends_the_connection)
{
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT_INT(galley_server_route(srv, "/", write_much, NULL, NULL), 0);
    galley_test *t = galley_test_new(srv, NULL);
    unsigned holes = 0;
    now.nth = 0;
    do {
        galley_test_reply reply = {.status = 0};
        now.nth++;
        int rc = galley_test_get(t, "/", &reply);
        /* An allocation of the loop's may have failed instead. 503: nothing was sent yet. */
        EXPECT(rc == 0 || rc == GALLEY_ECLOSED);
        bool is_right = reply.status == 503 || reply.body.len == (now.rc == 0 ? 150000 : 0);
        if (rc == 0 && !is_right) {
            test_fail(__FILE__, __LINE__, "allocation %d: %d, %d, %zu\n%s", (int)now.nth, now.rc,
                      reply.status, reply.body.len, reply.head.ptr);
        }
        holes += rc != 0 || reply.status == 503;
    } while (now.did_fail);
    EXPECT(holes > 0);
    galley_test_free(t);
    galley_server_free(srv);
}
