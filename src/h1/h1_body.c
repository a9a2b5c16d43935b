/* h1/h1_body.c — request bodies: who reads them, 100 Continue, skipping what nobody wants, and the
 * raw input behind an upgrade. On the loop. Where a body ends was decided from the head
 * (http/framing.h); nothing is kept here, pieces go straight from the receive buffer to the
 * exchange. Who takes them may ask for a pause: then nothing is used up, what comes waits in
 * session->pending up to its bound, and no deadline of the body runs, for it is not the client that
 * is late. */
#include "base/check.h"

#include "h1/h1_session.h"

/* RFC 9110 §10.1.1: said only when the body is wanted, and not when it has begun to come without
 * being asked for. */
static void say_continue(struct h1_session *session)
{
    bool is_awaited = session->waits_for_continue && !h1_has_input(session);
    session->waits_for_continue = false;
    if (!is_awaited) {
        return;
    }
    struct conn *conn = session->conn;
    struct span line = H1_CONTINUE;
    if (chain_add(&conn->out, line.ptr, line.len, NULL, NULL) != GALLEY_OK) {
        counter_add(&session->driver->counters.out_of_memory, 1);
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        return;
    }
    counter_add(&session->driver->counters.continues, 1);
    conn_flush(conn);
}

/* The rate of a body counts from its first byte; what came with the head counts too. */
static void enter_body(struct h1_session *session)
{
    struct conn *conn = session->conn;
    if (!conn_is_ending(conn)) {
        conn_enter(conn, CONN_BODY);
        conn->rate_bytes = session->driver->working == session ? session->input_left : 0;
    }
}

void h1_read_body(struct exchange *exchange)
{
    struct h1_session *session = h1_session_of(exchange);
    if (session->body != H1_BODY_UNREAD || conn_is_ending(session->conn)) {
        return; /* it was answered meanwhile, or cannot be */
    }
    session->body = H1_BODY_READING;
    if (!session->has_answered) { /* RFC 9110 §15.2: an interim response precedes the final one */
        say_continue(session);
    }
    enter_body(session);
    h1_go_on(session);
}

void h1_resume_body(struct exchange *exchange)
{
    struct h1_session *session = h1_session_of(exchange);
    session->body_is_paused = false;
    if (session->conn->state != CONN_CLOSED) {
        h1_go_on(session);
    }
}

bool h1_body_is_wanted(const struct h1_session *session)
{
    switch ((enum h1_body)session->body) {
    case H1_BODY_READING:
    case H1_BODY_TUNNEL:
        return !session->body_is_paused;
    case H1_BODY_DRAINING:
        return true;
    default:
        return false;
    }
}

/* ---- skipping -------------------------------------------------------------------------------- */

bool h1_body_can_be_drained(const struct h1_session *session)
{
    if (session->body == H1_BODY_DONE) {
        return true;
    }
    /* A client that waits for 100 Continue may send the body after a final status, or not: no way
     * to tell what the next bytes are (RFC 9110 §10.1.1). */
    return !session->waits_for_continue && !session->conn->input_ended &&
           session->body_left <= session->driver->limits->max_body_bytes;
}

void h1_body_drain(struct h1_session *session)
{
    if (session->body == H1_BODY_UNREAD || session->body == H1_BODY_READING) {
        session->body = H1_BODY_DRAINING;
        session->body_is_paused = false;
        enter_body(session);
    }
}

void h1_body_answered(struct h1_session *session)
{
    if (session->end_reason == CLOSE_NONE) {
        h1_body_drain(session);
    } else {
        session->body = H1_BODY_DONE;
    }
}

void h1_body_give_up(struct h1_session *session, enum close_reason reason)
{
    session->body = H1_BODY_DONE;
    if (h1_is_answering(session)) {
        session->end_reason = (uint8_t)reason; /* nothing is parsed behind it any more */
    } else {
        conn_close_gracefully(session->conn, reason);
    }
}

void h1_body_fail(struct h1_session *session, int status, enum close_reason reason)
{
    session->body = H1_BODY_DONE;
    session->end_reason = (uint8_t)reason; /* whatever the answer: nothing is parsed behind it */
    if (!exchange_body_failed(session->exchange, exchange_body_code(status))) {
        h1_reject(session, status, reason);
    }
}

static void fail_body(struct h1_session *session, int status, enum close_reason reason)
{
    if (reason == CLOSE_BODY_TOO_LARGE) {
        counter_add(&session->driver->counters.bodies_too_large, 1);
    }
    if (session->body == H1_BODY_READING) {
        h1_body_fail(session, status, reason);
    } else {
        h1_body_give_up(session, reason); /* there is no second answer */
    }
}

static void drop_piece(struct h1_session *session, struct span piece)
{
    counter_add(&session->driver->counters.bodies_drained, piece.len);
    session->drained_bytes += piece.len;
    if (session->drained_bytes > session->driver->limits->max_body_bytes) {
        fail_body(session, 413, CLOSE_BODY_TOO_LARGE);
    }
}

