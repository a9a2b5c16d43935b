/* coding/decoder.h — content codings, read: what clients send. Hostile input is the usual case here:
 * output is bounded for each call and in all, windows are bounded, and what is cut off or followed by
 * anything else is refused.
 *
 * Several gzip members (RFC 1952 §2.2) or zstd frames (RFC 8878 §3.1) in a row are one body. Pure, all
 * memory through base/alloc. One thread at a time, any thread. */
#ifndef CODING_DECODER_H
#define CODING_DECODER_H

#include "base/span.h"
#include "http/negotiate.h"

enum { DECODER_FULL = 1 /* call again, with room */ };

enum {
    DECODER_WINDOW_LOG = 23 /* RFC 9659 §3: 8 MiB are enough for zstd as a content coding */
};

struct decoder_limits {
    uint64_t max_bytes;  /* of output; 0: no limit */
    uint32_t max_ratio;  /* output to input, once more than free_bytes came out; 0: no limit */
    uint64_t free_bytes; /* of output that the ratio is not asked for */
};

struct decoder_output {
    char *at;
    size_t room;
};

struct decoder;

/** Most that one takes: the window of brotli, which none of its limits makes smaller, and tables. */
static inline uint64_t decoder_most_bytes(void)
{
    return UINT64_C(17) << 20;
}

/** For any coding but identity. NULL: out of memory. limits NULL: none. */
struct decoder *decoder_create(enum coding coding, const struct decoder_limits *limits);
/** NULL is allowed. */
void decoder_destroy(struct decoder *decoder);

/** Takes from the front of *in and adds to *out. 0: all input is taken and nothing more comes of it;
 *  DECODER_FULL: there is no room left. GALLEY_EPROTO: it is not that coding, or something follows
 *  its end. GALLEY_ETOOBIG: a limit, or a larger window. GALLEY_ENOMEM. After an error the same one. */
int decoder_run(struct decoder *decoder, struct span *in, struct decoder_output *out);
/** The input has ended: 0, or GALLEY_EPROTO when it was cut off; what failed before fails here. */
int decoder_end(struct decoder *decoder);

#endif
