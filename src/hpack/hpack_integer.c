/* hpack/hpack_integer.c — numbers that do not fit their prefix; see hpack_integer.h. */
#include "hpack/hpack_integer.h"

enum integer_result integer_read_more(const uint8_t **at, const uint8_t *end, uint32_t prefix,
                                      uint32_t *ret)
{
    uint64_t number = prefix; /* five times seven bits more do not overflow it */
    for (unsigned i = 0; i < HPACK_INTEGER_MORE; i++) {
        if (*at == end) {
            return INTEGER_CUT;
        }
        uint8_t byte = *(*at)++;
        number += (uint64_t)(byte & 0x7f) << (7 * i);
        if (number > UINT32_MAX) {
            return INTEGER_BAD;
        }
        if (byte < 0x80) {
            *ret = (uint32_t)number;
            return INTEGER_OK;
        }
    }
    return INTEGER_BAD;
}

uint8_t *integer_write(uint8_t *out, unsigned first, unsigned prefix_bits, uint32_t number)
{
    uint32_t most = (UINT32_C(1) << prefix_bits) - 1;
    if (number < most) {
        *out++ = (uint8_t)(first | number);
        return out;
    }
    *out++ = (uint8_t)(first | most);
    for (number -= most; number >= 0x80; number >>= 7) {
        *out++ = (uint8_t)(number | 0x80);
    }
    *out++ = (uint8_t)number;
    return out;
}
