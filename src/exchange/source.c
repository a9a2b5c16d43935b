/* exchange/source.c — see source.h. The first call comes before the head is sent, so that a source
 * that fails at once is an error page and not a broken answer. Everything on the loop but pull(), and
 * what runs it on a worker. */
#include "exchange/source.h"

#include "base/alloc.h"
#include "http/status.h"
#include "loop/errand.h"

#include "exchange/exchange_steps.h"

enum {
    BLOCK_BYTES = 64 * 1024, /* asked for at once */
    COPY_BYTES = 1024,       /* less than this does not keep a block */
    RETRY_MS = 10            /* the pool was full */
};

/* ---- asking ---------------------------------------------------------------------------------- */

static void end_once(struct source *source)
{
    if (!source->has_ended) {
        source->has_ended = true;
        if (source->end) {
            source->end(source->arg);
        }
    }
}

/* On the thread kind of the route. */
static void pull(struct source *source)
{
    source->block = mem_alloc(BLOCK_BYTES);
    source->got =
        source->block ? source->fn(source->block, BLOCK_BYTES, source->arg) : GALLEY_ENOMEM;
    if (source->got <= 0 || source->got > (ssize_t)BLOCK_BYTES) {
        end_once(source);
    }
}

static void free_block(struct source *source)
{
    mem_free(source->block);
    source->block = NULL;
}

/* ---- what it gave ---------------------------------------------------------------------------- */

static int add_block(struct source *source)
{
    struct chain *body = &source->exchange->response.body;
    size_t len = (size_t)source->got;
    bool is_small = len <= COPY_BYTES;
    int rc = is_small ? chain_add_copy(body, source->block, len)
                      : chain_add(body, source->block, len, mem_free, source->block);
    if (rc == GALLEY_OK && !is_small) {
        source->block = NULL; /* the chain's now */
    }
    return rc;
}

/* The program's error, whatever the request was: 500, if that can still be said. */
static void fail_by_mistake(struct exchange *exchange, const char *what)
{
    exchange_report_mistake(exchange, what, 0);
    exchange_fail(exchange, GALLEY_EINVAL);
}

static bool is_over_length(const struct response *response)
{
    return response->length >= 0 && response->piece_bytes > (uint64_t)response->length;
}

static bool is_under_length(const struct response *response)
{
    return response->length >= 0 && response->piece_bytes < (uint64_t)response->length;
}

static void send_head(struct exchange *exchange)
{
    exchange->has_responded = true;
    exchange->driver->respond(exchange);
}

static void take_piece(struct source *source)
{
    struct exchange *exchange = source->exchange;
    exchange->response.piece_bytes += (uint64_t)source->got;
    if (is_over_length(&exchange->response)) {
        fail_by_mistake(exchange, "gave more than it declared");
        return;
    }
    int rc = add_block(source);
    free_block(source);
    if (rc != GALLEY_OK) {
        exchange_fail(exchange, rc);
    } else if (exchange->has_responded) {
        exchange->driver->pieces(exchange);
    } else {
        send_head(exchange);
    }
}

static void take_end(struct source *source)
{
    struct exchange *exchange = source->exchange;
    if (is_under_length(&exchange->response)) {
        fail_by_mistake(exchange, "gave less than it declared");
        return;
    }
    exchange->response.pieces_ended = true;
    exchange->state = EXCHANGE_RESPONDING;
    if (exchange->has_responded) {
        exchange->driver->pieces(exchange);
    } else {
        send_head(exchange);
    }
}

/* On the loop. The exchange may be gone afterwards. */
static void settle(struct source *source)
{
    bool has_piece = source->got > 0 && source->got <= (ssize_t)BLOCK_BYTES;
    if (has_piece) {
        take_piece(source);
        return;
    }
    free_block(source);
    if (source->got > 0) {
        fail_by_mistake(source->exchange, "gave more than it was asked for");
    } else if (source->got == 0) {
        take_end(source);
    } else {
        exchange_fail(source->exchange, (int)source->got);
    }
}

/* ---- on the pool ----------------------------------------------------------------------------- */

static void pull_on_worker(void *arg)
{
    struct source *source = arg;
    struct exchange *exchange = source->exchange;
    source->got = GALLEY_ECLOSED;
    if (!atomic_load_explicit(&exchange->is_abandoned, memory_order_relaxed)) {
        struct errands *outer_errand = errand_carry(exchange->job.errand);
        const galley_stop_flag *outer = galley_stop_flag_watch(&exchange->should_stop);
        pull(source);
        (void)galley_stop_flag_watch(outer);
        (void)errand_carry(outer_errand);
    }
    exchange_end_job(exchange);
}

