/* exchange/exchange_body.c — the request body on its way to the handler, as the route says: read
 * whole into memory or a file, handed on as it comes, refused, or skipped. The handler runs when it
 * is there (exchange_run.c), or, for a stream, at once. On the loop. */
#include "base/alloc.h"
#include "base/check.h"
#include "coding/decoder.h"
#include "coding/encoder.h"

#include "exchange/admission.h"
#include "exchange/body_reader.h"
#include "exchange/body_sink.h"
#include "exchange/body_spool.h"
#include "exchange/coded_answer.h"
#include "exchange/coded_body.h"
#include "exchange/exchange_steps.h"

/* Blocks that grow do so by doubling, up to their ceiling if they have one. */
static uint64_t most_bytes_of_mode(const struct route_target *route, uint64_t piece_bytes)
{
    switch (route->body_mode) {
    case EXCHANGE_BODY_BUFFER:
        return mem_cost(route->max_body_bytes);
    case EXCHANGE_BODY_SPOOL:
        return mem_cost(2 * (BODY_SPOOL_BLOCK + piece_bytes));
    case EXCHANGE_BODY_STREAM:
        return chain_most_bytes(BODY_READER_HIGH + piece_bytes);
    default:
        return 0;
    }
}

uint64_t exchange_body_most_bytes(const struct route_target *route, uint64_t piece_bytes)
{
    uint64_t sum, coders = route->compresses ? encoder_most_frugal_bytes() : 0;
    coders += route->decodes ? decoder_most_bytes() + mem_cost(piece_bytes) : 0;
    bool is_over = __builtin_add_overflow(most_bytes_of_mode(route, piece_bytes), coders, &sum);
    return is_over ? UINT64_MAX : sum;
}

static bool is_over_limit(const struct exchange *exchange)
{
    int64_t declared = exchange->request.content_length;
    return declared > 0 && (uint64_t)declared > exchange->route->max_body_bytes;
}

static void refuse_body(struct exchange *exchange, int status)
{
    exchange->response.must_close = true; /* what follows on the connection is the refused body */
    exchange_reject(exchange, status);
}

/* A body nobody asked for: read and dropped where that is cheap, else the connection closes after
 * the answer. */
static bool is_cheap_to_skip(const struct exchange *exchange)
{
    return !is_over_limit(exchange) && !exchange->request.expects_continue;
}

/* ---- who takes it ---------------------------------------------------------------------------- */

static void read_into_memory(struct exchange *exchange)
{
    buf_init(&exchange->request.body, exchange->route->max_body_bytes > SIZE_MAX
                                          ? SIZE_MAX
                                          : (size_t)exchange->route->max_body_bytes);
    exchange->state = EXCHANGE_BODY;
    exchange->driver->read_body(exchange);
}

static void read_into_file(struct exchange *exchange)
{
    struct body_spool *spool = body_spool_create(exchange);
    if (!spool) {
        refuse_body(exchange, 503);
        return;
    }
    exchange->request.spool = spool;
    exchange->state = EXCHANGE_BODY;
    if (exchange->request.content_length == 0) {
        body_spool_end(spool); /* an empty file */
    } else {
        exchange->driver->read_body(exchange);
    }
}

/* The handler is the first to run; the body begins to come when somebody can take it. */
static void hand_on(struct exchange *exchange)
{
    exchange->request.reader = body_reader_create(exchange);
    if (!exchange->request.reader) {
        refuse_body(exchange, 503);
        return;
    }
    exchange_run(exchange);
}

static void read_body(struct exchange *exchange)
{
    switch (exchange->route->body_mode) {
    case EXCHANGE_BODY_SPOOL:
        read_into_file(exchange);
        break;
    case EXCHANGE_BODY_STREAM:
        hand_on(exchange);
        break;
    default:
        read_into_memory(exchange);
        break;
    }
}

/* RFC 9110 §15.5.16 and §12.5.3: what else would have been taken. */
static void refuse_coding(struct exchange *exchange)
{
    response_be_page(exchange, 415);
    exchange->response.must_close = true;
    (void)response_set_field(exchange, SPAN("Accept-Encoding"), SPAN("br, zstd, gzip"));
    exchange_respond(exchange);
}

static void read_known_body(struct exchange *exchange)
{
    int status = exchange->route->decodes ? coded_body_begin(exchange) : GALLEY_OK;
    if (status == 415) {
        refuse_coding(exchange);
    } else if (status != GALLEY_OK) {
        refuse_body(exchange, status);
    } else {
        read_body(exchange);
    }
}

void exchange_want_body(struct exchange *exchange)
{
    const struct route_target *route = exchange->route;
    bool has_body = exchange->request.content_length != 0;
    if (route->compresses || route->decodes) {
        coded_answer_begin(exchange);
    }
    if (!exchange_admit(exchange)) {
        return;
    }
    if (!has_body && route->body_mode != EXCHANGE_BODY_SPOOL) {
        exchange_run(exchange);
    } else if (route->body_mode == EXCHANGE_BODY_DISCARD) {
        if (is_cheap_to_skip(exchange)) {
            read_body(exchange);
            return;
        }
        exchange->response.must_close = true;
        exchange_run(exchange);
    } else if (route->body_mode == EXCHANGE_BODY_REFUSE || is_over_limit(exchange)) {
        refuse_body(exchange, 413);
    } else if (!route->on_loop && galley_pool_is_full(exchange_handler_pool(exchange))) {
        exchange->response.must_close = has_body;
        exchange_refuse(exchange);
    } else {
        read_known_body(exchange);
    }
}

