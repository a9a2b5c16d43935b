/* tests/fuzz/support_h1_world.c — see the header. One thread but for the pool's single worker,
 * which makes a step only when it is told to, and is waited for: so every input runs the same way
 * each time. */
#include "support_h1_world.h"

#include "base/alloc.h"
#include "exchange/body_writer.h"
#include "fuzz.h"
#include "h1/h1_session.h"
#include "support_answers.h"
#include "support_h1_handlers.h"

#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BIG_BYTES = 100 * 1000, FILE_BYTES = 9000, MAX_ENDED = 4096, MAX_OPEN = 8 };

/* An exchange that has ended, in order. */
struct ended {
    uint64_t bytes_sent;
    int status;
    unsigned client;
    bool is_head;
    bool client_is_gone;
    bool was_dispatched;
};

/* One that has been dispatched and not ended. */
struct open_exchange {
    const struct exchange *exchange;
    unsigned client;
    uint64_t head_sum; /* of its bytes: a log gets the same, or nothing */
};

static struct world {
    struct loop *loop;
    struct conn_limits conn_limits;
    struct http_limits http_limits;
    struct h1_options options;
    struct conn_set set;
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct h1_driver *driver;
    struct sim_peer *peers[WORLD_CLIENTS];
    const struct conn *conns[WORLD_CLIENTS];
    bool was_reset[WORLD_CLIENTS]; /* by the client */
    bool has_trouble;
    unsigned open_count;
    struct open_exchange open[MAX_OPEN];
    struct exchange *later[WORLD_CLIENTS];
    unsigned later_count;
    unsigned ended_count;
    struct ended ended[MAX_ENDED];
    unsigned lent, released;
} world;

/* Made once: threads and files are slow. */
static galley_pool *pool;
static int file_fd = -1;
static char big[BIG_BYTES];

/* ---- the worker ------------------------------------------------------------------------------ */

static struct {
    sem_t go;
    _Atomic bool
        is_waiting; /* the handler asks for a step; acquire and release order what the step holds */
    struct exchange *exchange; /* of the handler that waits */
    size_t write_len;
    bool returns;
    int result;
} step;

static int handle_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", galley_req_query(rq).len ? 1000 : -1);
    for (;;) {
        step.exchange = exchange_of_request(rq);
        atomic_store_explicit(&step.is_waiting, true, memory_order_release);
        sem_wait(&step.go);
        if (step.returns) {
            return step.result;
        }
        rc = rc ? rc : galley_res_write(rs, big, step.write_len);
    }
}

static bool is_worker_waiting(void)
{
    return atomic_load_explicit(&step.is_waiting, memory_order_acquire);
}

/* The worker has nothing to do, or its handler waits for a step. */
static void wait_for_worker(void)
{
    galley_pool_stats stats = {.size = sizeof stats};
    while (!is_worker_waiting()) {
        FUZZ_EXPECT(galley_pool_get_stats(pool, &stats) == GALLEY_OK);
        if (stats.finished == stats.accepted) {
            return;
        }
        sched_yield();
    }
}

void world_settle(void)
{
    sim_run(world.loop);
    wait_for_worker();
    sim_run(world.loop);
}

static void make_step(bool returns)
{
    step.returns = returns;
    atomic_store_explicit(&step.is_waiting, false, memory_order_relaxed);
    sem_post(&step.go);
    world_settle();
}

static bool has_room(size_t len)
{
    struct body_writer *writer = step.exchange->response.writer;
    pthread_mutex_lock(&writer->lock);
    bool has = writer->is_closed ||
               writer->pending.bytes + writer->in_flight + len < (uint64_t)BODY_WRITER_HIGH;
    pthread_mutex_unlock(&writer->lock);
    return has;
}

void world_worker_writes(size_t len)
{
    if (is_worker_waiting() && has_room(len)) {
        step.write_len = len;
        make_step(false);
    }
}

