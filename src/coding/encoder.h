/* coding/encoder.h — content codings, written: bytes go in, gzip (RFC 1952), br (RFC 7932) or zstd
 * (RFC 8878) comes out, a bounded lot for each call.
 *
 * For answers that are compressed as they go (room exchange) and files that are compressed once
 * (room files). Pure: no I/O, all memory through base/alloc. One thread at a time, any thread. A call
 * may take milliseconds for a long input: what an event loop may do of it its caller decides. */
#ifndef CODING_ENCODER_H
#define CODING_ENCODER_H

#include "base/buf.h"
#include "base/span.h"
#include "http/negotiate.h"

enum encoder_level {
    ENCODER_FAST,   /* for what is made for one request, perhaps on a loop */
    ENCODER_NORMAL, /* for what is made for a few */
    ENCODER_BEST,   /* for what is kept, when nobody waits */
    ENCODER_LEVELS
};

enum encoder_step {
    ENCODER_GO_ON,  /* output when there is enough of it */
    ENCODER_FLUSH,  /* what was fed so far can be decoded from what came out */
    ENCODER_FINISH, /* and that was all */
};

enum {
    ENCODER_FULL = 1,     /* call again, with room */
    ENCODER_MIN_ROOM = 64 /* with less a flush might never end */
};

struct encoder_options {
    enum encoder_level level;
    bool is_frugal;      /* a stream that may be idle for hours: a small window, little memory */
    uint64_t size_bytes; /* of all input, if it is known; 0: it is not */
};

struct encoder_output {
    char *at;    /* the next byte */
    size_t room; /* behind it; at least ENCODER_MIN_ROOM for a call */
};

struct encoder;

/** Most that a frugal one takes. */
static inline uint64_t encoder_most_frugal_bytes(void)
{
    return UINT64_C(1) << 20;
}

/** For any coding but identity. NULL: out of memory. options NULL: all zero. */
struct encoder *encoder_create(enum coding coding, const struct encoder_options *options);
/** NULL is allowed. */
void encoder_destroy(struct encoder *encoder);

/** Takes from the front of *in and adds to *out. 0: all input is taken and the step is done;
 *  ENCODER_FULL: there is no room left; again with the same step. GALLEY_ENOMEM: nothing more can
 *  come of it; nothing but encoder_destroy() is allowed then. After ENCODER_FINISH: GALLEY_ESTATE. */
int encoder_run(struct encoder *encoder, enum encoder_step step, struct span *in,
                struct encoder_output *out);
/** The same behind what is in `out`, which grows. 0, GALLEY_ENOMEM, or GALLEY_ETOOBIG: it would come
 *  near out->max_bytes; then as well nothing more can come of it. */
int encoder_append(struct encoder *encoder, enum encoder_step step, struct span in,
                   struct buf *out);

#endif
