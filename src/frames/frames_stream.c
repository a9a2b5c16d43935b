/* frames/frames_stream.c — the table of streams, and the life of one. On the session's loop.
 *
 * RFC 9113 §5.1 from the server's side: a stream is open when its owner has taken the request, and is closed
 * when both sides have ended or one has reset it. Of those that are not in the table only the ids are known
 * (session->last_id): what is higher is idle, what is not is closed. Streams end inside of frames_receive()
 * and frames_write() only; frames_reset() leaves the end to frames_write(). */
#include "frames/frames_inner.h"

#include "base/check.h"

/* ---- the table ------------------------------------------------------------------------------- */

/* Clients use odd numbers. */
static unsigned bucket_of(int32_t id)
{
    return (uint32_t)id >> 1 & (FRAMES_BUCKETS - 1);
}

struct frames_stream *frames_stream_find(const struct frames_session *session, int32_t id)
{
    struct frames_stream *stream = session->buckets[bucket_of(id)];
    while (stream && stream->id != id) {
        stream = stream->next;
    }
    return stream;
}

static void take_out(struct frames_session *session, const struct frames_stream *stream)
{
    struct frames_stream **at = &session->buckets[bucket_of(stream->id)];
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    session->open_streams--;
}

/* ---- the beginning --------------------------------------------------------------------------- */

void frames_stream_open(struct frames_session *session, struct frames_stream *stream, int32_t id,
                        bool input_ended)
{
    const struct frames_block *block = &session->block;
    struct frames_stream **bucket = &session->buckets[bucket_of(id)];
    DEBUG_CHECK(block->id == id && block->urgency < FRAMES_URGENCIES);
    DEBUG_CHECK(!frames_stream_find(session, id));
    *stream = (struct frames_stream){
        .session = session,
        .next = *bucket,
        .id = id,
        .send_window = session->first_send_window,
        .recv_window = session->first_recv_window,
        .recv_size = session->first_recv_window,
        .length_left = block->length,
        .urgency = block->urgency,
        .is_incremental = block->is_incremental,
        .input_ended = input_ended,
        .is_counted = block->length >= 0,
    };
    list_init(&stream->link);
    *bucket = stream;
    session->open_streams++;
}

/* ---- resets ---------------------------------------------------------------------------------- */

static int say_reset(struct frames_session *session, int32_t id, uint32_t code)
{
    uint8_t payload[FRAMES_RST_STREAM_BYTES];
    frames_put_u32(payload, code);
    return frames_control(session, FRAMES_RST_STREAM, 0, id, payload, sizeof payload);
}

/* Event reset_sent is due for a stream that is not there any more. */
static void count_refusal(struct frames_session *session, uint32_t code)
{
    session->out.refusals[code < FRAMES_CODES ? code : FRAMES_INTERNAL_ERROR]++;
    session->out.has_refusals = true;
}

int frames_refuse(struct frames_session *session, int32_t id, uint32_t code)
{
    count_refusal(session, code);
    return say_reset(session, id, code);
}

int frames_reset(struct frames_stream *stream, uint32_t code)
{
    struct frames_session *session = stream->session;
    if (!session || stream->was_reset) {
        return GALLEY_OK;
    }
    frames_unlist(stream);
    stream->was_reset = true;
    stream->is_blocked = false; /* no window brings it back */
    stream->reset_code = code;
    list_push_back(&session->out.resets, &stream->link);
    return say_reset(session, stream->id, code);
}

/* ---- the end --------------------------------------------------------------------------------- */

void frames_stream_close(struct frames_stream *stream, uint32_t code)
{
    struct frames_session *session = stream->session;
    bool is_reset_waiting = stream->was_reset && !list_is_empty(&stream->link);
    if (is_reset_waiting) { /* by both sides at once: ours leaves all the same */
        count_refusal(session, stream->reset_code);
    }
    frames_unlist(stream);
    take_out(session, stream);
    stream->session = NULL;
    session->events->closed(session->ctx, stream, code);
}

void frames_input_end(struct frames_stream *stream)
{
    struct frames_session *session = stream->session;
    stream->input_ended = true;
    if (stream->was_reset) {
        return; /* nobody listens */
    }
    session->events->input_ended(session->ctx, stream);
    if (stream->output_ended && !stream->was_reset) {
        frames_stream_close(stream, FRAMES_NO_ERROR);
    }
}

/* ---- priorities ------------------------------------------------------------------------------ */

void frames_reprioritize(struct frames_stream *stream, uint8_t urgency, bool is_incremental)
{
    bool is_scheduled = stream->is_scheduled;
    DEBUG_CHECK(urgency < FRAMES_URGENCIES);
    if (stream->urgency == urgency && stream->is_incremental == is_incremental) {
        return;
    }
    if (is_scheduled) {
        frames_unlist(stream);
    }
    stream->urgency = urgency;
    stream->is_incremental = is_incremental;
    if (is_scheduled) {
        frames_schedule(stream);
    }
}
