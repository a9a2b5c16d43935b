/* tests/unit/http/test_precondition.c — conditional requests: RFC 9110 §13, each step and their
 * order. */
#include "http/precondition.h"
#include "test.h"

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER  "Sat, 05 Nov 1994 08:49:37 GMT"
#define LATER    "Mon, 07 Nov 1994 08:49:37 GMT"

enum { MODIFIED_S = 784111777, NOW_S = 1800000000 };

static struct field storage[8];

static const struct validators file = {true, true, {"\"a\"", 3}, MODIFIED_S};
static const struct validators missing = {false, false, {"", 0}, 0};
static const struct validators undated = {true, false, {"W/\"a\"", 5}, 0};

/* Lines "Name: value" separated by '|'. */
static struct fields lines(const char *text)
{
    struct fields fields;
    fields_init(&fields, storage, 8);
    struct span rest = span_of(text);
    while (rest.len > 0) {
        struct span line, name;
        rest = span_cut(rest, '|', &line);
        struct span value = span_cut(line, ':', &name);
        EXPECT_INT(fields_add(&fields, name, span_trim(value)), 0);
    }
    return fields;
}

struct row {
    enum method method;
    const struct validators *current;
    const char *lines;
    enum precondition expected;
};

#define GO   PRECONDITION_PROCEED
#define SAME PRECONDITION_NOT_MODIFIED
#define FAIL PRECONDITION_FAILED

static const struct row rows[] = {
    {METHOD_GET, &file, "", GO},
    /* step 1: RFC 9110 §13.1.1, strong comparison */
    {METHOD_GET, &file, "If-Match: \"a\"", GO},
    {METHOD_GET, &file, "If-Match: \"b\"", FAIL},
    {METHOD_PUT, &file, "If-Match: \"b\", \"a\"", GO},
    {METHOD_PUT, &file, "If-Match: \"b\"|If-Match: \"a\"", GO},
    {METHOD_PUT, &file, "If-Match: W/\"a\"", FAIL},
    {METHOD_PUT, &undated, "If-Match: W/\"a\"", FAIL},
    {METHOD_PUT, &file, "If-Match: *", GO},
    {METHOD_PUT, &missing, "If-Match: *", FAIL},
    {METHOD_PUT, &missing, "If-Match: \"a\"", FAIL},
    {METHOD_PUT, &file, "If-Match: a", FAIL},
    {METHOD_PUT, &file, "If-Match: \"a\" oops", FAIL},
    {METHOD_PUT, &file, "If-Match: *|If-Match: \"a\"", FAIL},
    /* step 2: RFC 9110 §13.1.4, only without If-Match */
    {METHOD_GET, &file, "If-Unmodified-Since: " MODIFIED, GO},
    {METHOD_GET, &file, "If-Unmodified-Since: " LATER, GO},
    {METHOD_GET, &file, "If-Unmodified-Since: " EARLIER, FAIL},
    {METHOD_PUT, &file, "If-Unmodified-Since: " EARLIER, FAIL},
    {METHOD_PUT, &file, "If-Unmodified-Since: never", GO},
    {METHOD_PUT, &undated, "If-Unmodified-Since: " EARLIER, GO},
    {METHOD_PUT, &file, "If-Match: \"a\"|If-Unmodified-Since: " EARLIER, GO},
    /* step 3: RFC 9110 §13.1.2, weak comparison */
    {METHOD_GET, &file, "If-None-Match: \"a\"", SAME},
    {METHOD_HEAD, &file, "If-None-Match: W/\"a\"", SAME},
    {METHOD_GET, &undated, "If-None-Match: \"x\", \"a\"", SAME},
    {METHOD_GET, &file, "If-None-Match: \"x\"|If-None-Match: \"a\"", SAME},
    {METHOD_GET, &file, "If-None-Match: \"b\"", GO},
    {METHOD_GET, &file, "If-None-Match: *", SAME},
    {METHOD_PUT, &file, "If-None-Match: *", FAIL},
    {METHOD_PUT, &missing, "If-None-Match: *", GO},
    {METHOD_PUT, &file, "If-None-Match: \"a\"", FAIL},
    {METHOD_POST, &file, "If-None-Match: \"b\"", GO},
    {METHOD_GET, &file, "If-None-Match: a", GO},
    {METHOD_PUT, &file, "If-None-Match: a", FAIL},
    /* step 4: RFC 9110 §13.1.3, only for GET and HEAD, only without If-None-Match */
    {METHOD_GET, &file, "If-Modified-Since: " MODIFIED, SAME},
    {METHOD_HEAD, &file, "If-Modified-Since: " LATER, SAME},
    {METHOD_GET, &file, "If-Modified-Since: " EARLIER, GO},
    {METHOD_GET, &file, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", SAME},
    {METHOD_GET, &file, "If-Modified-Since: Sun Nov  6 08:49:37 1994", SAME},
    {METHOD_GET, &file, "If-Modified-Since: yesterday", GO},
    {METHOD_GET, &file, "If-Modified-Since: " LATER "|If-Modified-Since: " LATER, GO},
    {METHOD_POST, &file, "If-Modified-Since: " LATER, GO},
    {METHOD_GET, &undated, "If-Modified-Since: " LATER, GO},
    {METHOD_GET, &file, "If-None-Match: \"b\"|If-Modified-Since: " LATER, GO},
    {METHOD_GET, &file, "If-None-Match: a|If-Modified-Since: " LATER, GO},
    {METHOD_GET, &file, "If-None-Match: \"a\"|If-Modified-Since: " EARLIER, SAME},
    /* RFC 9110 §13.2.2: 412 comes before 304 */
    {METHOD_GET, &file, "If-Match: \"b\"|If-None-Match: \"a\"", FAIL},
    {METHOD_GET, &file, "If-Match: \"a\"|If-None-Match: \"a\"", SAME},
    {METHOD_GET, &file, "If-Unmodified-Since: " EARLIER "|If-None-Match: \"a\"", FAIL},
    /* RFC 9110 §13.2.1 */
    {METHOD_OPTIONS, &file, "If-Match: \"b\"", GO},
    {METHOD_TRACE, &file, "If-None-Match: *", GO},
    {METHOD_CONNECT, &file, "If-Match: \"b\"", GO},
};

TEST(conditions_are_judged_in_the_order_of_the_rfc)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fields fields = lines(rows[i].lines);
        enum precondition got = precondition_check(rows[i].method, &fields, rows[i].current, NOW_S);
        if (got != rows[i].expected) {
            test_fail(__FILE__, __LINE__, "row %zu \"%s\" gives %d", i, rows[i].lines, (int)got);
        }
    }
}

