/* What bad use of a response gets: each call with NULL, with values that make no sense, a second
 * time, too late, and from another thread. A code, one clean answer to the client, no crash. */
#include "support_test_client.h"

#include <galley/websocket.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static const char bad_value[] = "a\r\nSet-Cookie: b";
static int releases;

static void release(void *arg)
{
    (void)arg;
    releases++;
}

static ssize_t give_nothing(void *buf, size_t len, void *arg)
{
    (void)buf;
    (void)len;
    (void)arg;
    return 0;
}

static int open_file(void)
{
    int fd = open(GALLEY_SOURCE_DIR "/README.md", O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    return fd;
}

/* Runs the handler once, on the pool and on the loop; the reply of the last. */
static void run(galley_handler *handler, int status, const char *body)
{
    galley_server *srv = make();
    galley_route_options loop = on_loop();
    galley_server_route(srv, "/pool", handler, NULL, NULL);
    galley_server_route(srv, "/loop", handler, NULL, &loop);
    galley_test *t = drive(srv);
    galley_test_reply r;
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(galley_test_get(t, i ? "/loop" : "/pool", &r), 0);
        EXPECT_INT(r.status, status);
        EXPECT(!body || strcmp(r.body.ptr, body) == 0);
        EXPECT(!strstr(r.head.ptr, "Set-Cookie"));
    }
    end(t, srv);
}

/* ---- no response, no value ---- */