/* ---- feeding --------------------------------------------------------------------------------- */

static void give_piece(struct h1_session *session, struct span piece)
{
    if (session->body == H1_BODY_DRAINING) {
        drop_piece(session, piece);
        return;
    }
    int status = exchange_body_piece(session->exchange, piece);
    if (status == EXCHANGE_BODY_PAUSE) {
        session->body_is_paused = true;
    } else if (status != 0) {
        fail_body(session, status, status == 413 ? CLOSE_BODY_TOO_LARGE : CLOSE_OUT_OF_MEMORY);
    }
}

static void end_body(struct h1_session *session)
{
    bool was_wanted = session->body == H1_BODY_READING;
    session->body = H1_BODY_DONE;
    session->body_is_paused = false;
    if (was_wanted) {
        exchange_body_end(session->exchange);
    }
}

static size_t feed_length(struct h1_session *session, const char *data, size_t len)
{
    size_t n = len < session->body_left ? len : (size_t)session->body_left;
    session->body_left -= n;
    session->input_left = len - n;
    give_piece(session, span_make(data, n));
    if (session->body_left == 0 && session->body != H1_BODY_DONE) {
        end_body(session);
    }
    return n;
}

/* A chunk says early what it claims: over the limit it need not be waited for. While its size line
 * is being read (digits are counted) it claims nothing yet: the line may turn out to be
 * malformed. */
static void judge_claim(struct h1_session *session)
{
    uint64_t claim = session->chunked.digits == 0 ? session->chunked.chunk_left : 0;
    uint64_t left = session->driver->limits->max_body_bytes - session->drained_bytes;
    if (session->body == H1_BODY_READING) {
        const struct exchange *exchange = session->exchange;
        left = exchange->route->max_body_bytes - exchange->request.body_bytes;
    }
    if (session->body != H1_BODY_DONE && claim > left) {
        fail_body(session, 413, CLOSE_BODY_TOO_LARGE);
    }
}

static size_t feed_chunked(struct h1_session *session, const char *data, size_t len)
{
    struct span in = span_make(data, len);
    struct span piece;
    enum chunked_event event =
        chunked_decode(&session->chunked, session->driver->limits, &in, &piece);
    session->input_left = in.len;
    if (event == CHUNKED_DATA) {
        give_piece(session, piece);
        judge_claim(session);
    } else if (event == CHUNKED_MORE) {
        judge_claim(session);
    } else if (event == CHUNKED_END) {
        end_body(session);
    } else if (event == CHUNKED_FAILED) {
        enum h1_error error = chunked_error(&session->chunked);
        counter_add(&session->driver->counters.refused[error], 1);
        fail_body(session, h1_error_status(error), CLOSE_BAD_REQUEST);
        return len;
    }
    return len - in.len;
}

/* Everything is input. Its reader may end the response, and with it the tunnel. */
static size_t feed_tunnel(struct h1_session *session, const char *data, size_t len)
{
    session->input_left = 0;
    give_piece(session, span_make(data, len));
    return len;
}

size_t h1_body_feed(struct h1_session *session, const char *data, size_t len)
{
    if (session->body == H1_BODY_TUNNEL) {
        return feed_tunnel(session, data, len);
    }
    return session->body_is_chunked ? feed_chunked(session, data, len)
                                    : feed_length(session, data, len);
}

/* ---- the client's end, and what is not HTTP -------------------------------------------------- */

/* RFC 9112 §9.6: a client may close its side when it has sent all, which may not all be used up. */
void h1_body_input_ended(struct h1_session *session)
{
    if (!session->conn->input_ended || h1_has_input(session)) {
        return;
    }
    if (session->body == H1_BODY_READING) {
        h1_body_fail(session, 400, CLOSE_CLIENT_VANISHED); /* RFC 9112 §8: an incomplete message */
    } else if (session->body == H1_BODY_DRAINING) {
        h1_body_give_up(session, CLOSE_CLIENT_VANISHED);
    } else if (session->body == H1_BODY_TUNNEL && !session->body_is_paused &&
               !session->input_was_ended) {
        session->input_was_ended = true;
        exchange_body_end(session->exchange);
    }
}

/* RFC 9110 §7.8: the new protocol begins behind the whole request. Behind a body that is not whole
 * nothing can be told: it is never looked at. */
void h1_body_tunnel(struct h1_session *session)
{
    bool is_whole = session->body == H1_BODY_DONE;
    session->body = is_whole ? H1_BODY_TUNNEL : H1_BODY_DONE;
    session->body_is_paused = !session->exchange->request.input;
    session->input_was_ended = false;
    if (session->end_reason == CLOSE_NONE) {
        session->end_reason = CLOSE_KEEPALIVE_OFF;
    }
}
