/* tests/unit/http/test_etag.c — entity tags: grammar, comparison, lists, writers. */
#include "http/etag.h"
#include "test.h"

static struct etag tag(const char *text)
{
    struct etag got;
    EXPECT(etag_parse(span_of(text), &got));
    return got;
}

/* RFC 9110 §8.8.3 */
TEST(tags_have_quotes_and_perhaps_an_upper_case_w)
{
    EXPECT_SPAN(tag("\"a\"").opaque, "\"a\"");
    EXPECT(!tag("\"a\"").is_weak);
    EXPECT(tag("W/\"a\"").is_weak);
    EXPECT_SPAN(tag("W/\"\"").opaque, "\"\"");
    EXPECT_SPAN(tag("\"a,b\\\x80\"").opaque, "\"a,b\\\x80\"");
    static const char *const bad[] = {
        "",        "a",       "\"a",     "a\"", "\"a\"b",    "w/\"a\"", "W/",     "W", "W/a",
        "W \"a\"", "\"a b\"", "\"a\"\"", "'a'", "\"a\x7f\"", "\"a\t\"", " \"a\"", "*", "W/W/\"a\""};
    struct etag got;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (etag_parse(span_of(bad[i]), &got)) {
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        }
    }
    EXPECT(!etag_parse(SPAN_NONE, &got));
}

/* The table of RFC 9110 §8.8.3.2 */
TEST(strong_and_weak_comparison_follow_the_table)
{
    struct etag weak1 = tag("W/\"1\""), weak2 = tag("W/\"2\""), strong1 = tag("\"1\"");
    EXPECT(!etag_equal_strong(weak1, weak1) && etag_equal_weak(weak1, weak1));
    EXPECT(!etag_equal_strong(weak1, weak2) && !etag_equal_weak(weak1, weak2));
    EXPECT(!etag_equal_strong(weak1, strong1) && etag_equal_weak(weak1, strong1));
    EXPECT(etag_equal_strong(strong1, strong1) && etag_equal_weak(strong1, strong1));
}

static enum etag_match match(const char *list, const char *current, bool is_strong)
{
    struct etag now;
    bool has_tag = current && etag_parse(span_of(current), &now);
    return etag_list_match(span_of(list), has_tag ? &now : NULL, is_strong);
}

/* RFC 9110 §13.1.1, RFC 9110 §5.6.1 */
TEST(lists_are_searched_whole)
{
    EXPECT_INT(match("\"a\"", "\"a\"", true), ETAG_MATCH);
    EXPECT_INT(match("\"a\", \"b\"", "\"b\"", true), ETAG_MATCH);
    EXPECT_INT(match("\"a\",W/\"b\"", "\"b\"", true), ETAG_NO_MATCH);
    EXPECT_INT(match("\"a\",W/\"b\"", "\"b\"", false), ETAG_MATCH);
    EXPECT_INT(match("\"x,y\" , \"b\"", "\"b\"", true), ETAG_MATCH);
    EXPECT_INT(match(", ,\"a\",,", "\"a\"", true), ETAG_MATCH);
    EXPECT_INT(match("\"a\"", NULL, false), ETAG_NO_MATCH);
    EXPECT_INT(match("*", "\"a\"", true), ETAG_ANY);
    EXPECT_INT(match(" * ", NULL, true), ETAG_ANY);
}

TEST(malformed_lists_are_malformed_also_when_a_member_matches)
{
    static const char *const bad[] = {
        "",         ",",  "a",   "\"a\" \"a\"", "\"a\"x",      "\"a\", *", "*, \"a\"",
        "\"a\", b", "**", "\"a", "w/\"a\"",     "\"a\";\"a\"", "W/ \"a\"", "\"a\"\"a\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (match(bad[i], "\"a\"", false) != ETAG_MALFORMED) {
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        }
    }
}

TEST(written_tags_can_be_read)
{
    char text[ETAG_MAX_LEN];
    unsigned char hash[16];
    struct etag got;
    for (size_t i = 0; i < sizeof(hash); i++) {
        hash[i] = (unsigned char)(i * 17);
    }
    size_t len = etag_write_hash(text, hash);
    EXPECT_SPAN(span_make(text, len), "\"00112233445566778899aabbccddeeff\"");
    EXPECT(etag_parse(span_make(text, len), &got));
    EXPECT(!got.is_weak);
    len = etag_write_weak(text, 0, 16, 255);
    EXPECT_SPAN(span_make(text, len), "W/\"0-10-ff\"");
    len = etag_write_weak(text, UINT64_MAX, UINT64_MAX, -1);
    EXPECT(len <= ETAG_MAX_LEN);
    EXPECT(etag_parse(span_make(text, len), &got));
    EXPECT(got.is_weak);
}

TEST(different_files_have_different_weak_tags)
{
    char a[ETAG_MAX_LEN], b[ETAG_MAX_LEN];
    size_t a_len = etag_write_weak(a, 1, 0x23, 4), b_len = etag_write_weak(b, 0x12, 3, 4);
    EXPECT(!span_equal(span_make(a, a_len), span_make(b, b_len)));
}
