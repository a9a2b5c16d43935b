/* frames/frames_read.c — the bytes of a connection, cut into frames (RFC 9113 §4.1), whatever pieces they come
 * in. On the session's loop, for frames_receive().
 *
 * One step for each state; a step takes what it can use, and does not wait for more than it needs: of a
 * payload that is not gathered in `small` nothing is kept. What is whole in the bytes is read where it
 * lies. `left` counts what is to come of the frame, `padding` is the end of it. Once the session is ending
 * no step leaves FRAMES_AT_END. */
#include "frames/frames_receive.h"

enum { PREFACE_BYTES = 24 };

/* RFC 9113 §3.4 */
static const char preface[PREFACE_BYTES + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct span frames_preface(void)
{
    return span_make(preface, PREFACE_BYTES);
}

static void go_to(struct frames_session *session, enum frames_at at)
{
    if (!session->is_ending) {
        session->in.at = (uint8_t)at;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* So many bytes, as soon as they are there: where they lie, or gathered. NULL: all that came is taken, and
 * it is too little. */
static const uint8_t *gather(struct frames_session *session, struct span *bytes, uint8_t wanted)
{
    if (session->in.small_len == 0 && bytes->len >= wanted) {
        const char *at = bytes->ptr;
        *bytes = span_from(*bytes, wanted);
        return (const uint8_t *)at;
    }
    size_t n = smaller(bytes->len, (size_t)(wanted - session->in.small_len));
    memcpy(session->in.small + session->in.small_len, bytes->ptr, n);
    session->in.small_len = (uint8_t)(session->in.small_len + n);
    *bytes = span_from(*bytes, n);
    if (session->in.small_len < wanted) {
        return NULL;
    }
    session->in.small_len = 0;
    return session->in.small;
}

/* ---- a frame ends ---------------------------------------------------------------------------- */

static enum frames_result end_frame(struct frames_session *session)
{
    bool is_block_end = (session->in.flags & FRAMES_END_HEADERS) != 0;
    go_to(session, FRAMES_AT_HEAD);
    if (session->is_ending) {
        return FRAMES_OK;
    }
    switch (session->in.type) {
    case FRAMES_DATA:
        return frames_data_end(session);
    case FRAMES_HEADERS:
    case FRAMES_CONTINUATION:
        return is_block_end ? frames_block_end(session) : FRAMES_OK;
    case FRAMES_SETTINGS:
        return frames_settings_end(session);
    default:
        return FRAMES_OK;
    }
}

/* What is left of the frame says nothing. */
static enum frames_result skip_rest(struct frames_session *session)
{
    if (session->in.left == 0) {
        return end_frame(session);
    }
    go_to(session, FRAMES_AT_SKIP);
    return FRAMES_OK;
}

static enum frames_result step_skip(struct frames_session *session, struct span *bytes)
{
    size_t n = smaller(bytes->len, session->in.left);
    *bytes = span_from(*bytes, n);
    session->in.left -= (uint32_t)n;
    return session->in.left == 0 ? end_frame(session) : FRAMES_OK;
}

/* ---- payloads -------------------------------------------------------------------------------- */

/* A piece of the content before the padding: of DATA, or of a block. An empty one is given to a block, whose
 * end it may be. */
static enum frames_result take_content(struct frames_session *session, struct span piece)
{
    enum frames_result result = FRAMES_OK;
    session->in.left -= (uint32_t)piece.len;
    bool is_whole = session->in.left == session->in.padding;
    if (session->in.type != FRAMES_DATA) {
        bool is_last = is_whole && (session->in.flags & FRAMES_END_HEADERS) != 0;
        result = frames_block_feed(session, piece, is_last);
    } else if (piece.len > 0) {
        result = frames_data_piece(session, piece);
    }
    if (result != FRAMES_OK || !is_whole || session->is_ending) {
        return result;
    }
    return skip_rest(session);
}

static enum frames_result step_content(struct frames_session *session, struct span *bytes)
{
    size_t n = smaller(bytes->len, session->in.left - session->in.padding);
    struct span piece = span_first(*bytes, n);
    *bytes = span_from(*bytes, n);
    return take_content(session, piece);
}

static enum frames_result begin_content(struct frames_session *session, enum frames_at at)
{
    go_to(session, at);
    bool is_empty = session->in.left == session->in.padding;
    return is_empty && !session->is_ending ? take_content(session, SPAN("")) : FRAMES_OK;
}

static enum frames_result begin_small(struct frames_session *session)
{
    session->in.small_bytes = frames_small_bytes(session);
    if (session->in.small_bytes == 0) {
        return skip_rest(session);
    }
    go_to(session, FRAMES_AT_SMALL);
    return FRAMES_OK;
}

static enum frames_result step_small(struct frames_session *session, struct span *bytes)
{
    const uint8_t *payload = gather(session, bytes, session->in.small_bytes);
    if (!payload) {
        return FRAMES_OK;
    }
    session->in.left -= session->in.small_bytes;
    if (session->in.type == FRAMES_HEADERS) { /* RFC 9113 §6.2: a priority that nobody heeds */
        return begin_content(session, FRAMES_AT_BLOCK);
    }
    enum frames_result result = frames_small(session, payload);
    return result == FRAMES_OK && !session->is_ending ? skip_rest(session) : result;
}

/* ---- DATA and HEADERS begin ------------------------------------------------------------------ */

static bool has_priority(const struct frames_session *session)
{
    return session->in.type == FRAMES_HEADERS && (session->in.flags & FRAMES_HAS_PRIORITY) != 0;
}

/* The length of the padding is known. */
static enum frames_result begin_padded(struct frames_session *session)
{
    bool is_data = session->in.type == FRAMES_DATA;
    enum frames_result result = is_data ? frames_data_begin(session) : frames_block_begin(session);
    if (result != FRAMES_OK || session->is_ending) {
        return result;
    }
    if (has_priority(session)) {
        return begin_small(session);
    }
    return begin_content(session, is_data ? FRAMES_AT_DATA : FRAMES_AT_BLOCK);
}

/* RFC 9113 §6.1, §6.2: padding that is longer than what there is. */
static enum frames_result step_padding(struct frames_session *session, struct span *bytes)
{
    session->in.padding = (uint8_t)bytes->ptr[0];
    *bytes = span_from(*bytes, 1);
    session->in.left--;
    uint32_t before = has_priority(session) ? frames_small_bytes(session) : 0;
    if (session->in.padding + before > session->in.left) {
        return frames_result_of(frames_fail(session, FRAMES_PROTOCOL_ERROR));
    }
    return begin_padded(session);
}

/* ---- a frame begins -------------------------------------------------------------------------- */

static enum frames_result begin_priority(struct frames_session *session)
{
    enum frames_result result = frames_priority_frame(session);
    return result == FRAMES_OK && !session->is_ending ? skip_rest(session) : result;
}

static enum frames_result begin_frame(struct frames_session *session)
{
    uint32_t code = frames_judge_head(session);
    if (code != FRAMES_NO_ERROR) {
        return frames_result_of(frames_fail(session, code));
    }
    session->in.left = session->in.length;
    session->in.padding = 0;
    switch (session->in.type) {
    case FRAMES_DATA:
    case FRAMES_HEADERS:
        if (session->in.flags & FRAMES_PADDED) {
            go_to(session, FRAMES_AT_PADDING);
            return FRAMES_OK;
        }
        return begin_padded(session);
    case FRAMES_CONTINUATION:
        return begin_content(session, FRAMES_AT_BLOCK);
    case FRAMES_PRIORITY:
        return begin_priority(session);
    default:
        return begin_small(session);
    }
}

/* RFC 9113 §3.4: a client begins with SETTINGS, which answer nothing. */
static bool is_expected(const struct frames_session *session)
{
    bool is_first = session->in.type == FRAMES_SETTINGS && (session->in.flags & FRAMES_ACK) == 0;
    return session->has_settings || is_first;
}

static enum frames_result step_head(struct frames_session *session, struct span *bytes)
{
    const uint8_t *head = gather(session, bytes, FRAMES_HEAD_BYTES);
    if (!head) {
        return FRAMES_OK;
    }
    session->in.length = (uint32_t)head[0] << 16 | frames_u16(head + 1);
    session->in.type = head[3];
    session->in.flags = head[4];
    session->in.id = (int32_t)(frames_u32(head + 5) & FRAMES_MAX_ID); /* §4.1: a bit is reserved */
    if (!is_expected(session)) {
        return FRAMES_NOT_HTTP2;
    }
    struct frames_stream *stream = frames_stream_find(session, session->in.id);
    if (!session->events->frame_began(session->ctx, session->in.type, session->in.flags,
                                      session->in.id, stream)) {
        return FRAMES_STOPPED;
    }
    return session->is_ending ? FRAMES_OK : begin_frame(session);
}

static enum frames_result step_preface(struct frames_session *session, struct span *bytes)
{
    size_t n = smaller(bytes->len, (size_t)(PREFACE_BYTES - session->in.small_len));
    if (memcmp(preface + session->in.small_len, bytes->ptr, n) != 0) {
        return FRAMES_NOT_HTTP2;
    }
    *bytes = span_from(*bytes, n);
    session->in.small_len = (uint8_t)(session->in.small_len + n);
    if (session->in.small_len == PREFACE_BYTES) {
        session->in.small_len = 0;
        go_to(session, FRAMES_AT_HEAD);
    }
    return FRAMES_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum frames_result step(struct frames_session *session, struct span *bytes)
{
    switch ((enum frames_at)session->in.at) {
    case FRAMES_AT_PREFACE:
        return step_preface(session, bytes);
    case FRAMES_AT_HEAD:
        return step_head(session, bytes);
    case FRAMES_AT_PADDING:
        return step_padding(session, bytes);
    case FRAMES_AT_SMALL:
        return step_small(session, bytes);
    case FRAMES_AT_BLOCK:
    case FRAMES_AT_DATA:
        return step_content(session, bytes);
    case FRAMES_AT_SKIP:
        return step_skip(session, bytes);
    case FRAMES_AT_END:
        break;
    }
    bytes->len = 0;
    return FRAMES_OK;
}

enum frames_result frames_receive(struct frames_session *session, const void *data, size_t len)
{
    struct span bytes = span_make(data, len);
    enum frames_result result = FRAMES_OK;
    while (bytes.len > 0 && result == FRAMES_OK) {
        result = step(session, &bytes);
    }
    if (result != FRAMES_OK) {
        session->in.at = FRAMES_AT_END;
    }
    return result;
}
