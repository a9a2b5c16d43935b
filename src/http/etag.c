/* http/etag.c — see etag.h. */
#include "http/etag.h"

#include "base/text.h"
#include "http/chars.h"

/* Length of the entity tag at the start of s; 0 if there is none. */
static size_t tag_length(struct span s, bool *ret_is_weak)
{
    size_t at = 0;
    *ret_is_weak = span_starts_with(s, SPAN("W/")); /* RFC 9110 §8.8.3: case-sensitive */
    at += *ret_is_weak ? 2 : 0;
    if (at >= s.len || s.ptr[at] != '"') {
        return 0;
    }
    at++;
    at += chars_skip(span_from(s, at), CHARS_ETAG);
    return at < s.len && s.ptr[at] == '"' ? at + 1 : 0;
}

/* Takes the entity tag off the front of *rest. */
static bool take_tag(struct span *rest, struct etag *ret)
{
    bool is_weak;
    size_t len = tag_length(*rest, &is_weak);
    if (len == 0) {
        return false;
    }
    size_t prefix = is_weak ? 2 : 0;
    *ret = (struct etag){span_make(rest->ptr + prefix, len - prefix), is_weak};
    *rest = span_from(*rest, len);
    return true;
}

bool etag_parse(struct span s, struct etag *ret)
{
    struct etag tag;
    if (!take_tag(&s, &tag) || s.len > 0) {
        return false;
    }
    *ret = tag;
    return true;
}

bool etag_equal_strong(struct etag a, struct etag b)
{
    return !a.is_weak && !b.is_weak && span_equal(a.opaque, b.opaque);
}

bool etag_equal_weak(struct etag a, struct etag b)
{
    return span_equal(a.opaque, b.opaque);
}

/* Skips white space and commas; tells whether there was a comma. */
static bool skip_separators(struct span *rest)
{
    size_t at = 0;
    bool has_comma = false;
    while (at < rest->len &&
           (rest->ptr[at] == ' ' || rest->ptr[at] == '\t' || rest->ptr[at] == ',')) {
        has_comma = has_comma || rest->ptr[at] == ',';
        at++;
    }
    *rest = span_from(*rest, at);
    return has_comma;
}

enum etag_match etag_list_match(struct span value, const struct etag *current, bool is_strong)
{
    struct span rest = span_trim(value);
    if (span_equal(rest, SPAN("*"))) {
        return ETAG_ANY;
    }
    skip_separators(&rest); /* RFC 9110 §5.6.1: empty members are nothing */
    enum etag_match result = rest.len > 0 ? ETAG_NO_MATCH : ETAG_MALFORMED;
    while (rest.len > 0) {
        struct etag tag;
        if (!take_tag(&rest, &tag) || (!skip_separators(&rest) && rest.len > 0)) {
            return ETAG_MALFORMED;
        }
        if (current &&
            (is_strong ? etag_equal_strong(tag, *current) : etag_equal_weak(tag, *current))) {
            result = ETAG_MATCH;
        }
    }
    return result;
}

size_t etag_write_hash(char *out, const unsigned char hash[16])
{
    out[0] = '"';
    text_write_hex(out + 1, hash, 16);
    out[33] = '"';
    return 34;
}

/* Hex digits without leading zeros. */
static size_t write_hex(char *out, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 1;
    while (len < 16 && number >> (4 * len)) {
        len++;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = digits[(number >> (4 * (len - 1 - i))) & 15];
    }
    return len;
}

size_t etag_write_weak(char *out, uint64_t inode, uint64_t size, int64_t mtime_ns)
{
    const uint64_t numbers[3] = {inode, size, (uint64_t)mtime_ns};
    memcpy(out, "W/\"", 3);
    size_t len = 3;
    for (int i = 0; i < 3; i++) {
        if (i) {
            out[len++] = '-';
        }
        len += write_hex(out + len, numbers[i]);
    }
    out[len++] = '"';
    return len;
}