static void drop_on_worker(void *arg, int why)
{
    struct source *source = arg;
    (void)why;
    source->got = GALLEY_ECANCELED;
    exchange_end_job(source->exchange);
}

static void pulled(struct loop_post *post)
{
    struct exchange *exchange = CONTAINER_OF(post, struct exchange, job.post);
    exchange->state = EXCHANGE_FLOWING;
    if (exchange->client_is_gone) {
        exchange->state = EXCHANGE_RESPONDING;
        exchange_end(exchange, exchange->pool);
        return;
    }
    settle(exchange->response.source);
}

static void ask(struct source *source);

static void try_again(struct timer *timer)
{
    ask(CONTAINER_OF(timer, struct source, timer));
}

static void wait_for_pool(struct source *source)
{
    struct loop *loop = source->exchange->services->loop;
    loop_timer_start(loop, &source->timer, loop_now_ms(loop) + RETRY_MS, try_again);
}

static void ask_on_pool(struct source *source)
{
    struct exchange *exchange = source->exchange;
    galley_job job = {
        .run = pull_on_worker,
        .arg = source,
        .drop = drop_on_worker,
        .label = exchange->route->label,
    };
    exchange->state = EXCHANGE_QUEUED;
    exchange_hold(exchange, pulled);
    int rc = exchange_submit(exchange, &job);
    if (rc == GALLEY_OK) {
        return; /* the worker's now */
    }
    exchange->state = EXCHANGE_FLOWING;
    if (rc == GALLEY_EFULL) {
        wait_for_pool(source);
    } else {
        exchange_fail(exchange, GALLEY_EFULL);
    }
}

static void ask(struct source *source)
{
    struct exchange *exchange = source->exchange;
    if (!exchange->route->on_loop && exchange_handler_pool(exchange)) {
        ask_on_pool(source);
    } else {
        pull(source);
        settle(source);
    }
}

/* ---- */

/* RFC 9110 §9.3.2: to HEAD the head is all, and it is told apart from the end, because an unknown
 * length must not become 0. */
static void end_without_body(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct source, timer)->exchange;
    exchange->response.pieces_ended = true;
    exchange->state = EXCHANGE_RESPONDING;
    exchange->driver->pieces(exchange);
}

void source_flow(struct exchange *exchange)
{
    struct source *source = exchange->response.source;
    struct loop *loop = exchange->services->loop;
    exchange->state = EXCHANGE_FLOWING;
    exchange_count_stream(exchange);
    if (status_may_have_body(exchange->response.status, exchange->request.method)) {
        ask(source);
        return;
    }
    end_once(source);
    loop_timer_start(loop, &source->timer, loop_now_ms(loop), end_without_body);
    send_head(exchange);
}

void source_sent(struct exchange *exchange)
{
    struct source *source = exchange->response.source;
    if (exchange->state == EXCHANGE_FLOWING && !source->has_ended) {
        ask(source);
    }
}

void source_detach(struct exchange *exchange)
{
    struct source *source = exchange->response.source;
    if (!source) {
        return;
    }
    exchange->response.source = NULL;
    if (timer_is_armed(&source->timer)) {
        loop_timer_stop(exchange->services->loop, &source->timer);
    }
    free_block(source);
    end_once(source);
}

/* ---- galley_res_source() --------------------------------------------------------------------- */

static int give_source(struct exchange *exchange, int status, const char *type,
                       const struct source *wanted)
{
    struct response_field *field = NULL;
    int rc = response_claim_body(exchange, status);
    if (rc == GALLEY_OK) {
        rc = response_prepare_type(exchange, type, SPAN("application/octet-stream"), &field);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct source *source = arena_alloc(&exchange->arena, sizeof *source);
    if (!source) {
        return GALLEY_ENOMEM;
    }
    *source = *wanted;
    source->exchange = exchange;
    response_put_field(&exchange->response, field);
    exchange->response.status = status;
    exchange->response.source = source;
    return GALLEY_OK;
}

int galley_res_source(galley_response *rs, int status, const char *type, int64_t length,
                      galley_source *fn, void (*end)(void *arg), void *arg)
{
    int rc = GALLEY_EINVAL;
    if (rs && fn && length >= -1) {
        const struct source wanted = {.fn = fn, .end = end, .arg = arg};
        rc = give_source(exchange_of_response(rs), status, type, &wanted);
    }
    if (rc == GALLEY_OK) {
        struct response *response = &exchange_of_response(rs)->response;
        response->is_begun = true;
        response->length = length;
        response_add_nosniff(response);
    } else if (end) {
        end(arg); /* taken over also on failure */
    }
    return rc;
}
