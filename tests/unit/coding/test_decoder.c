/* tests/unit/coding/test_decoder.c — hostile input: cut off, followed by more, too long, too dense, a
 * window too large, bytes that were never compressed; and memory that is out. */
#include "support_coding.h"

#include "base/alloc.h"

#include <galley/base.h>

static void encode_text(enum coding coding, size_t len, struct buf *text, struct buf *coded)
{
    buf_init(text, 0);
    buf_init(coded, 0);
    fill_text(text, len);
    encode(coding, ENCODER_NORMAL, buf_span(text), coded);
}

static void finish_both(struct buf *a, struct buf *b)
{
    buf_finish(a);
    buf_finish(b);
}

TEST(test_every_cut_is_seen)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded, back;
        encode_text(coding, 2000, &text, &coded);
        buf_init(&back, 0);
        for (size_t len = 0; len < coded.len; len++) {
            buf_clear(&back);
            EXPECT_INT(decode_all(coding, span_make(coded.data, len), &back), GALLEY_EPROTO);
            EXPECT(back.len <= text.len);
        }
        buf_finish(&back);
        finish_both(&text, &coded);
    }
}

/* A client that sends bit by bit is heard bit by bit, however small the room is. */
TEST(test_all_that_was_flushed_comes_before_more_input_is_wanted)
{
    static const size_t rooms[] = {1, 1000, 16 * 1024, 99 * 1000};
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded, back;
        buf_init(&text, 0);
        buf_init(&coded, 0);
        fill_text(&text, 100 * 1000);
        struct encoder *encoder = encoder_create(coding, NULL);
        EXPECT_INT(encoder_append(encoder, ENCODER_FLUSH, buf_span(&text), &coded), 0);
        for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
            buf_init(&back, 0);
            struct decode_steps steps = {coded.len, rooms[i]};
            EXPECT_INT(decode(coding, NULL, steps, buf_span(&coded), &back), GALLEY_EPROTO);
            test_equal_bytes(__FILE__, __LINE__, "flushed", back.data, back.len, text.data,
                             text.len);
            buf_finish(&back);
        }
        encoder_destroy(encoder);
        finish_both(&text, &coded);
    }
}

TEST(test_bytes_behind_the_end_are_refused)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded, back;
        encode_text(coding, 2000, &text, &coded);
        buf_init(&back, 0);
        buf_append_char(&coded, 'x');
        EXPECT_INT(decode_all(coding, buf_span(&coded), &back), GALLEY_EPROTO);
        buf_clear(&back);
        struct decode_steps steps = {1, 100};
        EXPECT_INT(decode(coding, NULL, steps, buf_span(&coded), &back), GALLEY_EPROTO);
        buf_finish(&back);
        finish_both(&text, &coded);
    }
}

/* RFC 1952 §2.2, RFC 8878 §3.1; RFC 7932 knows one stream only. */
TEST(test_parts_in_a_row_are_one_body_where_the_coding_has_parts)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded, back;
        encode_text(coding, 2000, &text, &coded);
        buf_init(&back, 0);
        size_t len = coded.len;
        EXPECT(buf_reserve(&coded, len) != NULL);
        buf_append(&coded, coded.data, len);
        for (size_t piece = 1; piece < 3000; piece *= 7) {
            buf_clear(&back);
            struct decode_steps steps = {piece, 64};
            int rc = decode(coding, NULL, steps, buf_span(&coded), &back);
            EXPECT_INT(rc, coding == CODING_BR ? GALLEY_EPROTO : 0);
            EXPECT_INT(back.len, coding == CODING_BR ? text.len : 2 * text.len);
        }
        buf_finish(&back);
        finish_both(&text, &coded);
    }
}

TEST(test_what_was_never_compressed_is_refused)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf back;
        buf_init(&back, 0);
        EXPECT_INT(decode_all(coding, SPAN(""), &back), GALLEY_EPROTO);
        EXPECT_INT(decode_all(coding, SPAN("{\"name\": \"plain JSON\"}"), &back), GALLEY_EPROTO);
        buf_finish(&back);
    }
}

