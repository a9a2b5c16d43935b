/* h2/h2_drain.c — what time does to a session: the two steps of a drain, blocks that do not end, and streams
 * whose client is too slow. On the loop; one timer a session, armed only while somebody waits for the client.
 *
 * RFC 9113 §6.8: a first GOAWAY with the highest id asks for no more requests; those that were on their
 * way are still taken, until the client has answered a PING that was sent behind it, or a second has
 * passed; then a second one names the last that was taken. */
#include "h2/h2_session.h"

enum { TICK_MS = 1000, GRACE_MS = 1000, MS_PER_S = 1000 };

static const uint8_t drain_opaque[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

/* ---- draining -------------------------------------------------------------------------------- */

void h2_drain_begin(struct h2_session *session, enum close_reason reason)
{
    if (session->drain != H2_DRAIN_NONE) {
        return;
    }
    session->drain = H2_DRAIN_NOTICE;
    session->end_reason = (uint8_t)reason;
    session->drain_began_ms = loop_now_ms(conn_loop(session->conn));
    if (frames_notice(&session->frames) != GALLEY_OK ||
        frames_ping(&session->frames, drain_opaque) != GALLEY_OK) {
        h2_out_of_memory(session);
    }
    h2_later(session);
}

static void finish(struct h2_session *session)
{
    session->drain = H2_DRAIN_FINAL;
    if (frames_goaway(&session->frames) != GALLEY_OK) {
        h2_out_of_memory(session);
    }
    h2_later(session);
}

void h2_drain_answered(struct h2_session *session, const uint8_t opaque[8])
{
    if (session->drain == H2_DRAIN_NOTICE &&
        memcmp(opaque, drain_opaque, sizeof drain_opaque) == 0) {
        finish(session);
    }
}

/* ---- slow streams ---------------------------------------------------------------------------- */

/* Behind the grace, the average since the window began must not be below the rate. A good window is
 * followed by a new one: nobody lives on a fast past. */
static bool is_too_slow(int64_t *since_ms, uint64_t *bytes, int64_t now_ms, uint32_t grace_ms,
                        uint32_t min_rate)
{
    int64_t passed_ms = now_ms - *since_ms;
    if (passed_ms < (int64_t)grace_ms) {
        return false;
    }
    if (*bytes * MS_PER_S < (uint64_t)passed_ms * min_rate) {
        return true;
    }
    *since_ms = now_ms;
    *bytes = 0;
    return false;
}

static void judge_reading(struct h2_stream *stream, const struct conn_limits *limits,
                          int64_t now_ms)
{
    if (stream->is_reading && is_too_slow(&stream->in_since_ms, &stream->in_bytes, now_ms,
                                          limits->body_grace_ms, limits->body_min_rate)) {
        counter_add(&stream->driver->counters.slow_streams, 1);
        h2_body_fail(stream, 408);
    }
}

/* Something is left that the client's windows hold back: bytes, or END_STREAM. */
static bool is_writing(const struct h2_stream *stream)
{
    return stream->body.bytes > 0 || (stream->answer_ended && !stream->is_sent);
}

/* L1: a window that is kept shut would hold memory for ever. While conn->out waits it is the
 * connection's rate that counts (CONN_SENDING). */
static void judge_writing(struct h2_stream *stream, const struct conn_limits *limits,
                          int64_t now_ms)
{
    if (conn_has_output(stream->session->conn)) {
        stream->out_since_ms = now_ms;
        stream->out_bytes = 0;
    } else if (is_writing(stream) && is_too_slow(&stream->out_since_ms, &stream->out_bytes, now_ms,
                                                 limits->send_grace_ms, limits->send_min_rate)) {
        counter_add(&stream->driver->counters.slow_streams, 1);
        h2_stream_reset(stream, FRAMES_ENHANCE_YOUR_CALM);
    }
}

static void judge(struct h2_stream *stream)
{
    const struct conn *conn = stream->session->conn;
    int64_t now_ms = loop_now_ms(conn_loop(conn));
    if (stream->is_open && stream->is_lingering && !stream->was_reset) {
        h2_body_judge_linger(stream);
    }
    if (stream->is_open && !stream->was_reset) {
        judge_reading(stream, conn->set->limits, now_ms);
    }
    if (stream->is_open && !stream->was_reset) {
        judge_writing(stream, conn->set->limits, now_ms);
    }
}

/* ---- blocks that do not end ------------------------------------------------------------------ */

/* L20: nothing else can come meanwhile (RFC 9113 §4.3). Beside open streams the connection has no deadline of
 * its own. */
static bool is_block_late(const struct h2_session *session, int64_t now_ms)
{
    int64_t most_ms = session->conn->set->limits->head_ms;
    return session->frames.block.is_open && now_ms - session->head_began_ms >= most_ms;
}

/* ---- the timer ------------------------------------------------------------------------------- */

static void tick(struct timer *timer)
{
    struct h2_session *session = CONTAINER_OF(timer, struct h2_session, tick);
    int64_t now_ms = loop_now_ms(conn_loop(session->conn));
    if (conn_is_ending(session->conn)) {
        return;
    }
    session->is_working = true;
    if (session->drain == H2_DRAIN_NOTICE && now_ms - session->drain_began_ms >= GRACE_MS) {
        finish(session);
    }
    h2_streams_each(session, judge);
    if (is_block_late(session, now_ms)) {
        h2_end(session, FRAMES_NO_ERROR, CLOSE_HEAD_TIMEOUT);
    }
    h2_settle(session);
}

static bool waits_for_client(struct h2_session *session)
{
    for (struct list *at = session->streams.next; at != &session->streams; at = at->next) {
        const struct h2_stream *stream = CONTAINER_OF(at, struct h2_stream, link);
        if (stream->is_open && (stream->is_reading || stream->is_lingering || is_writing(stream))) {
            return true;
        }
    }
    return false;
}

void h2_tick_if_needed(struct h2_session *session)
{
    if (timer_is_armed(&session->tick)) {
        return;
    }
    bool is_needed = session->drain == H2_DRAIN_NOTICE || session->frames.block.is_open;
    if (is_needed || waits_for_client(session)) {
        struct loop *loop = conn_loop(session->conn);
        loop_timer_start(loop, &session->tick, loop_now_ms(loop) + TICK_MS, tick);
    }
}
