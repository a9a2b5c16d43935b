/* tests/unit/wire/test_chunked.c — the chunk decoder's and encoder's promises. RFC 9112 §7.1, RFC
 * 9110 §6.5. Which bodies are refused or taken is in tests/data/. */
#include "test.h"

#include "base/alloc.h"
#include "wire/chunked.h"

#include <galley/base.h>

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

enum { TRAILERS_ROOM = 32 };

/* All of text; returns the last event, body collects the pieces. */
static enum chunked_event decode(struct chunked_decoder *decoder, const char *text,
                                 struct buf *body)
{
    struct span in = span_of(text);
    struct span piece;
    enum chunked_event event;
    while ((event = chunked_decode(decoder, &limits, &in, &piece)) == CHUNKED_DATA) {
        buf_append_span(body, piece);
    }
    return event;
}

static enum h1_error refused(const char *text)
{
    struct chunked_decoder decoder;
    struct buf body;
    buf_init(&body, 0);
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(decode(&decoder, text, &body), CHUNKED_FAILED);
    buf_finish(&body);
    return chunked_error(&decoder);
}

TEST(test_pieces_are_views_into_the_input)
{
    static const char text[] = "5\r\nhello\r\n0\r\n\r\nGET";
    struct chunked_decoder decoder;
    struct span in = span_of(text);
    struct span piece;
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(chunked_decode(&decoder, &limits, &in, &piece), CHUNKED_DATA);
    EXPECT_SPAN(piece, "hello");
    EXPECT(piece.ptr == text + 3);
    EXPECT_INT(chunked_decode(&decoder, &limits, &in, &piece), CHUNKED_END);
    EXPECT_SPAN(in, "GET"); /* the next request */
    EXPECT_INT(chunked_decode(&decoder, &limits, &in, &piece), CHUNKED_END);
    EXPECT_SPAN(in, "GET");
}

TEST(test_a_chunk_tells_its_size_before_its_data)
{
    struct chunked_decoder decoder;
    struct buf body;
    buf_init(&body, 0);
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(decode(&decoder, "fffffffffffffff\r\n", &body), CHUNKED_MORE);
    EXPECT(decoder.chunk_left == UINT64_C(0xfffffffffffffff));
    EXPECT_INT(decode(&decoder, "ab", &body), CHUNKED_MORE);
    EXPECT(decoder.chunk_left == UINT64_C(0xffffffffffffffd));
    buf_finish(&body);
}

TEST(test_errors_name_what_was_wrong)
{
    EXPECT_INT(refused("5\n"), H1_BARE_LF);
    EXPECT_INT(refused("5\rx"), H1_BARE_CR);
    EXPECT_INT(refused("x"), H1_BAD_CHUNK_SIZE);
    EXPECT_INT(refused("1234567890123456"), H1_BAD_CHUNK_SIZE); /* before the line ends */
    EXPECT_INT(refused("5 \r"), H1_BAD_CHUNK_EXTENSION);
    EXPECT_INT(refused("1\r\naX"), H1_BAD_CHUNK_END);
    EXPECT_INT(refused("0\r\nA : b"), H1_BAD_FIELD_NAME);
    EXPECT_INT(refused("5;a\n"), H1_BARE_LF); /* terminated by a bare LF in the extension */
}

TEST(test_an_error_stays)
{
    struct chunked_decoder decoder;
    struct buf body;
    buf_init(&body, 0);
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(decode(&decoder, "z", &body), CHUNKED_FAILED);
    EXPECT_INT(decode(&decoder, "0\r\n\r\n", &body), CHUNKED_FAILED);
    EXPECT_INT(chunked_error(&decoder), H1_BAD_CHUNK_SIZE);
    buf_finish(&body);
}

TEST(test_the_extension_limit_is_exact)
{
    char text[300] = "1;";
    struct chunked_decoder decoder;
    struct buf body;
    buf_init(&body, 0);
    memset(text + 2, 'e', 255); /* with the semicolon 256 */
    memcpy(text + 257, "\r\nx", 4);
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(decode(&decoder, text, &body), CHUNKED_MORE);
    EXPECT_SPAN(buf_span(&body), "x");
    memcpy(text + 257, "e\r\nx", 5);
    EXPECT_INT(refused(text), H1_CHUNK_EXTENSION_TOO_LONG);
    buf_finish(&body);
}

