/* tests/unit/coding/support_coding.h — texts to compress, and both directions in one call. */
#ifndef TESTS_UNIT_CODING_SUPPORT_CODING_H
#define TESTS_UNIT_CODING_SUPPORT_CODING_H

#include "test.h"

#include "base/buf.h"
#include "coding/decoder.h"
#include "coding/encoder.h"

static const enum coding all_codings[] = {CODING_GZIP, CODING_ZSTD, CODING_BR};
#define EACH_CODING(coding)                                                                        \
    for (unsigned coding##_at = 0; coding##_at < 3 && ((coding = all_codings[coding##_at]), true); \
         coding##_at++)

/** Text that compresses about as HTML does. */
void fill_text(struct buf *out, size_t len);
/** Bytes that do not compress. */
void fill_noise(struct buf *out, size_t len);

/** All of it at once. Fails the test when it does not work. */
void encode(enum coding coding, enum encoder_level level, struct span in, struct buf *out);
/** In pieces of in_piece bytes and with out_room bytes of room; what decoder_run() or decoder_end()
 *  returned. */
struct decode_steps {
    size_t in_piece;
    size_t out_room;
};
int decode(enum coding coding, const struct decoder_limits *limits, struct decode_steps steps,
           struct span in, struct buf *out);
/** At once, without limits. */
int decode_all(enum coding coding, struct span in, struct buf *out);

#endif
