/* h2/h2_send.c — DATA: pieces of an answer's chain behind the heads of frames, without a copy. On the
 * loop, inside of frames_write().
 *
 * A frame may end in the middle of a part. Its first bytes then go to conn->out as a piece without the
 * part's release function, which goes with the last of its bytes; as long as such a piece waits there
 * (stream->pieces), neither the rest of the part nor an exchange that owns the memory may go. */
#include "h2/h2_session.h"

#include "base/check.h"

static void piece_gone(void *arg)
{
    struct h2_stream *stream = arg;
    if (--stream->pieces == 0) {
        h2_stream_wake(stream);
    }
    h2_stream_unref(stream);
}

/* The last piece of a file. */
static void file_gone(void *arg)
{
    struct h2_stream *stream = arg;
    chain_release_fn *release = stream->release;
    stream->release = NULL;
    release(stream->release_arg);
    piece_gone(stream);
}

/* ---- into conn->out -------------------------------------------------------------------------- */

static int add_part(struct chain *out, const struct chain_part *part, size_t len,
                    chain_release_fn *release, void *arg)
{
    return part->ptr ? chain_add(out, part->ptr, len, release, arg)
                     : chain_add_file(out, part->fd, part->offset, len, release, arg);
}

/* Bytes that stay where they are, for as long as piece_gone() has not been called. */
static int add_lent(struct h2_stream *stream, const struct chain_part *part, size_t len)
{
    int rc = add_part(&stream->session->conn->out, part, len, piece_gone, stream);
    if (rc == GALLEY_OK) {
        stream->pieces++;
        h2_stream_ref(stream);
    }
    return rc;
}

/* All that is left of a part that somebody waits for. Of a file it must be known whose it is, should it
 * turn out shorter: h2_file_broken(). */
static int add_last(struct h2_stream *stream, struct chain_part *part)
{
    struct chain *out = &stream->session->conn->out;
    if (part->ptr || stream->release) {
        return add_part(out, part, part->len, part->release, part->arg);
    }
    int rc = add_part(out, part, part->len, file_gone, stream);
    if (rc == GALLEY_OK) {
        stream->release = part->release;
        stream->release_arg = part->arg;
        stream->pieces++;
        h2_stream_ref(stream);
    }
    return rc;
}

/* Small ones are cheaper copied; but the end of a part, of which pieces may be in conn->out, goes
 * behind them. */
static bool shall_copy(const struct h2_stream *stream, const struct chain_part *part, size_t n)
{
    bool frees_others = n == part->len && part->release && stream->pieces > 0;
    return part->ptr && n <= H2_COPY_BYTES && !frees_others;
}

/* The next bytes of the front part, at most len: how many, or an error. */
static int64_t move_front(struct h2_stream *stream, uint64_t len)
{
    struct chain *out = &stream->session->conn->out;
    struct chain_part *part = &stream->body.parts[stream->body.first];
    size_t n = part->len < len ? part->len : (size_t)len;
    int rc = GALLEY_OK;
    if (shall_copy(stream, part, n)) {
        rc = chain_add_copy(out, part->ptr, n);
    } else if (n == part->len && part->release) {
        rc = add_last(stream, part);
        if (rc == GALLEY_OK) {
            part->release = NULL; /* it is the piece's now */
        }
    } else {
        rc = add_lent(stream, part, n);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    chain_consume(&stream->body, n);
    return (int64_t)n;
}

bool h2_send_data(void *ctx, struct frames_stream *frames, const uint8_t head[FRAMES_HEAD_BYTES],
                  uint32_t len)
{
    enum { LARGE_BYTES = 1024 };
    struct h2_stream *stream = h2_stream_of_frames(frames);
    struct h2_session *session = ctx;
    uint64_t left = len;
    bool has_room = chain_add_copy(&session->conn->out, head, FRAMES_HEAD_BYTES) == GALLEY_OK;
    stream->out_bytes += len;
    if (stream->exchange) {
        stream->exchange->bytes_sent += len;
    }
    h2_guard_data_sent(session, len, len < stream->body.bytes && len < LARGE_BYTES);
    while (left > 0 && has_room) {
        int64_t n = move_front(stream, left);
        has_room = n > 0;
        left -= has_room ? (uint64_t)n : 0;
    }
    if (!has_room) {
        h2_out_of_memory(session); /* what is in conn->out ends in the middle of a frame */
    }
    return has_room;
}

/* ---- what is asked for ----------------------------------------------------------------------- */

struct frames_ready h2_send_ready(void *ctx, struct frames_stream *frames)
{
    struct h2_stream *stream = h2_stream_of_frames(frames);
    (void)ctx;
    if (stream->body.bytes == 0 && !stream->answer_ended) {
        stream->wants_pieces = true;
        h2_stream_wake(stream);
    }
    return (struct frames_ready){.bytes = stream->body.bytes, .is_end = stream->answer_ended};
}

/* ---- files that have become shorter ---------------------------------------------------------- */

static struct h2_stream *stream_of_part(const struct chain_part *part)
{
    bool is_ours = part->release == piece_gone || part->release == file_gone;
    return is_ours ? part->arg : NULL;
}

/* RFC 9113 §5.4.2: what a DATA frame's head has promised must come, or nothing behind it is understood;
 * then RST_STREAM says that the answer is not whole. Not so when END_STREAM has been promised, too. */
bool h2_file_broken(struct conn *conn)
{
    static const char zeros[FRAMES_MAX_PAYLOAD];
    struct chain_part *part = &conn->out.parts[conn->out.first];
    struct h2_stream *stream = stream_of_part(part);
    bool looks_whole = !stream || (stream->is_sent && !stream->was_reset);
    if (looks_whole || part->len > sizeof zeros || !conn->session || conn_is_ending(conn)) {
        return false;
    }
    part->ptr = zeros;
    part->fd = -1;
    if (stream->is_open && !stream->was_reset) {
        counter_add(&stream->driver->counters.aborted, 1);
        h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
    }
    return true;
}

int h2_take_body(struct h2_stream *stream, struct chain *body)
{
    uint64_t bytes = body->bytes;
    int rc = bytes > 0 ? chain_move(&stream->body, body) : GALLEY_OK;
    if (rc == GALLEY_OK) {
        h2_body_added(stream, bytes);
    }
    return rc;
}

void h2_body_added(struct h2_stream *stream, uint64_t bytes)
{
    if (stream->body.bytes == bytes) { /* it was empty: the client's time begins */
        stream->out_since_ms = loop_now_ms(stream->driver->services->loop);
        stream->out_bytes = 0;
    }
}
