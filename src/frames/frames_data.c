/* frames/frames_data.c — DATA that comes (RFC 9113 §6.1). On the session's loop, for frames_read.c.
 *
 * Each byte of a frame, padding too, was counted in the windows when the frame began (§6.9.1), and somebody
 * gives it back once: frames_take_data() for a frame that nobody takes, this file for padding and for what
 * comes after its stream was given up, the owner for what it was given. The stream is looked up for each
 * piece, for between two of them it may have been closed. */
#include "frames/frames_receive.h"

/* Who gets what is being read; NULL: nobody, or nobody any more. */
static struct frames_stream *taker(const struct frames_session *session)
{
    if (!session->in.is_taken) {
        return NULL;
    }
    struct frames_stream *stream = frames_stream_find(session, session->in.id);
    return stream && !stream->was_reset ? stream : NULL;
}

static bool is_end(const struct frames_session *session)
{
    return (session->in.flags & FRAMES_END_STREAM) != 0;
}

/* RFC 9113 §8.1.1: the sum of DATA is Content-Length. */
static bool is_as_long_as_said(const struct frames_session *session,
                               const struct frames_stream *stream, uint32_t content)
{
    if (!stream->is_counted) {
        return true;
    }
    return is_end(session) ? content == stream->length_left : content <= stream->length_left;
}

/* The error of the stream that this frame is (§5.4.2), if it is one. */
static uint32_t judge(const struct frames_session *session, const struct frames_stream *stream,
                      uint32_t content)
{
    if (stream->input_ended) { /* §5.1: half-closed (remote) */
        return FRAMES_STREAM_CLOSED;
    }
    return is_as_long_as_said(session, stream, content) ? FRAMES_NO_ERROR : FRAMES_PROTOCOL_ERROR;
}

/* Of a stream that is closed nothing is known any more; but if the last request was it, and had no body,
 * the client has broken a rule again (§5.1). */
static int refuse_if_ended(struct frames_session *session)
{
    bool had_ended = session->block.id == session->in.id && session->block.is_end;
    return had_ended ? frames_refuse(session, session->in.id, FRAMES_STREAM_CLOSED) : GALLEY_OK;
}

static int refuse_if_wrong(struct frames_session *session, struct frames_stream *stream,
                           uint32_t content)
{
    if (!stream) {
        return refuse_if_ended(session);
    }
    uint32_t code = judge(session, stream, content);
    return code != FRAMES_NO_ERROR ? frames_reset(stream, code) : GALLEY_OK;
}

enum frames_result frames_data_begin(struct frames_session *session)
{
    uint32_t content = session->in.left - session->in.padding;
    struct frames_stream *stream = frames_stream_find(session, session->in.id);
    int rc = refuse_if_wrong(session, stream, content);
    if (rc != GALLEY_OK) {
        return FRAMES_NO_MEMORY;
    }
    session->in.is_taken = frames_take_data(session, stream, session->in.length, &rc);
    if (!session->in.is_taken) {
        return frames_result_of(rc);
    }
    if (stream->is_counted) {
        stream->length_left -= content;
    }
    uint32_t padding = session->in.length - content;
    return padding > 0 ? frames_result_of(frames_consume(stream, padding)) : FRAMES_OK;
}

enum frames_result frames_data_piece(struct frames_session *session, struct span piece)
{
    struct frames_stream *stream = taker(session);
    if (stream) {
        session->events->data(session->ctx, stream, piece);
    } else if (session->in.is_taken) {
        return frames_result_of(frames_consume_closed(session, (uint32_t)piece.len));
    }
    return FRAMES_OK;
}

enum frames_result frames_data_end(struct frames_session *session)
{
    bool is_padded = (session->in.flags & FRAMES_PADDED) != 0;
    uint32_t content = session->in.length - session->in.padding - is_padded;
    if (!session->events->data_ended(session->ctx, taker(session), content, is_end(session))) {
        return FRAMES_STOPPED;
    }
    struct frames_stream *stream = taker(session); /* if the owner has not given it up */
    if (stream && is_end(session) && !session->is_ending) {
        frames_input_end(stream);
    }
    return FRAMES_OK;
}
