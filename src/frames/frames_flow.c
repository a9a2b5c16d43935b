/* frames/frames_flow.c — flow control (RFC 9113 §5.2, §6.9), both ways. On the session's loop.
 *
 * Receiving: recv_window is what the client may still send; recv_size the window as it knows it:
 * recv_window, and what was received and not yet said to be free again. Of that `consumed` is free, and is
 * said when it is half of the window. Sending: windows are what the client allows, and may be below 0.
 * All sums are made in 64 bits. */
#include "frames/frames_inner.h"

#include "base/check.h"

/* ---- receiving: what is given back ----------------------------------------------------------- */

int frames_say_window(struct frames_session *session, int32_t id, uint32_t increment)
{
    uint8_t payload[FRAMES_WINDOW_UPDATE_BYTES];
    frames_put_u32(payload, increment);
    return frames_control(session, FRAMES_WINDOW_UPDATE, 0, id, payload, sizeof payload);
}

static bool is_half(uint32_t consumed, int32_t size)
{
    return consumed > 0 && (int64_t)consumed * 2 >= size;
}

static int give_to_conn(struct frames_session *session, uint32_t bytes)
{
    session->consumed += bytes;
    DEBUG_CHECK(session->recv_window + (int64_t)session->consumed <= session->recv_size);
    if (!is_half(session->consumed, session->recv_size)) {
        return GALLEY_OK;
    }
    uint32_t increment = session->consumed;
    session->consumed = 0;
    session->recv_window += (int32_t)increment;
    return frames_say_window(session, 0, increment);
}

/* Nobody needs more room on a stream on which nothing comes any more. */
static bool takes_input(const struct frames_stream *stream)
{
    return !stream->input_ended && !stream->was_reset;
}

static int update_stream(struct frames_stream *stream)
{
    if (!takes_input(stream) || !is_half(stream->consumed, stream->recv_size)) {
        return GALLEY_OK;
    }
    uint32_t increment = stream->consumed;
    stream->consumed = 0;
    stream->recv_window += (int32_t)increment;
    return frames_say_window(stream->session, stream->id, increment);
}

int frames_consume(struct frames_stream *stream, uint32_t bytes)
{
    DEBUG_CHECK(stream->session);
    stream->consumed += bytes;
    DEBUG_CHECK(stream->recv_window + (int64_t)stream->consumed <= stream->recv_size);
    int rc = update_stream(stream);
    int conn_rc = give_to_conn(stream->session, bytes);
    return rc != GALLEY_OK ? rc : conn_rc;
}

int frames_consume_closed(struct frames_session *session, uint32_t bytes)
{
    return give_to_conn(session, bytes);
}

/* ---- receiving: sizes ------------------------------------------------------------------------ */

/* What our SETTINGS will add to each stream's window when they are acknowledged (RFC 9113 §6.9.2). */
static int64_t coming(const struct frames_session *session)
{
    return session->settings_acked
               ? 0
               : (int64_t)session->options.stream_window_bytes - FRAMES_FIRST_WINDOW;
}

/* The client has our SETTINGS before it has this WINDOW_UPDATE, so it is reckoned as if they were in force. */
int frames_widen(struct frames_stream *stream, uint32_t bytes)
{
    struct frames_session *session = stream->session;
    int64_t highest = FRAMES_MAX_WINDOW - FRAMES_FIRST_WINDOW;
    int64_t wanted = bytes < highest ? bytes : highest;
    int64_t increment = wanted - stream->recv_size - coming(session);
    if (increment <= 0 || !takes_input(stream)) {
        return GALLEY_OK;
    }
    stream->recv_size += (int32_t)increment;
    increment += stream->consumed;
    stream->consumed = 0;
    stream->recv_window += (int32_t)increment;
    return frames_say_window(session, stream->id, (uint32_t)increment);
}

