/* tests/unit/base/test_text.c — numbers and characters.
 * Numbers there and back and everything that is none, control bytes, edit distance with the
 * properties of a distance. */
#include "test.h"

#include "base/text.h"

#include <limits.h>

static bool parses(const char *text, uint64_t expected)
{
    uint64_t number = expected + 1;
    return text_parse_u64(span_of(text), &number) && number == expected;
}

static void refuses(const char *text)
{
    uint64_t number = 4711;
    EXPECT(!text_parse_u64(span_of(text), &number));
    EXPECT_INT(number, 4711);
}

TEST(test_decimal_numbers_are_read_to_the_last_one)
{
    EXPECT(parses("0", 0));
    EXPECT(parses("00000000000000000007", 7));
    EXPECT(parses("18446744073709551615", UINT64_MAX));
    EXPECT(parses("9999999999999999999", UINT64_C(9999999999999999999)));
}

TEST(test_what_is_no_decimal_number_is_refused)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "1,2", "١", "1\n", "/", ":", NULL,
        /* one more than the largest, and too many digits */
        "18446744073709551616", "99999999999999999999", "000000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuses(bad[i]);
    }
    uint64_t number = 1;
    EXPECT(!text_parse_u64(span_make("1\0", 2), &number));
}

TEST(test_every_number_survives_writing_and_reading)
{
    for (unsigned i = 0; i < test_rounds(20000); i++) {
        uint64_t number = test_random() >> test_random_below(64);
        char out[20];
        char expected[24];
        uint64_t again = number + 1;
        size_t len = text_write_u64(out, number);
        snprintf(expected, sizeof expected, "%" PRIu64, number);
        EXPECT_SPAN(span_make(out, len), expected);
        EXPECT(text_parse_u64(span_make(out, len), &again));
        EXPECT(again == number);
    }
}

TEST(test_hexadecimal_numbers_have_one_to_fifteen_digits)
{
    uint64_t number = 0;
    EXPECT(text_parse_hex(SPAN("fF0"), &number) && number == 0xff0);
    EXPECT(text_parse_hex(SPAN("fffffffffffffff"), &number) && number == UINT64_MAX >> 4);
    number = 4711;
    EXPECT(!text_parse_hex(SPAN("0000000000000001"), &number));
    EXPECT(!text_parse_hex(SPAN(""), &number));
    EXPECT(!text_parse_hex(SPAN("0x1"), &number));
    EXPECT(!text_parse_hex(SPAN("1g"), &number));
    EXPECT(!text_parse_hex(SPAN(" 1"), &number));
    EXPECT_INT(number, 4711);
}

TEST(test_every_byte_is_a_hexadecimal_digit_or_not)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(digits, c) : NULL;
        int place = at ? (int)(at - digits) : -1;
        EXPECT_INT(text_hex_value((char)c), place > 15 ? place - 6 : place);
    }
}

TEST(test_bytes_survive_hexadecimal_writing)
{
    unsigned char bytes[256];
    char out[512];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (unsigned char)i;
    }
    text_write_hex(out, bytes, sizeof bytes);
    for (size_t i = 0; i < 256; i++) {
        uint64_t number = 0;
        EXPECT(text_parse_hex(span_make(out + 2 * i, 2), &number));
        EXPECT_INT(number, i);
        EXPECT(out[2 * i] < 'A' || out[2 * i] > 'F');
    }
}

TEST(test_lower_case_touches_ascii_letters_only)
{
    for (int c = 0; c < 256; c++) {
        bool is_upper = c >= 'A' && c <= 'Z';
        EXPECT_INT(text_lower((char)c), (char)(is_upper ? c + 32 : c));
    }
}

TEST(test_control_bytes_are_masked_and_letters_stay)
{
    char text[] = "a\x1b[31m\r\n\x7fz \xc3\xa4 \xc2\x9b"
                  "31m\xc2\xa0\xc2";
    text_mask_controls(text, sizeof text - 1);
    EXPECT_TEXT(text, "a?[31m???z \xc3\xa4 ??31m\xc2\xa0\xc2");
    char nul[] = {'a', '\0', 'b'};
    text_mask_controls(nul, 3);
    EXPECT_SPAN(span_make(nul, 3), "a?b");
}

TEST(test_distance_counts_edits)
{
    EXPECT_INT(text_distance(SPAN("kitten"), SPAN("sitting")), 3);
    EXPECT_INT(text_distance(SPAN("listen"), SPAN("listne")), 2);
    EXPECT_INT(text_distance(SPAN(""), SPAN("abc")), 3);
    EXPECT_INT(text_distance(SPAN_NONE, SPAN("")), 0);
    EXPECT_INT(text_distance(SPAN("--workers"), SPAN("--worker")), 1);
}

TEST(test_distance_of_long_words_is_large_and_reads_nothing)
{
    char word[64];
    memset(word, 'a', sizeof word);
    EXPECT(text_distance(span_make(word, 64), SPAN("a")) == UINT_MAX);
    EXPECT(text_distance(SPAN("a"), span_make(word, 64)) == UINT_MAX);
    EXPECT_INT(text_distance(span_make(word, 63), span_make(word, 60)), 3);
}

static struct span random_word(char *out)
{
    size_t len = (size_t)test_random_below(12);
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)('a' + (int)test_random_below(3));
    }
    return span_make(out, len);
}

TEST(test_distance_is_a_metric)
{
    for (unsigned i = 0; i < test_rounds(3000); i++) {
        char memory[3][12];
        struct span a = random_word(memory[0]);
        struct span b = random_word(memory[1]);
        struct span c = random_word(memory[2]);
        unsigned ab = text_distance(a, b);
        EXPECT_INT(ab == 0, span_equal(a, b));
        EXPECT_INT(ab, text_distance(b, a));
        EXPECT(ab <= text_distance(a, c) + text_distance(c, b));
        EXPECT(ab <= (a.len > b.len ? a.len : b.len));
    }
}
