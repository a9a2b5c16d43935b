/* base/utf8.c — see utf8.h. The table of RFC 3629 §4, row by row: the second byte's bounds shut out
 * what the first byte alone cannot. */
#include "base/utf8.h"

static size_t length_of(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static bool is_tail(unsigned char c)
{
    return c >= 0x80 && c <= 0xbf;
}

/* Over-long forms (E0, F0), surrogates (ED), above U+10FFFF (F4). */
static bool is_second(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

size_t utf8_first(struct span text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t len = length_of(bytes[0]);
    if (len == 0 || len > text.len || (len > 1 && !is_second(bytes[0], bytes[1]))) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_tail(bytes[i])) {
            return 0;
        }
    }
    return len;
}

bool utf8_is_valid(struct span text)
{
    while (text.len > 0) {
        size_t len = utf8_first(text);
        if (len == 0) {
            return false;
        }
        text = span_make(text.ptr + len, text.len - len);
    }
    return true;
}
