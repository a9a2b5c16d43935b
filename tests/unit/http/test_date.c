/* tests/unit/http/test_date.c — the three date formats of RFC 9110 §5.6.7, against the C library as
 * a second opinion. */
#include "http/date.h"
#include "test.h"

#include <time.h>

enum { DAY_S = 86400 };

/* What the C library makes of a moment, in a format it is given literally. */
#define TEXT_OF(format, at, out) span_make(out, strftime(out, sizeof(out), format, broken_down(at)))

static const struct tm *broken_down(time_t seconds)
{
    static struct tm parts;
    return gmtime_r(&seconds, &parts);
}

/* "Sunday, 06-Nov-1994 ..." without the century. */
static struct span without_century(struct span text)
{
    char *century = memchr(text.ptr, '-', text.len);
    century = (char *)memchr(century + 1, '-', 5) + 1;
    memmove(century, century + 2, (size_t)(text.ptr + text.len - century - 2));
    return span_make(text.ptr, text.len - 2);
}

static void expect_read(struct span text, int64_t now_s, int64_t expected)
{
    int64_t read;
    EXPECT(date_parse(text, now_s, &read));
    EXPECT_INT(read, expected);
}

/* RFC 9110 §5.6.7: a sender writes IMF-fixdate; a recipient reads all three */
TEST(every_day_from_1970_to_2199_goes_round_in_three_formats)
{
    for (time_t day = 0; day < 84006; day++) {
        time_t at = day * DAY_S + (time_t)test_random_below(DAY_S);
        char written[DATE_LEN], text[64];
        date_write(written, at);
        EXPECT(span_equal(TEXT_OF("%a, %d %b %Y %H:%M:%S GMT", at, text),
                          span_make(written, DATE_LEN)));
        expect_read(span_make(written, DATE_LEN), 0, at);
        expect_read(TEXT_OF("%a %b %e %H:%M:%S %Y", at, text), 0, at);
        struct span long_date = TEXT_OF("%A, %d-%b-%Y %H:%M:%S GMT", at, text);
        expect_read(without_century(long_date), at, at);
    }
}

TEST(the_examples_of_the_rfc_are_one_moment)
{
    int64_t read = 0;
    EXPECT(date_parse(SPAN("Sun, 06 Nov 1994 08:49:37 GMT"), 0, &read));
    EXPECT_INT(read, 784111777);
    EXPECT(date_parse(SPAN("Sunday, 06-Nov-94 08:49:37 GMT"), 1800000000, &read));
    EXPECT_INT(read, 784111777);
    EXPECT(date_parse(SPAN("Sun Nov  6 08:49:37 1994"), 0, &read));
    EXPECT_INT(read, 784111777);
}

/* RFC 9110 §5.6.7: more than 50 years ahead means the past century */
TEST(two_digit_years_are_at_most_50_years_ahead)
{
    const int64_t now = date_days(2026, 6, 1) * DAY_S;
    int64_t read = 0;
    EXPECT(date_parse(SPAN("Wednesday, 01-Jan-76 00:00:00 GMT"), now, &read)); /* 2076 */
    EXPECT_INT(read, date_days(2076, 1, 1) * DAY_S);
    EXPECT(date_parse(SPAN("Saturday, 01-Jan-77 00:00:00 GMT"), now, &read)); /* 1977 */
    EXPECT_INT(read, date_days(1977, 1, 1) * DAY_S);
    const int64_t late = date_days(2098, 1, 1) * DAY_S;
    EXPECT(date_parse(SPAN("Thursday, 01-Jan-05 00:00:00 GMT"), late, &read)); /* 2105, soon */
    EXPECT_INT(read, date_days(2105, 1, 1) * DAY_S);
}

static const char *const bad[] = {
    "",
    "0",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 gmt",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Mon, 06 Nov 1994 08:49:37 GMT", /* it was a Sunday */
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,  6 Nov 1994 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT ",
    "Sun, 06 Nov 1994 +8:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Thu, 31 Nov 1994 08:49:37 GMT",
    "Wed, 29 Feb 1995 00:00:00 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT",
    "Xxx, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Xxx 1994 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  0 08:49:37 1994",
    "Sun Nov 06  8:49:37 1994",
    "Sun Nov  6 08:49:37 94",
    "Sun Nov  6 08:49:37 1994 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT",
    "Sunday 06-Nov-94 08:49:37 GMT",
    "Someday, 06-Nov-94 08:49:37 GMT",
    "Monday, 06-Nov-94 08:49:37 GMT",
    "1994-11-06T08:49:37Z",
    "784111777",
};

TEST(what_is_no_date_is_refused)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t read = 77;
        if (date_parse(span_of(bad[i]), 1800000000, &read)) {
            test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
        }
        EXPECT_INT(read, 77);
    }
    int64_t read;
    EXPECT(!date_parse(SPAN_NONE, 0, &read));
    EXPECT(!date_parse(span_make("Sun, 06 Nov 1994 08:49:37 GM\0", 29), 0, &read));
}

TEST(leap_days_and_leap_seconds_are_known)
{
    int64_t read;
    EXPECT(date_parse(SPAN("Tue, 29 Feb 2000 00:00:00 GMT"), 0, &read));
    EXPECT(date_parse(SPAN("Sat, 31 Dec 2016 23:59:60 GMT"), 0, &read));
    EXPECT_INT(read, date_days(2017, 1, 1) * DAY_S);
}

TEST(writing_stays_inside_four_digits)
{
    char text[DATE_LEN];
    date_write(text, INT64_MAX);
    EXPECT_SPAN(span_make(text, DATE_LEN), "Fri, 31 Dec 9999 23:59:59 GMT");
    date_write(text, INT64_MIN);
    EXPECT_SPAN(span_make(text, DATE_LEN), "Sat, 01 Jan 0000 00:00:00 GMT");
    date_write(text, -1);
    EXPECT_SPAN(span_make(text, DATE_LEN), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(days_and_dates_are_inverse)
{
    for (int64_t day = -800000; day < 3000000; day += 1 + (int64_t)test_random_below(20)) {
        int64_t year;
        unsigned month, day_of_month;
        date_from_days(day, &year, &month, &day_of_month);
        EXPECT(month >= 1 && month <= 12 && day_of_month >= 1 && day_of_month <= 31);
        EXPECT_INT(date_days(year, month, day_of_month), day);
    }
}

/* A date with a few bytes changed is refused or still a moment; never a read past the end. */
TEST(damaged_dates_never_run_past_the_end)
{
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    for (unsigned round = 0; round < test_rounds(30000); round++) {
        const char *from = good[test_random_below(3)];
        size_t len = strlen(from) - test_random_below(3);
        char *text = malloc(len); /* exactly: sanitizers see a byte too far */
        memcpy(text, from, len);
        for (uint64_t i = test_random_below(3); i > 0; i--) {
            text[test_random_below(len)] = (char)(' ' + test_random_below(95));
        }
        int64_t read;
        (void)date_parse(span_make(text, len), (int64_t)(test_random() >> 30), &read);
        free(text);
    }
}
