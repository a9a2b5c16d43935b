/* frames/frames_write.c — what waits becomes bytes in a chain: control frames, then DATA by priorities. On
 * the session's loop; the owner calls when its chain has room.
 *
 * RFC 9218 §10: the most urgent first; of the same urgency those that are of use only when they are whole
 * one after the other, in the order of their ids, and then the incremental ones in turns, frame by frame.
 * A stream is asked what it has when its head is out, when it is resumed, and when all that it had has left
 * (session->out.fresh): for the end of an answer needs no window. One that has bytes is in the schedule; one
 * that has none, or whose window is shut, is in no list until frames_resume() or the client's
 * WINDOW_UPDATE brings it back. The connection's window stops the schedule as a whole.
 *
 * Events may reset any stream, resume and submit: lists are taken from their front one by one, and
 * after each event it is asked again whether the stream was reset. */
#include "frames/frames_inner.h"

#include "base/check.h"

enum {
    KEPT_IDLE_BYTES = 512, /* of control, while no stream is open */
    LEAST_CUT_BYTES = 1024 /* no frame is cut to less because the chain is full */
};

/* ---- the schedule ---------------------------------------------------------------------------- */

static struct frames_stream *stream_at(struct list *link)
{
    return CONTAINER_OF(link, struct frames_stream, link);
}

static unsigned turn_of(const struct frames_stream *stream)
{
    return 2u * stream->urgency + stream->is_incremental;
}

/* New ones have the highest id, those whose window was shut mostly the lowest: few steps. */
static struct list *place_of(struct list *list, int32_t id)
{
    if (list_is_empty(list) || stream_at(list->prev)->id < id) {
        return list;
    }
    struct list *at = list->next;
    while (stream_at(at)->id < id) {
        at = at->next;
    }
    return at;
}

void frames_schedule(struct frames_stream *stream)
{
    struct frames_session *session = stream->session;
    unsigned turn = turn_of(stream);
    struct list *list = &session->out.schedule[turn];
    DEBUG_CHECK(list_is_empty(&stream->link) && !stream->was_reset);
    list_insert_before(stream->is_incremental ? list : place_of(list, stream->id), &stream->link);
    session->out.turns |= 1u << turn;
    stream->is_scheduled = true;
}

void frames_unlist(struct frames_stream *stream)
{
    struct frames_session *session = stream->session;
    list_remove(&stream->link);
    if (!stream->is_scheduled) {
        return;
    }
    stream->is_scheduled = false;
    unsigned turn = turn_of(stream);
    if (list_is_empty(&session->out.schedule[turn])) {
        session->out.turns &= ~(1u << turn);
    }
}

static struct frames_stream *most_urgent(const struct frames_session *session)
{
    unsigned turn = (unsigned)__builtin_ctz(session->out.turns);
    return stream_at(session->out.schedule[turn].next);
}

static void to_fresh(struct frames_stream *stream)
{
    frames_unlist(stream);
    list_push_back(&stream->session->out.fresh, &stream->link);
}

void frames_resume(struct frames_stream *stream)
{
    if (stream->session && stream->is_deferred && !stream->was_reset) {
        stream->is_deferred = false;
        to_fresh(stream);
    }
}

/* ---- control frames -------------------------------------------------------------------------- */

static void move_all(struct list *to, struct list *from)
{
    list_init(to);
    if (!list_is_empty(from)) {
        list_insert_before(from->next, to);
        list_remove(from);
    }
}

/* END_STREAM of the answer is in the chain. The stream may be gone afterwards. */
static void end_output(struct frames_session *session, struct frames_stream *stream)
{
    stream->output_ended = true;
    session->events->end_sent(session->ctx, stream);
    if (stream->input_ended && !stream->was_reset) {
        frames_stream_close(stream, FRAMES_NO_ERROR);
    }
}

