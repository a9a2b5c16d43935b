/* tests/unit/wire/support_reference.c — see support_reference.h. RFC 9112 §3, §5, §7.1; RFC 9110
 * §5. */
#include "support_reference.h"

static const char token_bytes[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static bool is_in(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool all_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_in(token_bytes, s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

static bool all_visible(struct span s, const char *but)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x21 || c > 0x7e || is_in(but, s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* The line up to the first CRLF, without it; false when there is none or another CR or LF comes
 * before. */
static bool take_line(struct span *rest, struct span *ret_line)
{
    for (size_t i = 0; i + 1 < rest->len; i++) {
        if (rest->ptr[i] == '\r' && rest->ptr[i + 1] == '\n') {
            *ret_line = span_make(rest->ptr, i);
            *rest = span_make(rest->ptr + i + 2, rest->len - i - 2);
            return true;
        }
        if (rest->ptr[i] == '\r' || rest->ptr[i] == '\n') {
            return false;
        }
    }
    return false;
}

static bool good_version(struct span version)
{
    return version.len == 8 && memcmp(version.ptr, "HTTP/1.", 7) == 0 &&
           is_in("0123456789", version.ptr[7]);
}

static bool good_request_line(struct span line)
{
    struct span method;
    struct span target;
    struct span rest = span_cut(line, ' ', &method);
    if (!rest.ptr) {
        return false;
    }
    struct span version = span_cut(rest, ' ', &target);
    return version.ptr && all_token(method) && method.len <= 64 && all_visible(target, "#") &&
           good_version(version);
}

static bool good_field(struct span line)
{
    struct span name;
    struct span value = span_cut(line, ':', &name);
    if (!value.ptr || !all_token(name)) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Field lines and the empty line. */
static bool take_section(struct span *rest, unsigned *ret_fields)
{
    struct span line;
    unsigned count = 0;
    while (take_line(rest, &line)) {
        if (line.len == 0) {
            *ret_fields = count;
            return true;
        }
        if (!good_field(line)) {
            return false;
        }
        count++;
    }
    return false;
}

bool reference_head(struct span text, size_t *ret_len, unsigned *ret_fields)
{
    struct span rest = text;
    struct span line;
    if (!take_line(&rest, &line)) {
        return false;
    }
    if (line.len == 0 && !take_line(&rest, &line)) {
        return false;
    }
    if (!good_request_line(line) || !take_section(&rest, ret_fields)) {
        return false;
    }
    *ret_len = text.len - rest.len;
    return true;
}

static bool good_size(struct span size, size_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < size.len; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found = size.ptr[i] ? strchr(digits, size.ptr[i]) : NULL;
        if (!found) {
            return false;
        }
        *ret = *ret * 16 + (size_t)(found - digits) % 16;
    }
    return size.len > 0 && size.len <= 15;
}

bool reference_chunked(struct span text, size_t *ret_body_bytes)
{
    struct span line;
    size_t total = 0;
    unsigned trailers;
    while (take_line(&text, &line)) {
        struct span size;
        struct span extension = span_cut(line, ';', &size);
        size_t len;
        if (!good_size(extension.ptr ? span_trim(size) : size, &len)) {
            return false;
        }
        if (len == 0) {
            *ret_body_bytes = total;
            return take_section(&text, &trailers) && text.len == 0;
        }
        if (text.len < 2 || len > text.len - 2 || memcmp(text.ptr + len, "\r\n", 2) != 0) {
            return false;
        }
        total += len;
        text = span_from(text, len + 2);
    }
    return false;
}
