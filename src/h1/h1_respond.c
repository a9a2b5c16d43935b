/* h1/h1_respond.c — answers: head, body, pieces, and whether the connection goes on after them. On
 * the loop. Everything is appended to conn->out in order; the exchange ends when nothing in the
 * chain points into its memory, or else when the last byte has been sent. */
#include "base/check.h"
#include "http/status.h"

#include "h1/h1_head.h"
#include "h1/h1_session.h"

enum {
    COPY_BYTES =
        1024, /* a body up to this is copied behind its head: cheaper than a piece of its own */
    EARLY_END_BYTES =
        64 * 1024 /* up to this an answer usually leaves at once, and its exchange need not wait */
};

/* ---- will the connection be kept? ------------------------------------------------------------ */

static enum close_reason unread_body_reason(struct h1_session *session, int status)
{
    if (session->body == H1_BODY_DONE) {
        return CLOSE_NONE;
    }
    if (status == STATUS_CONTENT_TOO_LARGE) {
        counter_add(&session->driver->counters.bodies_too_large, 1);
        return CLOSE_BODY_TOO_LARGE;
    }
    return CLOSE_KEEPALIVE_OFF;
}

/* CLOSE_NONE: it is kept. */
static enum close_reason end_reason_of(struct h1_session *session, const struct response *response)
{
    const struct conn *conn = session->conn;
    if (session->end_reason != CLOSE_NONE) {
        return (enum close_reason)session->end_reason;
    }
    if (response->must_close || !h1_body_can_be_drained(session)) {
        enum close_reason reason = unread_body_reason(session, response->status);
        return reason == CLOSE_NONE ? CLOSE_KEEPALIVE_OFF : reason;
    }
    if (!session->client_keeps_alive) {
        return CLOSE_KEEPALIVE_OFF;
    }
    if (conn->requests >= session->driver->max_requests) {
        counter_add(&session->driver->counters.request_limits, 1);
        return CLOSE_REQUEST_LIMIT;
    }
    if (conn->input_ended && !h1_has_input(session)) {
        return CLOSE_CLIENT_CLOSED; /* half-closed, and this was its last request */
    }
    return conn->is_draining ? CLOSE_DRAIN : CLOSE_NONE;
}

/* RFC 9112 §9.6: lingering is for clients that may still be sending. One that has said that this
 * was its last request, and of which nothing is unread, is let go at once. */
static bool is_client_done(const struct h1_session *session)
{
    return session->end_reason == CLOSE_KEEPALIVE_OFF && !session->client_keeps_alive &&
           session->body == H1_BODY_DONE && !h1_has_input(session);
}

static void end_connection(struct h1_session *session)
{
    enum close_reason reason = (enum close_reason)session->end_reason;
    if (is_client_done(session)) {
        conn_close_when_sent(session->conn, reason);
    } else {
        conn_close_gracefully(session->conn, reason);
    }
}

/* ---- the end of an answer -------------------------------------------------------------------- */

static void end_exchange(struct h1_session *session)
{
    struct exchange *exchange = session->exchange;
    session->exchange = NULL;
    exchange_end(exchange, session->driver->exchanges);
}

/* Something could not be written: the client must not take what it has for the whole answer. */
static void break_connection(struct h1_session *session, int code)
{
    bool is_memory = code == GALLEY_ENOMEM;
    counter_add(is_memory ? &session->driver->counters.out_of_memory
                          : &session->driver->counters.aborted,
                1);
    conn_close(session->conn, is_memory ? CLOSE_OUT_OF_MEMORY : CLOSE_HANDLER_FAILED, true);
}

/* All of it is in conn->out. */
static void finish_answer(struct h1_session *session, bool is_free)
{
    session->answer_ended = true;
    if (session->end_reason != CLOSE_NONE) {
        end_connection(session);
    }
    h1_body_answered(session);
    if (is_free || !conn_has_output(session->conn)) {
        end_exchange(session);
    }
}

void h1_answer_sent(struct h1_session *session)
{
    if (session->answer_ended) {
        end_exchange(session);
    } else {
        exchange_pieces_wanted(session->exchange);
    }
}

/* ---- body ------------------------------------------------------------------------------------ */

