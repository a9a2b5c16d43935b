/* frames/frames_small.c — frames of a few bytes: PRIORITY, RST_STREAM, PING, GOAWAY, WINDOW_UPDATE,
 * PRIORITY_UPDATE, and the way to frames_settings.c. On the session's loop, for frames_read.c, which has
 * gathered them; frames_rules.c has judged their lengths and streams. */
#include "frames/frames_receive.h"

enum { PRIORITIZED_BYTES = 4 };

static int32_t id_at(const uint8_t *at)
{
    return (int32_t)(frames_u32(at) & FRAMES_MAX_ID);
}

/* A value that is too long for us is not read at all: half of it may mean something else. */
static uint8_t priority_update_bytes(uint32_t length)
{
    return length <= FRAMES_SMALL_BYTES ? (uint8_t)length : PRIORITIZED_BYTES;
}

uint8_t frames_small_bytes(const struct frames_session *session)
{
    switch (session->in.type) {
    case FRAMES_HEADERS: /* its priority */
        return FRAMES_PRIORITY_BYTES;
    case FRAMES_RST_STREAM:
        return FRAMES_RST_STREAM_BYTES;
    case FRAMES_WINDOW_UPDATE:
        return FRAMES_WINDOW_UPDATE_BYTES;
    case FRAMES_PING:
        return FRAMES_PING_BYTES;
    case FRAMES_GOAWAY:
        return FRAMES_GOAWAY_BYTES;
    case FRAMES_SETTINGS:
        return (uint8_t)session->in.length; /* frames_rules.c has bounded it */
    case FRAMES_PRIORITY_UPDATE:
        return priority_update_bytes(session->in.length);
    default:
        return 0;
    }
}

/* RFC 9113 §6.3: an error of its stream; of the connection if that is not open. The rest is of RFC 7540. */
enum frames_result frames_priority_frame(struct frames_session *session)
{
    struct frames_stream *stream = frames_stream_find(session, session->in.id);
    if (session->in.length == FRAMES_PRIORITY_BYTES) {
        return FRAMES_OK;
    }
    return frames_result_of(stream ? frames_reset(stream, FRAMES_FRAME_SIZE_ERROR)
                                   : frames_fail(session, FRAMES_FRAME_SIZE_ERROR));
}

/* RFC 9218 §7.1 */
static enum frames_result priority_update(struct frames_session *session, const uint8_t *payload)
{
    int32_t id = id_at(payload);
    if (id % 2 == 0) { /* none, or a push of ours, which there are not */
        return frames_result_of(frames_fail(session, FRAMES_PROTOCOL_ERROR));
    }
    struct frames_stream *stream = frames_stream_find(session, id);
    struct span text = span_make((const char *)payload + PRIORITIZED_BYTES,
                                 (size_t)(session->in.small_bytes - PRIORITIZED_BYTES));
    uint8_t urgency = FRAMES_USUAL_URGENCY;
    bool is_incremental = false;
    bool is_whole = session->in.small_bytes == session->in.length;
    if (!is_whole || !frames_priority_parse(text, &urgency, &is_incremental)) {
        return FRAMES_OK;
    }
    if (!stream) {
        return frames_early_keep(session, (struct frames_early){id, urgency, is_incremental});
    }
    frames_reprioritize(stream, urgency, is_incremental);
    return FRAMES_OK;
}

static enum frames_result ping(struct frames_session *session, const uint8_t *payload)
{
    if (session->in.flags & FRAMES_ACK) {
        session->events->ping_answered(session->ctx, payload);
        return FRAMES_OK;
    }
    return frames_ack_ping(session, payload);
}

static enum frames_result reset(struct frames_session *session, const uint8_t *payload)
{
    struct frames_stream *stream = frames_stream_find(session, session->in.id);
    if (stream) {
        frames_stream_close(stream, frames_u32(payload));
    }
    return FRAMES_OK;
}

enum frames_result frames_small(struct frames_session *session, const uint8_t *payload)
{
    switch (session->in.type) {
    case FRAMES_RST_STREAM:
        return reset(session, payload);
    case FRAMES_SETTINGS:
        return frames_settings(session, payload);
    case FRAMES_PING:
        return ping(session, payload);
    case FRAMES_GOAWAY: /* RFC 9113 §6.8: its last id is of pushes, which there are not */
        session->got_goaway = true;
        return FRAMES_OK;
    case FRAMES_WINDOW_UPDATE:
        return frames_result_of(
            frames_window_update(session, session->in.id, frames_u32(payload) & FRAMES_MAX_WINDOW));
    default:
        return priority_update(session, payload);
    }
}
