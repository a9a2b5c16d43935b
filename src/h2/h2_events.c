/* h2/h2_events.c — what the room frames tells: on the loop, inside of frames_receive() and
 * frames_write(). Frames are counted by the guard before they are looked at. An event that says false
 * ends the connection: session->flood, or a lack of memory, says why (h2_session.c). */
#include "h2/h2_head.h"
#include "h2/h2_session.h"

enum { SPARE_CONTINUATIONS = 8 };

/* As many as a head takes that is too large and yet no bomb (h2_head.c), and some more. */
static uint32_t max_continuations(const struct h2_driver *driver)
{
    return SPARE_CONTINUATIONS +
           H2_BOMB_FACTOR * (driver->options.limits->max_head_bytes / FRAMES_MAX_PAYLOAD);
}

/* L3: empty or not, each costs more than it brings. */
static bool count_continuation(struct h2_session *session)
{
    bool is_bearable = ++session->continuations <= max_continuations(session->driver);
    return is_bearable || h2_guard_charge(session, H2_GUARD_CONTINUATIONS);
}

/* L2: what costs is the work for a stream that is given up before it could be answered. One whose answer
 * has begun was waited for: that cannot be repeated faster than requests can. */
static bool count_reset(struct h2_session *session, struct frames_stream *frames)
{
    const struct h2_stream *stream = h2_stream_of_frames(frames);
    counter_add(&session->driver->counters.resets_received, 1);
    return (stream && stream->has_begun) || h2_guard_charge(session, H2_GUARD_RESETS);
}

/* ---- frames that come ------------------------------------------------------------------------ */

static bool frame_began(void *ctx, uint8_t type, uint8_t flags, int32_t id,
                        struct frames_stream *stream)
{
    struct h2_session *session = ctx;
    bool is_ack = (flags & FRAMES_ACK) != 0;
    (void)id;
    switch (type) {
    case FRAMES_HEADERS:
        session->continuations = 0;
        session->head_began_ms = loop_now_ms(conn_loop(session->conn));
        return true; /* later, when more is known of it; DATA, too */
    case FRAMES_CONTINUATION:
        return count_continuation(session);
    case FRAMES_RST_STREAM:
        return count_reset(session, stream);
    case FRAMES_PING:
        return is_ack || h2_guard_charge(session, H2_GUARD_PINGS);
    case FRAMES_SETTINGS:
        return is_ack || h2_guard_charge(session, H2_GUARD_SETTINGS);
    case FRAMES_WINDOW_UPDATE:
        return h2_guard_charge(session, H2_GUARD_WINDOW_UPDATES);
    case FRAMES_PRIORITY:
    case FRAMES_PRIORITY_UPDATE:
        return h2_guard_charge(session, H2_GUARD_PRIORITIES);
    default:
        return true; /* ignored: costs what any byte costs */
    }
}

static void data(void *ctx, struct frames_stream *frames, struct span piece)
{
    (void)ctx;
    h2_body_received(h2_stream_of_frames(frames), piece);
}

static bool data_ended(void *ctx, struct frames_stream *stream, uint32_t len, bool is_end)
{
    struct h2_session *session = ctx;
    (void)stream;
    if (len == 0 && !is_end) {
        return h2_guard_charge(session, H2_GUARD_EMPTY_DATA);
    }
    h2_guard_explain(session, H2_GUARD_EMPTY_DATA, 1); /* who writes and then flushes */
    return true;
}

/* Trailers were judged and dropped (RFC 9110 §6.5.1). */
static void input_ended(void *ctx, struct frames_stream *frames)
{
    (void)ctx;
    h2_body_input_ended(h2_stream_of_frames(frames));
}

static void settings(void *ctx)
{
    ((struct h2_session *)ctx)->has_settings = true;
}

static void ping_answered(void *ctx, const uint8_t opaque[8])
{
    h2_drain_answered(ctx, opaque);
}

/* A string that is too long for any head is a bomb; other rules have codes of their own. */
static void failed(void *ctx, uint32_t code)
{
    struct h2_session *session = ctx;
    session->has_failed = true;
    session->end_reason = CLOSE_PROTOCOL_ERROR;
    counter_add(&session->driver->counters.goaways_sent, 1);
    if (code == FRAMES_ENHANCE_YOUR_CALM) {
        session->end_reason = CLOSE_FLOOD;
        (void)h2_guard_charge(session, H2_GUARD_HEADER_BOMB);
    }
}

