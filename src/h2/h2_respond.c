/* h2/h2_respond.c — answers: head, body, pieces, and what is in their place when they fail. On the loop.
 * The head is encoded at once, DATA is asked for later (h2_send.c); what fails costs its stream, never
 * others. The exchange ends at once if nothing of it is needed any more, else when all has been handed
 * over (h2_stream.c). */
#include "base/check.h"
#include "http/status.h"

#include "h2/h2_fields.h"
#include "h2/h2_session.h"

enum { EARLY_END_BYTES = 64 * 1024 /* up to this an answer usually leaves at once */ };

/* ---- the end --------------------------------------------------------------------------------- */

/* The stream has gone and nobody has been told yet. */
static bool is_too_late(struct h2_stream *stream)
{
    if (stream->is_open && stream->session->conn->state != CONN_CLOSED) {
        return false;
    }
    struct exchange *exchange = stream->exchange;
    stream->exchange = NULL;
    exchange_client_gone(exchange);
    return true;
}

/* The client must not take what it has for the whole answer. */
static void break_stream(struct h2_stream *stream, int code)
{
    struct h2_counters *counters = &stream->driver->counters;
    counter_add(code == GALLEY_ENOMEM ? &counters->out_of_memory : &counters->aborted, 1);
    h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
}

static void end_exchange(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    stream->exchange = NULL;
    exchange_end(exchange, stream->driver->exchanges);
}

/* ---- whole answers --------------------------------------------------------------------------- */

static bool is_small_memory(const struct chain *body)
{
    for (uint32_t i = 0; i < body->count; i++) {
        if (!body->parts[body->first + i].ptr) {
            return false;
        }
    }
    return body->bytes <= H2_COPY_BYTES;
}

static int copy_body(struct h2_stream *stream, struct chain *body)
{
    int rc = GALLEY_OK;
    for (uint32_t i = 0; i < body->count && rc == GALLEY_OK; i++) {
        const struct chain_part *part = &body->parts[body->first + i];
        rc = chain_add_copy(&stream->body, part->ptr, part->len);
    }
    h2_body_added(stream, stream->body.bytes);
    chain_clear(body);
    return rc;
}

/* *ret_is_free: nothing points into the exchange any more, nor must it see the end. */
static int take_whole_body(struct h2_stream *stream, struct exchange *exchange,
                           const struct h2_answer *answer, bool *ret_is_free)
{
    struct chain *body = &exchange->response.body;
    *ret_is_free = true;
    if (!answer->has_body) {
        chain_clear(body); /* RFC 9110 §9.3.2: HEAD is GET without the content */
        return GALLEY_OK;
    }
    if (answer->length >= 0 && body->bytes != (uint64_t)answer->length) {
        return GALLEY_EINVAL; /* the head would lie */
    }
    if (is_small_memory(body)) {
        exchange->bytes_sent = body->bytes;
        return copy_body(stream, body);
    }
    *ret_is_free = body->bytes <= EARLY_END_BYTES && exchange_may_end_early(exchange);
    exchange->bytes_sent = *ret_is_free ? body->bytes : 0; /* else counted as it goes */
    return h2_take_body(stream, body);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int take_pieces(struct h2_stream *stream, struct exchange *exchange)
{
    struct chain *body = &exchange->response.body;
    if (stream->is_muted) {
        chain_clear(body);
        return GALLEY_OK;
    }
    if (stream->is_counted) {
        if (body->bytes > stream->out_left) {
            return GALLEY_EINVAL; /* more than was promised */
        }
        stream->out_left -= body->bytes;
    }
    return h2_take_body(stream, body);
}

static int end_pieces(struct h2_stream *stream)
{
    stream->answer_ended = true;
    h2_body_added(stream, 0); /* the client's time for the end begins */
    return stream->is_counted && stream->out_left > 0 ? GALLEY_EINVAL : GALLEY_OK;
}

static void resume(struct h2_stream *stream)
{
    if (stream->frames.is_deferred && (stream->body.bytes > 0 || stream->answer_ended)) {
        stream->wants_pieces = false;
        frames_resume(&stream->frames);
    }
}

/* ---- exchange_driver ------------------------------------------------------------------------- */

/* RFC 8441 §5: a 2xx would open the tunnel that nobody serves. */
static bool is_false_promise(const struct h2_stream *stream, const struct response *response)
{
    return stream->is_tunnel && !response->is_upgrade && response->status < 300;
}

static int start_answer(struct h2_stream *stream, struct exchange *exchange,
                        struct h2_answer *answer)
{
    stream->has_answered = true;
    stream->in_pieces = answer->in_pieces;
    stream->answer_ended = !answer->in_pieces;
    stream->is_muted = !answer->has_body;
    stream->is_counted = answer->in_pieces && answer->has_body && answer->length >= 0;
    stream->out_left = stream->is_counted ? (uint64_t)answer->length : 0;
    if (is_false_promise(stream, &exchange->response)) {
        answer->status = STATUS_NOT_IMPLEMENTED;
    }
    if (!answer->in_pieces) { /* else a worker has the response: only the log would read it */
        exchange->response.status = answer->status;
    }
    struct h2_answer head = *answer;
    /* Nothing follows: END_STREAM needs no window on HEADERS. */
    head.has_body = answer->has_body && (answer->in_pieces || exchange->response.body.bytes > 0);
    return h2_submit_answer(stream, &exchange->response, &head);
}

static void finish_start(struct h2_stream *stream, struct exchange *exchange, bool is_free)
{
    if (exchange->response.is_upgrade) {
        h2_body_tunnel(stream);
    } else if (!exchange_reads_body(exchange)) {
        h2_body_drop(stream);
    }
    if (is_free && !stream->in_pieces) {
        end_exchange(stream);
    }
}

void h2_respond(struct exchange *exchange)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    if (is_too_late(stream)) {
        return;
    }
    h2_stream_ref(stream);
    struct h2_session *session = stream->session;
    struct h2_answer answer = h2_answer_of(exchange);
    bool is_free = false;
    int rc = start_answer(stream, exchange, &answer);
    if (rc == GALLEY_OK && answer.in_pieces) {
        rc = take_pieces(stream, exchange);
    } else if (rc == GALLEY_OK) {
        rc = take_whole_body(stream, exchange, &answer, &is_free);
    }
    if (rc == GALLEY_OK) {
        finish_start(stream, exchange, is_free);
    } else {
        break_stream(stream, rc);
    }
    h2_later(session);
    h2_stream_unref(stream);
}

