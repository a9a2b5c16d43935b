/* tests/fuzz/fuzz_frames_receive.c — any bytes as what an HTTP/2 client sends (RFC 9113): in one piece and in
 * small ones the same events, the same result, and the same frames in return; every stream that was opened
 * is closed once; what is said are whole frames; and the connection's window is given back byte by byte.
 * The first byte chooses what the owner does, the second the size of the pieces. */
/* rooms: frames */
#include "fuzz.h"

#include "base/check.h"
#include "frames/frames.h"

enum { MAX_STREAMS = 4096 };

enum habit {
    REFUSES = 1 << 0,
    RESETS_AT_END = 1 << 1,
    HAS_NO_MEMORY = 1 << 2,
    ANSWERS = 1 << 3,
    RESETS_AT_DATA = 1 << 4,
    ENDS_AT_TRAILER = 1 << 5,
    HAS_PREFACE = 1 << 6, /* the bytes begin behind the preface and SETTINGS */
    DRAINS = 1 << 7,
};

struct run {
    struct frames_session session;
    struct buf scratch;
    struct chain out;
    uint8_t habits;
    uint64_t events; /* a hash of all that was told */
    uint64_t said;
    unsigned opened, closed;
    struct frames_stream streams[MAX_STREAMS];
};

static struct run runs[2];

static void mix(uint64_t *hash, uint64_t number)
{
    *hash = (*hash ^ number) * UINT64_C(0x100000001b3);
    *hash ^= *hash >> 29;
}

static void mix_span(uint64_t *hash, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        mix(hash, (uint8_t)s.ptr[i]);
    }
}

