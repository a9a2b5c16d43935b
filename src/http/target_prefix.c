/* http/target_prefix.c — see target_prefix.h. The comparison allocates nothing and reads each byte
 * once: it runs for requests, before their handlers. */
#include "http/target_prefix.h"

#include "base/text.h"

static bool is_escape(struct span s, size_t at)
{
    return s.len - at > 2 && s.ptr[at] == '%' && text_hex_value(s.ptr[at + 1]) >= 0 &&
           text_hex_value(s.ptr[at + 2]) >= 0;
}

static const char *segment_fault(struct span segment)
{
    if (segment.len == 0) {
        return "it has an empty segment, and paths come without them";
    }
    if (span_equal(segment, SPAN(".")) || span_equal(segment, SPAN(".."))) {
        return "it has a dot segment, and paths come without them";
    }
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.ptr[i];
        if (c == '{' || c == '}') {
            return "a prefix has no names in braces";
        }
        if (c == '?' || c == '#' || c < 0x20 || c == 0x7f) {
            return "a path has no query, fragment or control character";
        }
        if (is_escape(segment, i)) {
            return "paths come decoded, so it must be, too";
        }
    }
    return NULL;
}

const char *target_prefix_fault(struct span prefix)
{
    if (prefix.len == 0 || prefix.ptr[0] != '/') {
        return "it must begin with a slash";
    }
    struct span bare = target_prefix_bare(prefix);
    struct span rest = bare.len > 0 ? span_from(bare, 1) : SPAN_NONE;
    const char *fault = NULL;
    while (rest.ptr && !fault) {
        struct span segment;
        rest = span_cut(rest, '/', &segment);
        fault = segment_fault(segment);
    }
    return fault;
}

struct span target_prefix_bare(struct span prefix)
{
    bool has_slash = prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/';
    return span_make(prefix.ptr, prefix.len - has_slash);
}

/* Length of the slash at s[at], as it stands or as the mark of an encoded one; 0: there is none. */
static size_t slash_at(struct span s, size_t at)
{
    if (at < s.len && s.ptr[at] == '/') {
        return 1;
    }
    bool is_mark = s.len - at > 2 && memcmp(s.ptr + at, "%2F", 3) == 0;
    return is_mark ? 3 : 0;
}

bool target_is_below(struct span path, struct span prefix)
{
    size_t at = 0;
    for (size_t i = 0; i < prefix.len; i++) {
        size_t step = prefix.ptr[i] == '/' ? slash_at(path, at)
                                           : at < path.len && path.ptr[at] == prefix.ptr[i];
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return at == path.len || slash_at(path, at) > 0;
}