int frames_settings_acked(struct frames_session *session)
{
    int32_t change = (int32_t)coming(session);
    int rc = GALLEY_OK;
    session->settings_acked = true;
    session->first_recv_window += change;
    for (unsigned i = 0; i < FRAMES_BUCKETS && change != 0; i++) {
        for (struct frames_stream *at = session->buckets[i]; at; at = at->next) {
            at->recv_window += change;
            at->recv_size += change;
            /* Of a smaller window what was consumed may be more than half, and nothing else may come. */
            int one = update_stream(at);
            rc = rc != GALLEY_OK ? rc : one;
        }
    }
    return rc;
}

/* ---- receiving: DATA ------------------------------------------------------------------------- */

bool frames_take_data(struct frames_session *session, struct frames_stream *stream, uint32_t bytes,
                      int *ret_code)
{
    if ((int64_t)bytes > session->recv_window) {
        *ret_code = frames_fail(session, FRAMES_FLOW_CONTROL_ERROR);
        return false;
    }
    session->recv_window -= (int32_t)bytes;
    bool is_taken = stream && !stream->was_reset;
    if (is_taken && (int64_t)bytes <= stream->recv_window) {
        stream->recv_window -= (int32_t)bytes;
        return true;
    }
    int rc = is_taken ? frames_reset(stream, FRAMES_FLOW_CONTROL_ERROR) : GALLEY_OK;
    int conn_rc = give_to_conn(session, bytes);
    *ret_code = rc != GALLEY_OK ? rc : conn_rc;
    return false;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* False: more than a window can be. */
static bool widen_send(struct frames_stream *stream, int64_t change)
{
    int64_t window = stream->send_window + change;
    if (window > FRAMES_MAX_WINDOW) {
        return false;
    }
    stream->send_window = (int32_t)window;
    if (window > 0 && stream->is_blocked) {
        stream->is_blocked = false;
        frames_schedule(stream);
    }
    return true;
}

static int conn_window_update(struct frames_session *session, uint32_t increment)
{
    int64_t window = (int64_t)session->send_window + increment;
    if (increment == 0) {
        return frames_fail(session, FRAMES_PROTOCOL_ERROR);
    }
    if (window > FRAMES_MAX_WINDOW) {
        return frames_fail(session, FRAMES_FLOW_CONTROL_ERROR);
    }
    session->send_window = (int32_t)window;
    return GALLEY_OK;
}

int frames_window_update(struct frames_session *session, int32_t id, uint32_t increment)
{
    if (id == 0) {
        return conn_window_update(session, increment);
    }
    struct frames_stream *stream = frames_stream_find(session, id);
    if (increment ==
        0) { /* of a closed stream, too: it is no mistake, and our resets are counted */
        return stream ? frames_reset(stream, FRAMES_PROTOCOL_ERROR)
                      : frames_refuse(session, id, FRAMES_PROTOCOL_ERROR);
    }
    if (!stream || stream->was_reset) {
        return GALLEY_OK; /* RFC 9113 §5.1: may come a while after the end */
    }
    return widen_send(stream, increment) ? GALLEY_OK
                                         : frames_reset(stream, FRAMES_FLOW_CONTROL_ERROR);
}

/* RFC 9113 §6.9.2: open streams' windows change by the difference, also to less than nothing. */
int frames_first_window(struct frames_session *session, uint32_t new_window)
{
    if (new_window > FRAMES_MAX_WINDOW) {
        return frames_fail(session, FRAMES_FLOW_CONTROL_ERROR);
    }
    int64_t change = (int64_t)new_window - session->first_send_window;
    session->first_send_window = (int32_t)new_window;
    for (unsigned i = 0; i < FRAMES_BUCKETS && change != 0; i++) {
        for (struct frames_stream *at = session->buckets[i]; at; at = at->next) {
            if (!widen_send(at, change)) {
                return frames_fail(session, FRAMES_FLOW_CONTROL_ERROR);
            }
        }
    }
    return GALLEY_OK;
}