static void tell(struct run *run, unsigned event, int64_t a, int64_t b)
{
    mix(&run->events, event);
    mix(&run->events, (uint64_t)a);
    mix(&run->events, (uint64_t)b);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool on_frame_began(void *ctx, uint8_t type, uint8_t flags, int32_t id,
                           struct frames_stream *stream)
{
    CHECK(!stream || stream->id == id);
    tell(ctx, 1, (int64_t)type << 8 | flags, id);
    return true;
}

static bool on_head_began(void *ctx, int32_t id)
{
    struct run *run = ctx;
    CHECK(id > 0 && id % 2 == 1);
    tell(run, 2, id, 0);
    return !(run->habits & HAS_NO_MEMORY);
}

/* RFC 9113 §8.2.1: what nobody may see. */
static bool on_field(void *ctx, int32_t id, bool is_trailer, const struct hpack_field *field)
{
    struct run *run = ctx;
    CHECK(field->name.len > 0);
    for (size_t i = 0; i < field->name.len; i++) {
        CHECK(field->name.ptr[i] > ' ' && (field->name.ptr[i] < 'A' || field->name.ptr[i] > 'Z'));
    }
    for (size_t i = 0; i < field->value.len; i++) {
        CHECK(field->value.ptr[i] != '\0' && field->value.ptr[i] != '\n' &&
              field->value.ptr[i] != '\r');
    }
    tell(run, 3, id, is_trailer);
    mix_span(&run->events, field->name);
    mix_span(&run->events, field->value);
    return true;
}

static void on_trailer_began(void *ctx, struct frames_stream *stream)
{
    struct run *run = ctx;
    tell(run, 4, stream->id, 0);
    if (run->habits & ENDS_AT_TRAILER) {
        (void)frames_end(&run->session, FRAMES_ENHANCE_YOUR_CALM);
    }
}

static void answer(struct frames_stream *stream)
{
    struct hpack_line status = hpack_line_make(SPAN(":status"), SPAN("200"), HPACK_INDEX);
    frames_head_begin(stream);
    frames_head_line(stream, &status);
    CHECK(frames_head_end(stream, FRAMES_HEAD_ONLY) == 0);
}

static bool on_request(void *ctx, int32_t id, bool is_end)
{
    struct run *run = ctx;
    tell(run, 5, id, is_end);
    if ((run->habits & REFUSES) || run->opened == MAX_STREAMS) {
        CHECK(frames_refuse(&run->session, id, FRAMES_REFUSED_STREAM) == 0);
        return true;
    }
    struct frames_stream *stream = &run->streams[run->opened++];
    frames_stream_open(&run->session, stream, id, is_end);
    if (run->habits & ANSWERS) {
        answer(stream);
    }
    if ((run->habits & DRAINS) && run->opened == 2) {
        CHECK(frames_goaway(&run->session) == 0);
    }
    return true;
}

static void on_malformed(void *ctx, int32_t id)
{
    tell(ctx, 6, id, 0);
}

static void on_data(void *ctx, struct frames_stream *stream, struct span piece)
{
    struct run *run = ctx;
    CHECK(piece.len > 0 && !stream->input_ended);
    mix_span(&run->events, piece);
    CHECK(frames_consume(stream, (uint32_t)piece.len) == 0);
}

static bool on_data_ended(void *ctx, struct frames_stream *stream, uint32_t len, bool is_end)
{
    struct run *run = ctx;
    tell(run, 7, stream ? stream->id : 0, (int64_t)len << 1 | is_end);
    if (stream && (run->habits & RESETS_AT_DATA)) {
        CHECK(frames_reset(stream, FRAMES_CANCEL) == 0);
    }
    return true;
}

static void on_input_ended(void *ctx, struct frames_stream *stream)
{
    struct run *run = ctx;
    tell(run, 8, stream->id, 0);
    if (run->habits & RESETS_AT_END) {
        CHECK(frames_reset(stream, FRAMES_CANCEL) == 0);
    }
}

static void on_settings(void *ctx)
{
    tell(ctx, 9, 0, 0);
}

static void on_ping_answered(void *ctx, const uint8_t opaque[8])
{
    struct run *run = ctx;
    tell(run, 10, 0, 0);
    mix_span(&run->events, span_make((const char *)opaque, 8));
}

static void on_failed(void *ctx, uint32_t code)
{
    tell(ctx, 11, code, 0);
}

static struct frames_ready on_body(void *ctx, struct frames_stream *stream)
{
    (void)ctx, (void)stream;
    return (struct frames_ready){.bytes = 0, .is_end = true};
}

static int64_t on_send_data(void *ctx, struct frames_stream *stream,
                            const uint8_t head[FRAMES_HEAD_BYTES], uint32_t len)
{
    (void)ctx, (void)stream, (void)head, (void)len;
    CHECK(false); /* no answer has a body */
    return -1;
}

static void on_sent(void *ctx, struct frames_stream *stream)
{
    tell(ctx, 12, stream->id, 0);
}

static void on_reset_sent(void *ctx, uint32_t code)
{
    tell(ctx, 13, code, 0);
}

static void on_closed(void *ctx, struct frames_stream *stream, uint32_t code)
{
    struct run *run = ctx;
    CHECK(!stream->session);
    tell(run, 14, stream->id, code);
    memset(stream, 0x5a, sizeof *stream); /* nobody looks at it any more */
    run->closed++;
}

static const struct frames_events events = {
    .frame_began = on_frame_began,
    .head_began = on_head_began,
    .field = on_field,
    .trailer_began = on_trailer_began,
    .request = on_request,
    .malformed = on_malformed,
    .data = on_data,
    .data_ended = on_data_ended,
    .input_ended = on_input_ended,
    .settings = on_settings,
    .ping_answered = on_ping_answered,
    .failed = on_failed,
    .body = on_body,
    .send_data = on_send_data,
    .head_sent = on_sent,
    .end_sent = on_sent,
    .reset_sent = on_reset_sent,
    .closed = on_closed,
};

/* ---- runs ------------------------------------------------------------------------------------ */

static void begin(struct run *run, uint8_t habits)
{
    static const char first[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const struct frames_options options = {.max_streams = 100,
                                                  .stream_window_bytes = 100000,
                                                  .conn_window_bytes = 65535,
                                                  .max_list_bytes = 4096,
                                                  .max_string_bytes = 300};
    run->habits = habits;
    run->events = run->said = 0;
    run->opened = run->closed = 0;
    buf_init(&run->scratch, 0);
    chain_init(&run->out, NULL);
    CHECK(frames_init(&run->session, &options, &events, run, &run->scratch) == 0);
    if (habits & HAS_PREFACE) {
        CHECK(frames_receive(&run->session, first, sizeof first - 1) == FRAMES_OK);
    }
}

static enum frames_result feed(struct run *run, struct span bytes, size_t piece)
{
    enum frames_result result = FRAMES_OK;
    while (bytes.len > 0 && result == FRAMES_OK) {
        size_t n = piece < bytes.len ? piece : bytes.len;
        char *copy = malloc(n); /* of just that size: ASan sees who reads on */
        CHECK(copy);
        memcpy(copy, bytes.ptr, n);
        result = frames_receive(&run->session, copy, n);
        free(copy);
        bytes = span_from(bytes, n);
    }
    CHECK(result == FRAMES_OK || result == FRAMES_FLOODED || result == FRAMES_NOT_HTTP2);
    return result;
}

/* What was said are whole frames, none longer than every client takes. */
static void write_all(struct run *run)
{
    struct buf said;
    const struct chain_part *part;
    buf_init(&said, 0);
    CHECK(frames_write(&run->session, &run->out, UINT64_MAX) == FRAMES_OK);
    while ((part = chain_front(&run->out)) != NULL) {
        buf_append(&said, part->ptr, part->len);
        chain_consume(&run->out, part->len);
    }
    mix_span(&run->said, buf_span(&said));
    const uint8_t *at = (const uint8_t *)said.data;
    for (size_t left = said.len; left > 0;) {
        CHECK(left >= FRAMES_HEAD_BYTES);
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        CHECK(len <= FRAMES_MAX_PAYLOAD && len <= left - FRAMES_HEAD_BYTES);
        at += FRAMES_HEAD_BYTES + len;
        left -= FRAMES_HEAD_BYTES + len;
    }
    buf_finish(&said);
}

/* Priorities ahead of their streams: in order, and none that cannot come. */
static void judge_early(const struct frames_session *session)
{
    const struct frames_early_list *early = session->early;
    int32_t before = session->last_id;
    CHECK(!early || (early->count > 0 && early->count <= FRAMES_MOST_EARLY));
    for (unsigned i = 0; early && i < early->count; i++) {
        CHECK(early->entries[i].id > before);
        before = early->entries[i].id;
    }
}

static void end(struct run *run)
{
    const struct frames_session *session = &run->session;
    judge_early(session);
    CHECK(session->recv_window >= 0 &&
          session->recv_window + (int64_t)session->consumed <= session->recv_size);
    frames_finish(&run->session);
    CHECK(run->opened == run->closed);
    chain_clear(&run->out);
    buf_finish(&run->scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum frames_result results[2];
    if (size < 2) {
        return 0;
    }
    struct span bytes = span_make((const char *)data + 2, size - 2);
    for (int i = 0; i < 2; i++) {
        begin(&runs[i], data[0]);
        results[i] = feed(&runs[i], bytes, i == 0 ? SIZE_MAX : (size_t)data[1] % 32 + 1);
        write_all(&runs[i]);
        end(&runs[i]);
    }
    FUZZ_EXPECT(results[0] == results[1]);
    FUZZ_EXPECT(runs[0].events == runs[1].events);
    FUZZ_EXPECT(runs[0].said == runs[1].said);
    FUZZ_EXPECT(runs[0].opened == runs[1].opened);
    return 0;
}
