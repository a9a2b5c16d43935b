/* Whole requests while memory is short: each allocation between a request's first byte and its
 * answer's last fails once, for answers of every kind. The client gets an answer, or the connection
 * ends; the next request is served, and nothing is left behind (the harness looks). */
#include "test.h"

#include "base/alloc.h"

#include <galley/server.h>
#include <galley/static.h>
#include <galley/test.h>

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/galley-test-XXXXXX";

/* A folder with a file that is hashed in pieces, and one to list. */
static void make_folder(void)
{
    char path[64], block[4096] = "";
    EXPECT(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/large", folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++) {
        EXPECT_INT(fwrite(block, sizeof block, 1, file), 1);
    }
    fclose(file);
    snprintf(path, sizeof path, "%s/index.html", folder);
    file = fopen(path, "w");
    fputs("<p>hello", file);
    fclose(file);
    snprintf(path, sizeof path, "%s/list", folder);
    EXPECT_INT(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/list/one & two.txt", folder);
    file = fopen(path, "w");
    fclose(file);
}

static void remove_folder(void)
{
    static const char *const names[] = {"/list/one & two.txt", "/list", "/large", "/index.html",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", folder, names[i]);
        EXPECT_INT(remove(path), 0);
    }
}

/* ---- handlers ---- */

static int large_head(galley_request *rq, galley_response *rs, void *arg)
{
    char name[16], value[200];
    (void)rq;
    (void)arg;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "X-%d", i);
        int rc = galley_res_header(rs, name, value);
        if (rc != 0) {
            return rc;
        }
    }
    return galley_res_text(rs, 200, "head");
}

static int large_event(galley_request *rq, galley_response *rs, void *arg)
{
    static char data[5000];
    (void)rq;
    (void)arg;
    memset(data, 'd', sizeof data - 1);
    galley_stream *st = galley_res_stream(rs, 200, NULL, NULL);
    if (!st) {
        return GALLEY_ENOMEM;
    }
    int rc = galley_stream_event(st, "1", "large", data);
    int second = galley_stream_write(st, data, sizeof data);
    EXPECT(rc == 0 || rc == GALLEY_ENOMEM || rc == GALLEY_ECLOSED);
    EXPECT(second == 0 || second == GALLEY_ENOMEM || second == GALLEY_ECLOSED);
    galley_stream_close(st);
    galley_stream_unref(st);
    return 0;
}

static int pieces(galley_request *rq, galley_response *rs, void *arg)
{
    static char piece[3000];
    (void)rq;
    (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", -1);
    for (int i = 0; i < 5 && rc == 0; i++) {
        rc = galley_res_write(rs, piece, sizeof piece);
    }
    return rc;
}

static ssize_t give_block(void *buf, size_t len, void *arg)
{
    int *left = arg;
    memset(buf, 'x', len);
    return *left > 0 ? ((*left)--, (ssize_t)len) : 0;
}

static int source(galley_request *rq, galley_response *rs, void *arg)
{
    int *left = galley_alloc(rq, sizeof *left);
    (void)arg;
    if (!left) {
        return GALLEY_ENOMEM;
    }
    *left = 3;
    return galley_res_source(rs, 200, NULL, -1, give_block, NULL, left);
}

static int file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 200, GALLEY_SOURCE_DIR "/README.md");
}

static int body(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_printf(rs, 200, NULL, "%llu", (unsigned long long)galley_req_body_size(rq));
}

static int data_of_body(galley_request *rq, galley_response *rs, void *arg)
{
    galley_str all = galley_req_body(rq);
    (void)arg;
    return galley_res_data(rs, 200, "text/plain", all.ptr, all.len, NULL, NULL);
}

static int pass(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    (void)rs;
    int rc = galley_req_set(rq, &folder, arg);
    return rc == 0 ? galley_next(chain) : rc;
}

/* ---- the server and its requests ---- */