void world_worker_returns(int result)
{
    if (is_worker_waiting()) {
        step.result = result;
        make_step(true);
    }
}

/* ---- handlers -------------------------------------------------------------------------------- */

static void released(void *arg)
{
    (void)arg;
    world.released++;
}

static int handle_big(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    world.lent++;
    return galley_res_data(rs, 200, NULL, big, sizeof big, released, NULL);
}

static int give_file(struct exchange *exchange, off_t offset, uint64_t len)
{
    int rc = response_body_file(exchange, file_fd, offset, len, released, NULL);
    world.lent += rc == GALLEY_OK;
    exchange->response.status = 200;
    return rc;
}

static int handle_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    return give_file(exchange_of_request(rq), 100, 8000);
}

static int handle_shrunk(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs, (void)arg;
    int rc = give_file(exchange_of_request(rq), 0, 5000);
    return rc ? rc : give_file(exchange_of_request(rq), 5000, 5000);
}

static int handle_begin(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    int rc = galley_res_begin(rs, 200, "text/plain", galley_req_query(rq).len ? 3000 : -1);
    for (int i = 0; i < 3 && rc == GALLEY_OK; i++) {
        rc = galley_res_write(rs, big, 1000);
    }
    return rc;
}

static int handle_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    fuzz_send_hints(rq, rs);
    int rc = exchange_suspend(exchange_of_request(rq));
    if (rc == GALLEY_OK) {
        FUZZ_EXPECT(world.later_count < WORLD_CLIENTS * 2);
        world.later[world.later_count++] = exchange_of_request(rq);
    }
    return rc;
}

static struct exchange *take_later(void)
{
    struct exchange *exchange = world.later[0];
    world.later_count--;
    memmove(world.later, world.later + 1, sizeof world.later - sizeof *world.later);
    return exchange;
}

static int handle_resume(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    if (world.later_count > 0) {
        exchange_resume(take_later(), 204);
    }
    return galley_res_text(rs, 200, "resumed");
}

void world_resume(int result)
{
    if (world.later_count > 0) {
        exchange_resume(take_later(), result);
        world_settle();
    }
}

/* ---- dispatch and book-keeping --------------------------------------------------------------- */

#define ROUTE(text, fn, mode, value, loops)                                                        \
    {                                                                                              \
        .handler = (fn), .arg = (void *)(intptr_t)(value), .on_loop = (loops),                     \
        .body_mode = (mode), .max_body_bytes = 4096, .label = (text)                               \
    }
