/* exchange/exchange_result.c — what a handler returned becomes a response; the table is in
 * galley/http.h. On the loop. Whatever a handler does, the outcome is one well-formed response or a
 * reset, never a crash. */
#include "base/check.h"
#include "http/status.h"

#include "exchange/admission.h"
#include "exchange/body_writer.h"
#include "exchange/exchange_steps.h"
#include "exchange/source.h"
#include "exchange/stream.h"

static struct log_limit mistake_limit;

static bool is_final_status(int status)
{
    return status >= 200 && status <= 599; /* RFC 9110 §15: 1xx are interim */
}

int exchange_status_of(int result)
{
    if (result == 0 || is_final_status(result)) {
        return result;
    }
    switch (result) {
    case GALLEY_ENOTFOUND:
        return 404;
    case GALLEY_EACCESS:
        return 403;
    case GALLEY_ETOOBIG:
        return 413;
    case GALLEY_EPROTO:
        return 400;
    case GALLEY_EFULL:
    case GALLEY_ETIMEDOUT:
    case GALLEY_ENOMEM:
        return 503;
    default:
        return 500;
    }
}

void exchange_report_mistake(const struct exchange *exchange, const char *what, int result)
{
    const struct exchange_services *services = exchange->services;
    if (services->counters) {
        counter_add(&services->counters->mistakes, 1);
    }
    const char *label =
        exchange->route && exchange->route->label ? exchange->route->label : "a route";
    log_write_limited(services->log, &mistake_limit, LOG_ERROR, "handler of %s %s (it returned %d)",
                      label, what, result);
}

void exchange_respond(struct exchange *exchange)
{
    response_add_nosniff(&exchange->response);
    exchange->state = EXCHANGE_RESPONDING;
    exchange->has_responded = true;
    exchange->driver->respond(exchange);
}

/* RFC 9110 §10.2.3: how long to wait before the next try. */
static void add_retry_after(struct exchange *exchange)
{
    (void)response_set_field(exchange, SPAN("Retry-After"), SPAN("1")); /* only a hint */
}

void exchange_shed(struct exchange *exchange)
{
    exchange_leave_gate(exchange);
    response_be_page(exchange, 503);
    add_retry_after(exchange);
    exchange_respond(exchange);
}

static void apply_status(struct exchange *exchange, int status)
{
    struct response *response = &exchange->response;
    response->status = status;
    if (!response_has_body(response) && status_may_have_body(status, METHOD_GET)) {
        (void)response_error_page(exchange, status); /* without memory: the status alone */
    }
}

static void apply_failure(struct exchange *exchange, int status)
{
    response_be_page(exchange, status);
    if (status == 503) {
        add_retry_after(exchange);
    }
}

static void apply_result(struct exchange *exchange, int result)
{
    struct response *response = &exchange->response;
    if (exchange->is_misused) {
        exchange_report_mistake(exchange, "gave two bodies", result);
        response_be_page(exchange, 500);
    } else if (result < 0) {
        apply_failure(exchange, exchange_status_of(exchange_body_result(exchange, result)));
    } else if (is_final_status(result)) {
        apply_status(exchange, result);
    } else if (result != 0) {
        exchange_report_mistake(exchange, "returned a number that means nothing", result);
        response_be_page(exchange, 500);
    } else if (response->status == 0) {
        response->status = 200;
    }
}

/* ---- galley_res_file() ---- */

static void send_file(struct exchange *exchange)
{
    const struct exchange_services *services = exchange->services;
    struct span path = exchange->response.file_path;
    exchange->response.waits_for_file = false;
    int rc = services->send_file ? exchange_retain(exchange) : GALLEY_ENOTFOUND;
    if (rc != GALLEY_OK) {
        exchange_finish(exchange, rc);
        return;
    }
    exchange->state = EXCHANGE_SUSPENDED;
    exchange->has_early_result = false;
    exchange->in_handler = true;
    services->send_file(services->ctx, exchange, path);
    exchange->in_handler = false;
    if (exchange->has_early_result) {
        exchange_finish(exchange, exchange->early_result);
    }
}

/* ---- responses in pieces ---- */

static bool has_declared_bytes(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    return response->length < 0 || response->piece_bytes == (uint64_t)response->length;
}

void exchange_break_off(struct exchange *exchange, int code)
{
    if (exchange->services->counters) {
        counter_add(&exchange->services->counters->broken, 1);
    }
    exchange->state = EXCHANGE_RESPONDING;
    exchange->driver->abort(exchange, code);
}

