/* tests/programs/lab_server.c — the server of the whole-server tests that need handlers.
 *
 *     lab_server [NAME=NUMBER]... [listen=ADDRESS]... [root=DIRECTORY]
 *
 * NAME is a field of galley_server_options, or `workers` or `queue` of its pool. Prints its URL,
 * serves until a signal; exit 0 after a clean drain, 3 when requests were cut, 1 when it could not
 * start, 2 for a bad argument. Each handler's comment says what a test can see through it. Only
 * public headers. Handlers run on the pool but where a route says loop.
 */
#include "wanted_io.h"
#include "wanted_way.h"

#include <galley/server.h>
#include <galley/static.h>
#include <galley/websocket.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* GET /hold waits until somebody GETs /release: tests fill the pool without a clock. */
static pthread_mutex_t hold_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_changed = PTHREAD_COND_INITIALIZER;
static unsigned held_count;    /* under hold_mutex: handlers inside /hold now */
static unsigned release_count; /* under hold_mutex: how often /release was asked for */

static int reply_ok(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    return galley_res_text(rs, 200, arg ? arg : "ok\n");
}

static int reply_hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_mutex_lock(&hold_mutex);
    unsigned seen = release_count;
    held_count++;
    while (seen == release_count)
        pthread_cond_wait(&hold_changed, &hold_mutex);
    held_count--;
    pthread_mutex_unlock(&hold_mutex);
    return galley_res_text(rs, 200, "held\n");
}

static int reply_release(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_mutex_lock(&hold_mutex);
    release_count++;
    pthread_cond_broadcast(&hold_changed);
    pthread_mutex_unlock(&hold_mutex);
    return galley_res_text(rs, 200, "released\n");
}

/* How many handlers are inside /hold, for tests that must know before they go on. */
static int reply_held(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    pthread_mutex_lock(&hold_mutex);
    unsigned count = held_count;
    pthread_mutex_unlock(&hold_mutex);
    return galley_res_printf(rs, 200, NULL, "%u\n", count);
}

static int reply_sleep(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    long ms = strtol(galley_req_param(rq, "ms").ptr, NULL, 10);
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
    return galley_res_text(rs, 200, "slept\n");
}

/* The body, as the handler got it. */
static int reply_echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    return galley_res_data(rs, 200, "application/octet-stream", body.ptr ? body.ptr : "", body.len,
                           NULL, NULL);
}

/* What the handler sees of the head, one "name: value" a line, and of the body its length: trailers
 * must not be there. */
static int reply_fields(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    char *text = galley_sprintf(rq, "body: %zu\n", galley_req_body(rq).len);
    galley_str name, value;
    for (size_t it = 0; text && galley_req_next_header(rq, &it, &name, &value);)
        text = galley_sprintf(rq, "%s%s: %s\n", text, name.ptr, value.ptr);
    galley_str probe = galley_req_header(rq, "X-Forwarded-For");
    text = text ? galley_sprintf(rq, "%sprobe: %s\n", text, probe.ptr ? probe.ptr : "-") : NULL;
    return text ? galley_res_text(rs, 200, text) : 500;
}

/* The path after decoding: what a router and an opener see. */
static int reply_path(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_res_text(rs, 200, galley_req_path(rq).ptr);
}

/* Sets a header from the body, up to its first NUL; says whether that was taken. */
static int reply_header(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str body = galley_req_body(rq);
    int code = galley_res_header(rs, "X-Value", body.ptr ? body.ptr : "");
    return galley_res_text(rs, 200, code ? "refused\n" : "taken\n");
}

/* {count} bytes in pieces, chunked; the byte at offset i is 'a' + i % 26. A client that does not
 * read makes it wait. */
static int reply_stream(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    char block[26 * 630];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 26);
    unsigned long long left = strtoull(galley_req_param(rq, "count").ptr, NULL, 10);
    int code = galley_res_begin(rs, 200, "text/plain", -1);
    while (!code && left) {
        size_t size = left < sizeof block ? (size_t)left : sizeof block;
        code = galley_res_write(rs, block, size);
        left -= size;
    }
    return code;
}

