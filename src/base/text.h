/* base/text.h — numbers and characters, without locale and without the strto family. Pure.
 * A number is digits and nothing else: no sign, no space, no prefix, no overflow, because whatever
 * two programs on the way of a request read differently is a hole. Any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/span.h"

/** Decimal digits only, all of s, at most 20 digits, no overflow. False otherwise, *ret
 * untouched. */
bool text_parse_u64(struct span s, uint64_t *ret);
/** Hexadecimal digits only, 1..15 of them. */
bool text_parse_hex(struct span s, uint64_t *ret);
/** Writes the decimal digits, returns how many (1..20); no NUL. out has room for 20. */
size_t text_write_u64(char *out, uint64_t number);
/** Lower-case hex of n bytes: 2 n characters; no NUL. */
void text_write_hex(char *out, const void *bytes, size_t n);
/** 0..15, or -1. */
int text_hex_value(char c);
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
/** Replaces control bytes by '?', each: 00-1F, 7F, and both bytes of the UTF-8 forms of
 *  U+0080..U+009F, which terminals obey too. Other bytes stay. */
void text_mask_controls(char *text, size_t len);
/** Edit distance (Levenshtein) for "did you mean"; both at most 63 bytes, else a large number. */
unsigned text_distance(struct span a, struct span b);

#endif
