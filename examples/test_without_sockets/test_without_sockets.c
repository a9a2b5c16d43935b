/* How to test handlers: no socket, no port, no waiting. The server is a short list that clients
 * append to; the tests below it call it in memory, move its clock, and cut its requests in pieces.
 * Run it: it says which tests have passed, and ends with 1 if one has not. */
#include <galley/test.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the program ---- */

enum { MAX_LINES = 3, MAX_BYTES = 40 };

struct lines {
    pthread_mutex_t lock; /* handlers run on several workers */
    char text[MAX_LINES][MAX_BYTES + 1];
    unsigned count;
};

static int add_line(galley_request *rq, galley_response *rs, void *arg)
{
    struct lines *lines = arg;
    galley_str body = galley_req_body(rq);
    int rc = 201;
    if (body.len == 0 || body.len > MAX_BYTES || memchr(body.ptr, '\n', body.len)) {
        return galley_res_text(rs, 422, "one line of 1 to 40 bytes, please\n");
    }
    pthread_mutex_lock(&lines->lock);
    if (lines->count < MAX_LINES) {
        memcpy(lines->text[lines->count++], body.ptr, body.len);
    } else {
        rc = 507;
    }
    pthread_mutex_unlock(&lines->lock);
    return rc == 201 ? galley_res_redirect(rs, 303, "/lines/last") : rc;
}

static int last_line(galley_request *rq, galley_response *rs, void *arg)
{
    struct lines *lines = arg;
    (void)rq;
    pthread_mutex_lock(&lines->lock);
    int rc = lines->count == 0
                 ? GALLEY_ENOTFOUND
                 : galley_res_printf(rs, 200, NULL, "%s\n", lines->text[lines->count - 1]);
    pthread_mutex_unlock(&lines->lock);
    return rc;
}

/* The only thing that program and tests share: main() of the program would listen and run. */
static galley_server *make_server(struct lines *lines)
{
    galley_server *srv = galley_server_new(NULL, NULL);
    galley_server_route(srv, "POST /lines", add_line, lines, NULL);
    galley_server_route(srv, "GET /lines/last", last_line, lines, NULL);
    return srv;
}

/* ---- its tests ---- */

static unsigned failures;

#define CHECK(condition)                                                                           \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : (void)(failures++, fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition)))

static void test_lines_are_kept(galley_test *t)
{
    galley_test_reply r;
    CHECK(galley_test_get(t, "/lines/last", &r) == 0 && r.status == 404);
    CHECK(galley_test_call(t, "POST /lines\nContent-Type: text/plain", "first", 5, &r) == 0);
    CHECK(r.status == 303);
    CHECK(strcmp(galley_test_header(t, &r, "Location").ptr, "/lines/last") == 0);
    CHECK(galley_test_get(t, "/lines/last", &r) == 0);
    CHECK(r.status == 200 && strcmp(r.body.ptr, "first\n") == 0);
}

static void test_bad_lines_are_refused(galley_test *t)
{
    galley_test_reply r;
    CHECK(galley_test_call(t, "POST /lines", NULL, 0, &r) == 0 && r.status == 422);
    CHECK(galley_test_call(t, "POST /lines", "a\nb", 3, &r) == 0 && r.status == 422);
    CHECK(galley_test_call(t, "PUT /lines", "x", 1, &r) == 0 && r.status == 405);
}

static void test_the_list_has_an_end(galley_test *t)
{
    galley_test_reply r;
    for (unsigned i = 0; i < MAX_LINES; i++) {
        CHECK(galley_test_call(t, "POST /lines", "x", 1, &r) == 0 && r.status == 303);
    }
    CHECK(galley_test_call(t, "POST /lines", "x", 1, &r) == 0 && r.status == 507);
}

static void test_a_client_may_be_slow_but_not_for_ever(galley_test *t)
{
    static const char head[] = "POST /lines HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nsl";
    galley_test_conn *slow = galley_test_connect(t), *silent = galley_test_connect(t);
    CHECK(galley_test_send(slow, head, strlen(head)) == 0);
    CHECK(galley_test_send(silent, "POST /li", 8) == 0);
    CHECK(galley_test_received(slow).len == 0);
    CHECK(galley_test_advance(t, 3000) == 0); /* three seconds, in no time */
    CHECK(galley_test_send(slow, "ow", 2) == 0);
    CHECK(strstr(galley_test_received(slow).ptr, " 303 See Other"));
    CHECK(galley_test_advance(t, 10000) == 0);
    CHECK(strstr(galley_test_received(silent).ptr, " 408 Request Timeout"));
}

/* Each with a server of its own, so that none depends on another. */
static void run(const char *name, void (*test)(galley_test *t))
{
    struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_server *srv = make_server(&lines);
    galley_error err;
    galley_test *t = galley_test_new(srv, &err);
    if (!t) {
        fprintf(stderr, "%s: %s\n", name, err.message);
        exit(1);
    }
    unsigned before = failures;
    test(t);
    printf("%-7s %s\n", failures == before ? "passed" : "FAILED", name);
    galley_test_free(t);
    galley_server_free(srv);
}

int main(void)
{
    run("lines are kept", test_lines_are_kept);
    run("bad lines are refused", test_bad_lines_are_refused);
    run("the list has an end", test_the_list_has_an_end);
    run("a client may be slow, but not for ever", test_a_client_may_be_slow_but_not_for_ever);
    return failures > 0;
}
