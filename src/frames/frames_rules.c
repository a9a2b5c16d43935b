/* frames/frames_rules.c — what RFC 9113 §6 and RFC 9218 §7.1 ask of a frame's head: where it may come, on
 * which stream, and how long it is. One row a type. On the session's loop, for frames_read.c; nothing is
 * changed here.
 *
 * Streams of which the client has used no higher id are idle (§5.1), and so are those of even ids, which
 * only a server could open. */
#include "frames/frames_receive.h"

enum place { ANYWHERE, ON_STREAM, ON_KNOWN_STREAM, ON_CONN, ON_CONN_OR_KNOWN_STREAM };

struct rule {
    uint8_t place; /* enum place */
    uint8_t least; /* bytes of payload */
    bool is_exact; /* … and no more */
};

/* Types that are not in here are ignored (§5.5). */
static const struct rule rules[] = {
    [FRAMES_DATA] = {ON_KNOWN_STREAM, 0, false},
    [FRAMES_HEADERS] = {ON_STREAM, 0, false},
    [FRAMES_PRIORITY] = {ON_STREAM, 0, false}, /* its length is judged with its stream */
    [FRAMES_RST_STREAM] = {ON_KNOWN_STREAM, FRAMES_RST_STREAM_BYTES, true},
    [FRAMES_SETTINGS] = {ON_CONN, 0, false},
    [FRAMES_PING] = {ON_CONN, FRAMES_PING_BYTES, true},
    [FRAMES_GOAWAY] = {ON_CONN, FRAMES_GOAWAY_BYTES, false},
    [FRAMES_WINDOW_UPDATE] = {ON_CONN_OR_KNOWN_STREAM, FRAMES_WINDOW_UPDATE_BYTES, true},
    [FRAMES_CONTINUATION] = {ON_STREAM, 0, false},
    [FRAMES_PRIORITY_UPDATE] = {ON_CONN, 4, false},
};

static bool is_idle(const struct frames_session *session)
{
    return session->in.id % 2 == 0 || session->in.id > session->last_id;
}

static bool may_be_there(const struct frames_session *session, enum place place)
{
    switch (place) {
    case ON_STREAM:
        return session->in.id != 0;
    case ON_KNOWN_STREAM:
        return !is_idle(session);
    case ON_CONN:
        return session->in.id == 0;
    case ON_CONN_OR_KNOWN_STREAM:
        return session->in.id == 0 || !is_idle(session);
    default:
        return true;
    }
}

/* §6.10: nothing may come between the frames of a block, not even what is unknown (§5.5). §8.4: clients
 * push nothing. §5.1.1: clients use odd ids. */
static bool is_in_order(const struct frames_session *session)
{
    const struct frames_block *block = &session->block;
    bool is_continued = session->in.type == FRAMES_CONTINUATION;
    if (block->is_open ? !is_continued || session->in.id != block->id : is_continued) {
        return false;
    }
    bool is_odd = session->in.id % 2 != 0;
    return session->in.type != FRAMES_PUSH_PROMISE &&
           (session->in.type != FRAMES_HEADERS || is_odd);
}

/* What the flags say is there must be (§6.1, §6.2). */
static uint32_t least_of(const struct frames_session *session)
{
    bool is_headers = session->in.type == FRAMES_HEADERS;
    uint32_t least = rules[session->in.type].least;
    if ((is_headers || session->in.type == FRAMES_DATA) && (session->in.flags & FRAMES_PADDED)) {
        least++;
    }
    if (is_headers && (session->in.flags & FRAMES_HAS_PRIORITY)) {
        least += FRAMES_PRIORITY_BYTES;
    }
    return least;
}

/* §6.5; and none has as many settings as we do not want to look at. */
static uint32_t judge_settings(const struct frames_session *session)
{
    bool is_ack = (session->in.flags & FRAMES_ACK) != 0;
    if (session->in.length % FRAMES_SETTING_BYTES != 0 || (is_ack && session->in.length > 0)) {
        return FRAMES_FRAME_SIZE_ERROR;
    }
    bool is_bearable = session->in.length <= FRAMES_MAX_SETTINGS * FRAMES_SETTING_BYTES;
    return is_bearable ? FRAMES_NO_ERROR : FRAMES_ENHANCE_YOUR_CALM;
}

uint32_t frames_judge_head(const struct frames_session *session)
{
    if (session->in.length > FRAMES_MAX_PAYLOAD) { /* §4.2 */
        return FRAMES_FRAME_SIZE_ERROR;
    }
    if (!is_in_order(session)) {
        return FRAMES_PROTOCOL_ERROR;
    }
    if (session->in.type >= sizeof rules / sizeof *rules) {
        return FRAMES_NO_ERROR;
    }
    const struct rule *rule = &rules[session->in.type];
    if (!may_be_there(session, (enum place)rule->place)) {
        return FRAMES_PROTOCOL_ERROR;
    }
    uint32_t least = least_of(session);
    if (session->in.length < least || (rule->is_exact && session->in.length > least)) {
        return FRAMES_FRAME_SIZE_ERROR;
    }
    return session->in.type == FRAMES_SETTINGS ? judge_settings(session) : FRAMES_NO_ERROR;
}
