/* http/chars.c — the table of chars.h, computed by the compiler from the grammars, so that each
 * rule can be read beside its RFC and no number is typed by hand. */
#include "http/chars.h"

#define ONE_OF2(c, a, b)       ((c) == (a) || (c) == (b))
#define ONE_OF4(c, a, b, d, e) (ONE_OF2(c, a, b) || ONE_OF2(c, d, e))
#define IS_DIGIT(c)            ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c)            (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_HEX(c)              (IS_DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define IS_VCHAR(c)            ((c) >= 0x21 && (c) <= 0x7E)

/* RFC 3986 §2.3: unreserved; §2.2: sub-delims. */
#define IS_UNRESERVED(c) (IS_ALPHA(c) || IS_DIGIT(c) || ONE_OF4(c, '-', '.', '_', '~'))
#define IS_SUB_DELIM(c)                                                                            \
    (ONE_OF4(c, '!', '$', '&', '\'') || ONE_OF4(c, '(', ')', '*', '+') ||                          \
     ONE_OF4(c, ',', ';', '=', '='))

/* RFC 9110 §5.6.2: tchar. */
#define IS_TOKEN(c)                                                                                \
    (IS_ALPHA(c) || IS_DIGIT(c) || ONE_OF4(c, '!', '#', '$', '%') ||                               \
     ONE_OF4(c, '&', '\'', '*', '+') || ONE_OF4(c, '-', '.', '^', '_') ||                          \
     ONE_OF4(c, '`', '|', '~', '~'))
/* RFC 9110 §5.5: field-vchar, SP and HTAB. */
#define IS_VALUE(c) (IS_VCHAR(c) || ONE_OF2(c, ' ', '\t') || (c) >= 0x80)
/* Wider than RFC 3986: browsers send [ ] | ^ and others as they are, and nothing reads them in two
 * ways. */
#define IS_TARGET(c)     (IS_VCHAR(c) && (c) != '#')
#define IS_PATH_PLAIN(c) (IS_TARGET(c) && !ONE_OF4(c, '%', '/', '.', '?'))
/* RFC 9110 §8.8.3: etagc. */
#define IS_ETAG(c) ((c) == 0x21 || ((c) >= 0x23 && (c) <= 0x7E) || (c) >= 0x80)
/* Of RFC 3986's pchar without & and ', which HTML would have to escape once more. */
#define IS_PATH_SAFE(c)                                                                            \
    (IS_UNRESERVED(c) || ONE_OF4(c, '!', '$', '(', ')') || ONE_OF4(c, '*', '+', ',', '=') ||       \
     ONE_OF4(c, '@', ':', ';', '/'))

#define CLASSES(c)                                                                                 \
    (uint16_t)((IS_TOKEN(c) ? CHARS_TOKEN : 0) | (IS_VALUE(c) ? CHARS_VALUE : 0) |                 \
               (IS_DIGIT(c) ? CHARS_DIGIT : 0) | (IS_HEX(c) ? CHARS_HEX : 0) |                     \
               (IS_TARGET(c) ? CHARS_TARGET : 0) | (IS_PATH_PLAIN(c) ? CHARS_PATH_PLAIN : 0) |     \
               (IS_UNRESERVED(c) || IS_SUB_DELIM(c) ? CHARS_REG_NAME : 0) |                        \
               (IS_ETAG(c) ? CHARS_ETAG : 0) | (IS_PATH_SAFE(c) ? CHARS_PATH_SAFE : 0))
#define ROW4(c)  CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define ROW16(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12)
#define ROW64(c) ROW16(c), ROW16((c) + 16), ROW16((c) + 32), ROW16((c) + 48)

const uint16_t chars_table[256] = {ROW64(0), ROW64(64), ROW64(128), ROW64(192)};

/* Of the class are all of four when they have its bit in common. */
static bool are_four(const char *at, enum chars_class wanted)
{
    const unsigned char *c = (const unsigned char *)at;
    unsigned common = chars_table[c[0]] & chars_table[c[1]] & chars_table[c[2]] & chars_table[c[3]];
    return (common & wanted) != 0;
}

size_t chars_skip(struct span s, enum chars_class wanted)
{
    size_t i = 0;
    while (s.len - i >= 4 && are_four(s.ptr + i, wanted)) {
        i += 4;
    }
    while (i < s.len && chars_is(s.ptr[i], wanted)) {
        i++;
    }
    return i;
}

bool chars_all(struct span s, enum chars_class wanted)
{
    return chars_skip(s, wanted) == s.len;
}

bool chars_is_token(struct span s)
{
    return s.len > 0 && chars_all(s, CHARS_TOKEN);
}
