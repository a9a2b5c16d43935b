/* http/chars.h — classes of bytes in one table of 256, so that a scan is one load and one test a
 * byte. Used by every parser of http/ and wire/. Pure; any thread. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/span.h"

enum chars_class {
    CHARS_TOKEN = 1 << 0,      /* tchar, RFC 9110 §5.6.2 */
    CHARS_VALUE = 1 << 1,      /* field value: SP, HTAB, VCHAR, obs-text, §5.5 */
    CHARS_DIGIT = 1 << 2,      /* 0-9 */
    CHARS_HEX = 1 << 3,        /* 0-9 a-f A-F */
    CHARS_TARGET = 1 << 4,     /* may stand in a request target: 0x21-0x7E but '#' */
    CHARS_PATH_PLAIN = 1 << 5, /* of those, what needs no thought in a path: not % / . ? */
    CHARS_REG_NAME = 1 << 6,   /* unreserved and sub-delims, RFC 3986 §3.2.2 (without %XX) */
    CHARS_ETAG = 1 << 7,       /* etagc, RFC 9110 §8.8.3 */
    CHARS_PATH_SAFE = 1 << 8   /* goes into a Location or an href as it is */
};

extern const uint16_t chars_table[256];

static inline bool chars_is(char c, enum chars_class wanted)
{
    return (chars_table[(unsigned char)c] & wanted) != 0;
}

/** Are all bytes of the class? True for an empty span. */
bool chars_all(struct span s, enum chars_class wanted);
/** Index of the first byte that is not of the class; s.len when all are. */
size_t chars_skip(struct span s, enum chars_class wanted);
/** Not empty and all tchar. */
bool chars_is_token(struct span s);

#endif
