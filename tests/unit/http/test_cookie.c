/* The Cookie field as clients send it. RFC 6265 §4.2.1, §5.4. */
#include "test.h"

#include "http/cookie.h"

static void expect_cookie(const char *line, const char *name, const char *expected)
{
    struct span value = cookie_find(span_of(line), span_of(name));
    EXPECT((value.ptr != NULL) == (expected != NULL));
    if (expected) {
        EXPECT_SPAN(value, expected);
    }
}

TEST(test_cookies_are_pairs_between_semicolons)
{
    /* RFC 6265 §4.2.1: cookie-string = cookie-pair *( ";" SP cookie-pair ) */
    expect_cookie("a=1; b=2", "a", "1");
    expect_cookie("a=1; b=2", "b", "2");
    expect_cookie("a=1; b=2", "c", NULL);
    expect_cookie("a=", "a", "");
    expect_cookie("a=x=y", "a", "x=y");
    expect_cookie("", "a", NULL);
}

TEST(test_the_first_of_a_name_wins_and_case_matters)
{
    /* RFC 6265 §5.4: those with the longer path come first. */
    expect_cookie("a=1; a=2", "a", "1");
    expect_cookie("A=1; a=2", "a", "2");
    expect_cookie("aa=1; a=2", "a", "2");
}

TEST(test_quotes_round_a_value_are_not_part_of_it)
{
    expect_cookie("a=\"x\"", "a", "x");
    expect_cookie("a=\"\"", "a", "");
    expect_cookie("a=\"", "a", "\"");
    expect_cookie("a=\"x", "a", "\"x");
    expect_cookie("a=x\"", "a", "x\"");
    expect_cookie("a=%22x%22", "a", "%22x%22");
    expect_cookie("a=\"x;b=1\"", "a", "\"x");
}

TEST(test_loose_lines_are_read_as_everybody_reads_them)
{
    expect_cookie("a=1;b=2", "b", "2");
    expect_cookie(" a = 1 ;\tb\t=\t2 ", "a", "1");
    expect_cookie(" a = 1 ;\tb\t=\t2 ", "b", "2");
    expect_cookie("lonely; a=1", "a", "1");
    expect_cookie("lonely; a=1", "lonely", NULL);
    expect_cookie(";;; a=1;", "a", "1");
    expect_cookie("=1; a=2", "", NULL);
}
