/* tests/unit/hpack/test_huffman.c — the code's numbers, proved from its lengths and against
 * nghttp2, and what is no string. */
#include "hpack/hpack_huffman.h"
#include "hpack/hpack_huffman_table.h"
#include "support_hpack.h"

#include "test.h"

#include <nghttp2/nghttp2.h>

enum { EOS = 256, BITS_OF_EOS = 30 };

static unsigned bits_of(unsigned symbol)
{
    return symbol == EOS ? BITS_OF_EOS : huffman_bits[symbol];
}

/* RFC 7541 Appendix B: the symbols by length, then by number, have codes that count upwards. */
static unsigned symbols_in_order(uint16_t out[257])
{
    unsigned count = 0;
    for (unsigned bits = HUFFMAN_LEAST_BITS; bits <= HUFFMAN_MOST_BITS; bits++) {
        for (unsigned symbol = 0; symbol <= EOS; symbol++) {
            if (bits_of(symbol) == bits) {
                out[count++] = (uint16_t)symbol;
            }
        }
    }
    return count;
}

TEST(test_the_codes_follow_from_their_lengths)
{
    uint16_t symbols[257];
    EXPECT_INT(symbols_in_order(symbols), 257);
    uint64_t next = 0; /* from the highest of 32 bits */
    for (unsigned i = 0; i < 257; i++) {
        unsigned bits = bits_of(symbols[i]);
        if (symbols[i] != EOS) {
            EXPECT_INT(huffman_codes[symbols[i]], next >> (32 - bits));
        }
        next += UINT64_C(1) << (32 - bits);
    }
    EXPECT(next == UINT64_C(1) << 32); /* every sequence of bits begins with one of them */
}

TEST(test_the_look_at_eight_bits_follows_from_the_codes)
{
    uint16_t expected[256] = {0};
    for (unsigned symbol = 0; symbol < EOS; symbol++) {
        unsigned bits = huffman_bits[symbol];
        for (unsigned rest = 0; bits <= 8 && rest < 1u << (8 - bits); rest++) {
            expected[huffman_codes[symbol] << (8 - bits) | rest] = (uint16_t)(bits << 8 | symbol);
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        EXPECT_INT(huffman_short[i], expected[i]);
    }
}

TEST(test_the_rows_of_long_codes_follow_from_the_codes)
{
    uint16_t symbols[257];
    unsigned count = symbols_in_order(symbols);
    unsigned row = 0, place = 0;
    uint64_t next = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned bits = bits_of(symbols[i]);
        next += UINT64_C(1) << (32 - bits);
        if (bits <= 8) {
            continue;
        }
        if (symbols[i] == EOS) {
            EXPECT_INT(place, HUFFMAN_LONG_COUNT);
        } else {
            EXPECT_INT(huffman_long[place], symbols[i]);
        }
        if (i == 0 || bits_of(symbols[i - 1]) != bits) {
            EXPECT_INT(huffman_rows[row].bits, bits);
            EXPECT_INT(huffman_rows[row].first, place);
        }
        place++;
        if (i + 1 == count || bits_of(symbols[i + 1]) != bits) {
            EXPECT_INT(huffman_rows[row].limit, i + 1 == count ? UINT32_MAX : next);
            row++;
        }
    }
    EXPECT_INT(row, HUFFMAN_ROW_COUNT);
}

