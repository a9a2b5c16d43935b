/* tests/fuzz/fuzz_h2_session.c — a session under a script: what a client sends, in which cuts, and what
 * happens meanwhile. First byte: options. Then records: a byte for the kind, a byte for the length, and so
 * many bytes; kinds below 0x10 are frames of that type (flags and stream from the first two bytes), others
 * commands. Holds: every exchange ends once; what is sent are whole frames, and none of an answer behind
 * the end of its stream; all memory lent is released; no connection stays. */
#include "base/alloc.h"
#include "conn/conn_set.h"
#include "exchange/exchange.h"
#include "fuzz.h"
#include "h2/h2_driver.h"
#include "loop/sim.h"

#include <nghttp2/nghttp2.h>
#include <sys/mman.h>
#include <unistd.h>

/* rooms: h2 */

enum { BIG_BYTES = 300 * 1000, MAX_LATER = 64, MAX_STREAM = 512 };

enum command {
    COMMAND_RAW = 0x10, /* bytes as they are */
    COMMAND_REQUEST,    /* HEADERS of a request, by a byte */
    COMMAND_WINDOW,
    COMMAND_MAX_WRITE,
    COMMAND_MAX_READ,
    COMMAND_ADVANCE,
    COMMAND_RESUME,
    COMMAND_DRAIN,
    COMMAND_SHUTDOWN,
    COMMAND_RESET,
    COMMAND_FAIL_ALLOC,
    COMMAND_COUNT
};

static struct world {
    struct loop *loop;
    struct conn_limits conn_limits;
    struct http_limits http_limits;
    struct conn_set set;
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct h2_driver *driver;
    struct sim_peer *peer;
    struct exchange *later[MAX_LATER];
    unsigned later_count;
    unsigned begun, ended;
    unsigned lent, released;
    bool has_trouble; /* memory ran out: frames may be cut */
    char big[BIG_BYTES];
} world;

/* ---- routes ---------------------------------------------------------------------------------- */

static void released(void *arg)
{
    (void)arg;
    world.released++;
}

static int handle_small(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "small");
}

static int handle_big(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = response_body_data(exchange_of_request(rq), world.big, BIG_BYTES, released, NULL);
    world.lent += rc == GALLEY_OK;
    return rc;
}

/* The same file for all. */
static int handle_file(galley_request *rq, galley_response *rs, void *arg)
{
    static int fd = -1;
    (void)rs, (void)arg;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_EXPECT(fd >= 0 && ftruncate(fd, BIG_BYTES) == 0);
    }
    int rc = response_body_file(exchange_of_request(rq), fd, 0, BIG_BYTES, released, NULL);
    world.lent += rc == GALLEY_OK;
    return rc;
}

static int handle_borrowed(galley_request *rq, galley_response *rs, void *arg)
{
    enum { BYTES = 40 * 1000 };
    char *memory = galley_alloc(rq, BYTES);
    (void)rs, (void)arg;
    if (!memory) {
        return GALLEY_ENOMEM;
    }
    memset(memory, 'b', BYTES);
    return response_body_data(exchange_of_request(rq), memory, BYTES, NULL, NULL);
}

static int handle_echo(galley_request *rq, galley_response *rs, void *arg)
{
    struct span body = buf_span(&exchange_of_request(rq)->request.body);
    (void)rs, (void)arg;
    return response_body_copy(exchange_of_request(rq), body.ptr, body.len);
}

static int handle_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    if (world.later_count == MAX_LATER) {
        return GALLEY_EFULL;
    }
    int rc = exchange_suspend(exchange_of_request(rq));
    if (rc == GALLEY_OK) {
        world.later[world.later_count++] = exchange_of_request(rq);
    }
    return rc;
}

static const struct fuzz_route {
    const char *path;
    struct route_target target;
} routes[] = {
#define ROUTE(p, h, mode)                                                                          \
    {                                                                                              \
        p,                                                                                         \
        {                                                                                          \
            .handler = (h), .on_loop = true, .body_mode = (mode), .max_body_bytes = 100 * 1000     \
        }                                                                                          \
    }
    ROUTE("/small", handle_small, EXCHANGE_BODY_DISCARD),
    ROUTE("/big", handle_big, EXCHANGE_BODY_DISCARD),
    ROUTE("/borrowed", handle_borrowed, EXCHANGE_BODY_DISCARD),
    ROUTE("/echo", handle_echo, EXCHANGE_BODY_BUFFER),
    ROUTE("/later", handle_later, EXCHANGE_BODY_BUFFER),
    ROUTE("/refuse", handle_small, EXCHANGE_BODY_REFUSE),
    ROUTE("/file", handle_file, EXCHANGE_BODY_DISCARD),
#undef ROUTE
};
enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

