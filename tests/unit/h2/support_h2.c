/* tests/unit/h2/support_h2.c — see support_h2.h: the world and its handlers. */
#include "support_h2.h"

#include "base/alloc.h"
#include "exchange/stream.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static struct world *the_world;

/* ---- handlers -------------------------------------------------------------------------------- */

static int handle_hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "hello");
}

static int handle_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = exchange_suspend(exchange_of_request(rq));
    if (rc == GALLEY_OK) {
        EXPECT(the_world->later_count < MAX_LATER);
        the_world->later[the_world->later_count++] = exchange_of_request(rq);
    }
    return rc;
}

static int handle_echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    struct span body = buf_span(&exchange->request.body);
    (void)rs;
    return response_body_copy(exchange, body.ptr, body.len);
}

static void release_big(void *arg)
{
    ((struct world *)arg)->big_released++;
}

static int handle_big(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = response_body_data(exchange_of_request(rq), the_world->big, BIG_BYTES, release_big,
                                the_world);
    the_world->big_lent += rc == GALLEY_OK;
    return rc;
}

static int handle_borrowed(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    char *memory = arena_alloc(&exchange->arena, BORROWED_BYTES);
    if (!memory) {
        return GALLEY_ENOMEM;
    }
    memset(memory, 'b', BORROWED_BYTES);
    return response_body_data(exchange, memory, BORROWED_BYTES, NULL, NULL);
}

static int handle_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    return response_body_file(exchange_of_request(rq), the_world->file_fd, 0, the_world->file_bytes,
                              NULL, NULL);
}

static int handle_empty(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)rs, (void)arg;
    return 204;
}

static int handle_unchanged(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    exchange_of_request(rq)->response.ready_fields =
        SPAN("ETag: \"x\"\r\nVary: Accept-Encoding\r\n");
    return 304;
}

static int handle_ready(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    exchange->response.ready_fields = SPAN("Content-Type: text/css\r\nContent-Length: 5\r\n");
    exchange->response.has_ready_length = true;
    int rc = response_body_data(exchange, "ready", 5, release_big, the_world);
    the_world->big_lent += rc == GALLEY_OK;
    return rc;
}

static int handle_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)rs, (void)arg;
    return GALLEY_EFULL;
}

/* ---- sources --------------------------------------------------------------------------------- */

static ssize_t give_block(void *buf, size_t len, void *arg)
{
    unsigned *left = arg;
    if (*left == 0) {
        return 0;
    }
    --*left;
    memset(buf, 's', len);
    return (ssize_t)len;
}

static int handle_source(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str query = galley_req_query(rq);
    unsigned *left = galley_alloc(rq, sizeof *left);
    if (!left) {
        return GALLEY_ENOMEM;
    }
    *left = query.len ? (unsigned)(query.ptr[0] - '0') : 1;
    return galley_res_source(rs, 200, "text/plain", -1, give_block, NULL, left);
}

static ssize_t give_one_and_fail(void *buf, size_t len, void *arg)
{
    bool *has_given = arg;
    if (*has_given) {
        return GALLEY_EPROTO;
    }
    *has_given = true;
    memset(buf, 'x', len);
    return 5;
}

static int handle_broken(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    bool *has_given = galley_alloc(rq, sizeof *has_given);
    if (!has_given) {
        return GALLEY_ENOMEM;
    }
    *has_given = false;
    return galley_res_source(rs, 200, "text/plain", -1, give_one_and_fail, NULL, has_given);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int sink(galley_request *rq, galley_response *rs, const void *data, ssize_t len, void *arg)
{
    struct world *world = the_world;
    (void)arg;
    if (!data) {
        world->sink_code = (int)len;
        return len < 0 ? (int)len
                       : galley_res_printf(rs, 200, NULL, "%llu", (unsigned long long)world->sunk);
    }
    (void)rq;
    world->sunk += (uint64_t)len;
    return 0;
}

static int handle_sink(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    the_world->sink_code = 1;
    return galley_req_sink(rq, sink, NULL);
}

static int handle_fields(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    const struct fields *fields = exchange_of_request(rq)->request.fields;
    return galley_res_printf(rs, 200, NULL, "%u %s host=%s cookie=%s x=%s", fields->count,
                             galley_req_method_name(rq).ptr, galley_req_header(rq, "Host").ptr,
                             galley_req_header(rq, "Cookie").ptr, galley_req_header(rq, "X").ptr);
}

static int handle_hop(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    exchange_of_request(rq)->response.ready_fields =
        SPAN("Keep-Alive: timeout=5\r\nUpgrade: websocket\r\n");
    int rc = galley_res_header(rs, "Set-Cookie", "a=b");
    return rc ? rc : galley_res_text(rs, 200, "hop");
}

static int add_many(galley_response *rs, const char *value)
{
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "X-%d", i);
        rc = galley_res_header(rs, name, value);
    }
    return rc;
}

