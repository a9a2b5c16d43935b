/* tests/fuzz/fuzz_coding_decoder.c — any bytes as a compressed body. The first byte chooses the coding
 * and how large the pieces are; at once and in pieces the same text and the same end, never more than
 * the limit, and what could be decoded is the same again after it was encoded. */
/* rooms: coding */
#include "fuzz.h"

#include "base/buf.h"
#include "base/check.h"
#include "coding/decoder.h"
#include "coding/encoder.h"

#include <galley/base.h>

enum { MAX_BYTES = 1 << 18, MAX_RATIO = 500, FREE_BYTES = 1 << 12 };

static const struct decoder_limits limits = {MAX_BYTES, MAX_RATIO, FREE_BYTES};

static int feed(struct decoder *decoder, struct span piece, size_t room, struct buf *out)
{
    int rc = DECODER_FULL;
    while (rc == DECODER_FULL) {
        CHECK(buf_reserve(out, room));
        struct decoder_output output = {out->data + out->len, room};
        rc = decoder_run(decoder, &piece, &output);
        CHECK(output.at >= out->data + out->len && output.at <= out->data + out->len + room);
        out->len = (size_t)(output.at - out->data);
        CHECK(out->len <= MAX_BYTES + 1);
    }
    CHECK(rc < 0 || piece.len == 0);
    return rc;
}

static int decode(enum coding coding, struct span in, size_t piece_len, struct buf *out)
{
    struct decoder *decoder = decoder_create(coding, &limits);
    CHECK(decoder);
    int rc = 0;
    while (in.len > 0 && rc == 0) {
        size_t len = piece_len < in.len ? piece_len : in.len;
        rc = feed(decoder, span_make(in.ptr, len), 1 + 7 * piece_len, out);
        in = span_from(in, len);
    }
    int end = decoder_end(decoder);
    CHECK(rc == 0 || rc == end);
    decoder_destroy(decoder);
    return end;
}

static void check_round_trip(enum coding coding, struct span text)
{
    struct buf coded, back;
    buf_init(&coded, 0);
    buf_init(&back, 0);
    struct encoder *encoder = encoder_create(coding, NULL);
    CHECK(encoder && encoder_append(encoder, ENCODER_FINISH, text, &coded) == 0);
    encoder_destroy(encoder);
    struct decoder *decoder = decoder_create(coding, NULL);
    CHECK(decoder && feed(decoder, buf_span(&coded), 4096, &back) == 0);
    CHECK(decoder_end(decoder) == 0 && span_equal(buf_span(&back), text));
    decoder_destroy(decoder);
    buf_finish(&coded);
    buf_finish(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum coding coding = (enum coding)(CODING_GZIP + data[0] % 3);
    struct span in = span_make((const char *)data + 1, size - 1);
    struct buf whole, pieces;
    buf_init(&whole, 0);
    buf_init(&pieces, 0);
    int rc = decode(coding, in, 4096, &whole);
    int rc_of_pieces = decode(coding, in, 1 + data[0] / 3, &pieces);
    CHECK(rc == 0 || rc == GALLEY_EPROTO || rc == GALLEY_ETOOBIG);
    /* With little in yet the ratio may be passed that a larger piece would have kept. */
    bool is_dense = rc == GALLEY_ETOOBIG || rc_of_pieces == GALLEY_ETOOBIG;
    CHECK(rc == rc_of_pieces || is_dense);
    if (rc == 0 && rc_of_pieces == 0) {
        CHECK(span_equal(buf_span(&whole), buf_span(&pieces)));
        check_round_trip(coding, buf_span(&whole));
    }
    buf_finish(&whole);
    buf_finish(&pieces);
    return 0;
}