static const struct route_target routes[] = {
    ROUTE("/small", fuzz_handle_small, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/empty", fuzz_handle_status, EXCHANGE_BODY_DISCARD, 204, true),
    ROUTE("/unchanged", fuzz_handle_status, EXCHANGE_BODY_DISCARD, 304, true),
    ROUTE("/fail", fuzz_handle_status, EXCHANGE_BODY_DISCARD, GALLEY_EFULL, true),
    ROUTE("/big", handle_big, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/borrowed", fuzz_handle_borrowed, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/file", handle_file, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/shrunk", handle_shrunk, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/echo", fuzz_handle_echo, EXCHANGE_BODY_BUFFER, 0, true),
    ROUTE("/refuse", fuzz_handle_small, EXCHANGE_BODY_REFUSE, 0, true),
    ROUTE("/hints", fuzz_handle_hints, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/hints-body", fuzz_handle_hints, EXCHANGE_BODY_BUFFER, 0, true),
    ROUTE("/hints-pool", fuzz_handle_hints, EXCHANGE_BODY_DISCARD, 0, false),
    ROUTE("/begin", handle_begin, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/later", handle_later, EXCHANGE_BODY_BUFFER, 0, true),
    ROUTE("/resume", handle_resume, EXCHANGE_BODY_DISCARD, 0, true),
    ROUTE("/pieces", handle_pieces, EXCHANGE_BODY_BUFFER, 0, false),
    ROUTE("/early", handle_pieces, EXCHANGE_BODY_DISCARD, 0, false),
    ROUTE("/early-big", handle_big, EXCHANGE_BODY_DISCARD, 0, true),
};

static unsigned client_of(const struct exchange *exchange)
{
    const struct conn *conn = h1_session_of(exchange)->conn;
    FUZZ_EXPECT(conn == world.conns[0] || conn == world.conns[1]);
    return conn == world.conns[1];
}

static uint64_t add_bytes(uint64_t sum, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        sum = sum * 31 + (unsigned char)bytes.ptr[i];
    }
    return sum;
}

/* All that a log may read. 0: there is nothing. */
static uint64_t sum_of(const struct request *request)
{
    uint64_t sum = add_bytes(add_bytes(0, request->method_name), request->raw_target);
    uint32_t it = 0;
    const struct field *field;
    while (request->fields && (field = fields_next_any(request->fields, &it)) != NULL) {
        sum = add_bytes(add_bytes(sum, field->name), field->value);
    }
    return sum;
}

static void open_one(struct exchange *exchange)
{
    FUZZ_EXPECT(world.open_count < MAX_OPEN);
    for (unsigned i = 0; i < world.open_count; i++) { /* no two at once on a connection */
        FUZZ_EXPECT(world.open[i].exchange != exchange);
        FUZZ_EXPECT(world.open[i].client != client_of(exchange));
    }
    world.open[world.open_count++] =
        (struct open_exchange){exchange, client_of(exchange), sum_of(&exchange->request)};
}

static unsigned close_one(const struct exchange *exchange)
{
    for (unsigned i = 0; i < world.open_count; i++) {
        if (world.open[i].exchange == exchange) {
            unsigned client = world.open[i].client;
            uint64_t sum = sum_of(&exchange->request);
            FUZZ_EXPECT(sum == world.open[i].head_sum || sum == 0);
            world.open[i] = world.open[--world.open_count];
            return client;
        }
    }
    FUZZ_EXPECT(!exchange->was_dispatched);
    return client_of(exchange);
}

static void dispatch(void *ctx, struct exchange *exchange)
{
    (void)ctx;
    struct span path = exchange->request.target.path;
    open_one(exchange);
    for (size_t i = 0; path.ptr && i < sizeof routes / sizeof *routes; i++) {
        if (span_equal(path, span_of(routes[i].label))) {
            exchange->route = &routes[i];
            bool is_early = span_starts_with(path, SPAN("/early")); /* the body is nobody's */
            (is_early ? exchange_run : exchange_want_body)(exchange);
            return;
        }
    }
    exchange_answer(exchange, exchange->request.method == METHOD_OTHER ? 501 : 404);
}

static void ended(void *ctx, const struct exchange *exchange)
{
    (void)ctx;
    FUZZ_EXPECT(world.ended_count < MAX_ENDED);
    world.ended[world.ended_count++] =
        (struct ended){.bytes_sent = exchange->bytes_sent,
                       .status = exchange->response.status,
                       .client = close_one(exchange),
                       .is_head = exchange->request.method == METHOD_HEAD,
                       .client_is_gone = exchange->client_is_gone,
                       .was_dispatched = exchange->was_dispatched};
}

/* ---- opening --------------------------------------------------------------------------------- */

static void make_once(void)
{
    if (pool) {
        return;
    }
    pool = galley_pool_new(1, NULL);
    file_fd = memfd_create("fuzz", MFD_CLOEXEC);
    memset(big, 'g', sizeof big);
    FUZZ_EXPECT(pool && file_fd >= 0 && write(file_fd, big, FILE_BYTES) == FILE_BYTES);
    FUZZ_EXPECT(sem_init(&step.go, 0, 0) == 0);
}

static void set_limits(unsigned flags)
{
    world.conn_limits = (struct conn_limits){
        .handshake_ms = 10000,
        .head_ms = 10000,
        .idle_ms = 60000,
        .body_grace_ms = 5000,
        .body_min_rate = 1024,
        .send_grace_ms = 10000,
        .send_min_rate = 1024,
        .linger_ms = 2000,
        .linger_bytes = flags & WORLD_SMALL ? 100 : 256 * 1024,
        .max_pending_in = flags & WORLD_SMALL ? 64 : 64 * 1024,
    };
    world.http_limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
    world.http_limits.max_body_bytes = 8192;
    if (flags & WORLD_SMALL) {
        world.http_limits.max_target_bytes = 40;
        world.http_limits.max_head_bytes = 300;
        world.http_limits.max_fields = 5;
    }
    world.options = (struct h1_options){.limits = &world.http_limits,
                                        .max_requests = flags & WORLD_FEW ? 3 : 0,
                                        .max_out_bytes = flags & WORLD_TIGHT ? 300 : 0};
}

static void connect_clients(void)
{
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        int fd = -1;
        world.peers[i] = sim_pair(world.loop, &fd);
        FUZZ_EXPECT(world.peers[i] != NULL);
        world.conns[i] = conn_create(&world.set, fd, h1_driver_protocol(world.driver));
        FUZZ_EXPECT(world.conns[i] != NULL);
    }
    sim_run(world.loop);
}

void world_open(unsigned flags)
{
    make_once();
    memset(&world, 0, sizeof world);
    set_limits(flags);
    struct loop_options options = {.backend = LOOP_BACKEND_SIM};
    world.loop = loop_create(&options, NULL);
    FUZZ_EXPECT(world.loop != NULL);
    conn_set_init(&world.set, world.loop, &world.conn_limits, NULL);
    world.services = (struct exchange_services){.dispatch = dispatch,
                                                .ended = ended,
                                                .loop = world.loop,
                                                .pool = pool,
                                                .chains = &world.set.chains,
                                                .max_memory_bytes = 1024 * 1024,
                                                .hints_over_http1 = (flags & WORLD_HINTS) != 0,
                                                .server_name = "galley"};
    exchange_pool_init(&world.exchanges, &world.services);
    world.driver = h1_driver_create(&world.exchanges, &world.options);
    FUZZ_EXPECT(world.driver != NULL);
    connect_clients();
}

/* ---- what may happen ------------------------------------------------------------------------- */

struct loop *world_loop(void)
{
    return world.loop;
}

struct sim_peer *world_client(unsigned index)
{
    return world.peers[index];
}

void world_send(unsigned client, const void *data, size_t len)
{
    (void)sim_send(world.peers[client], data, len); /* fails once the server has closed */
    world_settle();
}

void world_reset(unsigned client)
{
    world.was_reset[client] = true;
    sim_reset(world.peers[client]);
    world_settle();
}

void world_expect_trouble(void)
{
    world.has_trouble = true;
}

void world_drain(void)
{
    conn_set_drain(&world.set);
    world_settle();
}

void world_stop_now(void)
{
    exchange_pool_hint_stop(&world.exchanges);
    exchange_pool_abandon(&world.exchanges);
    conn_set_close_all(&world.set, CLOSE_STOP_NOW);
    world_settle();
}

/* ---- judging --------------------------------------------------------------------------------- */

/* What comes before an answer: 100 Continue once, hints up to eight times, if they are wanted.
 * False: the bytes end in the middle. */
static bool skip_interim(struct span *rest)
{
    struct fuzz_answer interim;
    unsigned continues = 0, hints = 0;
    while (span_starts_with(*rest, SPAN("HTTP/1.1 1"))) {
        if (fuzz_answer_take(rest, false, false, &interim) == FUZZ_TAKE_CUT) {
            return false;
        }
        continues += interim.status == 100;
        hints += interim.status == 103;
        FUZZ_EXPECT(interim.status == 100 || interim.status == 103);
        FUZZ_EXPECT(continues <= 1 && hints <= (world.services.hints_over_http1 ? 8 : 0));
    }
    return true;
}

static const struct ended *next_ended(unsigned client, unsigned *at)
{
    for (; *at < world.ended_count; ++*at) {
        if (world.ended[*at].client == client) {
            return &world.ended[(*at)++];
        }
    }
    return NULL;
}

static void judge_answer(const struct ended *ended, const struct fuzz_answer *answer)
{
    FUZZ_EXPECT(answer->status == ended->status);
    bool may_be_cut = ended->client_is_gone; /* then more was received than the server knows of */
    if (!ended->is_head && answer->status != 204 && answer->status != 304) {
        FUZZ_EXPECT(answer->body_bytes == ended->bytes_sent || may_be_cut);
    }
}

/* Every exchange gives one answer, in order; only the last may be cut, and then the client can
 * tell. */
static void judge_client(unsigned client)
{
    struct sim_peer *peer = world.peers[client];
    struct span rest = sim_received(peer);
    bool is_cut = sim_is_reset(peer) || world.was_reset[client];
    bool is_last = false;
    unsigned at = 0;
    const struct ended *ended;
    FUZZ_EXPECT(sim_is_closed(peer) || world.was_reset[client]);
    while ((ended = next_ended(client, &at)) != NULL) {
        struct fuzz_answer answer;
        FUZZ_EXPECT(!is_last); /* nothing after a refused request, nor after "close" */
        if (world.has_trouble && rest.len == 0 && is_cut) {
            return;
        }
        if (!skip_interim(&rest) ||
            fuzz_answer_take(&rest, ended->is_head, !is_cut, &answer) == FUZZ_TAKE_CUT) {
            FUZZ_EXPECT(is_cut);
            FUZZ_EXPECT(next_ended(client, &at) == NULL || is_cut);
            return;
        }
        judge_answer(ended, &answer);
        is_last = answer.says_close || !ended->was_dispatched;
        FUZZ_EXPECT(ended->was_dispatched || answer.says_close);
    }
    FUZZ_EXPECT(skip_interim(&rest) && rest.len == 0);
}

static void judge_counts(void)
{
    uint64_t closed = 0;
    for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
        closed += counter_read(&world.set.counters.closed[i]);
    }
    FUZZ_EXPECT(closed == WORLD_CLIENTS);
    FUZZ_EXPECT(counter_read(&world.set.counters.closed[CLOSE_NONE]) == 0);
    FUZZ_EXPECT(counter_read(&world.set.counters.closed[CLOSE_OUT_OF_MEMORY]) == 0 ||
                world.has_trouble);
    FUZZ_EXPECT(world.set.count == 0 && world.exchanges.live == 0 && world.open_count == 0);
    FUZZ_EXPECT(sim_open_count(world.loop) == 0);
    FUZZ_EXPECT(world.lent == world.released);
}

/* All handlers return, all clients read, and time passes: then nothing may be left. */
static void let_everything_end(void)
{
    enum { ROUNDS = 40, ROUND_MS = 20 * 1000 };
    for (unsigned i = 0; i < ROUNDS && (world.set.count > 0 || world.exchanges.live > 0); i++) {
        for (unsigned client = 0; client < WORLD_CLIENTS; client++) {
            sim_set_window(world.peers[client], SIZE_MAX);
            sim_set_max_read(world.peers[client], 0);
            sim_set_max_write(world.peers[client], 0);
        }
        world_settle();
        world_resume(0);
        world_worker_returns(0);
        sim_advance(world.loop, ROUND_MS);
    }
}

void world_close(void)
{
    mem_fail_nth(0);
    let_everything_end();
    judge_counts();
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        judge_client(i);
    }
    h1_driver_destroy(world.driver);
    exchange_pool_finish(&world.exchanges);
    conn_set_finish(&world.set);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        sim_peer_free(world.peers[i]);
    }
    loop_destroy(world.loop);
}
