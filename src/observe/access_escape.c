/* observe/access_escape.c — hostile bytes made harmless: for lines read by people and simple
 * parsers, and for JSON. Nearly all texts need no change, which is found out eight bytes at a time.
 * Pure; on the writer thread. */
#include "base/utf8.h"

#include "observe/access_put.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- what needs no change in either form ----------------------------------------------------- */

enum { WORD = sizeof(uint64_t) };
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of bytes that are 0, and perhaps of some behind the first such: enough to know that
 * there is one. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH(0x01)) & ~word & EACH(0x80);
}

/* A control, DEL, a quote, a backslash or a byte above 7F among these eight? */
static bool is_word_plain(const char *at)
{
    uint64_t word;
    memcpy(&word, at, WORD);
    uint64_t controls = (word - EACH(0x20)) & ~word;
    uint64_t found = word | controls | zero_bytes(word ^ EACH(0x7f)) |
                     zero_bytes(word ^ EACH('"')) | zero_bytes(word ^ EACH('\\'));
    return (found & EACH(0x80)) == 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool is_all_plain(struct span text)
{
    if (text.len < WORD) {
        for (size_t i = 0; i < text.len; i++) {
            if (!is_plain((unsigned char)text.ptr[i])) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + WORD < text.len; i += WORD) {
        if (!is_word_plain(text.ptr + i)) {
            return false;
        }
    }
    return is_word_plain(text.ptr + text.len - WORD); /* it may overlap the one before */
}

/* ---- plain ----------------------------------------------------------------------------------- */

static char *put_plain_escape(char *at, unsigned char c)
{
    *at++ = '\\';
    switch (c) {
    case '"':
    case '\\':
        *at++ = (char)c;
        break;
    case '\n':
        *at++ = 'n';
        break;
    case '\r':
        *at++ = 'r';
        break;
    case '\t':
        *at++ = 't';
        break;
    default:
        *at++ = 'x';
        *at++ = hex_digits[c >> 4];
        *at++ = hex_digits[c & 15];
    }
    return at;
}

char *access_put_plain(char *at, struct span text)
{
    if (is_all_plain(text)) {
        return put_span(at, text);
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_plain(c)) {
            *at++ = (char)c;
        } else {
            at = put_plain_escape(at, c);
        }
    }
    return at;
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

static char *put_json_escape(char *at, unsigned char c)
{
    if (c == '"' || c == '\\') {
        *at++ = '\\';
        *at++ = (char)c;
        return at;
    }
    at = PUT_LITERAL(at, "\\u00");
    *at++ = hex_digits[c >> 4];
    *at++ = hex_digits[c & 15];
    return at;
}

char *access_put_json(char *at, struct span text)
{
    if (is_all_plain(text)) {
        return put_span(at, text);
    }
    while (text.len > 0) {
        unsigned char c = (unsigned char)text.ptr[0];
        bool is_special = needs_json_escape(c);
        size_t length = is_special ? 0 : plain_length(text);
        if (is_special) {
            at = put_json_escape(at, c);
        } else if (length == 0) {
            at = PUT_LITERAL(at, "\\ufffd");
        } else {
            at = put_span(at, span_make(text.ptr, length));
        }
        text = span_from(text, length ? length : 1);
    }
    return at;
}

/* ---- into a buffer --------------------------------------------------------------------------- */

static void append(struct buf *out, struct span text, char *(*put)(char *, struct span))
{
    char *room = text.len ? buf_reserve(out, text.len * ACCESS_ESCAPE_FACTOR) : NULL;
    if (room) {
        out->len += (size_t)(put(room, text) - room);
    }
}

void access_escape_plain(struct buf *out, struct span text)
{
    append(out, text, access_put_plain);
}

void access_escape_json(struct buf *out, struct span text)
{
    append(out, text, access_put_json);
}
