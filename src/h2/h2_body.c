/* h2/h2_body.c — request bodies: who takes them, 100 Continue, back pressure, and the raw input of a
 * tunnel. On the loop.
 *
 * What is received belongs to the client's windows until it has been taken: only then WINDOW_UPDATE
 * gives the room back (RFC 9113 §5.2). So a body that nobody reads costs a small window, one that is read
 * a wider one, and all bodies of a connection cost the connection's, which has room for all small ones. */
#include "base/check.h"
#include "http/status.h"

#include "h2/h2_session.h"

/* ---- windows --------------------------------------------------------------------------------- */

/* What is held was taken, or is dropped. */
static void give_back(struct h2_stream *stream)
{
    uint32_t held = stream->held;
    stream->held = 0;
    if (held == 0 || !stream->session) {
        return;
    }
    bool has_window = stream->is_open && !stream->is_lingering;
    int rc = has_window ? frames_consume(&stream->frames, held)
                        : frames_consume_closed(&stream->session->frames, held);
    if (rc != GALLEY_OK) {
        h2_out_of_memory(stream->session);
    }
}

static void stop_reading(struct h2_stream *stream)
{
    stream->is_reading = false;
}

/* A handler that reads waits for bytes of this body: those of others, which wait for their handlers,
 * must not stand in the way, and have only the small window that every stream begins with. */
static void widen(struct h2_stream *stream)
{
    const struct h2_options *options = &stream->driver->options;
    if (stream->is_widened || !stream->is_open || stream->input_ended) {
        return;
    }
    stream->is_widened = true;
    int64_t length = stream->is_tunnel ? -1 : stream->exchange->request.content_length;
    if (length >= 0 && length <= (int64_t)options->unread_window_bytes) {
        return;
    }
    if (frames_widen(&stream->frames, options->stream_window_bytes) != GALLEY_OK) {
        h2_out_of_memory(stream->session);
    }
}

/* It is the client's turn: its rate counts from now. */
static void start_reading(struct h2_stream *stream)
{
    if (!stream->is_reading && !stream->input_ended && stream->body_state == H2_BODY_READING) {
        stream->is_reading = true;
        stream->in_since_ms = loop_now_ms(stream->driver->services->loop);
        stream->in_bytes = 0;
    }
}

void h2_body_drop(struct h2_stream *stream)
{
    stream->body_state = H2_BODY_DONE;
    stream->is_paused = false;
    stop_reading(stream);
    buf_finish(&stream->pending);
    buf_init(&stream->pending, 0);
    give_back(stream);
}

/* ---- failing --------------------------------------------------------------------------------- */

void h2_body_fail(struct h2_stream *stream, int status)
{
    if (status == 413) {
        counter_add(&stream->driver->counters.bodies_too_large, 1);
    }
    h2_body_drop(stream);
    struct exchange *exchange = stream->exchange;
    if (exchange && !exchange_body_failed(exchange, exchange_body_code(status)) &&
        !stream->has_answered) {
        exchange_reject(exchange, status);
    }
}

/* ---- feeding --------------------------------------------------------------------------------- */

static bool is_wanted(const struct h2_stream *stream)
{
    return stream->exchange && !stream->is_paused &&
           (stream->body_state == H2_BODY_READING || stream->body_state == H2_BODY_TUNNEL);
}

static void give_piece(struct h2_stream *stream, struct span piece)
{
    int status = exchange_body_piece(stream->exchange, piece);
    if (status == EXCHANGE_BODY_PAUSE) {
        stream->is_paused = true; /* the windows stay as they are until it goes on */
        stop_reading(stream);
    } else if (status != 0) {
        h2_body_fail(stream, status);
    } else {
        give_back(stream);
    }
}

static void feed_pending(struct h2_stream *stream)
{
    if (stream->pending.len == 0 || !is_wanted(stream)) {
        return;
    }
    struct buf pending = stream->pending; /* a piece may cause more to come */
    buf_init(&stream->pending, 0);
    give_piece(stream, buf_span(&pending));
    buf_finish(&pending);
}

