/* observe/access_put.h — inside the observe room: pieces of a line, written where they belong. Each
 * function writes at `at`, which has room for it, and returns the place behind what it wrote; no
 * check and no call for each piece, because the whole of a line is reserved before (the bounds are
 * those of struct access_record). On the writer thread. */
#ifndef OBSERVE_ACCESS_PUT_H
#define OBSERVE_ACCESS_PUT_H

#include "base/text.h"

#include "observe/access_format.h"

/* Escaped text takes at most so many times its bytes: \u00ff. */
enum { ACCESS_ESCAPE_FACTOR = 6 };

static inline char *put_span(char *at, struct span text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* The length of a literal is known to the compiler: a few stores. */
#define PUT_LITERAL(at, literal)                                                                   \
    ((char *)memcpy((at), "" literal, sizeof(literal) - 1) + sizeof(literal) - 1)

/* 0..999, without zeros in front. */
static inline char *put_small(char *at, unsigned number)
{
    if (number >= 100) {
        *at++ = (char)('0' + number / 100);
    }
    if (number >= 10) {
        *at++ = (char)('0' + number / 10 % 10);
    }
    *at++ = (char)('0' + number % 10);
    return at;
}

static inline char *put_u64(char *at, uint64_t number)
{
    return number < 1000 ? put_small(at, (unsigned)number) : at + text_write_u64(at, number);
}

/* 0..999, three digits. */
static inline char *put_three_digits(char *at, unsigned number)
{
    at[0] = (char)('0' + number / 100 % 10);
    at[1] = (char)('0' + number / 10 % 10);
    at[2] = (char)('0' + number % 10);
    return at + 3;
}

/* access_escape.c: at most ACCESS_ESCAPE_FACTOR bytes for each of the text. */
char *access_put_plain(char *at, struct span text);
char *access_put_json(char *at, struct span text);

/* access_format.c */
/** Without port; "-": unknown. At most ADDRESS_TEXT_MAX bytes. */
char *access_put_peer(char *at, const struct access_record *record, struct access_format *format);
/** At most ADDRESS_TEXT_MAX bytes. */
char *access_put_client(char *at, const struct access_client *client);
/** Milliseconds since 1970. */
int64_t access_wall_ms(const struct access_record *record, const struct access_format *format);
struct span access_version_text(const struct access_record *record);

#endif
