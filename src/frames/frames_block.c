/* frames/frames_block.c — header blocks (RFC 9113 §4.3): HEADERS with what continues it, to the fields of a
 * request or a trailer. On the session's loop, for frames_read.c.
 *
 * A block is decoded as it comes, where it lies; only a field that is cut waits, in block.rest, for what
 * follows it. Whatever becomes of the message, the whole block is decoded: the table of the decoder must
 * stay that of the client's encoder (§4.3). Between two pieces of it streams may end: they are looked up by
 * their id when they are needed. */
#include "frames/frames_receive.h"

enum { MEND_BYTES = 256, LENGTHS_BYTES = 32 };

/* ---- a block begins -------------------------------------------------------------------------- */

/* RFC 9113 §6.8: behind our last GOAWAY requests are not even refused. */
static void begin_request(struct frames_session *session)
{
    struct frames_block *block = &session->block;
    session->last_id = block->id;
    frames_early_take(session, block);
    if (block->id > session->last_allowed) {
        block->is_ignored = true;
        return;
    }
    session->last_taken = block->id;
    block->is_refused = !session->events->head_began(session->ctx, block->id);
}

/* Of a stream that we have seen. §5.1: closed, perhaps while this was under way; or half-closed (remote).
 * §8.1: or these are the trailers, and must be the end. */
static int begin_trailer(struct frames_session *session)
{
    struct frames_block *block = &session->block;
    struct frames_stream *stream = frames_stream_find(session, block->id);
    block->is_ignored = !stream || stream->was_reset || stream->input_ended;
    block->is_late = !stream;
    if (block->is_ignored) {
        return stream ? frames_reset(stream, FRAMES_STREAM_CLOSED) : GALLEY_OK;
    }
    block->is_trailer = true;
    block->is_malformed = !block->is_end;
    session->events->trailer_began(session->ctx, stream);
    return GALLEY_OK;
}

