/* h2/h2_callbacks.c — what nghttp2 calls, on the loop, inside nghttp2_session_mem_recv() and _mem_send().
 * Frames are counted by the guard before they are looked at. A callback that fails ends the connection:
 * session->flood, or a lack of memory, says why (h2_session.c). */
#include "h2/h2_head.h"
#include "h2/h2_lines.h"
#include "h2/h2_session.h"

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
    return id != H2_ID_NONE ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
}

static int charge(struct h2_session *session, enum h2_guard_kind kind)
{
    return h2_guard_charge(session, kind) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

enum { SPARE_CONTINUATIONS = 8, FRAME_BYTES = 16 * 1024, READS_A_HEAD = 9 };

/* As many as a head takes that is too large and yet no bomb (h2_head.c), and some more. */
static uint32_t max_continuations(const struct h2_driver *driver)
{
    return SPARE_CONTINUATIONS +
           H2_BOMB_FACTOR * (driver->options.limits->max_head_bytes / FRAME_BYTES);
}

/* L3: empty or not, each costs more than it brings. nghttp2 counts, too, also behind a block that it has
 * refused, but it counts the reads of a frame's head, which a slow network cuts into nine. */
static int count_continuation(struct h2_session *session)
{
    bool is_bearable = ++session->continuations <= max_continuations(session->driver);
    return is_bearable ? 0 : charge(session, H2_GUARD_CONTINUATIONS);
}

/* L2: what costs is the work for a stream that is given up before it could be answered. One whose answer
 * has begun was waited for: that cannot be repeated faster than requests can. */
static int count_reset(struct h2_session *session, int32_t id)
{
    const struct h2_stream *stream = stream_of(session->ng, id);
    counter_add(&session->driver->counters.resets_received, 1);
    return stream && stream->has_begun ? 0 : charge(session, H2_GUARD_RESETS);
}

/* ---- frames that come ------------------------------------------------------------------------ */

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user_data)
{
    struct h2_session *session = user_data;
    bool is_ack = (hd->flags & NGHTTP2_FLAG_ACK) != 0;
    (void)ng;
    switch (hd->type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        return 0; /* later, when more is known of them */
    case NGHTTP2_CONTINUATION:
        return count_continuation(session);
    case NGHTTP2_RST_STREAM:
        return count_reset(session, hd->stream_id);
    case NGHTTP2_PING:
        return is_ack ? 0 : charge(session, H2_GUARD_PINGS);
    case NGHTTP2_SETTINGS:
        return is_ack ? 0 : charge(session, H2_GUARD_SETTINGS);
    case NGHTTP2_WINDOW_UPDATE:
        return charge(session, H2_GUARD_WINDOW_UPDATES);
    case NGHTTP2_PRIORITY:
    case NGHTTP2_PRIORITY_UPDATE:
        return charge(session, H2_GUARD_PRIORITIES);
    default:
        return 0; /* ignored: costs what any byte costs */
    }
}

static int on_data_frame(struct h2_session *session, const nghttp2_frame *frame)
{
    struct h2_stream *stream = stream_of(session->ng, frame->hd.stream_id);
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.length == frame->data.padlen && !is_end) {
        return charge(session, H2_GUARD_EMPTY_DATA);
    }
    h2_guard_explain(session, H2_GUARD_EMPTY_DATA, 1); /* who writes and then flushes */
    if (stream && is_end) {
        h2_body_input_ended(stream);
    }
    return 0;
}

static int on_headers_frame(struct h2_session *session, const nghttp2_frame *frame)
{
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        return session->head ? h2_request_begin(session, frame->hd.stream_id, is_end) : 0;
    }
    struct h2_stream *stream = stream_of(session->ng, frame->hd.stream_id);
    if (stream && is_end) { /* trailers: judged and dropped (RFC 9110 §6.5.1) */
        h2_body_input_ended(stream);
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        return on_data_frame(session, frame);
    case NGHTTP2_HEADERS:
        return on_headers_frame(session, frame);
    case NGHTTP2_SETTINGS:
        session->has_settings = true;
        return 0;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
            h2_drain_answered(session, frame->ping.opaque_data);
        }
        return 0;
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code,
                            void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    if (frame->hd.type == NGHTTP2_HEADERS &&
        (code == NGHTTP2_ERR_HTTP_HEADER || code == NGHTTP2_ERR_HTTP_MESSAGING)) {
        counter_add(&session->driver->counters.malformed, 1);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = stream_of(ng, id);
    (void)flags;
    if (stream) {
        h2_body_received(stream, span_make((const char *)data, len));
        return 0;
    }
    int rv =
        nghttp2_session_consume_connection(session->ng, len); /* of a stream that was refused */
    return nghttp2_is_fatal(rv) ? rv : 0;
}

/* ---- header blocks --------------------------------------------------------------------------- */

static void drop_head(struct h2_session *session)
{
    if (session->head) {
        h2_head_give_back(session->driver, session->head);
        session->head = NULL;
    }
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    session->continuations = 0;
    session->trailers = 0;
    session->trailer_bytes = 0;
    drop_head(session); /* of a block that turned out malformed */
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    session->head = h2_head_take(session->driver);
    session->head_id = frame->hd.stream_id;
    session->head_began_ms = loop_now_ms(conn_loop(session->conn));
    if (!session->head) {
        counter_add(&session->driver->counters.out_of_memory, 1);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM */
    }
    return 0;
}