static void tell_heads(struct frames_session *session, struct list *sent)
{
    struct list *link;
    while ((link = list_pop_front(sent)) != NULL) {
        struct frames_stream *stream = stream_at(link);
        session->events->head_sent(session->ctx, stream);
        if (stream->was_reset) {
            continue;
        }
        if (stream->has_body) {
            to_fresh(stream);
        } else {
            end_output(session, stream);
        }
    }
}

static void tell_resets(struct frames_session *session, struct list *sent)
{
    struct list *link;
    while ((link = list_pop_front(sent)) != NULL) {
        struct frames_stream *stream = stream_at(link);
        session->events->reset_sent(session->ctx, stream->reset_code);
        frames_stream_close(stream, stream->reset_code);
    }
}

static void tell_refusals(struct frames_session *session)
{
    uint32_t sent[FRAMES_CODES];
    if (!session->out.has_refusals) {
        return;
    }
    memcpy(sent, session->out.refusals, sizeof sent);
    memset(session->out.refusals, 0, sizeof session->out.refusals);
    session->out.has_refusals = false;
    for (uint32_t code = 0; code < FRAMES_CODES; code++) {
        for (uint32_t i = 0; i < sent[code]; i++) {
            session->events->reset_sent(session->ctx, code);
        }
    }
}

/* What the events of these frames add to control is not in the chain yet. */
static bool send_control(struct frames_session *session, struct chain *out)
{
    struct list heads;
    struct list resets;
    struct buf *control = &session->out.control;
    if (chain_add_copy(out, control->data, control->len) != GALLEY_OK) {
        return false;
    }
    buf_clear(control);
    session->out.waiting_acks = 0;
    move_all(&heads, &session->out.heads);
    move_all(&resets, &session->out.resets);
    tell_refusals(session);
    tell_heads(session, &heads);
    tell_resets(session, &resets);
    return true;
}

/* ---- DATA ------------------------------------------------------------------------------------ */

/* What is within the windows. */
static uint32_t frame_len(const struct frames_stream *stream, uint64_t bytes)
{
    int32_t session_window = stream->session->send_window;
    int32_t window = stream->send_window < session_window ? stream->send_window : session_window;
    uint32_t most = window < FRAMES_MAX_PAYLOAD ? (uint32_t)window : FRAMES_MAX_PAYLOAD;
    return bytes < most ? (uint32_t)bytes : most;
}

/* The chain ends where its owner wants it, so that what he sends at once is not followed by a few bytes
 * on their own. 0: what there is must leave first. An empty chain takes a whole frame. */
static uint32_t cut_to_room(uint32_t len, const struct chain *out, uint64_t max_bytes)
{
    uint64_t room = max_bytes - out->bytes;
    if (len + (uint64_t)FRAMES_HEAD_BYTES <= room || chain_is_empty(out)) {
        return len;
    }
    bool is_worth_it = room >= FRAMES_HEAD_BYTES + LEAST_CUT_BYTES;
    return is_worth_it ? (uint32_t)room - FRAMES_HEAD_BYTES : 0;
}

void frames_shorten_head(uint8_t head[FRAMES_HEAD_BYTES], uint32_t len)
{
    head[0] = (uint8_t)(len >> 16);
    frames_put_u16(head + 1, (uint16_t)len);
    head[4] = 0;
}

/* `len` is within the windows, which are charged with what was sent of it. Where the stream goes from
 * here. */
static enum frames_result send_frame(struct frames_stream *stream, uint32_t len,
                                     const struct frames_ready *ready)
{
    struct frames_session *session = stream->session;
    bool would_end = len == ready->bytes && ready->is_end;
    uint8_t head[FRAMES_HEAD_BYTES];
    frames_put_head(head, len, FRAMES_DATA, would_end ? FRAMES_END_STREAM : 0, stream->id);
    int64_t sent = session->events->send_data(session->ctx, stream, head, len);
    if (sent < 0) {
        return FRAMES_STOPPED;
    }
    DEBUG_CHECK(sent == len || (sent < len && (sent > 0 || stream->was_reset)));
    stream->send_window -= (int32_t)sent;
    session->send_window -= (int32_t)sent;
    if (stream->was_reset) {
        return FRAMES_OK;
    }
    bool is_all = (uint64_t)sent == ready->bytes;
    if (is_all && would_end) {
        frames_unlist(stream);
        end_output(session, stream);
    } else if (is_all) {
        to_fresh(stream);
    } else if (stream->is_incremental) { /* the next one's turn */
        frames_unlist(stream);
        frames_schedule(stream);
    }
    return FRAMES_OK;
}

