/* A helper server of the whole-server tests: a route for each thing that a handler can do.
 * echo [NAME=VALUE...] with listen, loops, workers, queue, drain_ms, max_requests, max_connections,
 * idle_ms, head_ms, queue_ms, max_body, name. Prints its URL; ends by TERM with 0, after a cut
 * drain with 3, when it cannot start with 1. */
#include "wanted_io.h"

#include <galley/server.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static galley_server *server;

static void sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* "?ms=250" or "?n=3": the number behind '=', else the usual one. */
static unsigned number_of(galley_request *rq, unsigned usual)
{
    galley_str query = galley_req_query(rq);
    const char *equals = query.ptr ? strchr(query.ptr, '=') : NULL;
    return equals ? (unsigned)strtoul(equals + 1, NULL, 10) : usual;
}

/* POST /echo: the body comes back, with the type it came with. */
static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    galley_str type = galley_req_header(rq, "Content-Type");
    return galley_res_data(rs, 200, type.ptr ? type.ptr : "application/octet-stream", body.ptr,
                           body.len, NULL, NULL);
}

/* GET /head: what was understood of the request, a line each. */
static int head(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    char lines[8192] = "";
    size_t used = 0, it = 0;
    galley_str name, value;
    while (galley_req_next_header(rq, &it, &name, &value) && used < sizeof lines - 1) {
        int more = snprintf(lines + used, sizeof lines - used, "%s: %s\n", name.ptr, value.ptr);
        used += more > 0 ? (size_t)more : 0;
    }
    return galley_res_printf(
        rs, 200, NULL,
        "method %s\npath %s\ntarget %s\nquery %s\nversion %d\npeer %s\nlength %" PRId64 "\n%s",
        galley_req_method_name(rq).ptr, galley_req_path(rq).ptr, galley_req_target(rq).ptr,
        galley_req_query(rq).ptr ? galley_req_query(rq).ptr : "-", galley_req_version(rq),
        galley_req_peer(rq).ptr, galley_req_content_length(rq), lines);
}

static int text(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg);
}

/* GET /chunked?n=3: so many pieces of unknown length in all. */
static int chunked(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    unsigned n = number_of(rq, 3);
    int rc = galley_res_begin(rs, 200, "text/plain; charset=utf-8", -1);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        char line[32];
        int len = snprintf(line, sizeof line, "piece %u\n", i);
        rc = galley_res_write(rs, line, (size_t)len);
    }
    return rc;
}

static char block[16384]; /* all 'x', from before the server runs */

/* GET /large?n=1000000: so many bytes, declared, by write. */
static int large(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    size_t left = number_of(rq, 1000000);
    int rc = galley_res_begin(rs, 200, "application/octet-stream", (int64_t)left);
    while (left > 0 && rc == 0) {
        size_t len = left < sizeof block ? left : sizeof block;
        rc = galley_res_write(rs, block, len);
        left -= len;
    }
    return rc;
}

/* GET /broken: promises more than it gives. */
static int broken(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", 100);
    return rc ? rc : galley_res_write(rs, "only this", 9);
}

/* GET /slow?ms=500: holds a worker. */
static int slow(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    sleep_ms(number_of(rq, 500));
    return galley_res_text(rs, 200, "slow\n");
}

/* GET /patient: holds a worker until galley_should_stop(). */
static int patient(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    while (!galley_should_stop()) {
        sleep_ms(5);
    }
    puts("patient was told to stop");
    fflush(stdout);
    return galley_res_text(rs, 200, "stopped\n");
}

/* GET /result/{n}: the handler returns that number. */
static int result(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    (void)arg;
    return (int)strtol(galley_req_param(rq, "n").ptr, NULL, 10);
}

/* GET /twice: two bodies. */
static int twice(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    (void)galley_res_text(rs, 200, "one");
    (void)galley_res_text(rs, 200, "two");
    return 0;
}

/* GET /header?v=...: tries to send the query as a header. */
static int header(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    int rc = galley_res_header(rs, "X-Test", galley_req_query(rq).ptr);
    return rc ? rc : galley_res_text(rs, 200, "sent\n");
}

static int redirect(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_redirect(rs, 302, "/text");
}

/* GET /file/{path...}: a file of the program's choosing: here, for tests, of the client's. */
static int file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    const char *path = galley_sprintf(rq, "/%s", galley_req_param(rq, "path").ptr);
    return path ? galley_res_file(rs, 200, path) : GALLEY_ENOMEM;
}

static atomic_uint ended_count;

static void count_end(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ended_count, 1);
}

/* GET /ended: how often an on_end hook has run before this request. */
static int ended(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    unsigned before = atomic_load(&ended_count);
    int rc = galley_on_end(rq, count_end, NULL);
    return rc ? rc : galley_res_printf(rs, 200, NULL, "%u\n", before);
}

