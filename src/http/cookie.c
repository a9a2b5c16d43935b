/* http/cookie.c — see cookie.h. */
#include "http/cookie.h"

/* RFC 6265 §4.1.1: cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE ) */
static struct span without_quotes(struct span s)
{
    bool is_quoted = s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"';
    return is_quoted ? span_make(s.ptr + 1, s.len - 2) : s;
}

struct span cookie_find(struct span field_value, struct span name)
{
    struct span rest = name.len > 0 ? field_value : SPAN_NONE;
    while (rest.ptr) {
        struct span piece, its_name;
        rest = span_cut(rest, ';', &piece);
        struct span value = span_cut(piece, '=', &its_name);
        if (value.ptr && span_equal(span_trim(its_name), name)) {
            return without_quotes(span_trim(value));
        }
    }
    return SPAN_NONE;
}
