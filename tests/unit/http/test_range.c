/* tests/unit/http/test_range.c — Range against any size: RFC 9110 §14, and no arithmetic that
 * attackers steer. */
#include "http/range.h"
#include "test.h"

struct row {
    const char *value;
    uint64_t size;
    enum range_result result;
    const char *pieces; /* "from+len from+len" */
};

#define USE  RANGE_SATISFIABLE
#define ALL  RANGE_IGNORE
#define NONE RANGE_UNSATISFIABLE

static const struct row rows[] = {
    /* RFC 9110 §14.1.1, RFC 9110 §14.1.2: single, open, suffix */
    {"bytes=0-0", 10, USE, "0+1"},
    {"bytes=0-9", 10, USE, "0+10"},
    {"bytes=2-5", 10, USE, "2+4"},
    {"bytes=5-", 10, USE, "5+5"},
    {"bytes=9-", 10, USE, "9+1"},
    {"bytes=-3", 10, USE, "7+3"},
    {"bytes=-10", 10, USE, "0+10"},
    {"bytes=-11", 10, USE, "0+10"},
    {"bytes=5-100", 10, USE, "5+5"},
    {"BYTES=0-1", 10, USE, "0+2"}, /* RFC 9110 §14.1: unit names in any case */
    /* unsatisfiable */
    {"bytes=10-", 10, NONE, ""},
    {"bytes=10-20", 10, NONE, ""},
    {"bytes=-0", 10, NONE, ""},
    {"bytes=-0,10-", 10, NONE, ""},
    {"bytes=0-", 0, NONE, ""},
    {"bytes=0-0", 0, NONE, ""},
    {"bytes=-5", 0, ALL, ""},
    /* RFC 9110 §14.2: invalid or another unit: as if it were not there */
    {"bytes=9-5", 10, ALL, ""},
    {"bytes=0-1,9-5", 10, ALL, ""},
    {"bytes=", 10, ALL, ""},
    {"bytes=,", 10, ALL, ""},
    {"bytes", 10, ALL, ""},
    {"bytes=-", 10, ALL, ""},
    {"bytes=--5", 10, ALL, ""},
    {"bytes=+1-2", 10, ALL, ""},
    {"bytes=1-2-3", 10, ALL, ""},
    {"bytes=a-b", 10, ALL, ""},
    {"bytes=0x1-2", 10, ALL, ""},
    {"bytes=1 - 2", 10, ALL, ""},
    {"bytes=1- 2", 10, ALL, ""},
    {"bytes 0-1", 10, ALL, ""},
    {"bytes =0-1", 10, ALL, ""},
    {"items=0-1", 10, ALL, ""},
    {"0-1", 10, ALL, ""},
    {"", 10, ALL, ""},
    {"bytes=0-1;2-3", 10, ALL, ""},
    {"bytes=\"0-1\"", 10, ALL, ""},
    /* several */
    {"bytes=0-1,4-5", 10, USE, "0+2 4+2"},
    {"bytes= 0-1 , 4-5 ", 10, USE, "0+2 4+2"},
    {"bytes=4-5,0-1", 10, USE, "4+2 0+2"}, /* the order of the request */
    {"bytes=,0-1,,4-5,", 10, USE, "0+2 4+2"},
    {"bytes=0-1,20-30", 10, USE, "0+2"},
    {"bytes=0-5,3-8", 10, USE, "0+9"},
    {"bytes=0-3,4-8", 10, USE, "0+9"},
    {"bytes=3-8,0-5", 10, USE, "0+9"},
    {"bytes=0-1,8-9,0-9", 10, USE, "0+10"},
    {"bytes=8-9,0-1,5-6,1-5", 10, USE, "8+2 0+7"},
    {"bytes=0-1,0-1,0-1", 10, USE, "0+2"},
    {"bytes=-1,-2,-3", 10, USE, "7+3"},
    {"bytes=0-0,-1", 10, USE, "0+1 9+1"},
    /* numbers around 2^63 and 2^64 and far beyond */
    {"bytes=9223372036854775807-", 10, NONE, ""},
    {"bytes=9223372036854775808-", 10, NONE, ""},
    {"bytes=18446744073709551615-", 10, NONE, ""},
    {"bytes=18446744073709551616-18446744073709551615,0-", 10, ALL, ""},
    {"bytes=99999999999999999999-99999999999999999999,0-", 10, USE, "0+10"},
    {"bytes=0005-0004", 10, ALL, ""},
    {"bytes=0005-06", 10, USE, "5+2"},
    {"bytes=18446744073709551616-", 10, NONE, ""},
    {"bytes=99999999999999999999999999-", 10, NONE, ""},
    {"bytes=0-18446744073709551615", 10, USE, "0+10"},
    {"bytes=0-99999999999999999999999999", 10, USE, "0+10"},
    {"bytes=-18446744073709551615", 10, USE, "0+10"},
    {"bytes=-99999999999999999999999999", 10, USE, "0+10"},
    {"bytes=5-9223372036854775808", 10, USE, "5+5"},
    {"bytes=0-", UINT64_MAX, USE, "0+18446744073709551615"},
    {"bytes=-1", UINT64_MAX, USE, "18446744073709551614+1"},
    {"bytes=18446744073709551614-", UINT64_MAX, USE, "18446744073709551614+1"},
    {"bytes=0-0,18446744073709551614-", UINT64_MAX, USE, "0+1 18446744073709551614+1"},
    {"bytes=00000000000000000000000000000001-0000000000000000000000000000002", 10, USE, "1+2"},
};

