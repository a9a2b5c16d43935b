/* tests/unit/http/test_method.c — methods by number. */
#include "http/method.h"
#include "test.h"

TEST(every_method_is_found_by_its_name)
{
    for (int i = METHOD_GET; i < METHOD_COUNT; i++) {
        struct span name = method_name((enum method)i);
        EXPECT(name.len > 0);
        EXPECT_INT(method_of(name), i);
    }
    EXPECT_INT(METHOD_PATCH, 9);
}

/* RFC 9110 §9.1: method names are case-sensitive */
TEST(other_case_and_other_names_are_other_methods)
{
    EXPECT_INT(method_of(SPAN("get")), METHOD_OTHER);
    EXPECT_INT(method_of(SPAN("GETT")), METHOD_OTHER);
    EXPECT_INT(method_of(SPAN("GE")), METHOD_OTHER);
    EXPECT_INT(method_of(SPAN("")), METHOD_OTHER);
    EXPECT_INT(method_of(SPAN_NONE), METHOD_OTHER);
    EXPECT_INT(method_of(SPAN("PROPFIND")), METHOD_OTHER);
    EXPECT_INT(method_of(span_make("GET\0", 4)), METHOD_OTHER);
    EXPECT_SPAN(method_name(METHOD_OTHER), "");
    EXPECT_SPAN(method_name((enum method)99), "");
}

/* RFC 9110 §9.2.1 */
TEST(safe_methods_are_get_head_options_trace)
{
    for (int i = 0; i <= METHOD_COUNT; i++) {
        bool expected =
            i == METHOD_GET || i == METHOD_HEAD || i == METHOD_OPTIONS || i == METHOD_TRACE;
        EXPECT_INT(method_is_safe((enum method)i), expected);
    }
}