void h2_pieces(struct exchange *exchange)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    h2_stream_ref(stream);
    if (stream->is_muted && exchange->response.pieces_ended) {
        chain_clear(&exchange->response.body);
        stream->answer_ended = true;
        end_exchange(stream); /* the client has had all of it */
    } else if (stream->is_muted) {
        chain_clear(&exchange->response.body);
    } else if (!is_too_late(stream)) {
        int rc = take_pieces(stream, exchange);
        if (rc == GALLEY_OK && exchange->response.pieces_ended) {
            rc = end_pieces(stream);
        }
        if (rc == GALLEY_OK) {
            resume(stream);
        } else {
            break_stream(stream, rc);
        }
        h2_later(stream->session);
    }
    h2_stream_unref(stream);
}

void h2_abort(struct exchange *exchange, int galley_code)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    if (!is_too_late(stream)) {
        break_stream(stream, galley_code);
    }
}

/* ---- in the place of an owner who does not let go -------------------------------------------- */

/* Of the exchange only what nobody changes any more is looked at: its owner is at work. */
static int submit_page(struct h2_stream *stream, const struct exchange *exchange, int status)
{
    struct span reason = status_reason(status);
    struct response page = {
        .status = status,
        /* RFC 9110 §10.2.3: how long to wait before the next try */
        .ready_fields = SPAN("Content-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"),
    };
    struct h2_answer answer = {
        .status = status,
        .length = (int64_t)reason.len + 1,
        .has_body = exchange->request.method != METHOD_HEAD,
    };
    stream->has_answered = true;
    stream->answer_ended = true;
    int rc = h2_submit_answer(stream, &page, &answer);
    if (rc == GALLEY_OK && answer.has_body) {
        rc = chain_add_copy(&stream->body, reason.ptr, reason.len);
    }
    if (rc == GALLEY_OK && answer.has_body) {
        rc = chain_add_copy(&stream->body, "\n", 1);
    }
    h2_body_added(stream, stream->body.bytes);
    return rc;
}

void h2_give_up(struct exchange *exchange, int status)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    stream->exchange = NULL; /* whatever its owner does now, it does not concern this stream */
    if (!stream->is_open || stream->session->conn->state == CONN_CLOSED) {
        return;
    }
    if (stream->has_answered) {
        break_stream(stream, GALLEY_ETIMEDOUT);
        return;
    }
    int rc = submit_page(stream, exchange, status);
    exchange->bytes_sent = stream->body.bytes;
    if (rc != GALLEY_OK) {
        break_stream(stream, rc);
    }
    h2_body_drop(stream);
    h2_later(stream->session);
}