static bool has_nothing(const struct frames_ready *ready)
{
    return ready->bytes == 0 && !ready->is_end;
}

/* One that waits to be asked: into the schedule, or out of all lists; the bare end is sent at once. */
static enum frames_result ask(struct frames_session *session, struct frames_stream *stream)
{
    frames_unlist(stream);
    struct frames_ready ready = session->events->body(session->ctx, stream);
    if (stream->was_reset) {
        return FRAMES_OK;
    }
    if (ready.bytes == 0 && ready.is_end) {
        return send_frame(stream, 0, &ready);
    }
    stream->is_deferred = has_nothing(&ready);
    if (!stream->is_deferred) {
        frames_schedule(stream);
    }
    return FRAMES_OK;
}

/* *ret_did_something is set to false if there is no room. */
static enum frames_result send_next(struct frames_stream *stream, const struct chain *out,
                                    uint64_t max_bytes, bool *ret_did_something)
{
    struct frames_session *session = stream->session;
    if (stream->send_window <= 0) {
        frames_unlist(stream);
        stream->is_blocked = true;
        return FRAMES_OK;
    }
    struct frames_ready ready = session->events->body(session->ctx, stream);
    if (stream->was_reset) {
        return FRAMES_OK;
    }
    if (has_nothing(&ready)) {
        frames_unlist(stream);
        stream->is_deferred = true;
        return FRAMES_OK;
    }
    uint32_t wanted = frame_len(stream, ready.bytes);
    uint32_t len = cut_to_room(wanted, out, max_bytes);
    if (len == 0 && wanted > 0) {
        *ret_did_something = false;
        return FRAMES_OK;
    }
    return send_frame(stream, len, &ready);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool has_control(const struct frames_session *session)
{
    return session->out.control.len > 0 || !list_is_empty(&session->out.resets);
}

/* *ret_did_something: false when nothing is left to be done, or there is no room for it. */
static enum frames_result write_some(struct frames_session *session, struct chain *out,
                                     uint64_t max_bytes, bool *ret_did_something)
{
    *ret_did_something = true;
    if (session->out.control.failed) {
        return FRAMES_NO_MEMORY;
    }
    if (has_control(session)) {
        return send_control(session, out) ? FRAMES_OK : FRAMES_NO_MEMORY;
    }
    if (session->is_ending) {
        *ret_did_something = false;
        return FRAMES_OK;
    }
    if (!list_is_empty(&session->out.fresh)) {
        return ask(session, stream_at(session->out.fresh.next));
    }
    if (session->out.turns != 0 && session->send_window > 0) {
        return send_next(most_urgent(session), out, max_bytes, ret_did_something);
    }
    *ret_did_something = false;
    return FRAMES_OK;
}

/* Idle connections hold nothing. */
static void tidy(struct frames_session *session)
{
    struct buf *control = &session->out.control;
    size_t kept = session->open_streams > 0 ? FRAMES_KEPT_BYTES : KEPT_IDLE_BYTES;
    if (control->len == 0 && !control->failed && control->capacity > kept) {
        buf_finish(control);
    }
}

enum frames_result frames_write(struct frames_session *session, struct chain *out,
                                uint64_t max_bytes)
{
    enum frames_result result = FRAMES_OK;
    bool goes_on = true;
    while (goes_on && result == FRAMES_OK && out->bytes < max_bytes) {
        result = write_some(session, out, max_bytes, &goes_on);
    }
    tidy(session);
    return result;
}
