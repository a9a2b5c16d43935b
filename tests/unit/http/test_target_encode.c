/* tests/unit/http/test_target_encode.c — Location and links: never "//", never a byte with a second
 * meaning. */
#include "base/alloc.h"
#include "http/target_encode.h"
#include "test.h"

static void expect_path(struct span path, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    target_encode_path(&out, path);
    EXPECT_SPAN(buf_span(&out), expected);
    buf_finish(&out);
}

static void expect_name(struct span name, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    target_encode_name(&out, name);
    EXPECT_SPAN(buf_span(&out), expected);
    buf_finish(&out);
}

TEST(paths_are_escaped_and_keep_their_slashes)
{
    expect_path(SPAN("/a/b.c/"), "/a/b.c/");
    expect_path(SPAN("/a b\"<&>'"), "/a%20b%22%3C%26%3E%27");
    expect_path(SPAN("/\xc3\xbc"), "/%C3%BC");
    expect_path(SPAN("/a?b#c"), "/a%3Fb%23c");
    expect_path(SPAN("/a\r\nSet-Cookie: x"), "/a%0D%0ASet-Cookie:%20x");
    expect_path(SPAN("/a\\b"), "/a%5Cb");
    expect_path(SPAN("/100%"), "/100%25");
    expect_path(SPAN("/a%2Fb"), "/a%2Fb");
    expect_path(SPAN("/a%252Fb"), "/a%252Fb");
}

/* Lesson: "Location: //host/" leaves the site (RFC 3986 §4.2) */
TEST(a_path_always_has_exactly_one_leading_slash)
{
    expect_path(SPAN("//evil.example/"), "/evil.example/");
    expect_path(SPAN("////"), "/");
    expect_path(SPAN("evil.example"), "/evil.example");
    expect_path(SPAN(""), "/");
    expect_path(SPAN_NONE, "/");
    expect_path(SPAN("/\\evil.example"), "/%5Cevil.example");
    expect_path(SPAN("/a//b"), "/a/b");
}

TEST(names_are_single_segments)
{
    expect_name(SPAN("a b.txt"), "a%20b.txt");
    expect_name(SPAN("a/b"), "a%2Fb");
    expect_name(SPAN("javascript:x"), "javascript%3Ax"); /* RFC 3986 §4.2 */
    expect_name(SPAN("50%2F"), "50%252F");
    expect_name(span_make("\0", 1), "%00");
}

TEST(an_encoding_without_memory_fails_in_the_buffer)
{
    for (uint64_t n = 1;; n++) {
        struct buf out;
        buf_init(&out, 0);
        mem_fail_nth(n);
        target_encode_path(&out,
                           SPAN("/a long enough path to grow the buffer once or twice / % & "));
        bool has_failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(out.failed, has_failed);
        buf_finish(&out);
        if (!has_failed) {
            break;
        }
    }
}
