/* observe/access_escape.c — hostile bytes made harmless: for lines read by people and simple
 * parsers, and for JSON. Clean runs are copied whole. Pure; on the writer thread. */
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

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

static size_t utf8_need(unsigned char first)
{
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The second byte's bounds shut out over-long forms, surrogates and numbers above U+10FFFF; and
 * here also the control characters U+0080..U+009F, which terminals obey. */
static bool is_second_byte(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xc2:
        return second >= 0xa0 && second <= 0xbf;
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

/* RFC 3629 §4: bytes of the well-formed character that text begins with; 0: none. */
static size_t utf8_length(struct span text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    if (bytes[0] < 0x80) {
        return 1;
    }
    size_t need = utf8_need(bytes[0]);
    if (need == 0 || need > text.len || !is_second_byte(bytes[0], bytes[1])) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if (!is_tail(bytes[i])) {
            return 0;
        }
    }
    return need;
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
        size_t length = utf8_length(span_from(text, run));
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