/* GET /stats: every counter that is not zero. */
static int stats(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    size_t it = 0;
    const char *name = NULL;
    uint64_t value = 0;
    int rc = galley_res_begin(rs, 200, "text/plain", -1);
    while (rc == 0 && galley_server_next_counter(server, &it, &name, &value)) {
        char line[128];
        int len = snprintf(line, sizeof line, "%s %" PRIu64 "\n", name, value);
        rc = value ? galley_res_write(rs, line, (size_t)len) : 0;
    }
    return rc;
}

/* POST /stop: a handler may stop its server. */
static int stop(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    galley_server_stop(server, GALLEY_STOP_DRAIN);
    return galley_res_text(rs, 200, "stopping\n");
}

static int fallback(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_printf(rs, 404, NULL, "nothing at %s\n", galley_req_path(rq).ptr);
}

static void add_routes(void)
{
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT, refuse = GALLEY_ROUTE_OPTIONS_INIT;
    loop.run = GALLEY_ON_LOOP;
    refuse.body = GALLEY_BODY_REFUSE;
    galley_server_route(server, "GET /", text, "hello\n", NULL);
    galley_server_route(server, "POST /echo", echo, NULL, NULL);
    galley_server_route(server, "POST /loop/echo", echo, NULL, &loop);
    galley_server_route(server, "POST /refuse", text, "empty\n", &refuse);
    galley_server_route(server, "/head", head, NULL, NULL);
    galley_server_route(server, "/loop/head", head, NULL, &loop);
    galley_server_route(server, "GET /text", text, "text\n", NULL);
    galley_server_route(server, "GET /loop/text", text, "text\n", &loop);
    galley_server_route(server, "GET /chunked", chunked, NULL, NULL);
    galley_server_route(server, "GET /loop/chunked", chunked, NULL, &loop);
    galley_server_route(server, "GET /large", large, NULL, NULL);
    galley_server_route(server, "GET /broken", broken, NULL, NULL);
    galley_server_route(server, "GET /slow", slow, NULL, NULL);
    galley_server_route(server, "GET /patient", patient, NULL, NULL);
    galley_server_route(server, "GET /result/{n}", result, NULL, NULL);
    galley_server_route(server, "GET /loop/result/{n}", result, NULL, &loop);
    galley_server_route(server, "GET /twice", twice, NULL, NULL);
    galley_server_route(server, "GET /header", header, NULL, NULL);
    galley_server_route(server, "GET /redirect", redirect, NULL, NULL);
    galley_server_route(server, "GET /file/{path...}", file, NULL, NULL);
    galley_server_route(server, "GET /ended", ended, NULL, NULL);
    galley_server_route(server, "GET /stats", stats, NULL, NULL);
    galley_server_route(server, "POST /stop", stop, NULL, NULL);
    galley_server_fallback(server, fallback, NULL, NULL);
}

static void log_line(void *ctx, int level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%d %s\n", level, line);
}

static const char *option(int argc, char **argv, const char *name, const char *usual)
{
    size_t len = strlen(name);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=') {
            return argv[i] + len + 1;
        }
    }
    return usual;
}

static unsigned number(int argc, char **argv, const char *name)
{
    return (unsigned)strtoul(option(argc, argv, name, "0"), NULL, 10);
}

int main(int argc, char **argv)
{
    galley_error err;
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    galley_server_options opt = GALLEY_SERVER_OPTIONS_INIT;
    pool.threads = number(argc, argv, "workers");
    pool.queue_capacity = number(argc, argv, "queue");
    opt.io = wanted_io();
    opt.pool_options = &pool;
    opt.loops = number(argc, argv, "loops");
    opt.drain_ms = number(argc, argv, "drain_ms");
    opt.max_requests = number(argc, argv, "max_requests");
    opt.max_connections = number(argc, argv, "max_connections");
    opt.idle_timeout_ms = number(argc, argv, "idle_ms");
    opt.head_timeout_ms = number(argc, argv, "head_ms");
    opt.queue_timeout_ms = number(argc, argv, "queue_ms");
    opt.max_body_bytes = number(argc, argv, "max_body");
    opt.server_name = option(argc, argv, "name", NULL);
    opt.log = log_line;

    memset(block, 'x', sizeof block);
    server = galley_server_new(&opt, &err);
    if (!server) {
        fprintf(stderr, "echo: %s\n", err.message);
        return 1;
    }
    add_routes();
    if (galley_server_listen(server, option(argc, argv, "listen", "127.0.0.1:0")) == 0) {
        printf("http://%s/\n", galley_server_address(server, 0).ptr);
        fflush(stdout);
    }
    int rc = galley_server_run(server, GALLEY_UNTIL_SIGNAL, &err);
    if (rc) {
        fprintf(stderr, "echo: %s\n", err.message);
    }
    galley_server_free(server);
    return rc == GALLEY_ETIMEDOUT || rc == GALLEY_ECANCELED ? 3 : rc != 0;
}
