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

TEST(test_a_host_stands_between_method_and_path)
{
    struct pattern pattern = parsed("GET api.example.com/users/{id}");
    EXPECT_INT(pattern.method, METHOD_GET);
    EXPECT_SPAN(pattern.host, "api.example.com");
    EXPECT(!pattern.has_star);
    EXPECT_INT(pattern.segment_count, 2);
    pattern = parsed("*.Example.com./");
    EXPECT_INT(pattern.method, METHOD_OTHER);
    EXPECT_SPAN(pattern.host, "Example.com");
    EXPECT(pattern.has_star);
    pattern = parsed("PUT [2001:db8::7]/a b");
    EXPECT_SPAN(pattern.host, "[2001:db8::7]");
    EXPECT_SPAN(pattern.segments[0].text, "a b");
    pattern = parsed("under_score.local/a b");
    EXPECT_SPAN(pattern.host, "under_score.local");
    EXPECT_SPAN(pattern.segments[0].text, "a b");
    EXPECT(!parsed("/x").host.ptr);
}

TEST(test_bad_hosts_are_refused_with_a_sentence)
{
    expect_refused("GET example.com", "must begin with a slash");
    expect_refused("example.com:80/", "no port");
    expect_refused("GET [::1]:8080/x", "no port");
    expect_refused("example.com:/", "no port");
    expect_refused("http://example.com/x", "no port");
    expect_refused("*/", "star");
    expect_refused("a.*.com/", "star");
    expect_refused("*.*.com/", "star");
    expect_refused("a*.com/", "star");
    expect_refused("*./", "not a host");
    expect_refused("*.[::1]/", "star");
    expect_refused("*.192.0.2.7/", "star");
    expect_refused("*.2.7/", "star");
    expect_refused("*.7/", "star");
    expect_refused("[::1/", "not a host");
    expect_refused("[fe80::1%25eth0]/", "not a host");
    expect_refused("a..b/", "labels");
    expect_refused(".a/", "labels");
    expect_refused("./", "labels");
    expect_refused("a.../", "labels");
    expect_refused("user@a.org/", "not a host");
    expect_refused("{host}/", "not a host");
    expect_refused("ex%61mple.com/", "labels");
    expect_refused("b\xc3\xbc"
                   "cher.de/",
                   "not a host");
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