enum frames_result frames_block_begin(struct frames_session *session)
{
    session->block = (struct frames_block){
        .id = session->in.id,
        .rest = session->block.rest,
        .length = -1,
        .urgency = FRAMES_USUAL_URGENCY,
        .is_open = true,
        .is_end = (session->in.flags & FRAMES_END_STREAM) != 0,
    };
    hpack_decoder_begin(&session->decoder);
    if (session->in.id <= session->last_id) {
        return frames_result_of(begin_trailer(session));
    }
    begin_request(session);
    return FRAMES_OK;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static bool on_field(void *arg, const struct hpack_field *field)
{
    struct frames_session *session = arg;
    struct frames_block *block = &session->block;
    if (block->is_ignored || block->is_refused || block->is_malformed || session->is_ending) {
        block->is_request |= block->is_late && hpack_is_pseudo(field);
        return true;
    }
    if (!frames_judge_field(block, field)) {
        block->is_malformed = true;
        return true;
    }
    return session->events->field(session->ctx, block->id, block->is_trailer, field);
}

static enum hpack_result decode(struct frames_session *session, struct span bytes, bool is_last,
                                size_t *ret_used)
{
    const struct hpack_taker taker = {on_field, session, session->scratch};
    return hpack_decode(&session->decoder, bytes, is_last, &taker, ret_used);
}

/* A field is longer than its two strings may be. The decoder says so first; this is the wall behind it. */
static bool is_too_long(const struct frames_session *session, size_t bytes)
{
    return bytes > 2 * (size_t)session->options.max_string_bytes + LENGTHS_BYTES;
}

/* Some bytes more for the field that was cut. When it is whole, what follows it is read where it lies. */
static enum hpack_result mend(struct frames_session *session, struct span *bytes, bool is_last)
{
    struct buf *rest = &session->block.rest;
    size_t before = rest->len;
    size_t n = bytes->len < MEND_BYTES ? bytes->len : MEND_BYTES;
    buf_append(rest, bytes->ptr, n);
    if (rest->failed) {
        return HPACK_NO_MEMORY;
    }
    size_t used = 0;
    enum hpack_result result = decode(session, buf_span(rest), is_last && n == bytes->len, &used);
    if (used > before) {
        *bytes = span_from(*bytes, used - before);
        buf_clear(rest);
    } else {
        *bytes = span_from(*bytes, n);
        buf_consume(rest, used);
    }
    return result == HPACK_OK && is_too_long(session, rest->len) ? HPACK_TOO_LONG : result;
}

static enum hpack_result read_in_place(struct frames_session *session, struct span bytes,
                                       bool is_last)
{
    size_t used = 0;
    enum hpack_result result = decode(session, bytes, is_last, &used);
    if (result != HPACK_OK || used == bytes.len) {
        return result;
    }
    if (is_too_long(session, bytes.len - used)) {
        return HPACK_TOO_LONG;
    }
    buf_append_span(&session->block.rest, span_from(bytes, used));
    return session->block.rest.failed ? HPACK_NO_MEMORY : HPACK_OK;
}

static enum hpack_result feed(struct frames_session *session, struct span bytes, bool is_last)
{
    const struct buf *rest = &session->block.rest;
    enum hpack_result result = HPACK_OK;
    while (result == HPACK_OK && rest->len > 0 && bytes.len > 0) {
        result = mend(session, &bytes, is_last);
    }
    if (result != HPACK_OK) {
        return result;
    }
    if (rest->len > 0) {
        return is_last ? HPACK_MALFORMED : HPACK_OK;
    }
    return read_in_place(session, bytes, is_last);
}

enum frames_result frames_block_feed(struct frames_session *session, struct span bytes,
                                     bool is_last)
{
    switch (feed(session, bytes, is_last)) {
    case HPACK_OK:
        return FRAMES_OK;
    case HPACK_MALFORMED: /* RFC 9113 §4.3 */
        return frames_result_of(frames_fail(session, FRAMES_COMPRESSION_ERROR));
    case HPACK_TOO_LONG:
        return frames_result_of(frames_fail(session, FRAMES_ENHANCE_YOUR_CALM));
    case HPACK_STOPPED:
        return FRAMES_STOPPED;
    default:
        return FRAMES_NO_MEMORY;
    }
}

/* ---- a block ends ---------------------------------------------------------------------------- */

static enum frames_result end_request(struct frames_session *session)
{
    const struct frames_events *events = session->events;
    struct frames_block *block = &session->block;
    if (!block->is_malformed && frames_judge_request(block)) {
        return events->request(session->ctx, block->id, block->is_end) ? FRAMES_OK : FRAMES_STOPPED;
    }
    int rc = frames_refuse(session, block->id, FRAMES_PROTOCOL_ERROR);
    events->malformed(session->ctx, block->id);
    return frames_result_of(rc);
}

/* RFC 9113 §8.1.1: the trailer is the end, and the content must be as long as was said. */
static enum frames_result end_trailer(struct frames_session *session)
{
    const struct frames_block *block = &session->block;
    struct frames_stream *stream = frames_stream_find(session, block->id);
    if (!stream || stream->was_reset) {
        return FRAMES_OK;
    }
    if (block->is_malformed || (stream->is_counted && stream->length_left != 0)) {
        int rc = frames_reset(stream, FRAMES_PROTOCOL_ERROR);
        session->events->malformed(session->ctx, block->id);
        return frames_result_of(rc);
    }
    frames_input_end(stream);
    return FRAMES_OK;
}

enum frames_result frames_block_end(struct frames_session *session)
{
    struct frames_block *block = &session->block;
    block->is_open = false;
    buf_finish(&block->rest); /* an idle connection keeps nothing */
    if (block->is_request) {  /* §5.1.1: ids only grow. Trailers may come late, requests cannot */
        return frames_result_of(frames_fail(session, FRAMES_PROTOCOL_ERROR));
    }
    if (block->is_ignored) {
        return FRAMES_OK;
    }
    if (block->is_refused) {
        return frames_result_of(frames_refuse(session, block->id, FRAMES_INTERNAL_ERROR));
    }
    return block->is_trailer ? end_trailer(session) : end_request(session);
}
