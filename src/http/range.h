/* http/range.h — byte ranges (RFC 9110 §14): from a Range value and a size to at most 16 disjoint
 * pieces. For every returned piece: len > 0, from + len <= size; pieces neither overlap nor touch,
 * so that their sum is at most size whatever was asked. Pieces keep the order of the request;
 * merged ones stand where the first of them stood. Numbers of any length saturate, nothing
 * overflows. Pure; any thread. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/span.h"

enum { RANGE_MAX = 16, RANGE_CONTENT_RANGE_MAX = 72 };

struct byte_range {
    uint64_t from;
    uint64_t len;
};

struct range_set {
    unsigned count;
    struct byte_range ranges[RANGE_MAX];
};

enum range_result {
    RANGE_IGNORE, /* answer 200 with everything: another unit, malformed, more than 16 pieces, or a
                           suffix of nothing */
    RANGE_SATISFIABLE,  /* answer 206 */
    RANGE_UNSATISFIABLE /* answer 416 */
};

/** *ret is written only with RANGE_SATISFIABLE; count is then 1..RANGE_MAX. */
enum range_result range_parse(struct span value, uint64_t size, struct range_set *ret);

/** "bytes 0-4/10", at most RANGE_CONTENT_RANGE_MAX bytes, no NUL; returns the length. range.len >
 * 0. */
size_t range_write_content_range(char *out, struct byte_range range, uint64_t size);
/** The Content-Range of a 416 answer: "bytes", a space, a star, a slash and the size. Same
 * limits. */
size_t range_write_unsatisfied(char *out, uint64_t size);

#endif