static void dispatch(void *ctx, struct exchange *exchange)
{
    (void)ctx;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct span path = exchange->request.target.path;
        if (path.ptr && span_equal(path, span_of(routes[i].path))) {
            exchange->route = &routes[i].target;
            exchange_want_body(exchange);
            return;
        }
    }
    exchange_reject(exchange, 404);
}

static void ended(void *ctx, const struct exchange *exchange)
{
    (void)ctx;
    FUZZ_EXPECT(!exchange->response.body.count || exchange->client_is_gone);
    world.ended++;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void open_world(uint8_t flags)
{
    static const struct conn_limits limits = {.handshake_ms = 10000,
                                              .head_ms = 10000,
                                              .idle_ms = 60000,
                                              .body_grace_ms = 5000,
                                              .body_min_rate = 1024,
                                              .send_grace_ms = 10000,
                                              .send_min_rate = 1024,
                                              .linger_ms = 2000,
                                              .linger_bytes = 64 * 1024,
                                              .max_pending_in = 64 * 1024};
    struct loop_options loop_options = {.backend = LOOP_BACKEND_SIM};
    memset(&world, 0, sizeof world);
    world.conn_limits = limits;
    world.http_limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
    struct h2_options options = {.limits = &world.http_limits,
                                 .max_streams = flags & 1 ? 3 : 0,
                                 .max_out_bytes = flags & 2 ? 100 : 0,
                                 .stream_window_bytes = flags & 4 ? 70 : 0,
                                 .conn_window_bytes = flags & 4 ? 66000 : 0,
                                 .max_requests = flags & 8 ? 4 : 0};
    world.loop = loop_create(&loop_options, NULL);
    conn_set_init(&world.set, world.loop, &world.conn_limits, NULL);
    world.services = (struct exchange_services){.dispatch = dispatch,
                                                .ended = ended,
                                                .loop = world.loop,
                                                .chains = &world.set.chains,
                                                .max_memory_bytes = 1024 * 1024};
    exchange_pool_init(&world.exchanges, &world.services);
    world.driver = h2_driver_create(&world.exchanges, &options);
    FUZZ_EXPECT(world.driver);
    int fd = -1;
    world.peer = sim_pair(world.loop, &fd);
    FUZZ_EXPECT(world.peer && conn_create(&world.set, fd, h2_driver_protocol(world.driver)));
}

static bool resume(int result)
{
    if (world.later_count == 0) {
        return false;
    }
    exchange_resume(world.later[--world.later_count], result);
    sim_run(world.loop);
    return true;
}

/* RFC 9113 §4.1, §5.1: frames are whole, and nothing but WINDOW_UPDATE and RST_STREAM of a stream comes
 * behind its END_STREAM. */
static void judge_output(void)
{
    bool has_ended[MAX_STREAM] = {false};
    struct span rest = sim_received(world.peer);
    bool is_cut = sim_is_reset(world.peer) || world.has_trouble;
    while (rest.len >= 9) {
        const uint8_t *b = (const uint8_t *)rest.ptr;
        size_t len = 9 + ((size_t)b[0] << 16 | (size_t)b[1] << 8 | b[2]);
        size_t id = ((size_t)b[7] << 8 | b[8]) % MAX_STREAM;
        bool is_answer = b[3] == NGHTTP2_DATA || b[3] == NGHTTP2_HEADERS;
        if (len > rest.len) {
            break;
        }
        FUZZ_EXPECT(!is_answer || !has_ended[id] || b[7] > 1 || b[6] || b[5]);
        has_ended[id] |=
            is_answer && (b[4] & NGHTTP2_FLAG_END_STREAM) && !b[5] && !b[6] && b[7] < 2;
        rest = span_from(rest, len);
    }
    FUZZ_EXPECT(rest.len == 0 || is_cut);
}

static void close_world(void)
{
    enum { ROUNDS = 20, ROUND_MS = 20 * 1000 };
    mem_fail_nth(0);
    sim_set_window(world.peer, SIZE_MAX);
    for (unsigned i = 0; i < ROUNDS && (world.set.count > 0 || world.exchanges.live > 0); i++) {
        sim_run(world.loop);
        while (resume(204)) {
        }
        sim_advance(world.loop, ROUND_MS);
    }
    FUZZ_EXPECT(world.set.count == 0 && world.exchanges.live == 0);
    FUZZ_EXPECT(sim_open_count(world.loop) == 0 && world.lent == world.released);
    FUZZ_EXPECT(counter_read(&h2_driver_counters(world.driver)->requests) >= world.ended);
    judge_output();
    h2_driver_destroy(world.driver);
    exchange_pool_finish(&world.exchanges);
    conn_set_finish(&world.set);
    sim_peer_free(world.peer);
    loop_destroy(world.loop);
}

/* ---- the script ------------------------------------------------------------------------------ */

static void send_bytes(const void *data, size_t len)
{
    (void)sim_send(world.peer, data, len); /* fails once the server has closed */
    sim_run(world.loop);
}

static void send_frame(uint8_t type, uint8_t flags, uint8_t id, const uint8_t *data, size_t len)
{
    const uint8_t head[] = {0, 0, (uint8_t)len, type, flags, 0, 0, 0, id};
    send_bytes(head, sizeof head);
    send_bytes(data, len);
}

/* RFC 7541 §6.2.2: literals without indexing. */
static size_t add_field(uint8_t *out, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)name_len;
    memcpy(out + 2, name, name_len);
    out[2 + name_len] = (uint8_t)value_len;
    memcpy(out + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static void send_request(uint8_t which, uint8_t id)
{
    uint8_t block[200];
    size_t len = add_field(block, ":method", which & 0x40 ? "POST" : "GET");
    len += add_field(block + len, ":scheme", "http");
    len += add_field(block + len, ":authority", "a");
    len += add_field(block + len, ":path", routes[which % ROUTE_COUNT].path);
    uint8_t flags = NGHTTP2_FLAG_END_HEADERS;
    flags = (uint8_t)(flags | (which & 0x80 ? NGHTTP2_FLAG_END_STREAM : 0));
    send_frame(NGHTTP2_HEADERS, flags, id, block, len);
}

static void run_command(uint8_t kind, const uint8_t *data, size_t len)
{
    static const unsigned times_ms[] = {1, 500, 1000, 2500, 5100, 11000, 61000};
    static const int results[] = {0, 200, 204, 404, GALLEY_EPROTO, GALLEY_EFULL};
    uint8_t arg = len > 0 ? data[0] : 0;
    switch ((enum command)(COMMAND_RAW + kind % (COMMAND_COUNT - COMMAND_RAW))) {
    case COMMAND_RAW:
        send_bytes(data, len);
        break;
    case COMMAND_REQUEST:
        send_request(arg, len > 1 ? data[1] : 1);
        break;
    case COMMAND_WINDOW:
        sim_set_window(world.peer, arg == 0xff ? SIZE_MAX : (size_t)arg * arg);
        break;
    case COMMAND_MAX_WRITE:
        sim_set_max_write(world.peer, (size_t)arg * 16);
        break;
    case COMMAND_MAX_READ:
        sim_set_max_read(world.peer, arg);
        break;
    case COMMAND_ADVANCE:
        sim_advance(world.loop, times_ms[arg % 7]);
        break;
    case COMMAND_RESUME:
        (void)resume(results[arg % 6]);
        break;
    case COMMAND_DRAIN:
        conn_set_drain(&world.set);
        break;
    case COMMAND_SHUTDOWN:
        sim_shutdown(world.peer);
        break;
    case COMMAND_RESET:
        world.has_trouble = true;
        sim_reset(world.peer);
        break;
    default:
        world.has_trouble = true;
        mem_fail_nth((uint64_t)arg + 1);
    }
    sim_run(world.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8 * 1024) {
        return 0;
    }
    open_world(data[0]);
    if (!(data[0] & 0x80)) {
        send_bytes(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
        send_frame(NGHTTP2_SETTINGS, 0, 0, data, 0);
    }
    for (size_t at = 1; at + 2 <= size;) {
        uint8_t kind = data[at];
        size_t len = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        const uint8_t *bytes = data + at + 2;
        if (kind < COMMAND_RAW && len >= 2) {
            send_frame(kind, bytes[0], bytes[1], bytes + 2, len - 2);
        } else if (kind >= COMMAND_RAW) {
            run_command((uint8_t)(kind - COMMAND_RAW), bytes, len);
        }
        at += 2 + len;
    }
    close_world();
    return 0;
}
