/* frames/frames_head.c — heads of answers: fields are encoded straight into session->out.control, behind the
 * head of a HEADERS frame, which is filled in when its length is known. On the session's loop.
 *
 * What is encoded changes the client's table: it must leave, in this order, whatever becomes of its stream.
 * So a stream that has been reset, and a connection that ends, get nothing encoded at all. */
#include "frames/frames_inner.h"

#include "base/check.h"

/* In the place of head_at: what is said is dropped. */
#define NOWHERE SIZE_MAX

void frames_head_begin(struct frames_stream *stream)
{
    struct frames_session *session = stream->session;
    DEBUG_CHECK(session && !stream->has_answer);
    bool is_wanted = !stream->was_reset && !session->is_ending;
    if (!is_wanted || !buf_reserve(&session->out.control, FRAMES_HEAD_BYTES)) {
        session->out.head_at = NOWHERE;
        return;
    }
    session->out.head_at = session->out.control.len;
    session->out.control.len += FRAMES_HEAD_BYTES;
    hpack_encode_begin(&session->encoder, &session->out.control);
}

void frames_head_line(struct frames_stream *stream, const struct hpack_line *line)
{
    struct frames_session *session = stream->session;
    if (session->out.head_at != NOWHERE) {
        hpack_encode(&session->encoder, &session->out.control, line);
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* Make the head's `len` bytes, which lie in one piece behind the first frame's head, into HEADERS and
 * CONTINUATION (RFC 9113 §4.3: nothing may come between them). The last ones move first. */
static void cut(uint8_t *first, uint32_t len, uint8_t flags, int32_t id)
{
    const uint32_t step = FRAMES_MAX_PAYLOAD;
    uint8_t *block = first + FRAMES_HEAD_BYTES;
    uint32_t last = (len - 1) / step; /* len > step */
    for (uint32_t i = last; i > 0; i--) {
        uint32_t at = i * step;
        uint32_t piece = i == last ? len - at : step;
        uint8_t *to = block + at + (size_t)i * FRAMES_HEAD_BYTES;
        memmove(to, block + at, piece);
        frames_put_head(to - FRAMES_HEAD_BYTES, piece, FRAMES_CONTINUATION,
                        i == last ? FRAMES_END_HEADERS : 0, id);
    }
    frames_put_head(first, step, FRAMES_HEADERS, flags, id);
}

static int end_frames(struct frames_session *session, int32_t id, uint8_t flags)
{
    struct buf *control = &session->out.control;
    size_t len = control->len - session->out.head_at - FRAMES_HEAD_BYTES;
    if (len <= FRAMES_MAX_PAYLOAD) {
        frames_put_head((uint8_t *)control->data + session->out.head_at, (uint32_t)len,
                        FRAMES_HEADERS, flags | FRAMES_END_HEADERS, id);
        return GALLEY_OK;
    }
    size_t more = (len - 1) / FRAMES_MAX_PAYLOAD * FRAMES_HEAD_BYTES;
    if (len > UINT32_MAX || !buf_reserve(control, more)) {
        control->failed = true;
        return GALLEY_ENOMEM;
    }
    cut((uint8_t *)control->data + session->out.head_at, (uint32_t)len, flags, id);
    control->len += more;
    return GALLEY_OK;
}

int frames_head_end(struct frames_stream *stream, enum frames_head_kind kind)
{
    struct frames_session *session = stream->session;
    if (session->out.control.failed) {
        return GALLEY_ENOMEM;
    }
    if (session->out.head_at == NOWHERE) {
        return GALLEY_OK;
    }
    int rc = end_frames(session, stream->id, kind == FRAMES_HEAD_ONLY ? FRAMES_END_STREAM : 0);
    if (rc == GALLEY_OK && kind != FRAMES_HEAD_INTERIM) {
        stream->has_answer = true;
        stream->has_body = kind == FRAMES_HEAD_WITH_BODY;
        DEBUG_CHECK(list_is_empty(&stream->link));
        list_push_back(&session->out.heads, &stream->link);
    }
    return rc;
}
