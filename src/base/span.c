/* base/span.c — looking at borrowed bytes; see span.h.
 * Called by every room that reads requests. Pure: any thread, no allocation, never a byte past the
 * span, and a missing span (ptr NULL, len 0) is read as an empty one. */
#include "base/span.h"

#include "base/text.h"

enum { WORD = sizeof(uint64_t), HALF = sizeof(uint32_t) };

static bool are_bytes_equal(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        /* Mostly they are the same as they stand. */
        if (a[i] != b[i] && text_lower(a[i]) != text_lower(b[i])) {
            return false;
        }
    }
    return true;
}

static bool are_words_equal(const char *a, const char *b)
{
    uint64_t words[2];
    memcpy(&words[0], a, WORD);
    memcpy(&words[1], b, WORD);
    return words[0] == words[1] || are_bytes_equal(a, b, WORD);
}

static bool are_halves_equal(const char *a, const char *b)
{
    uint32_t halves[2];
    memcpy(&halves[0], a, HALF);
    memcpy(&halves[1], b, HALF);
    return halves[0] == halves[1] || are_bytes_equal(a, b, HALF);
}

static bool are_short_equal(const char *a, const char *b, size_t len)
{
    if (len < HALF) {
        return are_bytes_equal(a, b, len);
    }
    return are_halves_equal(a, b) && are_halves_equal(a + len - HALF, b + len - HALF);
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len < WORD) {
        return are_short_equal(a.ptr, b.ptr, a.len);
    }
    for (size_t i = 0; i + WORD < a.len; i += WORD) {
        if (!are_words_equal(a.ptr + i, b.ptr + i)) {
            return false;
        }
    }
    /* The last one may overlap the one before. */
    return are_words_equal(a.ptr + a.len - WORD, b.ptr + a.len - WORD);
}

bool span_starts_with(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_equal(span_make(s.ptr, prefix.len), prefix);
}

bool span_ends_with(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_equal(span_from(s, s.len - suffix.len), suffix);
}

size_t span_find(struct span s, char c)
{
    const char *found = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return found ? (size_t)(found - s.ptr) : s.len;
}

struct span span_from(struct span s, size_t from)
{
    if (from > s.len) {
        from = s.len;
    }
    return from ? span_make(s.ptr + from, s.len - from) : s;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110 §5.6.3: OWS is any number of spaces and tabs, nothing else. */
struct span span_trim(struct span s)
{
    size_t start = 0;
    while (start < s.len && is_ows(s.ptr[start])) {
        start++;
    }
    s = span_from(s, start);
    while (s.len > 0 && is_ows(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

struct span span_cut(struct span s, char c, struct span *head)
{
    size_t at = span_find(s, c);
    *head = span_make(s.ptr, at);
    return at < s.len ? span_from(s, at + 1) : SPAN_NONE;
}
