/* tests/unit/base/test_utf8.c — UTF-8: every bound of the table in RFC 3629 §4, from both sides. */
#include "test.h"

#include "base/utf8.h"

static size_t first(const char *bytes, size_t len)
{
    return utf8_first(span_make(bytes, len));
}

TEST(test_each_length_is_told_by_its_first_byte)
{
    EXPECT_INT(first("a", 1), 1);
    EXPECT_INT(first("\x7f", 1), 1);
    EXPECT_INT(first("\0", 1), 1);
    EXPECT_INT(first("\xc2\x80", 2), 2);
    EXPECT_INT(first("\xdf\xbf", 2), 2);
    EXPECT_INT(first("\xe0\xa0\x80", 3), 3);
    EXPECT_INT(first("\xed\x9f\xbf", 3), 3);
    EXPECT_INT(first("\xee\x80\x80", 3), 3);
    EXPECT_INT(first("\xf0\x90\x80\x80", 4), 4);
    EXPECT_INT(first("\xf4\x8f\xbf\xbf", 4), 4);
}

TEST(test_what_rfc_3629_forbids_is_not_a_character)
{
    static const char *const wrong[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2\x7f",
        "\xc2\xc0",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xef\x80\x7f",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe1\x80",
        "\xf1\x80\x80",
        "\xf1\x80\x80\xc0",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EXPECT_INT(first(wrong[i], strlen(wrong[i])), 0);
        EXPECT(!utf8_is_valid(span_of(wrong[i])));
    }
}

TEST(test_a_text_is_valid_when_each_character_is)
{
    EXPECT(utf8_is_valid(SPAN("")));
    EXPECT(utf8_is_valid(SPAN("Kombüse, 厨房, \xf0\x9f\x9a\xa2")));
    EXPECT(!utf8_is_valid(SPAN("ends in the middle \xe5\x8e")));
    EXPECT(!utf8_is_valid(SPAN("\xff at the start")));
}
