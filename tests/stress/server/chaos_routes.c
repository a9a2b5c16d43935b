/* tests/stress/server/chaos_routes.c — handlers of every kind: what they may do, and now and
 * then what they should not. */
#include "chaos.h"

#include <fcntl.h>
#include <stdlib.h>

static int result_by_chance(void)
{
    static const int results[] = {0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  200,
                                  204,
                                  404,
                                  500,
                                  99,
                                  1000,
                                  GALLEY_EFULL,
                                  GALLEY_ENOTFOUND,
                                  GALLEY_ECLOSED,
                                  GALLEY_ETIMEDOUT};
    return results[chance(sizeof results / sizeof *results)];
}

/* Before everything: each exchange ends once; some are answered here. */
static int around(galley_request *rq, galley_response *rs, galley_chain *chain, void *arg)
{
    struct round *round = arg;
    struct fate *fate = fate_new(round, "exchange");
    atomic_fetch_add(&round->inside, 1);
    if (galley_on_end(rq, fate_end, fate) != 0) {
        fate_end(fate);
    }
    (void)galley_req_set(rq, round, fate);
    int result = chance(40) == 0 ? galley_res_text(rs, 401, "not you") : galley_next(chain);
    EXPECT_INT(galley_next(NULL), GALLEY_EINVAL);
    atomic_fetch_sub(&round->inside, 1);
    return chance(40) == 0 ? result_by_chance() : result;
}

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    struct round *round = arg;
    if (chance(4) == 0) {
        struct fate *fate = fate_new(round, "data");
        return galley_res_data(rs, 200, NULL, "some data", 9, fate_end, fate);
    }
    if (chance(20) == 0) {
        (void)galley_res_text(rs, 200, "first");
    }
    return galley_res_printf(rs, 200, NULL, "hello %s", galley_req_peer(rq).ptr);
}

static int stand(struct round *round, galley_request *rq, galley_response *rs)
{
    (void)rq;
    if (atomic_fetch_add(&round->sticking, 1) > 0) {
        return galley_res_text(rs, 200, "one is enough");
    }
    while (!atomic_load(&round->is_gone)) {
        client_sleep_ms(5);
    }
    return galley_res_text(rs, 200, "for nobody");
}

static int nap_and_answer(galley_request *rq, galley_response *rs, void *arg)
{
    struct round *round = arg;
    if (round->may_stick && chance(4) == 0) {
        return stand(round, rq, rs);
    }
    unsigned naps = chance(30);
    for (unsigned i = 0; i < naps && !galley_should_stop(); i++) {
        client_sleep_ms(2);
    }
    return galley_res_text(rs, 200, "rested");
}

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    bool has_body = galley_req_content_length(rq) != 0;
    if (chance(20) == 0) {
        (void)galley_res_text(rs, 200, "a body first");
    }
    galley_deferred *deferred = galley_res_defer(rs);
    if (deferred) {
        leave(arg, LEAVING_DEFERRAL, deferred, 0, has_body);
    }
    return result_by_chance();
}

static void stream_closed(galley_stream *st, void *arg)
{
    (void)galley_stream_is_open(st);
    fate_end(arg);
}

void leave_stream(struct round *round, galley_response *rs)
{
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    struct fate *fate = fate_new(round, "stream");
    options.heartbeat_ms = 1 + chance(20);
    options.buffer_bytes = chance(2) ? 0 : 4000;
    options.closed = stream_closed;
    options.arg = fate;
    galley_stream *st = galley_res_stream(rs, 200, chance(2) ? NULL : "text/plain", &options);
    if (!st) {
        fate_end(fate);
        return;
    }
    for (unsigned writers = 1 + chance(3); writers > 1; writers--) {
        EXPECT(galley_stream_ref(st) == st);
        leave(round, LEAVING_STREAM, st, 1 + (int)chance(40), false);
    }
    (void)galley_stream_event(st, NULL, "first", "two\nlines");
    leave(round, LEAVING_STREAM, st, 1 + (int)chance(40), false);
}

static int events(galley_request *rq, galley_response *rs, void *arg)
{
    struct round *round = arg;
    (void)rq;
    leave_stream(round, rs);
    if (round->may_stick && chance(4) == 0) {
        (void)stand(round, rq, rs);
    }
    nap(chance(4) == 0 ? 10 : 1);
    return chance(10) == 0 ? result_by_chance() : 0;
}

static ssize_t give(void *buf, size_t len, void *arg)
{
    (void)arg;
    size_t n = chance(8) == 0 ? len : 1 + chance(3000);
    memset(buf, 'x', n < len ? n : len);
    unsigned what = chance(40);
    return what < 3 ? 0 : what == 3 ? GALLEY_EPROTO : (ssize_t)(n < len ? n : len);
}