static int handle_many(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int rc = add_many(rs, "many");
    return rc ? rc : galley_res_text(rs, 200, "many");
}

static int handle_vast(galley_request *rq, galley_response *rs, void *arg)
{
    char value[1000];
    (void)rq, (void)arg;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    int rc = add_many(rs, value);
    return rc ? rc : galley_res_text(rs, 200, "vast");
}

/* ---- a tunnel -------------------------------------------------------------------------------- */

static void tunnel_ended(void *arg)
{
    struct stream **stream = arg;
    stream_unref(*stream);
}

static int tunnel_input(struct exchange *exchange, struct span piece, void *arg)
{
    struct stream **stream = arg;
    (void)exchange;
    if (piece.len == 0) {
        stream_close(*stream);
    } else {
        (void)stream_write(*stream, piece.ptr, piece.len);
    }
    return 0;
}

static int handle_tunnel(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    struct stream **stream = galley_alloc(rq, sizeof(struct stream *));
    if (!stream) {
        return GALLEY_ENOMEM;
    }
    struct stream_options options = {
        .buffer_bytes = BIG_BYTES, .ended = tunnel_ended, .arg = stream};
    int rc = exchange_upgrade(exchange, SPAN("websocket"), &options, stream);
    if (rc == GALLEY_OK) {
        exchange_tunnel_input(exchange, tunnel_input, stream);
    }
    return rc;
}

/* ---- the dispatcher -------------------------------------------------------------------------- */

struct test_route {
    const char *path;
    struct route_target target;
};

static const struct test_route routes[] = {
#define ROUTE(p, h, mode)                                                                          \
    {                                                                                              \
        .path = (p), .target = {                                                                   \
            .handler = (h),                                                                        \
            .on_loop = true,                                                                       \
            .body_mode = (mode),                                                                   \
            .max_body_bytes = 4 * BIG_BYTES,                                                       \
            .label = (p)                                                                           \
        }                                                                                          \
    }
    ROUTE("/", handle_hello, EXCHANGE_BODY_DISCARD),
    ROUTE("/later", handle_later, EXCHANGE_BODY_BUFFER),
    ROUTE("/echo", handle_echo, EXCHANGE_BODY_BUFFER),
    ROUTE("/held", handle_echo, EXCHANGE_BODY_BUFFER),
    ROUTE("/big", handle_big, EXCHANGE_BODY_DISCARD),
    ROUTE("/borrowed", handle_borrowed, EXCHANGE_BODY_DISCARD),
    ROUTE("/file", handle_file, EXCHANGE_BODY_DISCARD),
    ROUTE("/empty", handle_empty, EXCHANGE_BODY_DISCARD),
    ROUTE("/unchanged", handle_unchanged, EXCHANGE_BODY_DISCARD),
    ROUTE("/ready", handle_ready, EXCHANGE_BODY_DISCARD),
    ROUTE("/fail", handle_fail, EXCHANGE_BODY_DISCARD),
    ROUTE("/source", handle_source, EXCHANGE_BODY_DISCARD),
    ROUTE("/broken", handle_broken, EXCHANGE_BODY_DISCARD),
    ROUTE("/sink", handle_sink, EXCHANGE_BODY_STREAM),
    ROUTE("/fields", handle_fields, EXCHANGE_BODY_DISCARD),
    ROUTE("/hop", handle_hop, EXCHANGE_BODY_DISCARD),
    ROUTE("/many", handle_many, EXCHANGE_BODY_DISCARD),
    ROUTE("/vast", handle_vast, EXCHANGE_BODY_DISCARD),
    ROUTE("/refuse", handle_hello, EXCHANGE_BODY_REFUSE),
    ROUTE("/tunnel", handle_tunnel, EXCHANGE_BODY_BUFFER),
#undef ROUTE
};

static void dispatch(void *ctx, struct exchange *exchange)
{
    struct world *world = ctx;
    struct span path = exchange->request.target.path;
    world->handled++;
    world->most_live =
        world->exchanges.live > world->most_live ? world->exchanges.live : world->most_live;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (path.ptr && span_equal(path, span_of(routes[i].path))) {
            exchange->route = &routes[i].target;
            if (strcmp(routes[i].path, "/held") == 0) {
                world->held = exchange;
            } else {
                exchange_want_body(exchange);
            }
            return;
        }
    }
    exchange_reject(exchange, 404);
}

