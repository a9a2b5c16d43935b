/* http/multipart.h — the frame of a multipart/byteranges answer (RFC 9110 §14.6): what stands
 * before each piece and behind the last, made once and kept, and the sum of the real lengths:
 * nothing is computed twice. Caller: the file handler. Pure; memory from the exchange's arena. */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/arena.h"
#include "http/range.h"

enum { MULTIPART_BOUNDARY_LEN = 32 };

struct multipart {
    unsigned count;
    struct span heads[RANGE_MAX]; /* goes out before piece i */
    struct span tail;             /* goes out behind the last piece */
    struct span content_type;     /* of the whole answer */
    uint64_t total_bytes;         /* heads, pieces and tail: Content-Length */
};

struct multipart_options {
    uint64_t size;         /* of the representation */
    struct span part_type; /* its Content-Type; may be empty */
    /* Makes the boundary: bits that nobody can guess, so that no content holds it on purpose. */
    uint64_t random[2];
};

/** 0; GALLEY_ENOMEM; GALLEY_ETOOBIG when the sum does not fit 63 bits. *ret is written on success
 * only. */
int multipart_build(struct multipart *ret, struct arena *arena, const struct range_set *set,
                    const struct multipart_options *options);

#endif
