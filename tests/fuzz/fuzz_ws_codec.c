/* tests/fuzz/fuzz_ws_codec.c — any bytes as WebSocket frames: in one piece and byte by byte the same
 * messages, answers and end; texts are UTF-8, no message is over the limit, and after the end nothing
 * comes. The first byte chooses when we close ourselves. RFC 6455 §5. */
/* rooms: ws */
#include "fuzz.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/utf8.h"
#include "ws/ws_codec.h"

#include <galley/websocket.h>

enum { MAX_MESSAGE = 300 };

struct run {
    struct ws_codec *codec;
    struct buf out;
    struct buf messages;
    unsigned count;
};

static int on_message(void *ctx, int kind, struct span data)
{
    struct run *run = ctx;
    CHECK(kind == GALLEY_WS_TEXT || kind == GALLEY_WS_BINARY);
    CHECK(data.len <= MAX_MESSAGE);
    CHECK(kind == GALLEY_WS_BINARY || utf8_is_valid(data));
    CHECK(!ws_codec_is_closing(run->codec));
    buf_append_char(&run->messages, (char)kind);
    buf_append_span(&run->messages, data);
    run->count++;
    return 0;
}

static int on_output(void *ctx, const void *data, size_t len)
{
    struct run *run = ctx;
    buf_append(&run->out, data, len);
    return 0;
}

static void begin(struct run *run)
{
    *run = (struct run){0};
    buf_init(&run->out, 0);
    buf_init(&run->messages, 0);
    struct ws_codec_events events = {.message = on_message, .output = on_output, .ctx = run};
    run->codec = ws_codec_create(&events, MAX_MESSAGE);
    CHECK(run->codec);
}

static void end(struct run *run)
{
    ws_codec_destroy(run->codec);
    buf_finish(&run->out);
    buf_finish(&run->messages);
}

static bool is_fault(int code)
{
    return code == GALLEY_WS_PROTOCOL_ERROR || code == GALLEY_WS_BAD_DATA;
}

/* A Close that breaks a rule is noticed sooner in one piece, before all of it has come, and one that
 * breaks two may be told of either; pongs that were not on their way by then are not sent any
 * more. */
static bool is_as_good(const struct run *whole, const struct run *bytes)
{
    struct span all = buf_span(&bytes->out);
    struct span out = buf_span(&whole->out);
    int code = ws_codec_end(whole->codec).code;
    int other = ws_codec_end(bytes->codec).code;
    bool is_noticed = ws_codec_is_over(bytes->codec);
    if (is_fault(code)) {
        return is_fault(other) || !is_noticed;
    }
    return code == other && ws_codec_is_over(whole->codec) == is_noticed &&
           (ws_codec_is_over(whole->codec) ? span_ends_with(all, out) : span_equal(all, out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct run whole;
    struct run bytes;
    begin(&whole);
    begin(&bytes);
    if (data[0] == 0) {
        CHECK(ws_codec_close(whole.codec, GALLEY_WS_NORMAL, SPAN("bye")) == GALLEY_OK);
        CHECK(ws_codec_close(bytes.codec, GALLEY_WS_NORMAL, SPAN("bye")) == GALLEY_OK);
    }
    ws_codec_feed(whole.codec, data + 1, size - 1);
    for (size_t i = 1; i < size; i++) {
        ws_codec_feed(bytes.codec, data + i, 1);
    }
    CHECK(span_equal(buf_span(&whole.messages), buf_span(&bytes.messages)));
    CHECK(data[0] == 0 || is_as_good(&whole, &bytes));
    if (ws_codec_is_over(whole.codec)) {
        unsigned count = whole.count;
        static const char hi[] = "\x81\x82\0\0\0\0hi";
        ws_codec_feed(whole.codec, hi, sizeof hi - 1);
        CHECK(whole.count == count);
        CHECK(ws_codec_send(whole.codec, GALLEY_WS_TEXT, SPAN("x")) != GALLEY_OK);
    }
    end(&whole);
    end(&bytes);
    return 0;
}
