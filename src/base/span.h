/* base/span.h — borrowed bytes: a pointer and a length, never owned, not NUL-terminated by promise.
 * The type that every pure room (http, wire) speaks. A missing thing has ptr == NULL; an empty one
 * has len == 0 and ptr != NULL. Any thread. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

/** A span over a string literal, length known at compile time. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_NONE     ((struct span){NULL, 0})

/* For "%.*s" in formats. */
#define SPAN_ARGS(s) (int)(s).len, ((s).ptr ? (s).ptr : "")

static inline struct span span_make(const char *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/** Over a C string; NULL gives a missing span. */
static inline struct span span_of(const char *text)
{
    return text ? (struct span){text, strlen(text)} : SPAN_NONE;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/** ASCII case is ignored; bytes over 127 are compared as they are. */
bool span_equal_nocase(struct span a, struct span b);

bool span_starts_with(struct span s, struct span prefix);
bool span_ends_with(struct span s, struct span suffix);

/** Index of the first byte c, or s.len when there is none. */
size_t span_find(struct span s, char c);

/** The first n bytes; n is at most s.len. */
static inline struct span span_first(struct span s, size_t n)
{
    return span_make(s.ptr, n);
}

/** From index `from` (at most s.len) to the end. */
struct span span_from(struct span s, size_t from);

/** Without leading and trailing space and tab (OWS of RFC 9110 §5.6.3). */
struct span span_trim(struct span s);

/** Split at the first c: *head gets what stands before it, the rest after it is returned. Without a
 *  c,
 *  *head is all of s and the returned span is missing (ptr NULL). */
struct span span_cut(struct span s, char c, struct span *head);

#endif
