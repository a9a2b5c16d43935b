/* h2/h2_send.c — DATA: pieces of an answer's chain behind the heads of frames, without a copy. On the
 * loop, inside of frames_write().
 *
 * A frame may end in the middle of a part. Its first bytes then go to conn->out as a piece without the
 * part's release function, which goes with the last of its bytes; as long as such a piece waits there
 * (stream->pieces), neither the rest of the part nor an exchange that owns the memory may go. */
#include "h2/h2_block.h"
#include "h2/h2_session.h"

#include <fcntl.h>
#include <sys/stat.h>

static void piece_gone(void *arg)
{
    struct h2_stream *stream = arg;
    if (--stream->pieces == 0) {
        h2_stream_wake(stream);
    }
    h2_stream_unref(stream);
}

static bool is_file_next(const struct h2_stream *stream)
{
    const struct chain_part *part = chain_front(&stream->body);
    return part && !part->ptr;
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

/* The end of a part, of which pieces may be in conn->out, goes behind them. */
static bool frees_others(const struct h2_stream *stream, const struct chain_part *part, size_t n)
{
    return n == part->len && part->release && stream->pieces > 0;
}

/* Small ones are cheaper copied. */
static bool shall_copy(const struct h2_stream *stream, const struct chain_part *part, size_t n)
{
    return part->ptr && n <= H2_COPY_BYTES && !frees_others(stream, part, n);
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
        rc = add_part(out, part, n, part->release, part->arg);
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

/* The frame's head, and behind it what of the file is in memory, as one piece: how many bytes of that. If
 * less came than was asked for, the head and *len say how long the frame is now. 0: the file has ended; < 0:
 * it has to be sent as a file. */
static int64_t read_front(struct h2_stream *stream, const uint8_t head[FRAMES_HEAD_BYTES],
                          uint32_t *len)
{
    struct h2_session *session = stream->session;
    const struct chain_part *part = chain_front(&stream->body);
    size_t n = part->len < *len ? part->len : *len;
    char *room =
        frees_others(stream, part, n) ? NULL : h2_block_room(session, FRAMES_HEAD_BYTES + n);
    if (!room) {
        return -1;
    }
    memcpy(room, head, FRAMES_HEAD_BYTES);
    ssize_t got = loop_read_warm(conn_loop(session->conn), part->fd, room + FRAMES_HEAD_BYTES, n,
                                 part->offset);
    bool is_cut = got > 0 && (size_t)got < n;
    if (is_cut) {
        frames_shorten_head((uint8_t *)room, (uint32_t)got);
    }
    if (!h2_block_add(session, got > 0 ? FRAMES_HEAD_BYTES + (size_t)got : 0)) {
        return got == 0 ? 0 : -1;
    }
    if (is_cut) {
        *len = (uint32_t)got;
        stream->file_seen_ms = -1; /* it may be shorter: looked at before there is more of it */
    }
    chain_consume(&stream->body, (uint64_t)got);
    return got;
}

/* A file that has become shorter: others of the connection go on (RFC 9113 §5.4.2). */
static void break_off(struct h2_stream *stream)
{
    counter_add(&stream->driver->counters.aborted, 1);
    h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
}

/* A frame of so many bytes is, or will be, in conn->out. */
static void count_sent(struct h2_stream *stream, uint32_t len, bool is_held_back)
{
    struct h2_session *session = stream->session;
    session->room -= len < session->room ? len : session->room;
    stream->out_bytes += len;
    if (stream->exchange) {
        stream->exchange->bytes_sent += len;
    }
    h2_guard_data_sent(session, len, is_held_back);
}

int64_t h2_send_data(void *ctx, struct frames_stream *frames, const uint8_t head[FRAMES_HEAD_BYTES],
                     uint32_t len)
{
    enum { LARGE_BYTES = 1024 };
    struct h2_stream *stream = h2_stream_of_frames(frames);
    struct h2_session *session = ctx;
    bool is_held_back = len < stream->body.bytes && len < LARGE_BYTES;
    int64_t got = is_file_next(stream) ? read_front(stream, head, &len) : -1;
    if (got == 0) {
        break_off(stream);
        return 0;
    }
    uint64_t left = got > 0 ? len - (uint64_t)got : len;
    bool has_room =
        got > 0 || chain_add_copy(&session->conn->out, head, FRAMES_HEAD_BYTES) == GALLEY_OK;
    count_sent(stream, len, is_held_back);
    while (left > 0 && has_room) {
        int64_t n = move_front(stream, left);
        has_room = n > 0;
        left -= has_room ? (uint64_t)n : 0;
    }
    if (!has_room) {
        h2_out_of_memory(session); /* what is in conn->out ends in the middle of a frame */
    }
    return has_room ? (int64_t)len : GALLEY_ENOMEM;
}

/* ---- what is asked for ----------------------------------------------------------------------- */

/* What is asked of the kernel lies in its memory: no disk, and no other machine, is waited for. */
static bool is_shorter(const struct chain_part *part)
{
    struct statx now;
    int rc = statx(part->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &now);
    return rc == 0 && S_ISREG(now.stx_mode) &&
           now.stx_size < (uint64_t)part->offset + (uint64_t)part->len;
}

/* Where a frame is made of a range of a file its head promises what is not read yet: that must come, or
 * the connection is lost (RFC 9113 §5.4.1), and nothing may be invented. So it is asked before frames are
 * made of it, once in a while. */
static bool may_send(struct h2_stream *stream)
{
    int64_t now_ms = loop_now_ms(stream->driver->services->loop);
    if (stream->file_seen_ms == now_ms) {
        return true;
    }
    stream->file_seen_ms = now_ms;
    if (!is_shorter(chain_front(&stream->body))) {
        return true;
    }
    break_off(stream);
    return false;
}

struct frames_ready h2_send_ready(void *ctx, struct frames_stream *frames)
{
    struct h2_stream *stream = h2_stream_of_frames(frames);
    (void)ctx;
    if (is_file_next(stream) && !may_send(stream)) {
        return (struct frames_ready){0};
    }
    if (stream->body.bytes == 0 && !stream->answer_ended) {
        stream->wants_pieces = true;
        h2_stream_wake(stream);
    }
    return (struct frames_ready){.bytes = stream->body.bytes, .is_end = stream->answer_ended};
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