/* The head is on the way to the client: the rest follows, or the connection is reset. */
static void finish_pieces(struct exchange *exchange, int result)
{
    struct response *response = &exchange->response;
    bool is_whole = body_writer_finish(response->writer);
    if (result < 0 || !is_whole) {
        exchange_break_off(exchange, result < 0 ? result : GALLEY_ENOMEM);
        return;
    }
    if (!has_declared_bytes(exchange)) {
        exchange_report_mistake(exchange, "wrote less than it declared", result);
        exchange_break_off(exchange, GALLEY_EPROTO);
        return;
    }
    response->pieces_ended = true;
    exchange->state = EXCHANGE_RESPONDING;
    exchange->driver->pieces(exchange);
}

void exchange_fail(struct exchange *exchange, int code)
{
    if (exchange->has_responded) {
        exchange_break_off(exchange, code);
        return;
    }
    exchange->state = EXCHANGE_HANDLING;
    apply_failure(exchange, exchange_status_of(code));
    exchange_respond(exchange);
}

void exchange_count_stream(struct exchange *exchange)
{
    if (!exchange->counts_stream) {
        exchange->counts_stream = true;
        atomic_fetch_add_explicit(&exchange->pool->streams, 1, memory_order_relaxed);
    }
}

void exchange_uncount_stream(struct exchange *exchange)
{
    if (exchange->counts_stream) {
        exchange->counts_stream = false;
        atomic_fetch_sub_explicit(&exchange->pool->streams, 1, memory_order_relaxed);
    }
}

/* A status as a result puts its own page in the place of a source, or of an upgrade; a stream has
 * been promised to its writers, and ends behind what they wrote. */
static void finish_unsent_flow(struct exchange *exchange, int result)
{
    struct response *response = &exchange->response;
    if (result == 0 && response->source) {
        source_flow(exchange);
        return;
    }
    bool is_status = is_final_status(result);
    if (result == 0 || (is_status && response->stream && !response->is_upgrade)) {
        stream_flow(exchange, is_status);
        return;
    }
    if (is_status) {
        response_reset(exchange);
    }
    exchange->state = EXCHANGE_HANDLING;
    apply_result(exchange, result);
    exchange_respond(exchange);
}

/* The handler has returned, or the deferral was finished: what it has begun goes on by itself, if
 * that is what it says. */
static void finish_flow(struct exchange *exchange, int result)
{
    if (!exchange->has_responded) {
        finish_unsent_flow(exchange, result);
    } else if (result < 0) {
        exchange_break_off(exchange, result);
    } else {
        if (result != 0 && !is_final_status(result)) {
            exchange_report_mistake(exchange, "returned a number that means nothing", result);
        }
        stream_flow(exchange, result != 0); /* a source would not have been asked yet */
    }
}

/* Pieces that nothing was sent of yet: as good as a response in one piece. */
static void apply_unsent_pieces(struct exchange *exchange, int result)
{
    if (result >= 0 && !has_declared_bytes(exchange)) {
        exchange_report_mistake(exchange, "wrote less than it declared", result);
        response_be_page(exchange, 500);
        return;
    }
    int status = exchange->response.status;
    apply_result(exchange, result);
    if (exchange->response.is_begun) {
        exchange->response.status = status; /* the one given to galley_res_begin() */
        exchange->response.pieces_ended = true;
    }
}

void exchange_finish(struct exchange *exchange, int result)
{
    struct response *response = &exchange->response;
    exchange_leave_gate(exchange);
    if (exchange->client_is_gone) {
        exchange->state = EXCHANGE_RESPONDING;
        exchange_end(exchange, exchange->pool);
        return;
    }
    if (response->stream || response->source) {
        finish_flow(exchange, result);
        return;
    }
    if (response->is_begun && exchange->has_responded) {
        finish_pieces(exchange, result);
        return;
    }
    exchange->state = EXCHANGE_HANDLING;
    if (response->is_begun) {
        if (response->writer && !body_writer_finish(response->writer)) {
            result = GALLEY_ENOMEM;
        }
        apply_unsent_pieces(exchange, result);
    } else {
        apply_result(exchange, result);
    }
    if (response->waits_for_file) {
        send_file(exchange);
        return;
    }
    exchange_respond(exchange);
}

void exchange_answer(struct exchange *exchange, int result)
{
    CHECK(exchange->state == EXCHANGE_NEW);
    exchange_finish(exchange, result);
}
