/* tests/unit/coding/test_encoder.c — what goes in comes out again, whatever the pieces; a flush can be
 * decoded at once; memory that is out is a clean error. */
#include "support_coding.h"

#include "base/alloc.h"

#include <galley/base.h>

static const size_t lengths[] = {0, 1, 100, 5000, 70000, 300000};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static void check_round_trip(enum coding coding, enum encoder_level level, struct span text)
{
    struct buf coded, back;
    buf_init(&coded, 0);
    buf_init(&back, 0);
    encode(coding, level, text, &coded);
    EXPECT_INT(decode_all(coding, buf_span(&coded), &back), 0);
    EXPECT(span_equal(buf_span(&back), text));
    buf_finish(&coded);
    buf_finish(&back);
}

TEST(test_what_goes_in_comes_out_again_at_every_level)
{
    enum coding coding;
    for (unsigned i = 0; i < LENGTHS; i++) {
        struct buf text, noise;
        buf_init(&text, 0);
        buf_init(&noise, 0);
        fill_text(&text, lengths[i]);
        fill_noise(&noise, lengths[i] / 4);
        EACH_CODING(coding)
        {
            check_round_trip(coding, ENCODER_FAST, buf_span(&text));
            check_round_trip(coding, ENCODER_NORMAL, buf_span(&text));
            check_round_trip(coding, ENCODER_FAST, buf_span(&noise));
            if (lengths[i] <= 70000) {
                check_round_trip(coding, ENCODER_BEST, buf_span(&text));
            }
        }
        buf_finish(&text);
        buf_finish(&noise);
    }
}

TEST(test_text_becomes_much_smaller)
{
    struct buf text, coded;
    buf_init(&text, 0);
    buf_init(&coded, 0);
    fill_text(&text, 50000);
    enum coding coding;
    EACH_CODING(coding)
    {
        buf_clear(&coded);
        encode(coding, ENCODER_FAST, buf_span(&text), &coded);
        size_t fast = coded.len;
        EXPECT(fast < text.len / 2);
        buf_clear(&coded);
        encode(coding, ENCODER_BEST, buf_span(&text), &coded);
        EXPECT(coded.len < fast);
    }
    buf_finish(&text);
    buf_finish(&coded);
}

/* One byte in, and as little room as is allowed. */
static void encode_in_steps(struct encoder *encoder, struct span text, struct buf *out)
{
    for (size_t i = 0; i <= text.len; i++) {
        bool is_last = i == text.len;
        struct span piece = is_last ? SPAN("") : span_make(text.ptr + i, 1);
        int rc = ENCODER_FULL;
        while (rc == ENCODER_FULL) {
            EXPECT(buf_reserve(out, ENCODER_MIN_ROOM) != NULL);
            struct encoder_output output = {out->data + out->len, ENCODER_MIN_ROOM};
            rc = encoder_run(encoder, is_last ? ENCODER_FINISH : ENCODER_GO_ON, &piece, &output);
            EXPECT((size_t)(output.at - out->data) <= out->len + ENCODER_MIN_ROOM);
            out->len = (size_t)(output.at - out->data);
        }
        EXPECT_INT(rc, 0);
    }
}

TEST(test_a_byte_at_a_time_gives_the_same_text)
{
    struct buf text, coded, back;
    buf_init(&text, 0);
    buf_init(&coded, 0);
    buf_init(&back, 0);
    fill_text(&text, 3000);
    fill_noise(&text, 6000);
    enum coding coding;
    EACH_CODING(coding)
    {
        for (int is_frugal = 0; is_frugal < 2; is_frugal++) {
            struct encoder_options options = {.is_frugal = is_frugal != 0};
            struct encoder *encoder = encoder_create(coding, &options);
            buf_clear(&coded);
            buf_clear(&back);
            encode_in_steps(encoder, buf_span(&text), &coded);
            encoder_destroy(encoder);
            struct decode_steps steps = {1, 1};
            EXPECT_INT(decode(coding, NULL, steps, buf_span(&coded), &back), 0);
            EXPECT(span_equal(buf_span(&back), buf_span(&text)));
        }
    }
    buf_finish(&text);
    buf_finish(&coded);
    buf_finish(&back);
}