static void tell_end(struct h2_stream *stream)
{
    bool is_read = stream->body_state == H2_BODY_READING || stream->body_state == H2_BODY_TUNNEL;
    /* A tunnel is told when it takes input again; a body's reader may be told at once. */
    bool may_tell = is_read && (stream->body_state == H2_BODY_READING || !stream->is_paused);
    if (!stream->input_ended || stream->input_told || stream->pending.len > 0 || !may_tell ||
        !stream->exchange) {
        return;
    }
    stream->input_told = true;
    stop_reading(stream);
    if (stream->body_state == H2_BODY_READING) {
        stream->body_state = H2_BODY_DONE;
    }
    exchange_body_end(stream->exchange);
}

/* RFC 9110 §10.1.1: said only when the body is wanted, and has not begun to come by itself. */
static void say_continue(struct h2_stream *stream)
{
    bool is_awaited = stream->waits_for_continue && !stream->input_ended && stream->held == 0 &&
                      !stream->has_answered;
    stream->waits_for_continue = false;
    if (!is_awaited) {
        return;
    }
    if (h2_submit_interim(stream, STATUS_CONTINUE, NULL) == GALLEY_OK) {
        counter_add(&stream->driver->counters.continues, 1);
    }
}

void h2_body_go_on(struct h2_stream *stream)
{
    if (!is_wanted(stream)) {
        return;
    }
    say_continue(stream);
    widen(stream);
    start_reading(stream);
    feed_pending(stream);
    tell_end(stream);
}

/* ---- what nobody wants ----------------------------------------------------------------------- */

/* RFC 9113 §8.1 lets us ask for no more by RST_STREAM NO_ERROR; but many clients that find it beside the
 * answer take it for a failure. So they may end what is on its way, as far as the stream's window reaches,
 * and for a while; it is judged once a second. */
void h2_body_linger(struct h2_stream *stream)
{
    if (stream->was_reset || !stream->is_open) {
        return;
    }
    h2_body_drop(stream);
    stream->is_lingering = true;
    stream->in_since_ms = loop_now_ms(stream->driver->services->loop);
    h2_later(stream->session); /* the tick is needed */
}

void h2_body_judge_linger(struct h2_stream *stream)
{
    const struct h2_session *session = stream->session;
    int64_t linger_ms = session->conn->set->limits->linger_ms;
    int64_t passed_ms = loop_now_ms(stream->driver->services->loop) - stream->in_since_ms;
    bool cannot_go_on = stream->frames.recv_window <= 0 || session->drain != H2_DRAIN_NONE ||
                        session->conn->input_ended;
    if (passed_ms >= (cannot_go_on ? linger_ms / 4 : linger_ms)) {
        h2_stream_reset(stream, FRAMES_NO_ERROR);
    }
}

/* ---- what comes ------------------------------------------------------------------------------ */

void h2_body_received(struct h2_stream *stream, struct span piece)
{
    stream->held += (uint32_t)piece.len;
    stream->in_bytes += piece.len;
    if (stream->body_state == H2_BODY_DONE || stream->was_reset) {
        give_back(stream);
    } else if (is_wanted(stream) && stream->pending.len == 0) {
        give_piece(stream, piece);
    } else {
        buf_append_span(&stream->pending, piece);
        if (stream->pending.failed) {
            counter_add(&stream->driver->counters.out_of_memory, 1);
            h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
        }
    }
}

void h2_body_input_ended(struct h2_stream *stream)
{
    stream->input_ended = true;
    stop_reading(stream);
    tell_end(stream);
}

/* ---- exchange_driver ------------------------------------------------------------------------- */

void h2_read_body(struct exchange *exchange)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    if (stream->body_state == H2_BODY_UNREAD && stream->is_open) {
        stream->body_state = H2_BODY_READING;
        h2_stream_wake(stream);
    }
}

void h2_resume_body(struct exchange *exchange)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    stream->is_paused = false;
    if (stream->is_open) {
        give_back(stream);
        h2_stream_wake(stream);
    }
}

void h2_body_tunnel(struct h2_stream *stream)
{
    stream->body_state = H2_BODY_TUNNEL;
    stream->is_paused = !stream->exchange->request.input;
    counter_add(&stream->driver->counters.tunnels, 1);
    h2_stream_wake(stream);
}