static void pieces_text(const struct range_set *set, char *out, size_t room)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < set->count; i++) {
        len += (size_t)snprintf(out + len, room - len, "%s%" PRIu64 "+%" PRIu64, i ? " " : "",
                                set->ranges[i].from, set->ranges[i].len);
    }
}

TEST(ranges_are_what_the_rfc_says)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct range_set set = {.count = 0};
        char text[1024];
        enum range_result result = range_parse(span_of(rows[i].value), rows[i].size, &set);
        pieces_text(&set, text, sizeof(text));
        if (result != rows[i].result || strcmp(text, rows[i].pieces) != 0) {
            test_fail(__FILE__, __LINE__, "'%s' of %" PRIu64 " gives %d '%s'", rows[i].value,
                      rows[i].size, (int)result, text);
        }
    }
    struct range_set set;
    EXPECT_INT(range_parse(SPAN_NONE, 10, &set), RANGE_IGNORE);
}

/* Lesson: many ranges make no large answer. RFC 9110 §14.2, §15.3.7.2 */
TEST(sixteen_pieces_are_served_and_seventeen_are_the_whole)
{
    struct range_set set;
    char text[400];
    size_t len = 6;
    memcpy(text, "bytes=", 6);
    for (int i = 0; i < RANGE_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%d-%d,", i * 10, i * 10);
    }
    EXPECT_INT(range_parse(span_make(text, len), 1000, &set), RANGE_SATISFIABLE);
    EXPECT_INT(set.count, RANGE_MAX);
    len += (size_t)snprintf(text + len, sizeof(text) - len, "500-500");
    EXPECT_INT(range_parse(span_make(text, len), 1000, &set), RANGE_IGNORE);
}

TEST(thousands_of_equal_ranges_are_one)
{
    enum { COUNT = 5000 };
    char *text = malloc(6 + COUNT * 3);
    memcpy(text, "bytes=", 6);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(text + 6 + i * 3, "0-,", 3);
    }
    struct range_set set;
    EXPECT_INT(range_parse(span_make(text, 6 + COUNT * 3), 1000, &set), RANGE_SATISFIABLE);
    EXPECT_INT(set.count, 1);
    EXPECT_INT(set.ranges[0].len, 1000);
    free(text);
}

static void expect_sound(const struct range_set *set, uint64_t size)
{
    uint64_t sum = 0;
    EXPECT(set->count >= 1 && set->count <= RANGE_MAX);
    for (unsigned i = 0; i < set->count; i++) {
        struct byte_range a = set->ranges[i];
        EXPECT(a.len > 0 && a.from < size && a.len <= size - a.from);
        EXPECT(a.len <= size - sum); /* the sum stays within the size */
        sum += a.len;
        for (unsigned k = 0; k < i; k++) {
            struct byte_range b = set->ranges[k];
            EXPECT(a.from > b.from + b.len || b.from > a.from + a.len);
        }
    }
}

static uint64_t random_number(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     9,
                                     10,
                                     UINT64_MAX,
                                     INT64_MAX,
                                     (uint64_t)INT64_MAX + 1,
                                     UINT32_MAX,
                                     99,
                                     UINT64_MAX - 1,
                                     100};
    return test_random_below(3) ? edges[test_random_below(12)]
                                : test_random() >> test_random_below(64);
}

/* Lesson: any size and any Range give pieces inside the file whose sum is at most the file. */
TEST(any_size_and_any_string_give_pieces_inside_the_file)
{
    unsigned used = 0;
    for (unsigned round = 0; round < test_rounds(60000); round++) {
        char text[700];
        size_t len = (size_t)snprintf(text, sizeof(text), "bytes=");
        uint64_t size = random_number();
        for (uint64_t i = 1 + test_random_below(12); i > 0; i--) {
            uint64_t form = test_random_below(5);
            if (form != 0) {
                len +=
                    (size_t)snprintf(text + len, sizeof(text) - len, "%" PRIu64, random_number());
            }
            len += (size_t)snprintf(text + len, sizeof(text) - len, "-");
            if (form != 1) {
                len +=
                    (size_t)snprintf(text + len, sizeof(text) - len, "%" PRIu64, random_number());
            }
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", i > 1 ? "," : "");
        }
        if (test_random_below(4) == 0) {
            text[test_random_below(len)] = "0-,= 9x"[test_random_below(7)];
        }
        struct range_set set;
        if (range_parse(span_make(text, len), size, &set) == RANGE_SATISFIABLE) {
            used++;
            expect_sound(&set, size);
        }
    }
    EXPECT(used > test_rounds(60000) / 20);
}

/* RFC 9110 §14.4 */
TEST(content_range_is_written_as_the_rfc_says)
{
    char text[RANGE_CONTENT_RANGE_MAX];
    size_t len = range_write_content_range(text, (struct byte_range){0, 5}, 10);
    EXPECT_SPAN(span_make(text, len), "bytes 0-4/10");
    len = range_write_content_range(text, (struct byte_range){UINT64_MAX - 1, 1}, UINT64_MAX);
    EXPECT_SPAN(span_make(text, len),
                "bytes 18446744073709551614-18446744073709551614/18446744073709551615");
    len = range_write_unsatisfied(text, 10);
    EXPECT_SPAN(span_make(text, len), "bytes */10");
}