static bool range_applies(const char *text, const struct validators *current, int64_t now_s)
{
    struct fields fields = lines(text);
    return precondition_if_range(&fields, current, now_s);
}

/* RFC 9110 §13.1.5 */
TEST(if_range_wants_a_strong_match)
{
    EXPECT(range_applies("", &file, NOW_S));
    EXPECT(range_applies("If-Range: \"a\"", &file, NOW_S));
    EXPECT(!range_applies("If-Range: \"b\"", &file, NOW_S));
    EXPECT(!range_applies("If-Range: W/\"a\"", &file, NOW_S));
    EXPECT(!range_applies("If-Range: W/\"a\"", &undated, NOW_S));
    EXPECT(!range_applies("If-Range: \"a\"", &undated, NOW_S));
    EXPECT(!range_applies("If-Range: \"a\"", &missing, NOW_S));
    EXPECT(!range_applies("If-Range: \"a\", \"b\"", &file, NOW_S));
    EXPECT(!range_applies("If-Range: *", &file, NOW_S));
    EXPECT(!range_applies("If-Range:", &file, NOW_S));
    EXPECT(!range_applies("If-Range: \"a\"|If-Range: \"a\"", &file, NOW_S));
}

TEST(if_range_wants_exactly_the_date)
{
    EXPECT(range_applies("If-Range: " MODIFIED, &file, NOW_S));
    EXPECT(!range_applies("If-Range: " LATER, &file, NOW_S));
    EXPECT(!range_applies("If-Range: " EARLIER, &file, NOW_S));
    EXPECT(!range_applies("If-Range: " MODIFIED, &undated, NOW_S));
    /* RFC 9110 §8.8.2.2: in the second of the change another change may follow */
    EXPECT(!range_applies("If-Range: " MODIFIED, &file, MODIFIED_S));
    EXPECT(range_applies("If-Range: " MODIFIED, &file, MODIFIED_S + 1));
}
