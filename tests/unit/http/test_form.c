/* application/x-www-form-urlencoded: pairs, their decoding, and looking for a name. */
#include "test.h"

#include "http/form.h"

#include <galley/base.h>

static void expect_decoded(const char *text, const char *expected)
{
    char out[64];
    ssize_t len = form_decode(span_of(text), out);
    EXPECT(len >= 0);
    EXPECT_SPAN(span_make(out, (size_t)len), expected);
    EXPECT(form_equals(span_of(text), span_of(expected)));
}

TEST(test_a_plus_is_a_space_and_escapes_are_bytes)
{
    expect_decoded("", "");
    expect_decoded("a+b", "a b");
    expect_decoded("a%20b%2B%26%3d", "a b+&=");
    expect_decoded("%e4%BD%a0", "\xe4\xbd\xa0");
    expect_decoded("%0d%0A", "\r\n");
}

TEST(test_what_is_not_well_encoded_is_refused)
{
    const char *bad[] = {"%", "%4", "a%", "%zz", "%4g", "%g4", "%00", "a%00b", "%%41"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        char out[16];
        EXPECT_INT(form_decode(span_of(bad[i]), out), GALLEY_EPROTO);
        EXPECT(!form_equals(span_of(bad[i]), span_of(bad[i])));
    }
}

TEST(test_the_first_pair_of_a_name_is_found)
{
    struct span text = SPAN("a=1&b=2&a=3&empty=&flag&%6eame=x&&=nameless&c==&d=e=f");
    EXPECT_SPAN(form_find(text, SPAN("a")), "1");
    EXPECT_SPAN(form_find(text, SPAN("b")), "2");
    EXPECT_SPAN(form_find(text, SPAN("empty")), "");
    EXPECT(form_find(text, SPAN("empty")).ptr);
    EXPECT_SPAN(form_find(text, SPAN("flag")), "");
    EXPECT(form_find(text, SPAN("flag")).ptr);
    EXPECT_SPAN(form_find(text, SPAN("name")), "x");
    EXPECT_SPAN(form_find(text, SPAN("")), "nameless");
    EXPECT_SPAN(form_find(text, SPAN("c")), "=");
    EXPECT_SPAN(form_find(text, SPAN("d")), "e=f");
    EXPECT(!form_find(text, SPAN("A")).ptr);
    EXPECT(!form_find(text, SPAN("fla")).ptr);
    EXPECT(!form_find(text, SPAN("flags")).ptr);
    EXPECT(!form_find(SPAN_NONE, SPAN("a")).ptr);
    EXPECT(!form_find(SPAN(""), SPAN("")).ptr);
}

TEST(test_only_ampersands_separate)
{
    EXPECT_SPAN(form_find(SPAN("a=1;b=2"), SPAN("a")), "1;b=2");
    EXPECT(!form_find(SPAN("a=1;b=2"), SPAN("b")).ptr);
    EXPECT_SPAN(form_find(SPAN("a=1%26b=2"), SPAN("a")), "1%26b=2");
}