TEST(test_a_changed_byte_is_an_error_or_another_text_and_never_more)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded, back;
        encode_text(coding, 3000, &text, &coded);
        buf_init(&back, 0);
        struct decoder_limits limits = {.max_bytes = 100000};
        for (unsigned i = 0; i < test_rounds(500); i++) {
            size_t at = test_random_below(coded.len);
            char was = coded.data[at];
            coded.data[at] = (char)test_random_below(256);
            buf_clear(&back);
            struct decode_steps steps = {1 + test_random_below(200), 1 + test_random_below(5000)};
            int rc = decode(coding, &limits, steps, buf_span(&coded), &back);
            EXPECT(rc == 0 || rc == GALLEY_EPROTO || rc == GALLEY_ETOOBIG);
            EXPECT(back.len <= 100001);
            coded.data[at] = was;
        }
        buf_finish(&back);
        finish_both(&text, &coded);
    }
}

/* A million zeros in about a thousand bytes. */
static void make_bomb(enum coding coding, struct buf *coded)
{
    struct buf zeros;
    buf_init(&zeros, 0);
    buf_init(coded, 0);
    EXPECT(buf_reserve(&zeros, 1000000) != NULL);
    memset(zeros.data, 0, 1000000);
    zeros.len = 1000000;
    encode(coding, ENCODER_NORMAL, buf_span(&zeros), coded);
    EXPECT(coded->len < 2000);
    buf_finish(&zeros);
}

TEST(test_a_bomb_is_stopped_at_the_limit_of_bytes)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf coded, back;
        make_bomb(coding, &coded);
        buf_init(&back, 0);
        struct decoder_limits exact = {.max_bytes = 1000000};
        struct decoder_limits less = {.max_bytes = 999999};
        struct decode_steps steps = {SIZE_MAX, 10000};
        EXPECT_INT(decode(coding, &exact, steps, buf_span(&coded), &back), 0);
        buf_clear(&back);
        EXPECT_INT(decode(coding, &less, steps, buf_span(&coded), &back), GALLEY_ETOOBIG);
        EXPECT(back.len <= 1000000);
        buf_finish(&back);
        buf_finish(&coded);
    }
}

TEST(test_a_bomb_is_stopped_by_its_ratio)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf coded, back;
        make_bomb(coding, &coded);
        buf_init(&back, 0);
        struct decoder_limits limits = {.max_ratio = 100, .free_bytes = 50000};
        struct decode_steps steps = {SIZE_MAX, 1000};
        EXPECT_INT(decode(coding, &limits, steps, buf_span(&coded), &back), GALLEY_ETOOBIG);
        EXPECT(back.len >= 50000 && back.len < 300000);
        buf_clear(&back);
        limits.free_bytes = 1000000; /* small bodies may be as dense as they like */
        EXPECT_INT(decode(coding, &limits, steps, buf_span(&coded), &back), 0);
        buf_finish(&back);
        buf_finish(&coded);
    }
}

TEST(test_windows_that_are_too_large_are_refused)
{
    struct buf back;
    buf_init(&back, 0);
    /* RFC 8878 §3.1.1.1.2: the window descriptor 0x70 is 16 MiB, 0x68 is 8 MiB; then an empty last
     * block. */
    static const char frame[] = {'\x28', '\xb5', '\x2f', '\xfd', '\x00', '\x70', '\x01', 0, 0};
    EXPECT_INT(decode_all(CODING_ZSTD, span_make(frame, sizeof frame), &back), GALLEY_ETOOBIG);
    static const char small[] = {'\x28', '\xb5', '\x2f', '\xfd', '\x00', '\x68', '\x01', 0, 0};
    EXPECT_INT(decode_all(CODING_ZSTD, span_make(small, sizeof small), &back), 0);
    /* RFC 7932 §9.1: the bits 0010001 for WBITS were left for larger windows. */
    static const char large[] = {'\x11', '\x1e', '\x03'};
    EXPECT_INT(decode_all(CODING_BR, span_make(large, sizeof large), &back), GALLEY_EPROTO);
    buf_finish(&back);
}

/* RFC 8878 §3.1: two kinds of frame and no other. Libraries may be built to read what came before the
 * standard, with decoders of their own that nobody looks after. */
