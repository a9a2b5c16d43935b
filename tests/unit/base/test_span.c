/* tests/unit/base/test_span.c — looking at borrowed bytes.
 * Each function with missing, empty and full spans, with NUL bytes inside, and at both ends;
 * cutting and joining as a property. */
#include "test.h"

#include "base/span.h"

TEST(test_missing_and_empty_are_told_apart_but_equal)
{
    EXPECT(SPAN_NONE.ptr == NULL);
    EXPECT(SPAN("").ptr != NULL);
    EXPECT(span_of(NULL).ptr == NULL);
    EXPECT(span_of("").ptr != NULL);
    EXPECT(span_equal(SPAN_NONE, SPAN("")));
    EXPECT(span_equal_nocase(SPAN_NONE, SPAN("")));
}

TEST(test_bytes_are_compared_with_and_without_case)
{
    EXPECT(span_equal(SPAN("a\0b"), SPAN("a\0b")));
    EXPECT(!span_equal(SPAN("a\0b"), SPAN("a\0c")));
    EXPECT(!span_equal(SPAN("a"), SPAN("ab")));
    EXPECT(span_equal_nocase(SPAN("Content-LENGTH"), SPAN("content-length")));
    EXPECT(!span_equal_nocase(SPAN("Host"), SPAN("Hosts")));
    /* '@' and '`', '[' and '{' differ by the case bit but are no letters */
    EXPECT(!span_equal_nocase(SPAN("@["), SPAN("`{")));
    EXPECT(!span_equal_nocase(SPAN("\xc4"), SPAN("\xe4")));
}

TEST(test_case_is_ignored_at_every_place_of_every_length)
{
    char a[40], b[40];
    for (size_t len = 1; len <= sizeof a; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(a, 'x', len);
            memset(b, 'x', len);
            b[at] = 'X';
            EXPECT(span_equal_nocase(span_make(a, len), span_make(b, len)));
            b[at] = 'Y';
            EXPECT(!span_equal_nocase(span_make(a, len), span_make(b, len)));
            b[at] = 'x' ^ '\x80'; /* only letters of ASCII have a case */
            EXPECT(!span_equal_nocase(span_make(a, len), span_make(b, len)));
        }
    }
}

TEST(test_starts_and_ends)
{
    EXPECT(span_starts_with(SPAN("/a/b"), SPAN("/a")));
    EXPECT(span_starts_with(SPAN("/a"), SPAN("")));
    EXPECT(span_starts_with(SPAN_NONE, SPAN("")));
    EXPECT(!span_starts_with(SPAN("/a"), SPAN("/a/")));
    EXPECT(span_ends_with(SPAN("x.gz"), SPAN(".gz")));
    EXPECT(span_ends_with(SPAN("x"), SPAN("")));
    EXPECT(span_ends_with(SPAN_NONE, SPAN_NONE));
    EXPECT(!span_ends_with(SPAN("gz"), SPAN(".gz")));
}

TEST(test_find_gives_the_length_when_there_is_none)
{
    EXPECT_INT(span_find(SPAN("a:b:c"), ':'), 1);
    EXPECT_INT(span_find(SPAN("abc"), ':'), 3);
    EXPECT_INT(span_find(SPAN_NONE, ':'), 0);
    EXPECT_INT(span_find(SPAN("a\0b"), '\0'), 1);
}

TEST(test_from_stops_at_the_end)
{
    EXPECT_SPAN(span_from(SPAN("abc"), 1), "bc");
    EXPECT_SPAN(span_from(SPAN("abc"), 3), "");
    EXPECT_SPAN(span_from(SPAN("abc"), 9), "");
    EXPECT(span_from(SPAN_NONE, 0).ptr == NULL);
    EXPECT(span_from(SPAN_NONE, 5).ptr == NULL);
}

TEST(test_trim_takes_spaces_and_tabs_only)
{
    /* RFC 9110 §5.6.3: OWS = *( SP / HTAB ) */
    EXPECT_SPAN(span_trim(SPAN(" \t a b\t ")), "a b");
    EXPECT_SPAN(span_trim(SPAN("\r\na\v")), "\r\na\v");
    EXPECT_SPAN(span_trim(SPAN(" \t ")), "");
    EXPECT(span_trim(SPAN(" ")).ptr != NULL);
    EXPECT(span_trim(SPAN_NONE).ptr == NULL);
}

TEST(test_cut_walks_through_a_list)
{
    struct span head;
    struct span rest = span_cut(SPAN("a,,b"), ',', &head);
    EXPECT_SPAN(head, "a");
    rest = span_cut(rest, ',', &head);
    EXPECT_SPAN(head, "");
    rest = span_cut(rest, ',', &head);
    EXPECT_SPAN(head, "b");
    EXPECT(rest.ptr == NULL);
    rest = span_cut(SPAN("a,"), ',', &head);
    EXPECT(rest.ptr != NULL && rest.len == 0); /* there is a last, empty member */
}

TEST(test_cut_pieces_joined_give_the_whole)
{
    for (unsigned i = 0; i < test_rounds(2000); i++) {
        char text[40];
        char joined[80];
        size_t len = (size_t)test_random_below(sizeof text);
        size_t used = 0;
        for (size_t k = 0; k < len; k++) {
            text[k] = test_random_below(3) ? 'x' : ',';
        }
        struct span rest = span_make(text, len);
        while (rest.ptr) {
            struct span head;
            rest = span_cut(rest, ',', &head);
            memcpy(joined + used, head.ptr, head.len);
            used += head.len;
            joined[used] = ',';
            used += rest.ptr != NULL;
        }
        EXPECT(span_equal(span_make(joined, used), span_make(text, len)));
    }
}
