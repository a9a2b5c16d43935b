/* http/target_encode.c — see target_encode.h. */
#include "http/target_encode.h"

#include "http/chars.h"

static void put_escape(struct buf *out, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    char text[3] = {'%', digits[byte >> 4], digits[byte & 15]};
    buf_append(out, text, sizeof(text));
}

/* A mark of the normal form ("%2F", "%25") goes out as it is: it is an escape already. */
static bool is_mark(struct span path, size_t at)
{
    return path.len - at > 2 && path.ptr[at] == '%' && path.ptr[at + 1] == '2' &&
           (path.ptr[at + 2] == 'F' || path.ptr[at + 2] == '5');
}

void target_encode_path(struct buf *out, struct span path)
{
    buf_append_char(out, '/');
    char last = '/';
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '/' && last == '/') {
            continue; /* "//host" would name another site (RFC 3986 §4.2) */
        }
        last = c;
        if (chars_is(c, CHARS_PATH_SAFE) || is_mark(path, i)) {
            buf_append_char(out, c);
        } else {
            put_escape(out, c);
        }
    }
}

void target_encode_name(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (chars_is(c, CHARS_PATH_SAFE) && c != '/' && c != ':') {
            buf_append_char(out, c);
        } else {
            put_escape(out, c);
        }
    }
}
