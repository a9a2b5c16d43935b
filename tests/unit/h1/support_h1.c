/* tests/unit/h1/support_h1.c — see support_h1.h. */
#include "support_h1.h"

#include "base/alloc.h"
#include "base/text.h"

#include "test.h"

#include <stdarg.h>

/* ---- handlers -------------------------------------------------------------------------------- */

static struct world *the_world;

static int answer_text(galley_response *rs, const char *text)
{
    struct exchange *exchange = exchange_of_response(rs);
    exchange->response.status = 200;
    int rc = response_set_field(exchange, SPAN("Content-Type"), SPAN("text/plain"));
    return rc ? rc : response_body_copy(exchange, text, strlen(text));
}

static int handle_hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return answer_text(rs, "hello");
}

static int handle_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = exchange_suspend(exchange_of_request(rq));
    if (rc == GALLEY_OK) {
        the_world->later = exchange_of_request(rq);
    }
    return rc;
}

static int handle_resume(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    struct exchange *exchange = the_world->later;
    the_world->later = NULL;
    if (exchange) {
        exchange_resume(exchange, 204);
    }
    return answer_text(rs, "resumed");
}

static int handle_echo(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    struct span body = buf_span(&exchange->request.body);
    int rc = answer_text(rs, "");
    return rc ? rc : response_body_copy(exchange, body.ptr, body.len);
}

static void release_big(void *arg)
{
    ((struct world *)arg)->big_released++;
}

static int handle_big(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    return response_body_data(exchange_of_request(rq), the_world->big, BIG_BYTES, release_big,
                              the_world);
}

static int handle_borrowed(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    struct exchange *exchange = exchange_of_request(rq);
    enum { BYTES = 3000 };
    char *memory = arena_alloc(&exchange->arena, BYTES);
    if (!memory) {
        return GALLEY_ENOMEM;
    }
    memset(memory, 'b', BYTES);
    return response_body_data(exchange, memory, BYTES, NULL, NULL);
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

static int handle_reset(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 205, "nothing of this may be sent");
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
    return response_body_data(exchange, "ready", 5, release_big, the_world);
}

static int handle_fail(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)rs, (void)arg;
    return GALLEY_EFULL;
}

static int handle_smuggled(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    the_world->smuggled++;
    return answer_text(rs, "smuggled");
}

/* ---- answers in pieces: on a worker if there is a pool, else at once on the loop ------------- */

static int write_pieces(galley_response *rs, int64_t length)
{
    static const char *const pieces[] = {"one", "two", "three"};
    int rc = galley_res_begin(rs, 200, "text/plain", length);
    for (int i = 0; i < 3 && rc == GALLEY_OK; i++) {
        rc = galley_res_write(rs, pieces[i], strlen(pieces[i]));
        if (rc == GALLEY_OK && the_world->worker_pauses) {
            the_world->worker_pauses();
        }
    }
    return rc;
}

static int handle_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return write_pieces(rs, -1);
}

static int handle_declared(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return write_pieces(rs, 11);
}

static int handle_short(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return write_pieces(rs, 12);
}

static int handle_broken(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int rc = write_pieces(rs, -1);
    return rc ? rc : GALLEY_EPROTO;
}

/* Far more than may wait to be sent: the worker waits for the reader. */
static int handle_flood(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", -1);
    for (int i = 0; i < 4 && rc == GALLEY_OK; i++) {
        rc = galley_res_write(rs, the_world->big, BIG_BYTES);
    }
    return rc;
}

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
            .max_body_bytes = 64 * 1024,                                                           \
            .label = (p)                                                                           \
        }                                                                                          \
    }
    ROUTE("/", handle_hello, EXCHANGE_BODY_DISCARD),
    ROUTE("/later", handle_later, EXCHANGE_BODY_BUFFER),
    ROUTE("/resume", handle_resume, EXCHANGE_BODY_DISCARD),
    ROUTE("/echo", handle_echo, EXCHANGE_BODY_BUFFER),
    ROUTE("/big", handle_big, EXCHANGE_BODY_DISCARD),
    ROUTE("/borrowed", handle_borrowed, EXCHANGE_BODY_DISCARD),
    ROUTE("/file", handle_file, EXCHANGE_BODY_DISCARD),
    ROUTE("/empty", handle_empty, EXCHANGE_BODY_DISCARD),
    ROUTE("/reset", handle_reset, EXCHANGE_BODY_DISCARD),
    ROUTE("/unchanged", handle_unchanged, EXCHANGE_BODY_DISCARD),
    ROUTE("/ready", handle_ready, EXCHANGE_BODY_DISCARD),
    ROUTE("/drop", handle_hello, EXCHANGE_BODY_DISCARD),
    ROUTE("/ignore", handle_hello, EXCHANGE_BODY_DISCARD),
    ROUTE("/refuse", handle_hello, EXCHANGE_BODY_REFUSE),
    ROUTE("/fail", handle_fail, EXCHANGE_BODY_DISCARD),
    ROUTE("/smuggled", handle_smuggled, EXCHANGE_BODY_DISCARD),
