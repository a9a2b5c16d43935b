/* http/content_length.c — see content_length.h. */
#include "http/content_length.h"

#include "base/text.h"

#include <galley/base.h>

enum { DIGITS_MAX = 18 }; /* below 2^63: sums with a head's length cannot overflow either */

int content_length_parse(struct span value, uint64_t *ret_bytes)
{
    if (value.len > DIGITS_MAX || !text_parse_u64(value, ret_bytes)) {
        return GALLEY_EPROTO;
    }
    return 0;
}