void exchange_body_begin(struct exchange *exchange)
{
    /* RFC 9110 §10.1.1: 100 Continue says that the body is wanted; that is not known before the
     * first read. */
    if (exchange->request.reader && !exchange->request.expects_continue) {
        body_reader_begin(exchange->request.reader);
    }
}

bool exchange_reads_body(const struct exchange *exchange)
{
    return exchange->request.reader != NULL;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int add_to_memory(struct exchange *exchange, struct span piece)
{
    struct buf *body = &exchange->request.body;
    buf_append(body, piece.ptr, piece.len);
    return body->failed ? 503 : GALLEY_OK;
}

static int hand_piece(struct exchange *exchange, struct span piece)
{
    if (exchange->request.sink) {
        return body_sink_put(exchange, piece);
    }
    int rc = body_reader_put(exchange->request.reader, piece);
    return rc == GALLEY_ENOMEM ? 503 : rc;
}

int exchange_body_piece(struct exchange *exchange, struct span piece)
{
    struct request *request = &exchange->request;
    if (request->input) {
        return request->input(exchange, piece, request->input_arg);
    }
    return exchange->response.coding.body ? coded_body_piece(exchange, piece)
                                          : exchange_body_take(exchange, piece);
}

int exchange_body_take(struct exchange *exchange, struct span piece)
{
    struct request *request = &exchange->request;
    /* No sum of attacker's numbers that could overflow: body_bytes never passes the limit. */
    if (piece.len > exchange->route->max_body_bytes - request->body_bytes) {
        return 413;
    }
    request->body_bytes += piece.len;
    switch (exchange->route->body_mode) {
    case EXCHANGE_BODY_DISCARD:
        return GALLEY_OK;
    case EXCHANGE_BODY_SPOOL:
        return body_spool_put(request->spool, piece);
    case EXCHANGE_BODY_STREAM:
        return hand_piece(exchange, piece);
    default:
        return add_to_memory(exchange, piece);
    }
}

void exchange_body_end(struct exchange *exchange)
{
    bool is_coded = exchange->response.coding.body && !exchange->request.input;
    if (!is_coded || coded_body_end(exchange)) {
        exchange_body_end_now(exchange);
    }
}

void exchange_body_end_now(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    if (request->input) {
        (void)request->input(exchange, SPAN(""), request->input_arg);
    } else if (request->spool) {
        body_spool_end(request->spool);
    } else if (request->sink) {
        body_sink_end(exchange, 0);
    } else if (request->reader) {
        body_reader_end(request->reader, 0);
    } else {
        DEBUG_CHECK(exchange->state == EXCHANGE_BODY);
        exchange_run(exchange);
    }
}

int exchange_body_code(int status)
{
    switch (status) {
    case 413:
        return GALLEY_ETOOBIG;
    case 408:
        return GALLEY_ETIMEDOUT;
    case 503:
        return GALLEY_ENOMEM;
    default:
        return GALLEY_EPROTO;
    }
}

bool exchange_body_failed(struct exchange *exchange, int code)
{
    struct request *request = &exchange->request;
    request->has_timed_out = code == GALLEY_ETIMEDOUT;
    if (body_spool_is_busy(request->spool)) {
        request->spool->failure = exchange_status_of(exchange_body_result(exchange, code));
        return true;
    }
    if (request->sink) {
        body_sink_end(exchange, code);
        return true;
    }
    if (request->reader) {
        body_reader_end(request->reader, code);
        return true;
    }
    return false;
}

int exchange_body_result(const struct exchange *exchange, int result)
{
    /* RFC 9110 §15.5.9: it was the client that did not send in time. */
    return result == GALLEY_ETIMEDOUT && exchange->request.has_timed_out ? 408 : result;
}

/* ---- the client, or the exchange, goes ------------------------------------------------------- */

void exchange_body_close(struct exchange *exchange)
{
    if (exchange->request.reader) {
        body_reader_close(exchange->request.reader);
    }
}

bool exchange_body_goes_on(struct exchange *exchange)
{
    if (body_spool_is_busy(exchange->request.spool)) {
        return true;
    }
    if (exchange->state == EXCHANGE_FLOWING && exchange->request.sink &&
        !exchange->request.sink_is_over) {
        body_sink_end(exchange, GALLEY_ECLOSED);
        return true;
    }
    return false;
}

void exchange_body_release(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    buf_finish(&request->body);
    body_spool_destroy(request->spool);
    request->spool = NULL;
    body_reader_destroy(request->reader);
    request->reader = NULL;
    coded_body_release(exchange);
}

/* ---- behind an upgrade ----------------------------------------------------------------------- */

void exchange_tunnel_input(struct exchange *exchange, exchange_input_fn *fn, void *arg)
{
    CHECK(!exchange->request.input);
    exchange->request.input = fn;
    exchange->request.input_arg = arg;
    if (exchange->has_responded) {
        exchange->driver->resume_body(exchange);
    }
}