/* ---- header blocks --------------------------------------------------------------------------- */

static void drop_head(struct h2_session *session)
{
    if (session->head) {
        h2_head_give_back(session->driver, session->head);
        session->head = NULL;
    }
}

static bool head_began(void *ctx, int32_t id)
{
    struct h2_session *session = ctx;
    drop_head(session); /* of a block that was given up */
    session->head = h2_head_take(session->driver);
    session->head_id = id;
    if (!session->head) {
        counter_add(&session->driver->counters.out_of_memory, 1);
    }
    return session->head != NULL;
}

static bool add_trailer(struct h2_session *session, const struct hpack_field *field)
{
    const struct http_limits *limits = session->driver->options.limits;
    session->trailers++;
    session->trailer_bytes += field->name.len + field->value.len;
    bool is_over = session->trailers > limits->max_trailers ||
                   session->trailer_bytes > limits->max_trailer_bytes;
    return !is_over || h2_guard_charge(session, H2_GUARD_HEADER_BOMB);
}

static bool add_field(void *ctx, int32_t id, bool is_trailer, const struct hpack_field *field)
{
    struct h2_session *session = ctx;
    if (is_trailer) {
        return add_trailer(session, field);
    }
    if (!session->head || session->head_id != id) {
        return true;
    }
    return h2_head_add(session->head, session->driver->options.limits, field) ||
           h2_guard_charge(session, H2_GUARD_HEADER_BOMB);
}

static void trailer_began(void *ctx, struct frames_stream *stream)
{
    struct h2_session *session = ctx;
    (void)stream;
    session->trailers = 0;
    session->trailer_bytes = 0;
}

static bool request(void *ctx, int32_t id, bool is_end)
{
    struct h2_session *session = ctx;
    return h2_request_begin(session, id, is_end) && session->conn->state != CONN_CLOSED;
}

static void malformed(void *ctx, int32_t id)
{
    struct h2_session *session = ctx;
    counter_add(&session->driver->counters.malformed, 1);
    if (session->head && session->head_id == id) {
        drop_head(session);
    }
}

/* ---- frames that go, and streams that end ---------------------------------------------------- */

static void head_sent(void *ctx, struct frames_stream *frames)
{
    h2_stream_of_frames(frames)->has_begun = true;
    h2_guard_explain(ctx, H2_GUARD_RESETS, 1); /* it may cross the end */
}

static void end_sent(void *ctx, struct frames_stream *frames)
{
    struct h2_stream *stream = h2_stream_of_frames(frames);
    (void)ctx;
    h2_stream_ref(stream);
    h2_stream_sent(stream);
    if (!stream->input_ended) {
        h2_body_linger(stream);
    }
    h2_stream_unref(stream);
}

/* It broke a rule. Not: it asked for more than we take now, or is slow, which takes its time. */
static bool is_clients_fault(uint32_t code)
{
    return code == FRAMES_PROTOCOL_ERROR || code == FRAMES_FLOW_CONTROL_ERROR ||
           code == FRAMES_STREAM_CLOSED || code == FRAMES_FRAME_SIZE_ERROR;
}

static void reset_sent(void *ctx, uint32_t code)
{
    struct h2_session *session = ctx;
    if (is_clients_fault(code)) {
        counter_add(&session->driver->counters.resets_sent, 1);
        (void)h2_guard_charge(session, H2_GUARD_MADE_RESETS); /* judged when all is written */
    }
}

static void closed(void *ctx, struct frames_stream *frames, uint32_t code)
{
    (void)ctx, (void)code;
    h2_stream_closed(h2_stream_of_frames(frames));
}

const struct frames_events h2_events = {
    .frame_began = frame_began,
    .head_began = head_began,
    .field = add_field,
    .trailer_began = trailer_began,
    .request = request,
    .malformed = malformed,
    .data = data,
    .data_ended = data_ended,
    .input_ended = input_ended,
    .settings = settings,
    .ping_answered = ping_answered,
    .failed = failed,
    .body = h2_send_ready,
    .send_data = h2_send_data,
    .head_sent = head_sent,
    .end_sent = end_sent,
    .reset_sent = reset_sent,
    .closed = closed,
};
