/* frames/frames_settings.c — the client's SETTINGS (RFC 9113 §6.5): its entries are judged and in force when
 * all have come, in the order of the frame (§6.5.3): nothing may leave by one of them ahead of our ACK. On the
 * session's loop, for frames_read.c.
 *
 * What is not here is ignored (§6.5.2): also limits of what we never do. We push nothing, our frames are
 * never longer than every client must take, and what a client wants of an answer's fields is advice. */
#include "frames/frames_receive.h"

enum { LARGEST_FRAME_SIZE = 0xffffff };

static enum frames_result expect(struct frames_session *session, bool is_good)
{
    return is_good ? FRAMES_OK : frames_result_of(frames_fail(session, FRAMES_PROTOCOL_ERROR));
}

/* RFC 9218 §2.1: 0 or 1, and never another than in the first SETTINGS. */
static enum frames_result take_no_priorities(struct frames_session *session, uint32_t value)
{
    if (!session->has_settings) {
        session->no_priorities = value == 1;
    }
    return expect(session, value == session->no_priorities);
}

static enum frames_result take_entry(struct frames_session *session, const uint8_t *entry)
{
    uint32_t value = frames_u32(entry + 2);
    switch (frames_u16(entry)) {
    case FRAMES_HEADER_TABLE_SIZE:
        hpack_encoder_allow(&session->encoder, value);
        return FRAMES_OK;
    case FRAMES_ENABLE_PUSH:
    case FRAMES_ENABLE_CONNECT_PROTOCOL:
        return expect(session, value <= 1);
    case FRAMES_INITIAL_WINDOW_SIZE:
        return frames_result_of(frames_first_window(session, value));
    case FRAMES_MAX_FRAME_SIZE:
        return expect(session, value >= FRAMES_MAX_PAYLOAD && value <= LARGEST_FRAME_SIZE);
    case FRAMES_NO_RFC7540_PRIORITIES:
        return take_no_priorities(session, value);
    default:
        return FRAMES_OK;
    }
}

enum frames_result frames_settings(struct frames_session *session, const uint8_t *entries)
{
    enum frames_result result = FRAMES_OK;
    uint32_t at = 0;
    while (at < session->in.length && result == FRAMES_OK && !session->is_ending) {
        result = take_entry(session, entries + at);
        at += FRAMES_SETTING_BYTES;
    }
    return result;
}

/* RFC 9113 §6.5.3: we say SETTINGS once, and so they are acknowledged once. */
static enum frames_result acked(struct frames_session *session)
{
    if (session->settings_acked) {
        return expect(session, false);
    }
    return frames_result_of(frames_settings_acked(session));
}

enum frames_result frames_settings_end(struct frames_session *session)
{
    if (session->in.flags & FRAMES_ACK) {
        return acked(session);
    }
    session->has_settings = true;
    enum frames_result result = frames_ack_settings(session);
    if (result == FRAMES_OK) {
        session->events->settings(session->ctx);
    }
    return result;
}