TEST(test_without_a_response_every_call_is_einval)
{
    galley_ws *ws = NULL;
    int before = releases;
    EXPECT_INT(galley_res_status(NULL, 200), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(NULL, "X-A", "a"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_add_header(NULL, "X-A", "a"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_lasting_header(NULL, "X-A", "a"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_text(NULL, 200, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_printf(NULL, 200, NULL, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_data(NULL, 200, NULL, "x", 1, release, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_file(NULL, 200, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_fd(NULL, 200, NULL, open_file(), 0, -1), GALLEY_EINVAL); /* closed */
    EXPECT_INT(galley_res_redirect(NULL, 303, "/"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_begin(NULL, 200, NULL, -1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_write(NULL, "x", 1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(NULL, 200, NULL, -1, give_nothing, release, NULL), GALLEY_EINVAL);
    EXPECT(!galley_res_defer(NULL));
    EXPECT(!galley_res_stream(NULL, 200, NULL, NULL));
    EXPECT_INT(galley_ws_accept(NULL, NULL, NULL, &ws), GALLEY_EINVAL);
    EXPECT_INT(releases, before + 2); /* what was handed over was released */
}

static int give_null(galley_request *rq, galley_response *rs, void *arg)
{
    galley_ws_options opt = GALLEY_WS_OPTIONS_INIT;
    galley_ws *ws = NULL;
    (void)arg;
    EXPECT_INT(galley_res_header(rs, NULL, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_header(rs, "X-A", NULL), 0); /* removes it */
    EXPECT_INT(galley_res_add_header(rs, NULL, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_add_header(rs, "X-A", NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_lasting_header(rs, NULL, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_lasting_header(rs, "X-A", NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_text(rs, 200, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_printf(rs, 200, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_data(rs, 200, NULL, NULL, 1, release, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_file(rs, 200, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_file(rs, 200, ""), GALLEY_EINVAL);
    EXPECT_INT(galley_res_fd(rs, 200, NULL, -1, 0, -1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_redirect(rs, 303, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_redirect(rs, 303, ""), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -1, NULL, release, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -2, give_nothing, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -2), GALLEY_EINVAL);
    EXPECT_INT(galley_res_write(rs, NULL, 1), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_accept(rq, NULL, &opt, &ws), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_accept(rq, rs, NULL, &ws), GALLEY_EINVAL);
    EXPECT_INT(galley_ws_accept(rq, rs, &opt, NULL), GALLEY_EINVAL);
    return galley_res_text(rs, 200, "fine"); /* nothing happened */
}

TEST(test_missing_values_are_einval_and_nothing_happened)
{
    run(give_null, 200, "fine");
}

/* ---- values that make no sense ---- */

static int give_bad_statuses(galley_request *rq, galley_response *rs, void *arg)
{
    static const int bad[] = {INT32_MIN, -1, 0, 7, 100, 101, 199, 600, INT32_MAX};
    (void)rq;
    (void)arg;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = bad[i];
        EXPECT_INT(galley_res_status(rs, status), GALLEY_EINVAL);
        EXPECT_INT(galley_res_text(rs, status, "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_printf(rs, status, NULL, "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_data(rs, status, NULL, "x", 1, NULL, NULL), GALLEY_EINVAL);
        EXPECT_INT(galley_res_file(rs, status, "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_fd(rs, status, NULL, open_file(), 0, -1), GALLEY_EINVAL);
        EXPECT_INT(galley_res_redirect(rs, status, "/"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_begin(rs, status, NULL, -1), GALLEY_EINVAL);
        EXPECT_INT(galley_res_source(rs, status, NULL, -1, give_nothing, NULL, NULL),
                   GALLEY_EINVAL);
        EXPECT(!galley_res_stream(rs, status, NULL, NULL));
    }
    EXPECT_INT(galley_res_redirect(rs, 200, "/"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_redirect(rs, 304, "/"), GALLEY_EINVAL);
    return galley_res_text(rs, 200, "fine");
}

TEST(test_statuses_that_there_are_not)
{
    run(give_bad_statuses, 200, "fine");
}

/* RFC 9110 §5.5: what would end the line, and begin another, never gets out. */
static int give_line_ends(galley_request *rq, galley_response *rs, void *arg)
{
    static const char *const values[] = {bad_value, "a\nb", "a\rb", "\n", "a\x01", "a\x7f"};
    static const char *const names[] = {"", "X A", "X:", "X\r\nSet-Cookie", "X\n", "\x01"};
    (void)rq;
    (void)arg;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        EXPECT_INT(galley_res_header(rs, "X-A", values[i]), GALLEY_EINVAL);
        EXPECT_INT(galley_res_add_header(rs, "X-A", values[i]), GALLEY_EINVAL);
        EXPECT_INT(galley_res_lasting_header(rs, "X-A", values[i]), GALLEY_EINVAL);
        EXPECT_INT(galley_res_redirect(rs, 303, values[i]), GALLEY_EINVAL);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EXPECT_INT(galley_res_header(rs, names[i], "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_add_header(rs, names[i], "x"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_lasting_header(rs, names[i], "x"), GALLEY_EINVAL);
    }
    EXPECT_INT(galley_res_printf(rs, 200, bad_value, "x"), GALLEY_EINVAL);
    EXPECT_INT(galley_res_data(rs, 200, bad_value, "x", 1, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_res_fd(rs, 200, bad_value, open_file(), 0, -1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_begin(rs, 200, bad_value, -1), GALLEY_EINVAL);
    EXPECT_INT(galley_res_source(rs, 200, bad_value, -1, give_nothing, NULL, NULL), GALLEY_EINVAL);
    EXPECT(!galley_res_stream(rs, 200, bad_value, NULL));
    return galley_res_text(rs, 200, "fine");
}

TEST(test_line_ends_in_headers_never_get_out)
{
    run(give_line_ends, 200, "fine");
}

/* RFC 9112 §6: framing says what is sent, so only the server writes it. */
static int give_framing(galley_request *rq, galley_response *rs, void *arg)
{
    static const char *const names[] = {
        "Content-Length", "transfer-encoding", "Connection", "Date",
        "Keep-Alive",     "Proxy-Connection",  "Trailer",    "UPGRADE"};
    (void)rq;
    (void)arg;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EXPECT_INT(galley_res_header(rs, names[i], "1"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_add_header(rs, names[i], "1"), GALLEY_EINVAL);
        EXPECT_INT(galley_res_lasting_header(rs, names[i], "1"), GALLEY_EINVAL);
    }
    return galley_res_text(rs, 200, "fine");
}

TEST(test_headers_of_the_servers_own)
{
    run(give_framing, 200, "fine");
}

/* ---- a second time ---- */

static void give_every_body(galley_request *rq, galley_response *rs)
{
    galley_ws_options opt = GALLEY_WS_OPTIONS_INIT;
    galley_ws *ws = NULL;
    int before = releases;
    EXPECT_INT(galley_res_text(rs, 200, "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_printf(rs, 200, NULL, "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_data(rs, 200, NULL, "x", 1, release, NULL), GALLEY_ESTATE);
    EXPECT_INT(galley_res_file(rs, 200, "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_fd(rs, 200, NULL, open_file(), 0, -1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_redirect(rs, 303, "/"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_begin(rs, 200, NULL, -1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_source(rs, 200, NULL, -1, give_nothing, release, NULL), GALLEY_ESTATE);
    EXPECT(!galley_res_stream(rs, 200, NULL, NULL));
    EXPECT(!galley_res_defer(rs));
    EXPECT_INT(galley_ws_accept(rq, rs, &opt, &ws), GALLEY_ESTATE);
    EXPECT_INT(releases, before + 2);
}

static int give_two(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT_INT(galley_res_text(rs, 200, "first"), 0);
    give_every_body(rq, rs);
    return 0;
}

static int begin_and_give(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    EXPECT_INT(galley_res_begin(rs, 200, "text/plain", 5), 0);
    give_every_body(rq, rs);
    EXPECT_INT(galley_res_status(rs, 404), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-Late", "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-Late", NULL), GALLEY_ESTATE);
    EXPECT_INT(galley_res_add_header(rs, "X-Late", "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_lasting_header(rs, "X-Late", "x"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_write(rs, "whole", 5), 0);
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ETOOBIG); /* behind the end */
    EXPECT_INT(galley_res_write(rs, "", 0), 0);
    return 0;
}

static int write_without_begin(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    EXPECT_INT(galley_res_text(rs, 200, "fine"), 0);
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    return 0;
}

static const char handshake[] =
    "\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

static void run_shaking_hands(galley_handler *handler, int status, const char *body)
{
    galley_server *srv = make();
    galley_server_route(srv, "/", handler, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    char request[256];
    snprintf(request, sizeof request, "GET /%s", handshake);
    EXPECT_INT(galley_test_call(t, request, NULL, 0, &r), 0);
    EXPECT_INT(r.status, status);
    EXPECT(!body || strcmp(r.body.ptr, body) == 0);
    EXPECT(!galley_test_header(t, &r, "Upgrade").ptr);
    EXPECT(!galley_test_header(t, &r, "Sec-WebSocket-Accept").ptr);
    end(t, srv);
}

TEST(test_of_two_bodies_none_is_sent)
{
    run_shaking_hands(give_two, 500, NULL);
}

TEST(test_what_has_begun_is_not_begun_again)
{
    run_shaking_hands(begin_and_give, 200, "whole");
}

TEST(test_pieces_want_a_beginning)
{
    run(write_without_begin, 200, "fine");
}

/* ---- from another thread ---- */

struct stranger {
    galley_request *rq;
    galley_response *rs;
};

static void *use_from_another_thread(void *arg)
{
    struct stranger *of = arg;
    galley_request *rq = of->rq;
    galley_response *rs = of->rs;
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char byte;
    EXPECT_INT(galley_req_peer_addr(rq, &addr, &len), GALLEY_ESTATE);
    EXPECT_INT(galley_req_client_addr(rq, &addr, &len), GALLEY_ESTATE);
    EXPECT(!galley_req_client(rq).ptr && !galley_req_scheme(rq).ptr);
    EXPECT_INT(galley_on_end(rq, release, NULL), GALLEY_ESTATE);
    EXPECT_INT(galley_req_set(rq, rq, rq), GALLEY_ESTATE);
    EXPECT_INT(galley_req_body_fd(rq), GALLEY_ESTATE);
    EXPECT_INT(galley_req_read(rq, &byte, 1), GALLEY_ESTATE);
    EXPECT(!galley_req_path(rq).ptr && !galley_req_header(rq, "Host").ptr);
    EXPECT(!galley_req_query_param(rq, "q").ptr && !galley_req_cookie(rq, "c").ptr);
    EXPECT(!galley_req_host(rq).ptr && !galley_req_body(rq).ptr && !galley_alloc(rq, 1));
    EXPECT_INT(galley_req_version(rq), 0);
    EXPECT_INT(galley_res_status(rs, 404), GALLEY_ESTATE);
    EXPECT_INT(galley_res_header(rs, "X-A", "a"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_add_header(rs, "X-A", "a"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_lasting_header(rs, "X-A", "a"), GALLEY_ESTATE);
    EXPECT_INT(galley_res_write(rs, "x", 1), GALLEY_ESTATE);
    give_every_body(rq, rs);
    return NULL;
}

static int lend_to_another_thread(galley_request *rq, galley_response *rs, void *arg)
{
    struct stranger stranger = {rq, rs};
    pthread_t thread;
    (void)arg;
    EXPECT_INT(pthread_create(&thread, NULL, use_from_another_thread, &stranger), 0);
    pthread_join(thread, NULL);
    return galley_res_text(rs, 200, "fine"); /* nothing has happened */
}

#ifdef GALLEY_DEBUG
#define HAS_CHECKS 1
#else
#define HAS_CHECKS 0
#endif

static char log_lines[1000];

static void note_line(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    strncat(log_lines, line, sizeof log_lines - strlen(log_lines) - 1);
}

/* Builds without checks leave it to the caller. */
TEST(test_calls_of_another_thread_are_refused_and_told)
{
    if (!HAS_CHECKS) {
        test_skip("a build without checks");
    }
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    opt.log = note_line;
    galley_server *srv = make_with(&opt);
    galley_server_route(srv, "/lend", lend_to_another_thread, NULL, NULL);
    galley_test *t = drive(srv);
    galley_test_reply r;
    char request[256];
    snprintf(request, sizeof request, "GET /lend?q=1%s\nCookie: c=1", handshake);
    EXPECT_INT(galley_test_call(t, request, NULL, 0, &r), 0);
    EXPECT_INT(r.status, 200);
    EXPECT_TEXT(r.body.ptr, "fine");
    EXPECT(strstr(log_lines, "() was refused: another thread runs the handler of /lend"));
    galley_server_stats stats = {.size = sizeof stats};
    EXPECT_INT(galley_server_get_stats(srv, &stats), 0);
    EXPECT_INT(stats.mistakes, 1);
    end(t, srv);
}
