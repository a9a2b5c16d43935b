/* http/form.c — see form.h. */
#include "http/form.h"

#include "base/text.h"

#include <galley/base.h>

bool form_next(struct span *rest, struct form_pair *ret)
{
    struct span piece = SPAN_NONE;
    while (rest->ptr && piece.len == 0) {
        *rest = span_cut(*rest, '&', &piece);
    }
    if (piece.len == 0) {
        return false;
    }
    struct span value = span_cut(piece, '=', &ret->name);
    ret->value = value.ptr ? value : span_from(piece, piece.len);
    return true;
}

/* The byte at *at, decoded; *at moves behind it. -1: it is not well encoded, or NUL. */
static int next_byte(struct span s, size_t *at)
{
    char c = s.ptr[*at];
    *at += 1;
    if (c == '+') {
        return ' ';
    }
    if (c != '%') {
        return (unsigned char)c;
    }
    if (s.len - *at < 2) {
        return -1;
    }
    int high = text_hex_value(s.ptr[*at]);
    int low = text_hex_value(s.ptr[*at + 1]);
    *at += 2;
    bool is_good = high >= 0 && low >= 0 && high + low > 0;
    return is_good ? high * 16 + low : -1;
}

ssize_t form_decode(struct span s, char *out)
{
    size_t at = 0, len = 0;
    while (at < s.len) {
        int byte = next_byte(s, &at);
        if (byte < 0) {
            return GALLEY_EPROTO;
        }
        out[len++] = (char)(unsigned char)byte;
    }
    return (ssize_t)len;
}

bool form_equals(struct span s, struct span plain)
{
    size_t at = 0, len = 0;
    while (at < s.len && len < plain.len) {
        int byte = next_byte(s, &at);
        if (byte < 0 || byte != (unsigned char)plain.ptr[len]) {
            return false;
        }
        len++;
    }
    return at == s.len && len == plain.len;
}

struct span form_find(struct span text, struct span name)
{
    struct form_pair pair;
    while (form_next(&text, &pair)) {
        if (form_equals(pair.name, name)) {
            return pair.value;
        }
    }
    return SPAN_NONE;
}
