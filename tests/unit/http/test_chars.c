/* tests/unit/http/test_chars.c — the byte classes against the grammars, spelled out a second
 * time. */
#include "http/chars.h"
#include "test.h"

static bool is_one_of(int c, const char *text)
{
    return c != 0 && strchr(text, c) != NULL;
}

static bool is_alnum(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 9110 §5.6.2: tchar */
TEST(token_class_is_tchar)
{
    for (int c = 0; c < 256; c++) {
        bool expected = is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
        EXPECT_INT(chars_is((char)c, CHARS_TOKEN), expected);
    }
}

/* RFC 9110 §5.5: field-content */
TEST(value_class_has_no_control_bytes_but_tab)
{
    for (int c = 0; c < 256; c++) {
        bool expected = c == '\t' || (c >= ' ' && c != 0x7F);
        EXPECT_INT(chars_is((char)c, CHARS_VALUE), expected);
    }
}

/* RFC 9110 §8.8.3: etagc */
TEST(etag_class_is_etagc)
{
    for (int c = 0; c < 256; c++) {
        bool expected = c == 0x21 || (c >= 0x23 && c <= 0x7E) || c >= 0x80;
        EXPECT_INT(chars_is((char)c, CHARS_ETAG), expected);
    }
}

/* RFC 3986 §2: ASCII, no control, no space; RFC 9112 §3.2: no fragment */
TEST(target_class_is_visible_ascii_without_fragment)
{
    for (int c = 0; c < 256; c++) {
        bool expected = c > ' ' && c < 0x7F && c != '#';
        EXPECT_INT(chars_is((char)c, CHARS_TARGET), expected);
        EXPECT_INT(chars_is((char)c, CHARS_PATH_PLAIN), expected && !is_one_of(c, "%/.?"));
    }
}

/* RFC 3986 §3.2.2: reg-name; RFC 3986 §2.3: unreserved */
TEST(reg_name_class_is_unreserved_and_sub_delims)
{
    for (int c = 0; c < 256; c++) {
        EXPECT_INT(chars_is((char)c, CHARS_REG_NAME),
                   is_alnum(c) || is_one_of(c, "-._~!$&'()*+,;="));
    }
}

TEST(safe_path_class_has_nothing_that_html_or_a_header_would_read)
{
    for (int c = 0; c < 256; c++) {
        if (chars_is((char)c, CHARS_PATH_SAFE)) {
            EXPECT(c > ' ' && c < 0x7F && !is_one_of(c, "\"'<>&%?#\\`{}|^"));
        }
    }
}

TEST(digits_and_hex)
{
    for (int c = 0; c < 256; c++) {
        EXPECT_INT(chars_is((char)c, CHARS_DIGIT), is_one_of(c, "0123456789"));
        EXPECT_INT(chars_is((char)c, CHARS_HEX), is_one_of(c, "0123456789abcdefABCDEF"));
    }
}

TEST(spans_are_judged_as_a_whole)
{
    EXPECT(chars_all(SPAN(""), CHARS_TOKEN));
    EXPECT(!chars_is_token(SPAN("")));
    EXPECT(!chars_is_token(SPAN_NONE));
    EXPECT(chars_is_token(SPAN("x-y")));
    EXPECT(!chars_is_token(SPAN("x y")));
    EXPECT_INT(chars_skip(SPAN("123a"), CHARS_DIGIT), 3);
}
