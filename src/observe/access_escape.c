/* observe/access_escape.c — hostile bytes made harmless: for lines read by people and simple
 * parsers, and for JSON. Nearly all texts need no change, which is found out sixteen bytes at a time.
 * Pure; on the writer thread. */
#include "base/utf8.h"

#include "observe/access_put.h"

static const char hex_digits[] = "0123456789abcdef";

/* ---- what needs no change in either form ----------------------------------------------------- */

/* Sixteen bytes in one register, or in two; an element of a comparison is all ones where it holds. */
typedef uint8_t block __attribute__((vector_size(16)));
enum { BLOCK = sizeof(block) };

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* All ones where a byte is not. */
static block special_bytes(const char *at)
{
    block c;
    memcpy(&c, at, BLOCK);
    return (block)((c < 0x20) | (c > 0x7e) | (c == '"') | (c == '\\'));
}

static bool is_any_set(block found)
{
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

static bool is_short_plain(struct span text)
{
    char padded[BLOCK];
    memset(padded, 'a', BLOCK);
    memcpy(padded, text.ptr, text.len);
    return !is_any_set(special_bytes(padded));
}

static bool is_all_plain(struct span text)
{
    if (text.len < BLOCK) {
        return text.len == 0 || is_short_plain(text);
    }
    block found = special_bytes(text.ptr + text.len - BLOCK); /* it may overlap the one before */
    for (size_t i = 0; i + BLOCK < text.len; i += BLOCK) {
        found |= special_bytes(text.ptr + i);
    }
    return !is_any_set(found);
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
