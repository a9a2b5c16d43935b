/* frames/frames_session.c — the beginning and the end of a connection, and the small frames that are said
 * of it. On the session's loop.
 *
 * What is said goes into session->out.control and leaves with the next frames_write(): nothing is answered
 * inside of what was received. Behind the GOAWAY of an end nothing is said any more. */
#include "frames/frames_inner.h"

#include "base/check.h"

/* ---- control frames -------------------------------------------------------------------------- */

int frames_control(struct frames_session *session, uint8_t type, uint8_t flags, int32_t id,
                   const void *payload, size_t len)
{
    struct buf *control = &session->out.control;
    if (session->is_ending) {
        return GALLEY_OK;
    }
    char *room = buf_reserve(control, FRAMES_HEAD_BYTES + len);
    if (!room) {
        return GALLEY_ENOMEM;
    }
    frames_put_head((uint8_t *)room, (uint32_t)len, type, flags, id);
    if (len > 0) {
        memcpy(room + FRAMES_HEAD_BYTES, payload, len);
    }
    control->len += FRAMES_HEAD_BYTES + len;
    return GALLEY_OK;
}

static enum frames_result ack(struct frames_session *session, uint8_t type, const void *payload,
                              size_t len)
{
    if (session->out.waiting_acks >= FRAMES_MAX_WAITING_ACKS) {
        return FRAMES_FLOODED;
    }
    session->out.waiting_acks++;
    int rc = frames_control(session, type, FRAMES_ACK, 0, payload, len);
    return rc == GALLEY_OK ? FRAMES_OK : FRAMES_NO_MEMORY;
}

enum frames_result frames_ack_settings(struct frames_session *session)
{
    return ack(session, FRAMES_SETTINGS, NULL, 0);
}

enum frames_result frames_ack_ping(struct frames_session *session, const uint8_t opaque[8])
{
    return ack(session, FRAMES_PING, opaque, FRAMES_PING_BYTES);
}

