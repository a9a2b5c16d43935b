/* hpack/hpack_judge.c — see hpack_judge.h. */
#include "hpack/hpack_judge.h"

#include "http/chars.h"

bool hpack_is_good_name(struct span name)
{
    size_t i = name.len > 0 && name.ptr[0] == ':' ? 1 : 0;
    if (i == name.len) {
        return false;
    }
    while (i < name.len && chars_is(name.ptr[i], CHARS_TOKEN) &&
           !(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')) {
        i++;
    }
    return i == name.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

#define EACH(byte) (UINT64_MAX / 255 * (byte))

/* Is one of these eight bytes a control? A byte below 0x20 or equal to 0x7f leaves its highest
 * bit set in one of the terms; bytes above it can do so for their neighbours, then the slow look
 * decides. */
static bool may_have_controls(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t low = (word - EACH(0x20)) & ~word;
    uint64_t deleted = word ^ EACH(0x7f);
    return ((low | ((deleted - EACH(1)) & ~deleted)) & EACH(0x80)) != 0;
}

bool hpack_is_good_value(struct span value)
{
    if (value.len == 0) {
        return true;
    }
    if (is_blank(value.ptr[0]) || is_blank(value.ptr[value.len - 1])) {
        return false;
    }
    size_t i = 0;
    while (value.len - i >= sizeof(uint64_t) && !may_have_controls(value.ptr + i)) {
        i += sizeof(uint64_t);
    }
    return chars_all(span_from(value, i), CHARS_VALUE);
}