#define WORKER(p, h)                                                                               \
    {                                                                                              \
        .path = (p), .target = {.handler = (h), .body_mode = EXCHANGE_BODY_DISCARD, .label = (p) } \
    }
    WORKER("/pieces", handle_pieces),
    WORKER("/declared", handle_declared),
    WORKER("/short", handle_short),
    WORKER("/broken", handle_broken),
    WORKER("/flood", handle_flood),
#undef WORKER
#undef ROUTE
};

static void dispatch(void *ctx, struct exchange *exchange)
{
    struct world *world = ctx;
    struct span path = exchange->request.target.path;
    world->handled++;
    if (exchange->request.method == METHOD_OTHER || exchange->request.method == METHOD_CONNECT) {
        exchange_reject(exchange, 501);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path.ptr || !span_equal(path, span_of(routes[i].path))) {
            continue;
        }
        exchange->route = &routes[i].target;
        if (strcmp(routes[i].path, "/ignore") == 0) {
            exchange_run(exchange);
        } else {
            exchange_want_body(exchange);
        }
        return;
    }
    exchange_reject(exchange, 404);
}

static void copy_text(char *out, size_t room, struct span text)
{
    size_t len = text.len < room ? text.len : room - 1;
    if (len > 0) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

/* Reads all of the request, as a log would: sanitizers see what has gone. */
static void ended(void *ctx, const struct exchange *exchange)
{
    struct world *world = ctx;
    struct logged *logged = &world->logged[world->logged_count++ % MAX_LOGGED];
    logged->status = exchange->response.status;
    logged->bytes_sent = exchange->bytes_sent;
    logged->client_is_gone = exchange->client_is_gone;
    copy_text(logged->method, sizeof logged->method, exchange->request.method_name);
    copy_text(logged->target, sizeof logged->target, exchange->request.raw_target);
    uint32_t it = 0;
    const struct field *field;
    unsigned sum = 0;
    while (exchange->request.fields &&
           (field = fields_next_any(exchange->request.fields, &it)) != NULL) {
        for (size_t i = 0; i < field->value.len; i++) {
            sum += (unsigned char)field->value.ptr[i];
        }
    }
    world->logged_sum += sum;
    EXPECT(exchange->request.peer != NULL);
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
    world->driver = h1_driver_create(&world->exchanges, &world->options);
    EXPECT(world->driver != NULL);
    world->big = mem_alloc_zero(1, BIG_BYTES);
    EXPECT(world->big != NULL);
    memset(world->big, 'x', BIG_BYTES);
}

void world_open(struct world *world)
{
    world_init(world);
    world_start(world);
}

void world_close(struct world *world)
{
    conn_set_close_all(&world->set, CLOSE_STOP_NOW);
    sim_run(world->loop);
    if (world->later) {
        exchange_resume(world->later, 0);
        world->later = NULL;
    }
    sim_run(world->loop);
    EXPECT_INT(world->set.count, 0);
    EXPECT_INT(world->exchanges.live, 0);
    EXPECT_INT(sim_open_count(world->loop), 0);
    h1_driver_destroy(world->driver);
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
        (void)conn_create(&world->set, fd, h1_driver_protocol(world->driver));
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

void world_send_bytes(struct world *world, struct sim_peer *peer, const void *data, size_t len)
{
    (void)sim_send(peer, data, len); /* fails once the server has closed */
    sim_run(world->loop);
}

void world_send(struct world *world, struct sim_peer *peer, const char *text)
{
    world_send_bytes(world, peer, text, strlen(text));
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t head_length(struct span s)
{
    for (size_t i = 3; i < s.len; i++) {
        if (memcmp(s.ptr + i - 3, "\r\n\r\n", 4) == 0) {
            return i + 1;
        }
    }
    return 0;
}

struct span answer_field(const struct answer *answer, const char *name)
{
    struct span rest = answer->head;
    struct span found = SPAN_NONE;
    while (rest.ptr && rest.len > 0) {
        struct span line;
        struct span field_name;
        rest = span_cut(rest, '\n', &line);
        struct span value = span_cut(line, ':', &field_name);
        if (value.ptr && span_equal_nocase(field_name, span_of(name))) {
            EXPECT(!found.ptr); /* no field twice */
            value.len -= value.len && value.ptr[value.len - 1] == '\r';
            found = span_trim(value);
        }
    }
    return found;
}

/* In place; returns the bytes of the coded body, 0 if it is not whole. */
static size_t decode_chunked(struct span in, struct span *ret_body)
{
    char *out = (char *)(uintptr_t)in.ptr;
    size_t at = 0;
    size_t len = 0;
    for (;;) {
        size_t start = at;
        uint64_t size = 0;
        while (at < in.len && text_hex_value(in.ptr[at]) >= 0) {
            size = size * 16 + (unsigned)text_hex_value(in.ptr[at++]);
        }
        if (at == start || at + 2 + size + 2 > in.len) {
            return 0;
        }
        EXPECT(memcmp(in.ptr + at, "\r\n", 2) == 0);
        at += 2;
        memmove(out + len, in.ptr + at, size);
        at += size;
        len += size;
        EXPECT(memcmp(in.ptr + at, "\r\n", 2) == 0);
        at += 2;
        if (size == 0) {
            *ret_body = span_make(out, len);
            return at;
        }
    }
}

static bool is_bodyless(int status, bool for_head)
{
    return for_head || status == 204 || status == 304 || status < 200;
}

static size_t take_body(struct answer *answer, struct span rest, bool is_closed)
{
    struct span length = answer_field(answer, "Content-Length");
    uint64_t bytes = 0;
    answer->has_length = length.ptr != NULL;
    answer->is_chunked = answer_field(answer, "Transfer-Encoding").ptr != NULL;
    EXPECT(!(answer->has_length && answer->is_chunked)); /* RFC 9112 §6.2 */
    if (answer->is_chunked) {
        size_t used = decode_chunked(rest, &answer->body);
        answer->is_whole = used > 0;
        return used;
    }
    if (answer->has_length) {
        EXPECT(text_parse_u64(length, &bytes));
        answer->is_whole = bytes <= rest.len;
    } else {
        bytes = rest.len;
        answer->is_whole = is_closed;
    }
    answer->body = span_make(rest.ptr, answer->is_whole ? bytes : 0);
    return answer->body.len;
}

struct answer answer_take(struct span *rest, bool for_head, bool is_closed)
{
    struct answer answer = {0};
    size_t len = head_length(*rest);
    if (len == 0) {
        return answer;
    }
    EXPECT(span_starts_with(*rest, SPAN("HTTP/1.1 ")));
    uint64_t status = 0;
    EXPECT(text_parse_u64(span_make(rest->ptr + 9, 3), &status));
    answer.status = (int)status;
    answer.head = span_make(rest->ptr, len);
    struct span behind = span_from(*rest, len);
    if (is_bodyless(answer.status, for_head)) {
        answer.has_length = answer_field(&answer, "Content-Length").ptr != NULL;
        answer.is_chunked = answer_field(&answer, "Transfer-Encoding").ptr != NULL;
        answer.is_whole = true;
    } else {
        behind = span_from(behind, take_body(&answer, behind, is_closed));
    }
    if (answer.is_whole) {
        *rest = behind;
    }
    return answer;
}

unsigned answers_count(const struct sim_peer *peer)
{
    struct span rest = sim_received(peer);
    unsigned count = 0;
    while (rest.len > 0) {
        struct answer answer = answer_take(&rest, false, sim_is_closed(peer));
        if (!answer.is_whole) {
            test_fail(__FILE__, __LINE__, "no whole answer: %.*s", SPAN_ARGS(rest));
        }
        count += answer.status >= 200;
    }
    return count;
}

int first_status(const struct sim_peer *peer)
{
    struct span rest = sim_received(peer);
    return answer_take(&rest, false, true).status;
}
