/* base/text.c — numbers and characters; see text.h.
 * Called by the parsers and writers of the protocols, and for every line that is logged. Pure: any
 * thread, no locale, no allocation, never a byte past the span. */
#include "base/text.h"

#include <limits.h>

enum { U64_DIGITS = 20, SAFE_DIGITS = 19, HEX_DIGITS_MAX = 15, DISTANCE_MAX_LEN = 63 };

bool text_parse_u64(struct span s, uint64_t *ret)
{
    uint64_t number = 0;
    if (s.len == 0 || s.len > U64_DIGITS) {
        return false;
    }
    size_t safe = s.len < SAFE_DIGITS ? s.len : SAFE_DIGITS; /* so many cannot overflow */
    for (size_t i = 0; i < safe; i++) {
        unsigned digit = (unsigned)s.ptr[i] - '0';
        if (digit > 9) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (s.len > safe) {
        unsigned digit = (unsigned)s.ptr[safe] - '0';
        if (digit > 9 || number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *ret = number;
    return true;
}

int text_hex_value(char c)
{
    if (text_is_digit(c)) {
        return c - '0';
    }
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_parse_hex(struct span s, uint64_t *ret)
{
    uint64_t number = 0;
    if (s.len == 0 || s.len > HEX_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        int value = text_hex_value(s.ptr[i]);
        if (value < 0) {
            return false;
        }
        number = number << 4 | (uint64_t)value;
    }
    *ret = number;
    return true;
}

size_t text_write_u64(char *out, uint64_t number)
{
    char digits[U64_DIGITS];
    size_t count = 0;
    do {
        digits[U64_DIGITS - ++count] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(out, digits + U64_DIGITS - count, count);
    return count;
}

void text_write_hex(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* U+0080..U+009F, which terminals obey like ESC sequences, are C2 80 .. C2 9F in UTF-8. */
static bool is_c1_control(unsigned char first, unsigned char second)
{
    return first == 0xc2 && second >= 0x80 && second <= 0x9f;
}

void text_mask_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_control((unsigned char)text[i])) {
            text[i] = '?';
        } else if (i + 1 < len &&
                   is_c1_control((unsigned char)text[i], (unsigned char)text[i + 1])) {
            text[i] = '?';
            text[i + 1] = '?';
        }
    }
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned text_distance(struct span a, struct span b)
{
    if (a.len > DISTANCE_MAX_LEN || b.len > DISTANCE_MAX_LEN) {
        return UINT_MAX;
    }
    unsigned row[DISTANCE_MAX_LEN + 1]; /* distances from a's first i characters to b's first j */
    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.len];
}