/* Eight times the symbol, behind what makes a string of it worth coding for nghttp2. */
TEST(test_every_code_is_that_of_nghttp2)
{
    for (unsigned symbol = 0; symbol < EOS; symbol++) {
        uint8_t value[64];
        memset(value, 'a', sizeof value);
        memset(value + 20, (int)symbol, 8);
        nghttp2_nv field = {(uint8_t *)(uintptr_t) "x", value, 1, sizeof value, 0};
        nghttp2_hd_deflater *deflater;
        EXPECT_INT(nghttp2_hd_deflate_new(&deflater, 0), 0);
        uint8_t block[256];
        ssize_t len = nghttp2_hd_deflate_hd(deflater, block, sizeof block, &field, 1);
        nghttp2_hd_deflate_del(deflater);
        uint8_t ours[256];
        uint8_t *end = huffman_encode(ours, span_make((const char *)value, sizeof value));
        size_t coded = (size_t)(end - ours);
        EXPECT_INT(coded, huffman_encoded_len(span_make((const char *)value, sizeof value)));
        if (coded < sizeof value) { /* else nghttp2 sends it plain */
            EXPECT(len > (ssize_t)coded);
            test_equal_bytes(__FILE__, __LINE__, "code", block + len - coded, coded, ours, coded);
        }
        char back[512];
        size_t back_len = 0;
        EXPECT(huffman_decode(ours, coded, back, &back_len));
        test_equal_bytes(__FILE__, __LINE__, "decoded", back, back_len, value, sizeof value);
    }
}

TEST(test_random_strings_come_back)
{
    for (unsigned round = 0; round < test_rounds(3000); round++) {
        char text[300];
        size_t len = test_random_below(sizeof text);
        unsigned span = round % 3 == 0 ? 256 : 95;
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(test_random_below(span) + (span == 95 ? 32 : 0));
        }
        uint8_t coded[300 * 4];
        size_t coded_len = (size_t)(huffman_encode(coded, span_make(text, len)) - coded);
        EXPECT_INT(coded_len, huffman_encoded_len(span_make(text, len)));
        char *out = malloc(huffman_most_decoded(coded_len)); /* so that a sanitizer watches */
        uint8_t *in = malloc(coded_len + 1);
        EXPECT(out && in);
        memcpy(in + 1, coded, coded_len);
        size_t out_len = 0;
        EXPECT(huffman_decode(in + 1, coded_len, out, &out_len));
        test_equal_bytes(__FILE__, __LINE__, "text", out, out_len, text, len);
        free(out);
        free(in);
    }
}

static bool decodes(const char *hex, const char *expected)
{
    uint8_t bytes[64];
    char out[128];
    size_t len = 0;
    if (!huffman_decode(bytes, support_hex(hex, bytes), out, &len)) {
        return false;
    }
    test_equal_bytes(__FILE__, __LINE__, hex, out, len, expected, strlen(expected));
    return true;
}

/* RFC 7541 §5.2 */
TEST(test_a_padding_is_up_to_seven_ones)
{
    EXPECT(decodes("", ""));
    EXPECT(decodes("1f", "a"));    /* 00011 111 */
    EXPECT(decodes("1cff", "ah")); /* 00011 100111 11111 */
    EXPECT(decodes("f8", "&"));    /* 11111000: no padding */
    EXPECT(!decodes("ff", ""));    /* eight ones: too long */
    EXPECT(!decodes("f8ff", ""));
    EXPECT(!decodes("1fff", ""));
    EXPECT(!decodes("18", "")); /* 00011 000: not ones */
    EXPECT(!decodes("1e", ""));
    EXPECT(!decodes("1d", ""));
    EXPECT(!decodes("00", "")); /* "0" and three zeros */
    EXPECT(!decodes("fe", "")); /* the first 8 of ten bits */
    EXPECT(decodes("fe3f", "!"));
    EXPECT(!decodes("fe3e", ""));
}

/* RFC 7541 §5.2: a string that has EOS in it is an error. */
TEST(test_eos_is_no_symbol)
{
    EXPECT(!decodes("ffff ffff", ""));
    EXPECT(!decodes("ffff fffc", ""));
    EXPECT(!decodes("1fff ffff ff", ""));
    EXPECT(!decodes("ffff fffc 1f", ""));
    EXPECT(!decodes("ffff ffff ffff ffff ffff ffff", ""));
    EXPECT(decodes("ffff fff3", "\x0a")); /* the first code of thirty bits, and two ones */
}
