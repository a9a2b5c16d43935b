/* http/target_path.c — the normal form of a path, see target.h. A path in normal form costs one
 * scan and no copy; any other is written once into the arena, segment by segment, and never grows:
 * a mark of three bytes stands only where three bytes came. */
#include "base/text.h"
#include "http/chars.h"
#include "http/target.h"

#include <galley/base.h>

#include <sys/types.h>

/* Is nothing to be done? No escape, no empty segment, none that begins with a dot. */
static bool is_normal(struct span path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (chars_is(c, CHARS_PATH_PLAIN)) {
            continue;
        }
        bool is_segment_start = i > 0 && path.ptr[i - 1] == '/';
        if (c == '%' || is_segment_start || !chars_is(c, CHARS_TARGET)) {
            return false;
        }
    }
    return true;
}

/* The byte at *at, decoded; *at moves behind it. False: RFC 3986 §2.1 is broken, or it is NUL. */
static bool decode(struct span s, size_t *at, char *ret, bool *ret_is_escape)
{
    *ret = s.ptr[*at];
    *ret_is_escape = *ret == '%';
    if (!*ret_is_escape) {
        *at += 1;
        return chars_is(*ret, CHARS_TARGET);
    }
    if (s.len - *at < 3) {
        return false;
    }
    int high = text_hex_value(s.ptr[*at + 1]);
    int low = text_hex_value(s.ptr[*at + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) {
        return false;
    }
    *ret = (char)(unsigned char)(high * 16 + low);
    *at += 3;
    return true;
}

/* Are the next two bytes of the segment, decoded, "2F", "2f" or "25"? */
static bool reads_as_mark(struct span segment, size_t at)
{
    char next[2];
    for (int i = 0; i < 2; i++) {
        bool is_escape;
        if (at >= segment.len || !decode(segment, &at, &next[i], &is_escape)) {
            return false;
        }
    }
    return next[0] == '2' && (text_lower(next[1]) == 'f' || next[1] == '5');
}

/* Writes the segment decoded; returns its length or GALLEY_EPROTO. */
static ssize_t decode_segment(struct span segment, char *out)
{
    size_t at = 0, len = 0;
    while (at < segment.len) {
        char c;
        bool is_escape;
        if (!decode(segment, &at, &c, &is_escape)) {
            return GALLEY_EPROTO;
        }
        struct span text = span_make(&c, 1);
        if (c == '/') {
            text = SPAN("%2F"); /* only an escape brings one here */
        } else if (c == '%' && reads_as_mark(segment, at)) {
            text = SPAN("%25");
        }
        memcpy(out + len, text.ptr, text.len);
        len += text.len;
    }
    return (ssize_t)len;
}

/* Length of the path "/a/b/" without its last segment; it ends in '/'. 0 when there is none to take
 * away. */
static size_t without_last(const char *path, size_t len)
{
    if (len <= 1) {
        return 0;
    }
    len--;
    while (path[len - 1] != '/') {
        len--;
    }
    return len;
}

/* RFC 3986 §5.2.4, after decoding. Returns the length of what is in out, or GALLEY_EPROTO. out has
 * room for all of path and is a normal path that ends in '/' before each segment. */
static ssize_t write_segments(struct span path, char *out)
{
    size_t len = 0;
    out[len++] = '/';
    struct span rest = span_from(path, 1);
    while (rest.ptr) {
        struct span segment;
        rest = span_cut(rest, '/', &segment);
        ssize_t written = decode_segment(segment, out + len);
        if (written < 0) {
            return written;
        }
        struct span name = span_make(out + len, (size_t)written);
        if (span_equal(name, SPAN(".."))) {
            len = without_last(out, len);
            if (len == 0) {
                return GALLEY_EPROTO; /* above the root */
            }
        } else if (name.len > 0 && !span_equal(name, SPAN("."))) {
            len += name.len;
            if (rest.ptr) {
                out[len++] = '/';
            }
        }
    }
    return (ssize_t)len;
}

static bool contains_encoded_slash(struct span path)
{
    for (size_t i = 0; i + 2 < path.len; i++) {
        if (path.ptr[i] == '%' && path.ptr[i + 1] == '2' && path.ptr[i + 2] == 'F') {
            return true;
        }
    }
    return false;
}

int target_normalize(struct span raw_path, struct arena *arena, struct span *ret_path,
                     bool *ret_has_encoded_slash)
{
    if (raw_path.len == 0 || raw_path.ptr[0] != '/') {
        return GALLEY_EPROTO;
    }
    if (is_normal(raw_path)) {
        *ret_path = raw_path;
        *ret_has_encoded_slash = false;
        return 0;
    }
    char *text = arena_alloc(arena, raw_path.len + 1);
    if (!text) {
        return GALLEY_ENOMEM;
    }
    ssize_t len = write_segments(raw_path, text);
    if (len < 0) {
        return GALLEY_EPROTO;
    }
    text[len] = '\0';
    *ret_path = span_make(text, (size_t)len);
    *ret_has_encoded_slash = contains_encoded_slash(*ret_path);
    return 0;
}