/* RFC 9112 §7.1.2: trailers are kept apart; RFC 9110 §6.5.1: not all may be believed. */
TEST(test_trailers_are_kept_apart_and_forbidden_ones_dropped)
{
    static const char text[] = "1\r\nx\r\n0\r\nX-Sum: 12\r\nHost: evil\r\nContent-Length: 9\r\n"
                               "X-Forwarded-For: 1.2.3.4\r\nConnection: close\r\nEmpty:\r\n\r\n";
    struct chunked_decoder decoder;
    struct buf body;
    struct buf raw;
    struct field entries[TRAILERS_ROOM];
    struct fields trailers;
    buf_init(&body, 0);
    buf_init(&raw, limits.max_trailer_bytes);
    fields_init(&trailers, entries, TRAILERS_ROOM);
    chunked_decoder_init(&decoder, &raw);
    for (size_t i = 0; i + 1 < sizeof(text) - 1; i++) {
        char byte[2] = {text[i], '\0'};
        EXPECT_INT(decode(&decoder, byte, &body), CHUNKED_MORE);
    }
    EXPECT_INT(decode(&decoder, "\n", &body), CHUNKED_END);
    EXPECT_INT(chunked_trailers(&decoder, &trailers), 0);
    EXPECT_INT(trailers.count, 2);
    EXPECT_SPAN(fields_find(&trailers, SPAN("x-sum")), "12");
    EXPECT_SPAN(fields_find(&trailers, SPAN("empty")), "");
    EXPECT(!fields_has(&trailers, FIELD_HOST) && !fields_has(&trailers, FIELD_CONTENT_LENGTH));
    buf_finish(&raw);
    buf_finish(&body);
}

TEST(test_the_trailer_limit_is_exact_and_may_be_lowered_meanwhile)
{
    static const char section[] = "X: 12345\r\n\r\n";
    struct http_limits small = limits;
    for (uint32_t max = sizeof(section) - 2; max <= sizeof(section) - 1; max++) {
        struct chunked_decoder decoder;
        struct span in = SPAN("0\r\nX: 12345\r\n\r\n");
        struct span piece;
        chunked_decoder_init(&decoder, NULL);
        small.max_trailer_bytes = max;
        bool is_enough = max == sizeof(section) - 1;
        EXPECT_INT(chunked_decode(&decoder, &small, &in, &piece),
                   is_enough ? CHUNKED_END : CHUNKED_FAILED);
        EXPECT_INT(chunked_error(&decoder), is_enough ? H1_OK : H1_TRAILERS_TOO_LARGE);
    }
    struct chunked_decoder decoder;
    struct span first = SPAN("0\r\nX: 12345");
    struct span second = SPAN("6");
    struct span piece;
    chunked_decoder_init(&decoder, NULL);
    EXPECT_INT(chunked_decode(&decoder, &limits, &first, &piece), CHUNKED_MORE);
    small.max_trailer_bytes = 4;
    EXPECT_INT(chunked_decode(&decoder, &small, &second, &piece), CHUNKED_FAILED);
    EXPECT_INT(chunked_error(&decoder), H1_TRAILERS_TOO_LARGE);
}

TEST(test_forbidden_trailers)
{
    static const char *const forbidden[] = {
        "Host",          "content-length", "Transfer-Encoding", "TE",       "Trailer",
        "Authorization", "Cookie",         "Set-Cookie",        "Expect",   "Range",
        "Cache-Control", "Content-Type",   "Content-Encoding",  "Location", "Max-Forwards",
        "Connection",    "Upgrade",        "X-FORWARDED-proto", "X-Real-IP"};
    for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        EXPECT(chunked_is_forbidden_trailer(span_of(forbidden[i])));
    }
    EXPECT(!chunked_is_forbidden_trailer(SPAN("Content-Digest")));
    EXPECT(!chunked_is_forbidden_trailer(SPAN("ETag")));
    EXPECT(!chunked_is_forbidden_trailer(SPAN("Server-Timing")));
}

