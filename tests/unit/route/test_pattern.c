/* Route patterns: what is taken, what is refused with which sentence, and how two of them lie to
 * each other. */
#include "test.h"

#include "route/pattern.h"

static struct pattern parsed(const char *text)
{
    struct pattern pattern = {0};
    galley_error err = {0};
    if (pattern_parse(&pattern, span_of(text), &err) != GALLEY_OK) {
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.message);
    }
    return pattern;
}

static void expect_refused(const char *text, const char *sentence)
{
    struct pattern pattern;
    galley_error err = {0};
    EXPECT_INT(pattern_parse(&pattern, span_of(text), &err), GALLEY_EINVAL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    if (!strstr(err.message, sentence)) {
        test_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", text, err.message,
                  sentence);
    }
}

TEST(test_a_pattern_is_a_method_and_segments)
{
    struct pattern pattern = parsed("PUT /files/{name}");
    EXPECT_INT(pattern.method, METHOD_PUT);
    EXPECT_INT(pattern.segment_count, 2);
    EXPECT_INT(pattern.segments[0].kind, SEGMENT_LITERAL);
    EXPECT_SPAN(pattern.segments[0].text, "files");
    EXPECT_INT(pattern.segments[1].kind, SEGMENT_PARAM);
    EXPECT_SPAN(pattern.segments[1].text, "name");
}

TEST(test_a_pattern_without_method_is_for_any)
{
    EXPECT_INT(parsed("/any/method").method, METHOD_OTHER);
    EXPECT_INT(parsed("/with space").segments[0].text.len, 10);
}

TEST(test_the_root_is_one_empty_segment)
{
    struct pattern pattern = parsed("GET /");
    EXPECT_INT(pattern.segment_count, 1);
    EXPECT_INT(pattern.segments[0].text.len, 0);
}

TEST(test_three_dots_take_the_rest)
{
    struct pattern pattern = parsed("/assets/{path...}");
    EXPECT_INT(pattern.segments[1].kind, SEGMENT_REST);
    EXPECT_SPAN(pattern.segments[1].text, "path");
}

TEST(test_bad_patterns_are_refused_with_a_sentence)
{
    expect_refused("", "must begin with a slash");
    expect_refused("GET", "must begin with a slash");
    expect_refused("GET x", "must begin with a slash");
    expect_refused("get /x", "unknown method");
    expect_refused("BREW /pot", "unknown method");
    expect_refused("TRACE /", "cannot be routed");
    expect_refused("/a//b", "empty segments");
    expect_refused("//", "empty segments");
    expect_refused("/a/./b", "dot segments");
    expect_refused("/a/..", "dot segments");
    expect_refused("/x{a}", "whole segment");
    expect_refused("/{a}b", "whole segment");
    expect_refused("/{}", "whole segment");
    expect_refused("/{1a}", "letters");
    expect_refused("/{a-b}", "letters");
    expect_refused("/{a}/{a}", "same name");
    expect_refused("/{a...}/b", "must be the last");
    expect_refused("/a?b", "query");
    expect_refused("/a\nb", "control");
    expect_refused("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "8 names");
    expect_refused("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
                   "32 segments");
}

static enum pattern_relation compared(const char *a, const char *b)
{
    struct pattern pa = parsed(a), pb = parsed(b);
    return pattern_compare(&pa, &pb);
}

TEST(test_patterns_are_compared_as_sets_of_paths)
{
    EXPECT_INT(compared("/a", "/b"), PATTERN_DISJOINT);
    EXPECT_INT(compared("/a", "/a/"), PATTERN_DISJOINT);
    EXPECT_INT(compared("/", "/{x}"), PATTERN_DISJOINT);
    EXPECT_INT(compared("/a", "/a/{x...}"), PATTERN_DISJOINT);
    EXPECT_INT(compared("/{x}", "/{y}"), PATTERN_SAME);
    EXPECT_INT(compared("/a/{x...}", "/a/{y...}"), PATTERN_SAME);
    EXPECT_INT(compared("/a", "/{x}"), PATTERN_NARROWER);
    EXPECT_INT(compared("/{x}", "/a"), PATTERN_WIDER);
    EXPECT_INT(compared("/", "/{x...}"), PATTERN_NARROWER);
    EXPECT_INT(compared("/{x}/b/c", "/{y...}"), PATTERN_NARROWER);
    EXPECT_INT(compared("/a/{x}", "/{y}/b"), PATTERN_CROSSING);
    EXPECT_INT(compared("/{x}/b", "/a/{y...}"), PATTERN_CROSSING);
}

TEST(test_get_stands_for_head_and_any_for_all_but_trace_and_connect)
{
    uint32_t any = pattern_methods(METHOD_OTHER);
    EXPECT(pattern_methods(METHOD_GET) & (1u << METHOD_HEAD));
    EXPECT(any & (1u << METHOD_PATCH));
    EXPECT(!(any & (1u << METHOD_TRACE)));
    EXPECT(!(any & (1u << METHOD_CONNECT)));
    EXPECT(!(any & 1u));
}