/* Sends a part of what it promised: the client must see a broken connection, not a whole answer. */
static int reply_short(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    int code = galley_res_begin(rs, 200, "text/plain", 1000);
    return code ? code : galley_res_write(rs, "only this", 9);
}

/* Every counter of the server, "name number" a line. */
static int reply_counters(galley_request *rq, galley_response *rs, void *arg)
{
    const galley_server *server = *(galley_server **)arg;
    char *text = galley_sprintf(rq, "%s", "");
    const char *name;
    uint64_t value;
    for (size_t it = 0; text && galley_server_next_counter(server, &it, &name, &value);)
        if (value)
            text = galley_sprintf(rq, "%s%s %llu\n", text, name, (unsigned long long)value);
    return text ? galley_res_text(rs, 200, text) : 500;
}

static void let_stream_go(galley_stream *st, void *arg)
{
    (void)arg;
    galley_stream_unref(st);
}

/* A stream of events that says hello and then nothing, not even that it is there. */
static int reply_events(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.heartbeat_ms = GALLEY_NO_LIMIT;
    options.closed = let_stream_go;
    galley_stream *st = galley_res_stream(rs, 200, NULL, &options);
    if (!st)
        return GALLEY_ENOMEM;
    return galley_stream_event(st, NULL, NULL, "hello");
}

static void hear_nothing(galley_ws *ws, int kind, galley_str data, void *arg)
{
    (void)ws;
    (void)kind;
    (void)data;
    (void)arg;
}

static void let_socket_go(galley_ws *ws, int code, galley_str reason, void *arg)
{
    (void)code;
    (void)reason;
    (void)arg;
    galley_ws_unref(ws);
}

/* A WebSocket that says hello, hears what comes, and does nothing else. */
static int reply_socket(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_ws_options options = GALLEY_WS_OPTIONS_INIT;
    options.message = hear_nothing;
    options.closed = let_socket_go;
    options.ping_ms = GALLEY_NO_LIMIT;
    galley_ws *ws = NULL;
    int code = galley_ws_accept(rq, rs, &options, &ws);
    return code ? code : galley_ws_send(ws, GALLEY_WS_TEXT, "hello", 5);
}

static const struct {
    const char *pattern;
    galley_handler *fn;
    int run;
} rows[] = {
    {"GET /", reply_ok, GALLEY_ON_LOOP},
    {"GET /on-pool", reply_ok, GALLEY_ON_POOL},
    {"GET /hold", reply_hold, GALLEY_ON_POOL},
    {"GET /release", reply_release, GALLEY_ON_LOOP},
    {"GET /held", reply_held, GALLEY_ON_LOOP},
    {"GET /sleep/{ms}", reply_sleep, GALLEY_ON_POOL},
    {"POST /echo", reply_echo, GALLEY_ON_POOL},
    {"POST /echo-on-loop", reply_echo, GALLEY_ON_LOOP},
    {"/fields", reply_fields, GALLEY_ON_POOL},
    {"GET /path/{rest...}", reply_path, GALLEY_ON_LOOP},
    {"GET /smuggled", reply_ok, GALLEY_ON_LOOP},
    {"POST /header", reply_header, GALLEY_ON_POOL},
    {"GET /stream/{count}", reply_stream, GALLEY_ON_POOL},
    {"GET /short", reply_short, GALLEY_ON_POOL},
    {"GET /events", reply_events, GALLEY_ON_LOOP},
    {"GET /socket", reply_socket, GALLEY_ON_LOOP},
};

static void add_routes(galley_server **server)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        galley_route_options options = GALLEY_ROUTE_OPTIONS_INIT;
        options.run = rows[i].run;
        galley_server_route(*server, rows[i].pattern, rows[i].fn, NULL, &options);
    }
    galley_route_options options = GALLEY_ROUTE_OPTIONS_INIT;
    options.run = GALLEY_ON_LOOP; /* also when no worker is free */
    galley_server_route(*server, "GET /counters", reply_counters, server, &options);
}

/* ---- arguments ---- */

#define FIELD(name) #name, offsetof(galley_server_options, name)

