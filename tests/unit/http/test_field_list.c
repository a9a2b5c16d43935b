/* tests/unit/http/test_field_list.c — comma lists and weights. */
#include "http/field_list.h"
#include "test.h"

static void expect_members(struct span value, const char *const *members)
{
    struct span member;
    for (; *members; members++) {
        EXPECT(field_list_next(&value, &member));
        EXPECT_SPAN(member, *members);
    }
    EXPECT(!field_list_next(&value, &member));
    EXPECT(!field_list_next(&value, &member));
}

/* RFC 9110 §5.6.1.2: empty members are allowed and mean nothing */
TEST(members_come_trimmed_and_empty_ones_are_skipped)
{
    expect_members(SPAN("a,b ,\t c"), (const char *[]){"a", "b", "c", NULL});
    expect_members(SPAN(",, ,a,,"), (const char *[]){"a", NULL});
    expect_members(SPAN(""), (const char *[]){NULL});
    expect_members(SPAN(" , "), (const char *[]){NULL});
    expect_members(SPAN_NONE, (const char *[]){NULL});
}

/* RFC 9110 §5.6.4 */
TEST(commas_in_quotes_do_not_separate)
{
    expect_members(SPAN("a=\"x,y\", b"), (const char *[]){"a=\"x,y\"", "b", NULL});
    expect_members(SPAN("\"\\\",\", b"), (const char *[]){"\"\\\",\"", "b", NULL});
    expect_members(SPAN("a, \"open, b"), (const char *[]){"a", "\"open, b", NULL});
    expect_members(SPAN("\"x\\"), (const char *[]){"\"x\\", NULL});
}

TEST(tokens_are_found_in_any_case_and_only_whole)
{
    EXPECT(field_list_has(SPAN("Keep-Alive, CLOSE"), SPAN("close")));
    EXPECT(!field_list_has(SPAN("closed, xclose"), SPAN("close")));
    EXPECT(!field_list_has(SPAN("\"close\""), SPAN("close")));
    EXPECT(!field_list_has(SPAN(""), SPAN("close")));
}

static int weight_of(const char *member)
{
    struct weighted weighted;
    return weighted_parse(span_of(member), &weighted) ? (int)weighted.weight : -1;
}

/* RFC 9110 §12.4.2 */
TEST(weights_have_at_most_three_decimals_and_are_not_above_one)
{
    EXPECT_INT(weight_of("gzip"), 1000);
    EXPECT_INT(weight_of("gzip;q=1"), 1000);
    EXPECT_INT(weight_of("gzip;q=1."), 1000);
    EXPECT_INT(weight_of("gzip;q=1.000"), 1000);
    EXPECT_INT(weight_of("gzip;q=0"), 0);
    EXPECT_INT(weight_of("gzip;q=0."), 0);
    EXPECT_INT(weight_of("gzip;q=0.5"), 500);
    EXPECT_INT(weight_of("gzip;q=0.05"), 50);
    EXPECT_INT(weight_of("gzip;q=0.001"), 1);
    EXPECT_INT(weight_of("gzip ; Q=0.123"), 123);
}

TEST(malformed_weights_are_refused)
{
    static const char *const bad[] = {
        "gzip;q=1.001", "gzip;q=2",  "gzip;q=0.1234",  "gzip;q=",     "gzip;q",
        "gzip;q=-1",    "gzip;q=.5", "gzip;q=0,5",     "gzip;q= 1",   "gzip;q =1",
        "gzip;",        "gzip;;q=1", "gzip;q=1;x=2",   "gzip;q=0.5q", "gzip;q=1e0",
        "gzip;q=00",    "gzip;q=01", "gzip;q=\"0.5\"", ";q=1",        "",
        "gzip;q=1.0000"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (weight_of(bad[i]) != -1) {
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        }
    }
}

/* RFC 9110 §5.6.6 */
TEST(parameters_stand_before_the_weight)
{
    struct weighted weighted;
    EXPECT(weighted_parse(SPAN("text/html;level=1 ; q=0.4"), &weighted));
    EXPECT_SPAN(weighted.value, "text/html");
    EXPECT_SPAN(weighted.parameters, ";level=1");
    EXPECT_INT(weighted.weight, 400);
    EXPECT(weighted_parse(SPAN("a;x=\"1;q=0\""), &weighted));
    EXPECT_INT(weighted.weight, 1000);
    EXPECT_SPAN(weighted.parameters, ";x=\"1;q=0\"");
    EXPECT(weighted_parse(SPAN("a ;q=0.1"), &weighted));
    EXPECT_SPAN(weighted.value, "a");
    EXPECT_SPAN(weighted.parameters, "");
    EXPECT(!weighted_parse(SPAN("a;x"), &weighted));
    EXPECT(!weighted_parse(SPAN("a;x="), &weighted));
    EXPECT(!weighted_parse(SPAN("a;x=\"open"), &weighted));
    EXPECT(!weighted_parse(SPAN("a;x=\"b\"c"), &weighted));
}

/* Lesson: a parser's steps are bounded by its input, whatever stands in it. */
TEST(random_bytes_never_run_past_the_end)
{
    static const char alphabet[] = ",;=\"\\ q01.a\t";
    for (unsigned round = 0; round < test_rounds(20000); round++) {
        size_t len = test_random_below(40);
        char *text = malloc(len ? len : 1); /* exactly: sanitizers see a byte too far */
        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[test_random_below(sizeof(alphabet) - 1)];
        }
        struct span rest = span_make(text, len), member;
        size_t members = 0, bytes = 0;
        while (field_list_next(&rest, &member)) {
            struct weighted weighted;
            EXPECT(member.len > 0);
            EXPECT(member.ptr >= text && member.ptr + member.len <= text + len);
            if (weighted_parse(member, &weighted)) {
                EXPECT(weighted.weight <= 1000 && weighted.value.len > 0);
            }
            members++;
            bytes += member.len;
        }
        EXPECT(members <= len && bytes <= len);
        free(text);
    }
}
