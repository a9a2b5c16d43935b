/* tests/unit/coding/support_coding.c — see support_coding.h. */
#include "support_coding.h"

#include <galley/base.h>

void fill_text(struct buf *out, size_t len)
{
    static const char *const words[] = {"<p>",    "galley ",  "serves ", "files ", "and ",
                                        "</p>\n", "answers ", "quickly", ", ",     "always "};
    while (out->len < len) {
        buf_append_text(out, words[test_random_below(10)]);
    }
    out->len = len;
    EXPECT(!out->failed);
}

void fill_noise(struct buf *out, size_t len)
{
    while (out->len < len) {
        buf_append_char(out, (char)test_random_below(256));
    }
    EXPECT(!out->failed);
}

void encode(enum coding coding, enum encoder_level level, struct span in, struct buf *out)
{
    struct encoder_options options = {.level = level, .size_bytes = in.len};
    struct encoder *encoder = encoder_create(coding, &options);
    EXPECT(encoder != NULL);
    EXPECT_INT(encoder_append(encoder, ENCODER_FINISH, in, out), 0);
    encoder_destroy(encoder);
}

static int feed(struct decoder *decoder, struct span piece, size_t room, struct buf *out)
{
    int rc = DECODER_FULL;
    while (rc == DECODER_FULL) {
        EXPECT(buf_reserve(out, room) != NULL);
        struct decoder_output output = {out->data + out->len, room};
        rc = decoder_run(decoder, &piece, &output);
        out->len = (size_t)(output.at - out->data);
    }
    EXPECT(rc != 0 || piece.len == 0);
    return rc;
}

int decode(enum coding coding, const struct decoder_limits *limits, struct decode_steps steps,
           struct span in, struct buf *out)
{
    struct decoder *decoder = decoder_create(coding, limits);
    EXPECT(decoder != NULL);
    int rc = 0;
    while (in.len > 0 && rc == 0) {
        size_t len = steps.in_piece < in.len ? steps.in_piece : in.len;
        rc = feed(decoder, span_make(in.ptr, len), steps.out_room, out);
        in = span_from(in, len);
    }
    int end = decoder_end(decoder);
    EXPECT(rc == 0 || end == rc);
    decoder_destroy(decoder);
    return end;
}

int decode_all(enum coding coding, struct span in, struct buf *out)
{
    return decode(coding, NULL, (struct decode_steps){SIZE_MAX, 65536}, in, out);
}