static int add_trailer(struct h2_session *session, size_t bytes)
{
    const struct http_limits *limits = session->driver->options.limits;
    session->trailers++;
    session->trailer_bytes += (uint32_t)bytes; /* of a few frames: no overflow */
    bool is_over = session->trailers > limits->max_trailers ||
                   session->trailer_bytes > limits->max_trailer_bytes;
    return is_over ? charge(session, H2_GUARD_HEADER_BOMB) : 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng, (void)flags;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return add_trailer(session, name_len + value_len);
    }
    if (!session->head || session->head_id != frame->hd.stream_id) {
        return 0;
    }
    bool is_bearable = h2_head_add(session->head, session->driver->options.limits,
                                   span_make((const char *)name, name_len),
                                   span_make((const char *)value, value_len));
    return is_bearable ? 0 : charge(session, H2_GUARD_HEADER_BOMB);
}

/* A name or a value with bytes that none may have; nghttp2 would leave such lines out. RFC 9113 §8.2.1:
 * the request is malformed. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *user_data)
{
    (void)ng, (void)frame, (void)name, (void)name_len, (void)value, (void)value_len;
    (void)flags, (void)user_data;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM with PROTOCOL_ERROR */
}

/* ---- frames that go, and streams that end ---------------------------------------------------- */

/* It broke a rule. Not: it asked for more than we take now, or is slow, which takes its time. */
static bool is_clients_fault(uint32_t code)
{
    return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
           code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR;
}

static void reset_sent(struct h2_session *session, const nghttp2_frame *frame)
{
    if (is_clients_fault(frame->rst_stream.error_code)) {
        counter_add(&session->driver->counters.resets_sent, 1);
        (void)h2_guard_charge(session, H2_GUARD_MADE_RESETS); /* judged when all is written */
    }
}

static void goaway_sent(struct h2_session *session, const nghttp2_frame *frame)
{
    uint32_t code = frame->goaway.error_code;
    if (code == NGHTTP2_NO_ERROR) {
        h2_drain_noticed(session);
        return;
    }
    counter_add(&session->driver->counters.goaways_sent, 1);
    if (session->end_reason == CLOSE_NONE || session->flood == 0) {
        session->end_reason =
            code == NGHTTP2_ENHANCE_YOUR_CALM ? CLOSE_FLOOD : CLOSE_PROTOCOL_ERROR;
    }
}

static void answer_ended(struct h2_stream *stream)
{
    h2_stream_ref(stream);
    h2_stream_sent(stream);
    if (!stream->input_ended) {
        /* RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted. */
        h2_stream_reset(stream, NGHTTP2_NO_ERROR);
    }
    h2_stream_unref(stream);
}

static void answer_sent(struct h2_session *session, const nghttp2_frame_hd *hd)
{
    bool is_head = hd->type == NGHTTP2_HEADERS;
    bool is_end = (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct h2_stream *stream = is_head || is_end ? stream_of(session->ng, hd->stream_id) : NULL;
    if (stream && stream->has_answered && !stream->has_begun) { /* not 100 Continue */
        stream->has_begun = true;
        h2_lines_unref(stream->lines);
        stream->lines = NULL;
        h2_guard_explain(session, H2_GUARD_RESETS, 1); /* it may cross the end */
    }
    if (stream && is_end) {
        answer_ended(stream);
    }
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user_data)
{
    struct h2_session *session = user_data;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        answer_sent(session, &frame->hd);
        break;
    case NGHTTP2_RST_STREAM:
        reset_sent(session, frame);
        break;
    case NGHTTP2_GOAWAY:
        goaway_sent(session, frame);
        break;
    default:
        break;
    }
    return 0;
}

/* An answer's head that cannot be sent, for it is larger than nghttp2 sends: the stream cannot be left
 * without one. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int code,
                             void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = stream_of(ng, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && stream && code != NGHTTP2_ERR_STREAM_CLOSING) {
        counter_add(&session->driver->counters.aborted, 1);
        h2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user_data)
{
    struct h2_session *session = user_data;
    struct h2_stream *stream = stream_of(ng, id);
    (void)code;
    if (session->head && session->head_id == id) {
        drop_head(session);
    }
    if (stream) {
        h2_stream_closed(stream);
    }
    return 0;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void set_callbacks(nghttp2_session_callbacks *table)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(table, on_begin_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data_chunk);
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(table, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_send_callback(table, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(table, h2_send_data);
}

static void set_options(nghttp2_option *option, uint32_t continuations)
{
    enum { NEVER = 1000 * 1000 * 1000, MAX_ACKS = 200, MAX_SETTINGS = 32 };
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, MAX_ACKS);
    nghttp2_option_set_max_settings(option, MAX_SETTINGS);
    nghttp2_option_set_max_continuations(option, READS_A_HEAD * (size_t)continuations);
    /* RFC 9218 §7.1 */
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    /* The guard has limits of its own, on the loop's clock, and says ENHANCE_YOUR_CALM. */
    nghttp2_option_set_stream_reset_rate_limit(option, NEVER, NEVER);
}

int h2_callbacks_create(struct h2_driver *driver)
{
    if (nghttp2_session_callbacks_new(&driver->callbacks) != 0) {
        driver->callbacks = NULL;
        return GALLEY_ENOMEM;
    }
    if (nghttp2_option_new(&driver->nghttp2_options) != 0) {
        driver->nghttp2_options = NULL;
        return GALLEY_ENOMEM;
    }
    set_callbacks(driver->callbacks);
    set_options(driver->nghttp2_options, max_continuations(driver));
    return GALLEY_OK;
}
