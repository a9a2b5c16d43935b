/* tests/unit/frames/support_reader.c — see support_reader.h. */
#include "support_reader.h"

#include "base/alloc.h"

#include "test.h"

static const char *const codes[] = {
    "NO_ERROR",         "PROTOCOL_ERROR",    "INTERNAL_ERROR",   "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT", "STREAM_CLOSED",     "FRAME_SIZE_ERROR", "REFUSED_STREAM",
    "CANCEL",           "COMPRESSION_ERROR", "CONNECT_ERROR",    "ENHANCE_YOUR_CALM",
};

static const char *code_name(uint32_t code)
{
    return code < sizeof codes / sizeof *codes ? codes[code] : "?";
}

/* ---- the log --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add(char *log, const char *format, ...)
{
    size_t len = strlen(log);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(log + len, READER_LOG_BYTES - len, format, args);
    va_end(args);
    EXPECT(n >= 0 && (size_t)n < READER_LOG_BYTES - len);
}

#define NOTE(reader, ...)                                                                          \
    (begin_note(reader), add((reader)->log, __VA_ARGS__), (void)(reader)->events++)

static void begin_note(struct reader *reader)
{
    reader->data_id = 0;
    add(reader->log, "%s", reader->log[0] ? "; " : "");
}

static bool is_now(const char *habit, const char *event)
{
    return habit && strcmp(habit, event) == 0;
}

/* The owner's habits in this event; stream may be NULL. */
static bool act(struct reader *reader, const char *event, struct frames_stream *stream)
{
    const struct habits *habits = &reader->habits;
    if (is_now(habits->ends, event)) {
        (void)frames_end(&reader->session, FRAMES_ENHANCE_YOUR_CALM);
    }
    if (is_now(habits->drains, event)) {
        (void)frames_goaway(&reader->session);
    }
    if (is_now(habits->resets, event) && stream) {
        (void)frames_reset(stream, FRAMES_CANCEL);
    }
    return !is_now(habits->stops, event);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool on_frame_began(void *ctx, uint8_t type, uint8_t flags, int32_t id,
                           struct frames_stream *stream)
{
    struct reader *reader = ctx;
    EXPECT(!stream || stream->id == id);
    if (reader->habits.tells_frames) {
        NOTE(reader, "frame %d %d %d%s", type, flags, id, stream ? " open" : "");
    }
    return act(reader, "frame", stream);
}

static bool on_head_began(void *ctx, int32_t id)
{
    struct reader *reader = ctx;
    NOTE(reader, "head %d", id);
    (void)act(reader, "head", NULL);
    return !reader->habits.has_no_memory;
}

static bool on_field(void *ctx, int32_t id, bool is_trailer, const struct hpack_field *field)
{
    struct reader *reader = ctx;
    if (!reader->habits.hides_fields) {
        NOTE(reader, "%s %d %.*s=%.*s", is_trailer ? "trail" : "field", id, SPAN_ARGS(field->name),
             SPAN_ARGS(field->value));
    }
    return act(reader, "field", NULL);
}

static void on_trailer_began(void *ctx, struct frames_stream *stream)
{
    struct reader *reader = ctx;
    NOTE(reader, "trailer %d", stream->id);
    (void)act(reader, "trailer", stream);
}

static void take(struct reader *reader, int32_t id, bool is_end)
{
    struct frames_stream *stream = &reader->streams[reader->count++];
    EXPECT(reader->count <= READER_STREAMS);
    frames_stream_open(&reader->session, stream, id, is_end);
    if (reader->habits.answers) {
        struct hpack_line line = hpack_line_make(SPAN(":status"), SPAN("204"), HPACK_INDEX);
        frames_head_begin(stream);
        frames_head_line(stream, &line);
        (void)frames_head_end(stream, FRAMES_HEAD_ONLY);
    }
}

static bool on_request(void *ctx, int32_t id, bool is_end)
{
    struct reader *reader = ctx;
    NOTE(reader, "request %d%s", id, is_end ? " end" : "");
    if (reader->habits.refuses) {
        (void)frames_refuse(&reader->session, id, reader->habits.refuses);
        return true;
    }
    take(reader, id, is_end);
    return act(reader, "request", &reader->streams[reader->count - 1]);
}

static void on_malformed(void *ctx, int32_t id)
{
    struct reader *reader = ctx;
    NOTE(reader, "malformed %d", id);
    (void)act(reader, "malformed", NULL);
}

/* The beginning of it, the same in whatever pieces it comes. */
static void show(struct reader *reader, struct span piece)
{
    enum { MOST = 100 };
    for (size_t i = 0; i < piece.len && reader->data_shown < MOST; i++, reader->data_shown++) {
        bool is_plain = piece.ptr[i] >= ' ' && piece.ptr[i] <= '~';
        add(reader->log, "%c", is_plain ? piece.ptr[i] : '.');
    }
}

static void on_data(void *ctx, struct frames_stream *stream, struct span piece)
{
    struct reader *reader = ctx;
    EXPECT(piece.len > 0);
    if (reader->data_id != stream->id) {
        NOTE(reader, "data %d ", stream->id);
        reader->data_id = stream->id;
        reader->data_shown = 0;
    }
    show(reader, piece);
    if (!reader->habits.keeps_data) {
        (void)frames_consume(stream, (uint32_t)piece.len);
    }
    (void)act(reader, "data", stream);
}

static bool on_data_ended(void *ctx, struct frames_stream *stream, uint32_t len, bool is_end)
{
    struct reader *reader = ctx;
    NOTE(reader, "data_ended %d %u%s", stream ? stream->id : 0, len, is_end ? " end" : "");
    return act(reader, "data_ended", stream);
}

static void on_input_ended(void *ctx, struct frames_stream *stream)
{
    struct reader *reader = ctx;
    NOTE(reader, "input_ended %d", stream->id);
    (void)act(reader, "input_ended", stream);
}

static void on_settings(void *ctx)
{
    struct reader *reader = ctx;
    NOTE(reader, "settings");
    (void)act(reader, "settings", NULL);
}

static void on_ping_answered(void *ctx, const uint8_t opaque[8])
{
    struct reader *reader = ctx;
    NOTE(reader, "ping_answered %.8s", (const char *)opaque);
}

static void on_failed(void *ctx, uint32_t code)
{
    NOTE((struct reader *)ctx, "failed %s", code_name(code));
}

static struct frames_ready on_body(void *ctx, struct frames_stream *stream)
{
    (void)ctx, (void)stream;
    return (struct frames_ready){.bytes = 0, .is_end = false};
}

static int64_t on_send_data(void *ctx, struct frames_stream *stream,
                            const uint8_t head[FRAMES_HEAD_BYTES], uint32_t len)
{
    (void)ctx, (void)stream, (void)head, (void)len;
    return -1;
}

static void on_sent(void *ctx, struct frames_stream *stream)
{
    (void)ctx, (void)stream;
}

static void on_reset_sent(void *ctx, uint32_t code)
{
    (void)ctx, (void)code;
}

static void on_closed(void *ctx, struct frames_stream *stream, uint32_t code)
{
    NOTE((struct reader *)ctx, "closed %d %s", stream->id, code_name(code));
    memset(stream, 0x5a, sizeof *stream); /* it must not be looked at any more */
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

/* ---- what is said ---------------------------------------------------------------------------- */

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void tell_frame(char *said, const uint8_t *head, const uint8_t *payload, size_t len)
{
    uint32_t id = u32_at(head + 5);
    bool is_ack = head[4] & FRAMES_ACK;
    add(said, "%s", said[0] ? "; " : "");
    switch (head[3]) {
    case FRAMES_RST_STREAM:
        add(said, "RST_STREAM %u %s", id, code_name(u32_at(payload)));
        break;
    case FRAMES_GOAWAY:
        add(said, "GOAWAY %u %s", u32_at(payload), code_name(u32_at(payload + 4)));
        break;
    case FRAMES_WINDOW_UPDATE:
        add(said, "WINDOW_UPDATE %u %u", id, u32_at(payload));
        break;
    case FRAMES_SETTINGS:
        add(said, "SETTINGS%s", is_ack ? " ACK" : "");
        break;
    case FRAMES_PING:
        add(said, "PING%s %.8s", is_ack ? " ACK" : "", (const char *)payload);
        break;
    default:
        add(said, "type %d, %zu bytes, of %u", head[3], len, id);
        break;
    }
}

static void tell_frames(char *said, const uint8_t *at, size_t len)
{
    while (len > 0) {
        EXPECT(len >= FRAMES_HEAD_BYTES);
        size_t payload = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        EXPECT(len >= FRAMES_HEAD_BYTES + payload);
        tell_frame(said, at, at + FRAMES_HEAD_BYTES, payload);
        at += FRAMES_HEAD_BYTES + payload;
        len -= FRAMES_HEAD_BYTES + payload;
    }
}

const char *reader_said(struct reader *reader)
{
    reader->said[0] = '\0';
    if (frames_write(&reader->session, &reader->out, UINT64_MAX) == FRAMES_NO_MEMORY) {
        return "no memory";
    }
    struct buf bytes;
    buf_init(&bytes, 0);
    const struct chain_part *part;
    while ((part = chain_front(&reader->out)) != NULL) {
        buf_append(&bytes, part->ptr, part->len);
        chain_consume(&reader->out, part->len);
    }
    EXPECT(!bytes.failed || mem_fail_happened());
    tell_frames(reader->said, (const uint8_t *)bytes.data, bytes.failed ? 0 : bytes.len);
    buf_finish(&bytes);
    return reader->said;
}

const char *reader_told(struct reader *reader)
{
    static char told[READER_LOG_BYTES];
    memcpy(told, reader->log, sizeof told);
    reader->log[0] = '\0';
    reader->data_id = 0;
    return told;
}

void expect_said(struct reader *reader, const char *text)
{
    const char *said = reader_said(reader);
    EXPECT_TEXT(said, text);
}

void expect_told(struct reader *reader, const char *text)
{
    const char *told = reader_told(reader);
    EXPECT_TEXT(told, text);
}

/* ---- the owner ------------------------------------------------------------------------------- */

static int begin(struct reader *reader)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_begin(&bytes);
    enum frames_result result = bytes.failed ? FRAMES_NO_MEMORY : reader_feed(reader, &bytes, 0);
    (void)reader_said(reader);
    (void)reader_told(reader);
    buf_finish(&bytes);
    EXPECT(result == FRAMES_OK || mem_fail_happened());
    return result == FRAMES_OK ? GALLEY_OK : GALLEY_ENOMEM;
}

int reader_open(struct reader *reader, const struct habits *habits, bool has_begun)
{
    mem_clear(reader, sizeof *reader);
    if (habits) {
        reader->habits = *habits;
    }
    const struct habits *own = &reader->habits;
    struct frames_options options = {
        .max_streams = 100,
        .stream_window_bytes = own->window_bytes ? own->window_bytes : FRAMES_FIRST_WINDOW,
        .conn_window_bytes = FRAMES_FIRST_WINDOW,
        .max_list_bytes = 16384,
        .max_string_bytes = own->string_bytes ? own->string_bytes : 1000,
    };
    buf_init(&reader->scratch, 0);
    chain_init(&reader->out, NULL);
    int rc = frames_init(&reader->session, &options, &events, reader, &reader->scratch);
    if (rc == GALLEY_OK && has_begun && (rc = begin(reader)) != GALLEY_OK) {
        reader_close(reader);
    }
    return rc;
}

void reader_close(struct reader *reader)
{
    frames_finish(&reader->session);
    chain_clear(&reader->out);
    buf_finish(&reader->scratch);
}

enum frames_result reader_feed(struct reader *reader, const struct buf *bytes, size_t piece)
{
    enum frames_result result = FRAMES_OK;
    for (size_t at = 0; at < bytes->len && result == FRAMES_OK;) {
        size_t left = bytes->len - at;
        size_t n = piece > 0 && piece < left ? piece : left;
        char *copy = malloc(n); /* of just that size, so that ASan sees who reads on */
        EXPECT(copy);
        memcpy(copy, bytes->data + at, n);
        result = frames_receive(&reader->session, copy, n);
        free(copy);
        at += n;
    }
    return result;
}

static const char *result_name(enum frames_result result)
{
    static const char *const names[] = {"", "STOPPED", "NO_MEMORY", "FLOODED", "NOT_HTTP2"};
    return names[result];
}

void expect_read(const struct buf *bytes, const struct habits *habits, const char *text)
{
    static const size_t pieces[] = {0, 1, 2, 3, 5, 7, 11, 100};
    EXPECT(!bytes->failed);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct reader reader;
        static char got[2 * READER_LOG_BYTES];
        EXPECT_INT(reader_open(&reader, habits, true), GALLEY_OK);
        enum frames_result result = reader_feed(&reader, bytes, pieces[i]);
        const char *told = reader_told(&reader);
        (void)snprintf(got, sizeof got, "%s | %s | %s", told, result_name(result),
                       reader_said(&reader));
        EXPECT_TEXT(got, text);
        reader_close(&reader);
    }
}

void expect_frame(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len,
                  const char *text)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_frame(&bytes, type, flags, id, payload, len);
    expect_read(&bytes, NULL, text);
    buf_finish(&bytes);
}