void leave_source(struct round *round, galley_response *rs)
{
    int64_t length = chance(3) == 0 ? (int64_t)chance(100000) : -1;
    (void)galley_res_source(rs, 200, NULL, length, give, fate_end, fate_new(round, "source"));
}

static int source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    leave_source(arg, rs);
    if (chance(20) == 0) {
        (void)galley_res_text(rs, 200, "a second body");
    }
    return chance(10) == 0 ? result_by_chance() : 0;
}

/* An upload goes back as it comes. */
static int echo(galley_request *rq, galley_response *rs, void *arg)
{
    char piece[5000];
    ssize_t got = 0;
    (void)arg;
    if (chance(8) == 0) {
        return result_by_chance(); /* unread */
    }
    int rc = galley_res_begin(rs, 200, NULL, -1);
    while (rc == 0 && (got = galley_req_read(rq, piece, 1 + chance(sizeof piece))) > 0) {
        rc = galley_res_write(rs, piece, (size_t)got);
        if (chance(50) == 0) {
            break;
        }
    }
    return got < 0 ? (int)got : rc;
}

static int write_much(galley_request *rq, galley_response *rs, void *arg)
{
    static const char zeros[70000];
    (void)rq;
    (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", chance(3) == 0 ? 200000 : -1);
    for (unsigned i = 0; i < 12 && rc == 0; i++) {
        rc = galley_res_write(rs, zeros, chance(sizeof zeros));
    }
    return chance(5) == 0 ? result_by_chance() : rc;
}

/* ---- sinks ---- */

struct sunk {
    struct round *round;
    struct fate *fate;
};

static int sink(galley_request *rq, galley_response *rs, const void *data, ssize_t len, void *arg)
{
    struct sunk *sunk = arg;
    (void)data;
    EXPECT_INT(atomic_load(&sunk->fate->ends), 0); /* no call behind the end */
    switch (chance(len > 0 ? 60 : 6)) {
    case 0:
        return result_by_chance();
    case 1:
        return defer(rq, rs, sunk->round);
    case 2:
        return galley_res_file(rs, 200, sunk->round->file) == 0 ? 0 : 500;
    case 3:
        leave_source(sunk->round, rs);
        return 0;
    case 4:
        leave_stream(sunk->round, rs);
        return 0;
    default:
        return len == 0 ? galley_res_text(rs, 200, "sunk") : 0;
    }
}

static int take_in(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    struct sunk *sunk = galley_alloc(rq, sizeof *sunk);
    if (!sunk) {
        return GALLEY_ENOMEM;
    }
    *sunk = (struct sunk){arg, galley_req_get(rq, arg)};
    if (galley_req_sink(rq, sink, sunk) != 0) {
        return 500;
    }
    return chance(20) == 0 ? result_by_chance() : 0;
}

/* ---- files ---- */

static int keep(galley_request *rq, galley_response *rs, void *arg)
{
    char first[16];
    int fd = galley_req_body_fd(rq);
    (void)arg;
    EXPECT(fd >= 0);
    size_t most = galley_req_body_size(rq) < sizeof first ? galley_req_body_size(rq) : sizeof first;
    EXPECT_INT(read(fd, first, sizeof first), (ssize_t)most);
    if (chance(3) == 0) {
        return defer(rq, rs, arg);
    }
    return galley_res_printf(rs, 200, NULL, "%llu", (unsigned long long)galley_req_body_size(rq));
}

static int give_file(galley_request *rq, galley_response *rs, void *arg)
{
    struct round *round = arg;
    (void)rq;
    if (chance(2) == 0) {
        return galley_res_file(rs, 200, chance(8) == 0 ? "/nowhere" : round->file);
    }
    int fd = open(round->file, O_RDONLY | O_CLOEXEC);
    return galley_res_fd(rs, 200, NULL, fd, 0, -1);
}

/* ---- sockets ---- */

static void message(galley_ws *ws, int kind, galley_str data, void *arg)
{
    (void)arg;
    nap(chance(10) == 0 ? 5 : 0);
    (void)galley_ws_send(ws, kind, data.ptr, data.len);
    if (chance(10) == 0) {
        (void)galley_ws_close(ws, 3000, "enough");
    }
    if (chance(20) == 0) {
        galley_ws_unref(ws); /* one that others believe to hold */
    }
}

static void ws_closed(galley_ws *ws, int code, galley_str reason, void *arg)
{
    (void)code;
    (void)reason;
    (void)galley_ws_send(ws, GALLEY_WS_TEXT, "too late", 8);
    fate_end(arg);
}

static int take_socket(galley_request *rq, galley_response *rs, struct round *round, int run)
{
    galley_ws_options options = GALLEY_WS_OPTIONS_INIT;
    struct fate *fate = fate_new(round, "socket");
    galley_ws *ws = NULL;
    options.run = run;
    options.ping_ms = 1 + chance(50);
    options.close_timeout_ms = 1 + chance(50);
    options.message = message;
    options.closed = ws_closed;
    options.arg = fate;
    int rc = galley_ws_accept(rq, rs, &options, &ws);
    if (rc != 0) {
        fate_end(fate);
        return rc;
    }
    (void)galley_ws_send(ws, GALLEY_WS_TEXT, "welcome", 7);
    leave(round, LEAVING_SOCKET, ws, (int)chance(20), false);
    if (round->may_stick && run == GALLEY_ON_POOL && !chance(4)) {
        (void)stand(round, rq, rs);
    }
    return chance(20) == 0 ? result_by_chance() : 0;
}

static int socket_on_pool(galley_request *rq, galley_response *rs, void *arg)
{
    return take_socket(rq, rs, arg, GALLEY_ON_POOL);
}

static int socket_on_loop(galley_request *rq, galley_response *rs, void *arg)
{
    return take_socket(rq, rs, arg, GALLEY_ON_LOOP);
}

/* ---- all of them ---- */

static const struct {
    const char *pattern;
    galley_handler *fn;
    int run, body;
    unsigned max_running, timeout_ms;
} routes[] = {
    {"/loop/hello", hello, GALLEY_ON_LOOP, 0, 0, 0},
    {"/pool/hello", hello, 0, 0, 0, 0},
    {"/pool/nap", nap_and_answer, 0, 0, 0, 0},
    {"/gate/nap", nap_and_answer, 0, 0, 2, 30},
    {"/gate/loop", hello, GALLEY_ON_LOOP, 0, 1, 30},
    {"/gate/defer", defer, 0, 0, 2, 20},
    {"/loop/defer", defer, GALLEY_ON_LOOP, 0, 0, 0},
    {"/pool/defer", defer, 0, 0, 0, 0},
    {"/loop/pieces", defer, GALLEY_ON_LOOP, GALLEY_BODY_STREAM, 0, 40},
    {"/pool/pieces", defer, 0, GALLEY_BODY_STREAM, 0, 0},
    {"/pool/events", events, 0, 0, 0, 0},
    {"/timed/events", events, 0, 0, 3, 30},
    {"/loop/source", source, GALLEY_ON_LOOP, 0, 0, 0},
    {"/pool/source", source, 0, 0, 0, 0},
    {"/timed/source", source, 0, 0, 2, 20},
    {"/pool/echo", echo, 0, GALLEY_BODY_STREAM, 0, 0},
    {"/timed/echo", echo, 0, GALLEY_BODY_STREAM, 2, 30},
    {"/pool/much", write_much, 0, 0, 0, 0},
    {"/timed/much", write_much, 0, 0, 0, 20},
    {"/loop/much", write_much, GALLEY_ON_LOOP, 0, 0, 0},
    {"/loop/sink", take_in, GALLEY_ON_LOOP, GALLEY_BODY_STREAM, 0, 0},
    {"/timed/sink", take_in, GALLEY_ON_LOOP, GALLEY_BODY_STREAM, 2, 30},
    {"/pool/keep", keep, 0, GALLEY_BODY_SPOOL, 0, 0},
    {"/timed/keep", keep, 0, GALLEY_BODY_SPOOL, 1, 30},
    {"/loop/file", give_file, GALLEY_ON_LOOP, 0, 0, 0},
    {"/pool/file", give_file, 0, GALLEY_BODY_REFUSE, 0, 30},
    {"GET /pool/ws", socket_on_pool, 0, 0, 0, 0},
    {"GET /loop/ws", socket_on_loop, GALLEY_ON_LOOP, 0, 0, 0},
    {"GET /timed/ws", socket_on_pool, 0, 0, 4, 30},
};

void add_routes(struct round *round)
{
    EXPECT_INT(galley_server_use(round->srv, "/", around, round), 0);
    for (unsigned i = 0; i < sizeof routes / sizeof *routes; i++) {
        galley_route_options route = GALLEY_ROUTE_OPTIONS_INIT;
        route.run = routes[i].run;
        route.body = routes[i].body;
        route.max_body_bytes = 400000;
        route.max_running = routes[i].max_running;
        route.max_waiting = routes[i].max_running ? 4 : 0;
        route.timeout_ms = routes[i].timeout_ms;
        EXPECT_INT(galley_server_route(round->srv, routes[i].pattern, routes[i].fn, round, &route),
                   0);
    }
}
