/* Prefixes of paths: which are taken, and what lies below them. */
#include "test.h"

#include "http/target_prefix.h"

static bool is_below(const char *path, const char *prefix)
{
    return target_is_below(span_of(path), target_prefix_bare(span_of(prefix)));
}

TEST(test_a_prefix_ends_where_a_segment_ends)
{
    EXPECT(is_below("/admin", "/admin"));
    EXPECT(is_below("/admin/", "/admin"));
    EXPECT(is_below("/admin/x", "/admin"));
    EXPECT(is_below("/admin", "/admin/"));
    EXPECT(!is_below("/administrator", "/admin"));
    EXPECT(!is_below("/admi", "/admin"));
    EXPECT(!is_below("/", "/admin"));
    EXPECT(!is_below("/x/admin", "/admin"));
    EXPECT(!is_below("/Admin", "/admin"));
    EXPECT(!is_below("/a", "/a/b"));
    EXPECT(is_below("/a/b", "/a/b"));
}

TEST(test_everything_is_below_the_root)
{
    EXPECT(is_below("/", "/"));
    EXPECT(is_below("/x", "/"));
    EXPECT(is_below("/%2Fx", "/"));
}

TEST(test_an_encoded_slash_does_not_lead_around_a_prefix)
{
    EXPECT(is_below("/admin%2Fx", "/admin"));
    EXPECT(is_below("/a%2Fb", "/a/b"));
    EXPECT(is_below("/a%2Fb/c", "/a/b"));
    EXPECT(!is_below("/admin%252Fx", "/admin")); /* a name with "%2F" in it, literally */
    EXPECT(!is_below("/admin%2", "/admin"));
}

TEST(test_prefixes_are_written_as_paths_come)
{
    EXPECT(!target_prefix_fault(SPAN("/")));
    EXPECT(!target_prefix_fault(SPAN("/a")));
    EXPECT(!target_prefix_fault(SPAN("/a/b c/")));
    EXPECT(!target_prefix_fault(SPAN("/100%")));
    const char *bad[] = {"",     "a",    "//",    "/a//b", "/./a",   "/a/..", "/..", "/{x}",
                         "/a?b", "/a#b", "/a\nb", "/%41",  "/a%2Fb", "*",     "/a//"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!target_prefix_fault(span_of(bad[i]))) {
            test_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
        }
    }
}
