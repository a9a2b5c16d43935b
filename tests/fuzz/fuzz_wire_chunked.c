/* tests/fuzz/fuzz_wire_chunked.c — any bytes as a chunked body: in one piece and byte by byte the
 * same body, end and error, with the trailers kept and dropped. RFC 9112 §7.1. */
/* rooms: wire */
#include "fuzz.h"

#include "base/check.h"
#include "http/chars.h"
#include "wire/chunked.h"

enum { MAX_TRAILERS = 32 };

struct run {
    struct chunked_decoder decoder;
    struct buf body;
    enum chunked_event event;
    size_t used;
};

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static void feed(struct run *run, const char *text, size_t len)
{
    struct span in = span_make(text, len);
    struct span piece;
    while ((run->event = chunked_decode(&run->decoder, &limits, &in, &piece)) == CHUNKED_DATA) {
        CHECK(piece.len > 0 && piece.ptr >= text && piece.ptr + piece.len <= text + len);
        buf_append_span(&run->body, piece);
    }
    CHECK(run->event != CHUNKED_MORE || in.len == 0);
    run->used += len - in.len;
}

static void check_trailers(const struct chunked_decoder *decoder)
{
    struct field entries[MAX_TRAILERS];
    struct fields trailers;
    fields_init(&trailers, entries, MAX_TRAILERS);
    if (chunked_trailers(decoder, &trailers) < 0) {
        return;
    }
    for (uint32_t i = 0; i < trailers.count; i++) {
        CHECK(chars_is_token(entries[i].name) && chars_all(entries[i].value, CHARS_VALUE));
        CHECK(!chunked_is_forbidden_trailer(entries[i].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct run whole = {.event = CHUNKED_MORE};
    struct run bytes = {.event = CHUNKED_MORE};
    struct buf trailers;
    buf_init(&trailers, limits.max_trailer_bytes);
    chunked_decoder_init(&whole.decoder, &trailers);
    chunked_decoder_init(&bytes.decoder, NULL);
    feed(&whole, text, size);
    for (size_t i = 0; i < size && bytes.event == CHUNKED_MORE; i++) {
        feed(&bytes, text + i, 1);
    }
    CHECK(whole.event == bytes.event && whole.decoder.error == bytes.decoder.error);
    CHECK(span_equal(buf_span(&whole.body), buf_span(&bytes.body)));
    CHECK(whole.event == CHUNKED_FAILED || whole.used == bytes.used);
    if (whole.event == CHUNKED_END) {
        check_trailers(&whole.decoder);
    }
    buf_finish(&whole.body);
    buf_finish(&bytes.body);
    buf_finish(&trailers);
    return 0;
}