static bool is_small_memory(const struct chain *body)
{
    if (body->bytes > COPY_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < body->count; i++) {
        if (!body->parts[body->first + i].ptr) {
            return false;
        }
    }
    return true;
}

static int copy_body(struct chain *out, struct chain *body)
{
    int rc = GALLEY_OK;
    for (uint32_t i = 0; i < body->count && rc == GALLEY_OK; i++) {
        const struct chain_part *part = &body->parts[body->first + i];
        rc = chain_add_copy(out, part->ptr, part->len);
    }
    chain_clear(body);
    return rc;
}

/* RFC 9112 §7.1: what is there now becomes one chunk. */
static int add_chunk(struct chain *out, struct chain *body)
{
    char head[CHUNKED_HEAD_BYTES];
    int rc = chain_add_copy(out, head, chunked_write_head(head, body->bytes));
    if (rc == GALLEY_OK) {
        rc = chain_move(out, body);
    }
    struct span end = CHUNKED_DATA_END;
    return rc == GALLEY_OK ? chain_add_copy(out, end.ptr, end.len) : rc;
}

static int add_last_chunk(struct chain *out)
{
    struct span last = CHUNKED_LAST_CHUNK;
    return chain_add_copy(out, last.ptr, last.len);
}

/* Pieces that are there: behind the output, framed as they must be. */
static int add_pieces(struct h1_session *session, struct exchange *exchange)
{
    struct chain *out = &session->conn->out;
    struct chain *body = &exchange->response.body;
    if (session->answer_muted) {
        chain_clear(body);
        return GALLEY_OK;
    }
    if (session->answer_counted) {
        if (body->bytes > session->out_left) {
            return GALLEY_EINVAL; /* more than was promised */
        }
        session->out_left -= body->bytes;
    }
    if (body->bytes == 0) {
        return GALLEY_OK;
    }
    exchange->bytes_sent += body->bytes;
    return session->answer_chunked ? add_chunk(out, body) : chain_move(out, body);
}

static int end_pieces(struct h1_session *session)
{
    if (session->answer_counted && session->out_left > 0) {
        return GALLEY_EINVAL; /* less than was promised */
    }
    return session->answer_chunked ? add_last_chunk(&session->conn->out) : GALLEY_OK;
}

/* *ret_is_free: nothing in the output points into the exchange. */
static int add_whole_body(struct h1_session *session, struct exchange *exchange,
                          const struct h1_answer *answer, bool *ret_is_free)
{
    struct chain *body = &exchange->response.body;
    *ret_is_free = true;
    if (!answer->has_body) {
        chain_clear(
            body); /* RFC 9110 §9.3.2: HEAD is GET without the content; nor has 204 or 304 any */
        return GALLEY_OK;
    }
    if (body->bytes != answer->length) {
        return GALLEY_EINVAL; /* the head would lie */
    }
    exchange->bytes_sent = body->bytes;
    if (is_small_memory(body)) {
        return copy_body(&session->conn->out, body);
    }
    /* A long one may take long or be cut: the log and its hooks wait for the end. */
    *ret_is_free = body->bytes <= EARLY_END_BYTES && exchange_may_end_early(exchange);
    return chain_move(&session->conn->out, body);
}

/* ---- exchange_driver ------------------------------------------------------------------------- */

/* The connection has gone and nobody has been told yet. */
static bool is_too_late(struct h1_session *session)
{
    if (session->conn->state != CONN_CLOSED) {
        return false;
    }
    struct exchange *exchange = session->exchange;
    session->exchange = NULL;
    exchange_client_gone(exchange);
    return true;
}

static int start_answer(struct h1_session *session, struct exchange *exchange,
                        struct h1_answer *answer)
{
    const struct response *response = &exchange->response;
    enum close_reason reason = end_reason_of(session, response);
    if (reason == CLOSE_NONE && answer->will_close) {
        reason = CLOSE_KEEPALIVE_OFF;
    }
    session->end_reason = (uint8_t)reason;
    answer->will_close = reason != CLOSE_NONE;
    session->has_answered = true;
    session->answer_muted = !answer->has_body;
    session->answer_chunked = answer->has_body && answer->framing == H1_FRAMING_CHUNKED;
    session->answer_counted = answer->has_body && answer->framing == H1_FRAMING_LENGTH;
    session->out_left = answer->length;
    return h1_head_write(session, response, answer);
}