TEST(test_frames_of_zstd_before_its_standard_are_refused)
{
    /* Version 0.6, an empty block that ends it; alone, and behind a frame to skip (§3.1.2). */
    static const char bytes[] = {'\x5f', '\x2a', '\x4d', '\x18', 4,      0,      0, 0,   'a', 'b',
                                 'c',    'd',    '\x26', '\xb5', '\x2f', '\xfd', 4, 'X', 0,   0};
    static const size_t rooms[] = {1, 4096};
    struct span both = span_make(bytes, sizeof bytes);
    struct buf back;
    buf_init(&back, 0);
    for (size_t piece = 1; piece <= sizeof bytes; piece++) {
        for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
            struct decode_steps steps = {piece, rooms[i]};
            EXPECT_INT(decode(CODING_ZSTD, NULL, steps, both, &back), GALLEY_EPROTO);
            EXPECT_INT(decode(CODING_ZSTD, NULL, steps, span_from(both, 12), &back), GALLEY_EPROTO);
            EXPECT_INT(decode(CODING_ZSTD, NULL, steps, span_make(bytes, 12), &back), 0);
        }
    }
    EXPECT_INT(back.len, 0);
    buf_finish(&back);
}

/* What the library takes of frames that come whole, or takes for one of them. */
TEST(test_a_frame_is_judged_alike_whole_and_in_pieces)
{
    /* RFC 8878 §3.1.1.2.4: no block is larger than the window, which is empty here; this one is of one
     * byte that is repeated no times. */
    static const char empty[] = {'\x28', '\xb5', '\x2f', '\xfd', '\x20', 0, '\x03', 0, 0, 'x'};
    /* Behind its magic number the header looks like a frame to skip. */
    static const char within[] = {'\x28', '\xb5', '\x2f', '\xfd', '\x50', '\x2a', '\x4d', '\x18',
                                  4,      0,      0,      0,      'a',    'b',    'c',    'd'};
    static const struct span frames[] = {{empty, sizeof empty}, {within, sizeof within}};
    struct buf back;
    buf_init(&back, 0);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        for (size_t piece = 1; piece <= frames[i].len; piece++) {
            struct decode_steps steps = {piece, 8192};
            EXPECT_INT(decode(CODING_ZSTD, NULL, steps, frames[i], &back), GALLEY_EPROTO);
        }
    }
    buf_finish(&back);
}

TEST(test_every_wrong_byte_of_a_frames_magic_number_is_refused)
{
    static const char frame[] = {'\x28', '\xb5', '\x2f', '\xfd', '\x00', '\x68', '\x01', 0, 0};
    static const char skipped[] = {'\x50', '\x2a', '\x4d', '\x18', 1, 0, 0, 0, 'x'};
    const char *const good[] = {frame, skipped};
    struct buf back;
    buf_init(&back, 0);
    for (size_t i = 0; i < 2 * 4 * 256; i++) {
        char bytes[sizeof frame];
        const char *like = good[i / (4 * 256)];
        size_t at = i / 256 % 4;
        char byte = (char)(i % 256);
        memcpy(bytes, like, sizeof frame);
        bytes[at] = byte;
        /* The lower half of the first byte is free where a frame is skipped. */
        bool is_same = byte == like[at] || (like == skipped && at == 0 && (byte & 0xf0) == 0x50);
        EXPECT_INT(decode_all(CODING_ZSTD, span_make(bytes, sizeof bytes), &back),
                   is_same ? 0 : GALLEY_EPROTO);
    }
    buf_finish(&back);
}

/* 0 or GALLEY_ENOMEM. */
static int try_to_decode(enum coding coding, struct span coded)
{
    struct decoder *decoder = decoder_create(coding, NULL);
    if (!decoder) {
        return GALLEY_ENOMEM;
    }
    char out[1000];
    int rc = DECODER_FULL;
    while (rc == DECODER_FULL) {
        struct decoder_output output = {out, sizeof out};
        rc = decoder_run(decoder, &coded, &output);
    }
    int end = decoder_end(decoder);
    EXPECT_INT(end, rc);
    decoder_destroy(decoder);
    return rc;
}

TEST(test_memory_that_is_out_is_an_error_and_leaks_nothing)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        struct buf text, coded;
        encode_text(coding, 30000, &text, &coded);
        int64_t before = mem_live_blocks();
        bool has_failed = true;
        for (uint64_t n = 1; has_failed; n++) {
            mem_fail_nth(n);
            int rc = try_to_decode(coding, buf_span(&coded));
            has_failed = mem_fail_happened();
            mem_fail_nth(0);
            EXPECT(rc == 0 || (has_failed && rc == GALLEY_ENOMEM));
            EXPECT_INT(mem_live_blocks(), before);
        }
        finish_both(&text, &coded);
    }
}