static const struct {
    const char *name;
    size_t offset;
} number_fields[] = {
    {FIELD(loops)},           {FIELD(file_threads)},     {FIELD(max_connections)},
    {FIELD(max_requests)},    {FIELD(max_target_bytes)}, {FIELD(max_requests_per_connection)},
    {FIELD(max_head_bytes)},  {FIELD(max_fields)},       {FIELD(head_timeout_ms)},
    {FIELD(idle_timeout_ms)}, {FIELD(body_grace_ms)},    {FIELD(body_min_rate)},
    {FIELD(send_grace_ms)},   {FIELD(send_min_rate)},    {FIELD(linger_ms)},
    {FIELD(linger_bytes)},    {FIELD(queue_timeout_ms)}, {FIELD(drain_ms)},
};

struct setup {
    galley_server_options options;
    galley_pool_options pool;
    const char *root;
    const char *listen[8];
    unsigned listen_count;
};

static bool take_number(struct setup *setup, const char *name, size_t len, const char *value)
{
    unsigned number = (unsigned)strtoul(value, NULL, 10);
    if (len == 7 && !memcmp(name, "workers", 7))
        setup->pool.threads = number;
    else if (len == 5 && !memcmp(name, "queue", 5))
        setup->pool.queue_capacity = number;
    else if (len == 14 && !memcmp(name, "max_body_bytes", 14))
        setup->options.max_body_bytes = number;
    else {
        for (size_t i = 0; i < sizeof number_fields / sizeof *number_fields; i++)
            if (strlen(number_fields[i].name) == len && !memcmp(number_fields[i].name, name, len)) {
                memcpy((char *)&setup->options + number_fields[i].offset, &number, sizeof number);
                return true;
            }
        return false;
    }
    return true;
}

static bool take_argument(struct setup *setup, const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (!equals)
        return false;
    if (!strncmp(argument, "listen=", 7) && setup->listen_count < 8)
        setup->listen[setup->listen_count++] = equals + 1;
    else if (!strncmp(argument, "root=", 5))
        setup->root = equals + 1;
    else
        return take_number(setup, argument, (size_t)(equals - argument), equals + 1);
    return true;
}

static void print_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "lab_server: %d %s\n", level, line);
}

/* ---- running ---- */

static int listen_all(galley_server *server, const struct setup *setup)
{
    for (unsigned i = 0; i < setup->listen_count; i++)
        if (wanted_listen(server, setup->listen[i]))
            return -1;
    if (!setup->listen_count && wanted_listen(server, "127.0.0.1:0"))
        return -1;
    for (unsigned i = 0; galley_server_address(server, i).ptr; i++)
        printf("%s://%s/\n", wanted_scheme(), galley_server_address(server, i).ptr);
    return fflush(stdout);
}

static int serve(galley_server *server, const struct setup *setup, galley_static *site,
                 galley_error *error)
{
    add_routes(&server);
    if (site)
        galley_server_route(server, "/files/{path...}", galley_static_serve, site, NULL);
    if (listen_all(server, setup))
        error->message[0] = '\0'; /* run() refuses, and says why */
    return galley_server_run(server, GALLEY_UNTIL_SIGNAL, error);
}

static int report(int code, const galley_error *error)
{
    if (!code)
        return 0;
    fprintf(stderr, "lab_server: %s\n", error->message);
    return code == GALLEY_ETIMEDOUT || code == GALLEY_ECANCELED ? 3 : 1;
}

int main(int argc, char **argv)
{
    struct setup setup = {GALLEY_SERVER_OPTIONS_INIT, GALLEY_POOL_OPTIONS_INIT, NULL, {NULL}, 0};
    for (int i = 1; i < argc; i++)
        if (!take_argument(&setup, argv[i])) {
            fprintf(stderr, "lab_server: what is %s?\n", argv[i]);
            return 2;
        }
    galley_error error = {0};
    setup.options.pool_options = &setup.pool;
    setup.options.log = print_log;
    setup.options.io = wanted_io();
    galley_static *site = setup.root ? galley_static_new(setup.root, NULL, &error) : NULL;
    galley_server *server = galley_server_new(&setup.options, &error);
    int code = error.code;
    if (server && (site || !setup.root))
        code = serve(server, &setup, site, &error);
    wanted_free(server);
    galley_static_free(site);
    return report(code, &error);
}