void h1_respond(struct exchange *exchange)
{
    struct h1_session *session = h1_session_of(exchange);
    if (is_too_late(session)) {
        return;
    }
    struct h1_answer answer = h1_answer_of(exchange);
    bool is_free = true;
    int rc = start_answer(session, exchange, &answer);
    if (rc == GALLEY_OK && answer.in_pieces) {
        rc = add_pieces(session, exchange);
    } else if (rc == GALLEY_OK) {
        rc = add_whole_body(session, exchange, &answer, &is_free);
    }
    if (rc != GALLEY_OK) {
        break_connection(session, rc);
        return;
    }
    if (answer.upgrade.ptr) {
        h1_body_tunnel(session);
    } else if (!answer.will_close && !exchange_reads_body(exchange)) {
        h1_body_drain(session);
    }
    if (!answer.in_pieces) {
        finish_answer(session, is_free);
    }
    h1_go_on(session);
}

void h1_pieces(struct exchange *exchange)
{
    struct h1_session *session = h1_session_of(exchange);
    if (is_too_late(session)) {
        return;
    }
    int rc = add_pieces(session, exchange);
    bool has_ended = rc == GALLEY_OK && exchange->response.pieces_ended;
    if (has_ended) {
        rc = end_pieces(session);
    }
    if (rc != GALLEY_OK) {
        break_connection(session, rc);
    } else if (has_ended) {
        finish_answer(session, exchange_may_end_early(exchange));
    }
    h1_go_on(session);
}

void h1_abort(struct exchange *exchange, int galley_code)
{
    struct h1_session *session = h1_session_of(exchange);
    if (!is_too_late(session)) {
        break_connection(session, galley_code);
    }
}

/* ---- in the place of an owner who does not let go -------------------------------------------- */

/* Of the exchange only what nobody changes any more is looked at: its owner is at work. */
static int write_page(struct h1_session *session, const struct request *request, int status)
{
    struct span reason = status_reason(status);
    struct response page = {
        .status = status,
        /* RFC 9110 §10.2.3: how long to wait before the next try */
        .ready_fields = SPAN("Content-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"),
    };
    struct h1_answer answer = {
        .status = status,
        .framing = H1_FRAMING_LENGTH,
        .length = reason.len + 1,
        .has_body = request->method != METHOD_HEAD,
        .will_close = true,
        .is_http_1_0 = request->version < 11,
    };
    int rc = h1_head_write(session, &page, &answer);
    if (rc == GALLEY_OK && answer.has_body) {
        rc = chain_add_copy(&session->conn->out, reason.ptr, reason.len);
    }
    return rc == GALLEY_OK && answer.has_body ? chain_add_copy(&session->conn->out, "\n", 1) : rc;
}

static void answer_page(struct h1_session *session, struct exchange *exchange, int status)
{
    int rc = write_page(session, &exchange->request, status);
    session->has_answered = true;
    session->answer_ended = true;
    session->end_reason = CLOSE_KEEPALIVE_OFF;
    if (rc != GALLEY_OK) {
        break_connection(session, rc);
        return;
    }
    bool has_body = exchange->request.method != METHOD_HEAD;
    exchange->bytes_sent = has_body ? status_reason(status).len + 1 : 0;
    end_connection(session); /* lingers, if something of the body is unread */
    h1_body_answered(session);
}

void h1_give_up(struct exchange *exchange, int status)
{
    struct h1_session *session = h1_session_of(exchange);
    session->exchange = NULL; /* whatever its owner does now, it does not concern this connection */
    if (session->conn->state == CONN_CLOSED) {
        return;
    }
    if (session->has_answered) {
        uint64_t unsent = session->conn->out.bytes;
        exchange->bytes_sent -= unsent < exchange->bytes_sent ? unsent : exchange->bytes_sent;
        break_connection(session, GALLEY_ETIMEDOUT);
    } else {
        answer_page(session, exchange, status);
    }
    h1_go_on(session);
}
