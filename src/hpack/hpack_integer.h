/* hpack/hpack_integer.h — whole numbers with a prefix (RFC 7541 §5.1). For decoder and encoder.
 * Pure; any thread. Numbers here fit 32 bits; what is longer is no length that anybody would
 * take. */
#ifndef HPACK_HPACK_INTEGER_H
#define HPACK_HPACK_INTEGER_H

#include "base/span.h"

enum {
    HPACK_INTEGER_MORE = 5,                      /* bytes behind the first */
    HPACK_INTEGER_BYTES = 1 + HPACK_INTEGER_MORE /* that a number takes at most */
};

enum integer_result {
    INTEGER_OK,
    INTEGER_CUT, /* more bytes are needed */
    INTEGER_BAD  /* over 32 bits, or over HPACK_INTEGER_MORE bytes */
};

/** Of a number whose prefix was all ones: reads on at *at, which moves behind it. */
enum integer_result integer_read_more(const uint8_t **at, const uint8_t *end, uint32_t prefix,
                                      uint32_t *ret);

/** Reads a number from *at, which is below end; the first byte has so many bits of it. */
static inline enum integer_result integer_read(const uint8_t **at, const uint8_t *end,
                                               unsigned prefix_bits, uint32_t *ret)
{
    uint32_t most = (UINT32_C(1) << prefix_bits) - 1;
    *ret = *(*at)++ & most;
    return *ret < most ? INTEGER_OK : integer_read_more(at, end, most, ret);
}

/** Writes to out, which has room for HPACK_INTEGER_BYTES; `first` is what stands above the
 *  prefix. The end of it. */
uint8_t *integer_write(uint8_t *out, unsigned first, unsigned prefix_bits, uint32_t number);

#endif