TEST(test_a_body_without_trailers_allocates_nothing)
{
    struct chunked_decoder decoder;
    struct buf raw;
    struct span in = SPAN("0\r\n\r\n");
    struct span piece;
    struct fields trailers;
    buf_init(&raw, limits.max_trailer_bytes);
    fields_init(&trailers, NULL, 0);
    chunked_decoder_init(&decoder, &raw);
    EXPECT_INT(chunked_decode(&decoder, &limits, &in, &piece), CHUNKED_END);
    EXPECT(raw.data == NULL);
    EXPECT_INT(chunked_trailers(&decoder, &trailers), 0);
    EXPECT_INT(trailers.count, 0);
    buf_finish(&raw);
}

/* One run with the n-th allocation failing: the body is whole in any case, the trailers are whole
 * or an error. */
static bool run_with_failure(uint64_t n)
{
    struct chunked_decoder decoder;
    struct buf raw;
    struct field entries[TRAILERS_ROOM];
    struct fields trailers;
    struct span piece;
    bool failed = false;
    buf_init(&raw, limits.max_trailer_bytes);
    fields_init(&trailers, entries, TRAILERS_ROOM);
    chunked_decoder_init(&decoder, &raw);
    mem_fail_nth(n);
    struct span first = SPAN("0\r\nA: 1\r\nB");
    struct span second =
        SPAN(": 2222222222222222222222222222222222222222222222222222222222\r\n\r\n");
    EXPECT_INT(chunked_decode(&decoder, &limits, &first, &piece), CHUNKED_MORE);
    EXPECT_INT(chunked_decode(&decoder, &limits, &second, &piece), CHUNKED_END);
    int result = chunked_trailers(&decoder, &trailers);
    failed = mem_fail_happened();
    mem_fail_nth(0);
    EXPECT_INT(result, failed ? GALLEY_ENOMEM : 0);
    EXPECT_INT(trailers.count, failed ? 0 : 2);
    buf_finish(&raw);
    return failed;
}

TEST(test_every_failed_allocation_loses_the_trailers_only)
{
    uint64_t n = 1;
    while (run_with_failure(n)) {
        n++;
    }
    EXPECT(n > 1);
}

TEST(test_chunk_heads)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {{1, "1\r\n"},
                {15, "f\r\n"},
                {16, "10\r\n"},
                {4096, "1000\r\n"},
                {0x123456789, "123456789\r\n"},
                {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[CHUNKED_HEAD_BYTES];
        size_t len = chunked_write_head(out, rows[i].n);
        EXPECT_SPAN(span_make(out, len), rows[i].text);
    }
}

/* What the encoder writes, the decoder reads, however it is cut. */
TEST(test_encoder_and_decoder_agree)
{
    for (unsigned round = test_rounds(200); round > 0; round--) {
        struct buf wire;
        struct buf sent;
        struct buf got;
        struct chunked_decoder decoder;
        buf_init(&wire, 0);
        buf_init(&sent, 0);
        buf_init(&got, 0);
        for (uint64_t chunks = test_random_below(6); chunks > 0; chunks--) {
            char data[700];
            char head[CHUNKED_HEAD_BYTES];
            size_t len = 1 + (size_t)test_random_below(sizeof(data));
            memset(data, (int)('\n' + test_random_below(60)), len);
            buf_append(&wire, head, chunked_write_head(head, len));
            buf_append(&wire, data, len);
            buf_append_span(&wire, CHUNKED_DATA_END);
            buf_append(&sent, data, len);
        }
        buf_append_span(&wire, CHUNKED_LAST_CHUNK);
        chunked_decoder_init(&decoder, NULL);
        enum chunked_event event = CHUNKED_MORE;
        for (size_t at = 0; at < wire.len;) {
            size_t len = 1 + (size_t)test_random_below(wire.len - at);
            struct span in = span_make(wire.data + at, len);
            struct span piece;
            while ((event = chunked_decode(&decoder, &limits, &in, &piece)) == CHUNKED_DATA) {
                buf_append_span(&got, piece);
            }
            at += len;
        }
        EXPECT_INT(event, CHUNKED_END);
        EXPECT(span_equal(buf_span(&sent), buf_span(&got)));
        buf_finish(&wire);
        buf_finish(&sent);
        buf_finish(&got);
    }
}