static const struct {
    const char *request;
    size_t body_bytes;
    int status;
} rows[] = {
    {"GET /head", 0, 200},
    {"GET /event", 0, 200},
    {"GET /pieces", 0, 200},
    {"GET /source", 0, 200},
    {"GET /file", 0, 200},
    {"POST /buffer", 20000, 200},
    {"POST /spool\nExpect: 100-continue", 20000, 200},
    {"POST /refuse", 10, 413},
    {"GET /site/", 0, 200},
    {"GET /site/large", 0, 200},
    {"GET /site/large\nRange: bytes=0-9,100-109", 0, 206},
    {"GET /site/list/\nAccept: text/html", 0, 200},
    {"GET /site/list/\nAccept: application/json", 0, 200},
    {"GET /site/list?a=b", 0, 301},
    {"GET /site/none", 0, 404},
    {"OPTIONS /site/", 0, 204},
    {"PUT /head", 0, 405},
    {"OPTIONS /head", 0, 204},
    {"BREW /head", 0, 501},
    {"GET /none", 0, 404},
    {"GET /%zz", 0, 400},
};
enum { ROWS = sizeof rows / sizeof *rows };

static galley_server *make(galley_static *site)
{
    static const struct {
        const char *pattern;
        galley_handler *fn;
        int body;
    } routes[] = {{"GET /head", large_head, 0},
                  {"GET /event", large_event, 0},
                  {"GET /pieces", pieces, 0},
                  {"GET /source", source, 0},
                  {"GET /file", file, 0},
                  {"POST /buffer", data_of_body, GALLEY_BODY_BUFFER},
                  {"POST /spool", body, GALLEY_BODY_SPOOL},
                  {"POST /refuse", body, GALLEY_BODY_REFUSE}};
    galley_server *srv = galley_server_new(NULL, NULL);
    EXPECT(srv);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        galley_route_options opt = GALLEY_ROUTE_OPTIONS_INIT;
        opt.body = routes[i].body;
        EXPECT_INT(galley_server_route(srv, routes[i].pattern, routes[i].fn, NULL, &opt), 0);
    }
    EXPECT_INT(galley_server_route(srv, "/site/{path...}", galley_static_serve, site, NULL), 0);
    EXPECT_INT(galley_server_use(srv, "/", pass, srv), 0);
    return srv;
}

/* A whole answer of that status, or one that says it could not be, or the end. */
static bool is_right(int rc, const galley_test_reply *reply, int status)
{
    if (rc != 0) {
        return rc == GALLEY_ENOMEM || rc == GALLEY_ECLOSED;
    }
    return reply->status == status || reply->status == 503 || reply->status == 500 ||
           reply->status == 507;
}

static bool ask_with_failure(size_t row, uint64_t n)
{
    static char bytes[20000];
    galley_static_options opt = GALLEY_STATIC_OPTIONS_INIT;
    opt.flags = GALLEY_STATIC_LIST;
    galley_static *site = galley_static_new(folder, &opt, NULL);
    galley_server *srv = make(site);
    galley_test *t = galley_test_new(srv, NULL);
    galley_test_reply reply = {.status = 0};
    size_t len = rows[row].body_bytes;
    EXPECT(t);
    mem_fail_nth(n);
    int rc = galley_test_call(t, rows[row].request, len ? bytes : NULL, len, &reply);
    bool did_fail = mem_fail_happened();
    mem_fail_nth(0);
    if (!is_right(rc, &reply, rows[row].status) || (!did_fail && rc != 0)) {
        test_fail(__FILE__, __LINE__, "%s, allocation %d: %d, status %d", rows[row].request, (int)n,
                  rc, reply.status);
    }
    EXPECT_INT(galley_test_call(t, rows[row].request, len ? bytes : NULL, len, &reply), 0);
    EXPECT_INT(reply.status, rows[row].status); /* it has recovered */
    galley_test_free(t);
    galley_server_free(srv);
    galley_static_free(site);
    return did_fail;
}

TEST_TIMEOUT(test_each_allocation_of_a_request_may_fail, 200)
{
    make_folder();
    for (size_t i = 0; i < ROWS; i++) {
        for (uint64_t n = 1; ask_with_failure(i, n); n++) {
        }
    }
    remove_folder();
}
