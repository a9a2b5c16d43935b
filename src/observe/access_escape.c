/* observe/access_escape.c — hostile bytes made harmless: for lines read by people and simple
 * parsers, and for JSON. Clean runs are copied whole. Pure; on the writer thread. */
#include "base/utf8.h"

#include "observe/access_format.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- plain ----------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void append_plain_escape(struct buf *out, unsigned char c)
{
    buf_append_char(out, '\\');
    switch (c) {
    case '"':
    case '\\':
        buf_append_char(out, (char)c);
        break;
    case '\n':
        buf_append_char(out, 'n');
        break;
    case '\r':
        buf_append_char(out, 'r');
        break;
    case '\t':
        buf_append_char(out, 't');
        break;
    default:
        buf_append_char(out, 'x');
        buf_append_char(out, hex_digits[c >> 4]);
        buf_append_char(out, hex_digits[c & 15]);
    }
}

void access_escape_plain(struct buf *out, struct span text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t run = at;
        while (run < text.len && is_plain((unsigned char)text.ptr[run])) {
            run++;
        }
        buf_append(out, text.ptr + at, run - at);
        if (run < text.len) {
            append_plain_escape(out, (unsigned char)text.ptr[run]);
            run++;
        }
        at = run;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Characters that may stand as they are: but the controls U+0080..U+009F, which terminals obey. */
static size_t plain_length(struct span text)
{
    size_t length = utf8_first(text);
    bool is_control =
        length == 2 && (unsigned char)text.ptr[0] == 0xc2 && (unsigned char)text.ptr[1] < 0xa0;
    return is_control ? 0 : length;
}

static bool needs_json_escape(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '"' || c == '\\';
}

static void append_json_escape(struct buf *out, unsigned char c)
{
    if (c == '"' || c == '\\') {
        buf_append_char(out, '\\');
        buf_append_char(out, (char)c);
        return;
    }
    buf_append_text(out, "\\u00");
    buf_append_char(out, hex_digits[c >> 4]);
    buf_append_char(out, hex_digits[c & 15]);
}

/* Bytes at the front that need no change. */
static size_t clean_run(struct span text)
{
    size_t run = 0;
    while (run < text.len && !needs_json_escape((unsigned char)text.ptr[run])) {
        size_t length = plain_length(span_from(text, run));
        if (length == 0) {
            break;
        }
        run += length;
    }
    return run;
}

void access_escape_json(struct buf *out, struct span text)
{
    while (text.len > 0) {
        size_t run = clean_run(text);
        buf_append(out, text.ptr, run);
        text = span_from(text, run);
        if (text.len == 0) {
            break;
        }
        if (needs_json_escape((unsigned char)text.ptr[0])) {
            append_json_escape(out, (unsigned char)text.ptr[0]);
        } else {
            buf_append_text(out, "\\ufffd");
        }
        text = span_from(text, 1);
    }
}