/* What the decoder has given when it has seen this much. */
static void expect_decodes_to(enum coding coding, struct span coded, struct span text)
{
    struct decoder *decoder = decoder_create(coding, NULL);
    char out[4096];
    struct decoder_output output = {out, sizeof out};
    EXPECT_INT(decoder_run(decoder, &coded, &output), 0);
    test_equal_bytes(__FILE__, __LINE__, "decoded so far", out, (size_t)(output.at - out), text.ptr,
                     text.len);
    EXPECT_INT(decoder_end(decoder), GALLEY_EPROTO); /* there is more to come */
    decoder_destroy(decoder);
}

TEST(test_each_flush_can_be_decoded_at_once)
{
    enum coding coding;
    EACH_CODING(coding)
    {
        for (int is_frugal = 0; is_frugal < 2; is_frugal++) {
            struct encoder_options options = {.is_frugal = is_frugal != 0};
            struct encoder *encoder = encoder_create(coding, &options);
            struct buf coded, text;
            buf_init(&coded, 0);
            buf_init(&text, 0);
            for (int i = 0; i < 20; i++) {
                size_t before = text.len;
                buf_printf(&text, "data: event %d\n\n", i);
                struct span event = span_from(buf_span(&text), before);
                EXPECT_INT(encoder_append(encoder, ENCODER_FLUSH, event, &coded), 0);
                expect_decodes_to(coding, buf_span(&coded), buf_span(&text));
            }
            EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, SPAN(""), &coded), 0);
            buf_clear(&text);
            EXPECT_INT(decode_all(coding, buf_span(&coded), &text), 0);
            EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, SPAN(""), &coded), GALLEY_ESTATE);
            encoder_destroy(encoder);
            buf_finish(&coded);
            buf_finish(&text);
        }
    }
}

TEST(test_output_never_passes_its_ceiling)
{
    struct buf noise;
    buf_init(&noise, 0);
    fill_noise(&noise, 20000);
    enum coding coding;
    EACH_CODING(coding)
    {
        struct encoder *encoder = encoder_create(coding, NULL);
        struct buf coded;
        buf_init(&coded, 10000);
        EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, buf_span(&noise), &coded),
                   GALLEY_ETOOBIG);
        EXPECT(coded.len <= 10000);
        EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, SPAN(""), &coded), GALLEY_ETOOBIG);
        encoder_destroy(encoder);
        buf_finish(&coded);
    }
    buf_finish(&noise);
}

/* 0 or GALLEY_ENOMEM. */
static int try_to_encode(enum coding coding, enum encoder_level level, struct span text)
{
    struct encoder_options options = {.level = level, .size_bytes = text.len};
    struct encoder *encoder = encoder_create(coding, &options);
    if (!encoder) {
        return GALLEY_ENOMEM;
    }
    struct buf coded;
    buf_init(&coded, 0);
    int rc = encoder_append(encoder, ENCODER_FLUSH, text, &coded);
    if (rc == 0) {
        rc = encoder_append(encoder, ENCODER_FINISH, text, &coded);
    }
    buf_finish(&coded);
    encoder_destroy(encoder);
    return rc;
}

TEST(test_memory_that_is_out_is_an_error_and_leaks_nothing)
{
    struct buf text;
    buf_init(&text, 0);
    fill_text(&text, 2000);
    enum coding coding;
    EACH_CODING(coding)
    {
        for (unsigned level = 0; level < ENCODER_LEVELS; level++) {
            int64_t before = mem_live_blocks();
            bool has_failed = true;
            for (uint64_t n = 1; has_failed; n++) {
                mem_fail_nth(n);
                int rc = try_to_encode(coding, (enum encoder_level)level, buf_span(&text));
                has_failed = mem_fail_happened();
                mem_fail_nth(0);
                EXPECT(rc == 0 || (has_failed && rc == GALLEY_ENOMEM));
                EXPECT_INT(mem_live_blocks(), before);
            }
        }
    }
    buf_finish(&text);
}