/* Reads all of the request, as a log would: sanitizers see what has gone. */
static void ended(void *ctx, const struct exchange *exchange)
{
    struct world *world = ctx;
    struct logged *logged = &world->logged[world->logged_count++ % MAX_LOGGED];
    const struct request *request = &exchange->request;
    logged->status = exchange->response.status;
    logged->bytes_sent = exchange->bytes_sent;
    logged->client_is_gone = exchange->client_is_gone;
    (void)snprintf(logged->target, sizeof logged->target, "%.*s", SPAN_ARGS(request->raw_target));
    uint32_t it = 0;
    const struct field *field;
    unsigned sum = 0;
    while (request->fields && (field = fields_next_any(request->fields, &it)) != NULL) {
        for (size_t i = 0; i < field->value.len; i++) {
            sum += (unsigned char)field->value.ptr[i];
        }
    }
    EXPECT(sum < UINT32_MAX && request->peer != NULL);
    if (world->held == exchange) {
        world->held = NULL;
    }
}

/* ---- the world ------------------------------------------------------------------------------- */

void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    the_world = world;
    world->file_fd = -1;
    world->conn_limits = (struct conn_limits){.handshake_ms = 10000,
                                              .head_ms = 10000,
                                              .idle_ms = 60000,
                                              .body_grace_ms = 5000,
                                              .body_min_rate = 1024,
                                              .send_grace_ms = 10000,
                                              .send_min_rate = 1024,
                                              .linger_ms = 2000,
                                              .linger_bytes = 256 * 1024,
                                              .max_pending_in = 64 * 1024};
    world->http_limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
    world->options.limits = &world->http_limits;
    world->services.server_name = "galley";
    world->services.max_memory_bytes = 1024 * 1024;
}

void world_start(struct world *world)
{
    struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    world->loop = loop_create(&options, NULL);
    EXPECT(world->loop != NULL);
    conn_set_init(&world->set, world->loop, &world->conn_limits, NULL);
    world->services.dispatch = dispatch;
    world->services.ended = ended;
    world->services.ctx = world;
    world->services.loop = world->loop;
    world->services.chains = &world->set.chains;
    exchange_pool_init(&world->exchanges, &world->services);
    world->driver = h2_driver_create(&world->exchanges, &world->options);
    EXPECT(world->driver != NULL);
    world->big = mem_alloc(BIG_BYTES);
    EXPECT(world->big != NULL);
    for (size_t i = 0; i < BIG_BYTES; i++) {
        world->big[i] = (char)('a' + i % 23);
    }
}

void world_open(struct world *world)
{
    world_init(world);
    world_start(world);
}

void world_open_file(struct world *world)
{
    char path[] = "/tmp/galley-h2-XXXXXX";
    world_open(world);
    world->file_fd = mkstemp(path);
    EXPECT(world->file_fd >= 0);
    (void)unlink(path);
    EXPECT_INT(write(world->file_fd, world->big, BIG_BYTES), BIG_BYTES);
    world->file_bytes = BIG_BYTES;
}

void world_close(struct world *world)
{
    conn_set_close_all(&world->set, CLOSE_STOP_NOW);
    sim_run(world->loop);
    while (world_resume(world, 0)) {
    }
    sim_run(world->loop);
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(world->exchanges.live, 0);
    EXPECT_INT(world->big_released, world->big_lent);
    EXPECT_INT(sim_open_count(world->loop), 0);
    h2_driver_destroy(world->driver);
    exchange_pool_finish(&world->exchanges);
    conn_set_finish(&world->set);
    loop_destroy(world->loop);
    mem_free(world->big);
}

struct sim_peer *world_connect(struct world *world)
{
    int fd = -1;
    struct sim_peer *peer = sim_pair(world->loop, &fd);
    if (peer) {
        (void)conn_create(&world->set, fd, h2_driver_protocol(world->driver));
        sim_run(world->loop);
    }
    return peer;
}

struct conn *world_conn(const struct world *world)
{
    for (int state = 0; state < CONN_STATE_COUNT; state++) {
        const struct list *list = &world->set.by_state[state];
        if (!list_is_empty(list)) {
            return CONTAINER_OF(list->next, struct conn, link);
        }
    }
    return NULL;
}

uint64_t world_closed(const struct world *world, enum close_reason reason)
{
    return counter_read(&world->set.counters.closed[reason]);
}

uint64_t world_guarded(const struct world *world, enum h2_guard_kind kind)
{
    return counter_read(&h2_driver_counters(world->driver)->guarded[kind]);
}

bool world_resume(struct world *world, int result)
{
    if (world->later_count == 0) {
        return false;
    }
    struct exchange *exchange = world->later[0];
    world->later_count--;
    memmove(world->later, world->later + 1, world->later_count * sizeof *world->later);
    exchange_resume(exchange, result);
    sim_run(world->loop);
    return true;
}

void world_release(struct world *world)
{
    EXPECT(world->held);
    exchange_want_body(world->held);
    sim_run(world->loop);
}