int frames_ping(struct frames_session *session, const uint8_t opaque[8])
{
    return frames_control(session, FRAMES_PING, 0, 0, opaque, FRAMES_PING_BYTES);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static uint8_t *put_setting(uint8_t *at, uint16_t id, uint32_t value)
{
    frames_put_u16(at, id);
    frames_put_u32(at + 2, value);
    return at + FRAMES_SETTING_BYTES;
}

/* RFC 9113 §3.4: SETTINGS are the first that a server says. */
static int say_settings(struct frames_session *session)
{
    const struct frames_options *options = &session->options;
    uint8_t payload[5 * FRAMES_SETTING_BYTES];
    uint8_t *at = payload;
    at = put_setting(at, FRAMES_MAX_CONCURRENT_STREAMS, options->max_streams);
    at = put_setting(at, FRAMES_INITIAL_WINDOW_SIZE, options->stream_window_bytes);
    at = put_setting(at, FRAMES_MAX_HEADER_LIST_SIZE, options->max_list_bytes);
    at = put_setting(at, FRAMES_ENABLE_CONNECT_PROTOCOL, 1);
    at = put_setting(at, FRAMES_NO_RFC7540_PRIORITIES, 1);
    return frames_control(session, FRAMES_SETTINGS, 0, 0, payload, (size_t)(at - payload));
}

/* RFC 9113 §6.9.2: the connection's window begins with 65535, and only WINDOW_UPDATE changes it. */
static int say_window(struct frames_session *session)
{
    uint32_t more = (uint32_t)session->recv_size - FRAMES_FIRST_WINDOW;
    return more > 0 ? frames_say_window(session, 0, more) : GALLEY_OK;
}

static int32_t conn_window(const struct frames_options *options)
{
    uint32_t bytes = options->conn_window_bytes;
    if (bytes < FRAMES_FIRST_WINDOW) {
        return FRAMES_FIRST_WINDOW;
    }
    return bytes < FRAMES_MAX_WINDOW ? (int32_t)bytes : FRAMES_MAX_WINDOW;
}

static void init_lists(struct frames_session *session)
{
    for (int i = 0; i < FRAMES_TURNS; i++) {
        list_init(&session->out.schedule[i]);
    }
    list_init(&session->out.fresh);
    list_init(&session->out.heads);
    list_init(&session->out.resets);
}

int frames_init(struct frames_session *session, const struct frames_options *options,
                const struct frames_events *events, void *ctx, struct buf *scratch)
{
    DEBUG_CHECK(options->stream_window_bytes <= FRAMES_MAX_WINDOW);
    *session = (struct frames_session){
        .events = events,
        .ctx = ctx,
        .options = *options,
        .scratch = scratch,
        .last_allowed = FRAMES_MAX_ID,
        .recv_window = conn_window(options),
        .recv_size = conn_window(options),
        .first_recv_window = FRAMES_FIRST_WINDOW,
        .send_window = FRAMES_FIRST_WINDOW,
        .first_send_window = FRAMES_FIRST_WINDOW,
    };
    init_lists(session);
    hpack_decoder_init(&session->decoder, HPACK_TABLE_BYTES, options->max_string_bytes);
    hpack_encoder_init(&session->encoder);
    buf_init(&session->block.rest, 0);  /* frames_block.c bounds it */
    buf_init(&session->out.control, 0); /* what it holds the owner sees: frames_waiting_bytes() */
    int rc = say_settings(session);
    if (rc == GALLEY_OK) {
        rc = say_window(session);
    }
    if (rc != GALLEY_OK) {
        buf_finish(&session->out.control);
    }
    return rc;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int goaway(struct frames_session *session, int32_t last, uint32_t code)
{
    uint8_t payload[FRAMES_GOAWAY_BYTES];
    frames_put_u32(payload, (uint32_t)last);
    frames_put_u32(payload + 4, code);
    return frames_control(session, FRAMES_GOAWAY, 0, 0, payload, sizeof payload);
}

int frames_notice(struct frames_session *session)
{
    return goaway(session, FRAMES_MAX_ID, FRAMES_NO_ERROR);
}

int frames_goaway(struct frames_session *session)
{
    session->said_goaway = true;
    session->last_allowed = session->last_taken;
    return goaway(session, session->last_taken, FRAMES_NO_ERROR);
}

int frames_end(struct frames_session *session, uint32_t code)
{
    if (session->is_ending) {
        return GALLEY_OK;
    }
    int rc = goaway(session, session->last_taken, code);
    session->said_goaway = true;
    session->last_allowed = session->last_taken;
    session->is_ending = true;
    session->in.at = FRAMES_AT_END;
    return rc;
}

int frames_fail(struct frames_session *session, uint32_t code)
{
    if (session->is_ending) {
        return GALLEY_OK;
    }
    int rc = frames_end(session, code);
    session->events->failed(session->ctx, code);
    return rc;
}

bool frames_has_ended(const struct frames_session *session)
{
    bool will_no_more_come = session->said_goaway || session->got_goaway;
    /* RFC 9113 §6.8: GOAWAY has named the request whose block is under way, and so it is taken. */
    bool is_under_way = session->block.is_open && !session->block.is_ignored;
    bool are_all_done = session->open_streams == 0 && !is_under_way;
    bool is_over = session->is_ending || (will_no_more_come && are_all_done);
    return is_over && session->out.control.len == 0;
}

size_t frames_waiting_bytes(const struct frames_session *session)
{
    return session->out.control.len;
}

void frames_finish(struct frames_session *session)
{
    session->is_ending = true; /* whatever an owner says in the events is not sent */
    for (unsigned i = 0; i < FRAMES_BUCKETS; i++) {
        while (session->buckets[i]) {
            frames_stream_close(session->buckets[i], FRAMES_CANCEL);
        }
    }
    frames_early_finish(session);
    hpack_decoder_finish(&session->decoder);
    hpack_encoder_finish(&session->encoder);
    buf_finish(&session->block.rest);
    buf_finish(&session->out.control);
}
