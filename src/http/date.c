/* http/date.c — see date.h. Calendar arithmetic over 400-year cycles that begin on 1 March, so that
 * the leap day is the last of its year. */
#include "http/date.h"

#include "base/text.h"

enum { DAY_S = 86400, CYCLE_DAYS = 146097, CYCLE_YEARS = 400, EPOCH_SHIFT_DAYS = 719468 };
enum { ASCTIME_LEN = 24, RFC850_REST_LEN = 23 };

static const char week_days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char long_week_days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Division that rounds down, also for what is before the year 0. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t date_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t cycle = floor_div(y, CYCLE_YEARS);
    int64_t year_of_cycle = y - cycle * CYCLE_YEARS;
    int64_t months_since_march = (month + 9) % 12;
    int64_t day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    int64_t day_of_cycle =
        year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    return cycle * CYCLE_DAYS + day_of_cycle - EPOCH_SHIFT_DAYS;
}

void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t shifted = days + EPOCH_SHIFT_DAYS;
    int64_t cycle = floor_div(shifted, CYCLE_DAYS);
    int64_t day_of_cycle = shifted - cycle * CYCLE_DAYS;
    int64_t year = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
                    day_of_cycle / (CYCLE_DAYS - 1)) /
                   365;
    int64_t day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
    int64_t months_since_march = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * months_since_march + 2) / 5 + 1);
    *ret_month = (unsigned)((months_since_march + 2) % 12 + 1);
    *ret_year = year + cycle * CYCLE_YEARS + (*ret_month <= 2);
}

static unsigned week_day(int64_t days)
{
    return (unsigned)(days - floor_div(days + 4, 7) * 7 + 4); /* 1970-01-01 was a Thursday */
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put2(char *out, unsigned number)
{
    out[0] = (char)('0' + number / 10 % 10);
    out[1] = (char)('0' + number % 10);
}

void date_write(char *out, int64_t unix_s)
{
    int64_t earliest = date_days(0, 1, 1) * DAY_S;
    int64_t latest = date_days(10000, 1, 1) * DAY_S - 1;
    unix_s = unix_s < earliest ? earliest : unix_s > latest ? latest : unix_s;
    int64_t days = floor_div(unix_s, DAY_S), year;
    unsigned second = (unsigned)(unix_s - days * DAY_S), month, day;
    date_from_days(days, &year, &month, &day);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_LEN);
    memcpy(out, week_days[week_day(days)], 3);
    put2(out + 5, day);
    memcpy(out + 8, months[month - 1], 3);
    put2(out + 12, (unsigned)year / 100);
    put2(out + 14, (unsigned)year % 100);
    put2(out + 17, second / 3600);
    put2(out + 20, second / 60 % 60);
    put2(out + 23, second % 60);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct date_parts {
    unsigned week_day;
    unsigned day;
    unsigned month; /* 1..12 */
    int64_t year;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/* Exactly `digits` digits at `at`, which must lie in s. */
static bool read_number(struct span s, size_t at, size_t digits, unsigned *ret)
{
    uint64_t number;
    if (!text_parse_u64(span_make(s.ptr + at, digits), &number)) {
        return false;
    }
    *ret = (unsigned)number;
    return true;
}

/* RFC 9110 §5.6.7: names are case-sensitive. */
static bool read_name(struct span s, size_t at, const char names[][4], unsigned count,
                      unsigned *ret)
{
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(s.ptr + at, names[i], 3) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool read_month(struct span s, size_t at, struct date_parts *parts)
{
    bool is_month = read_name(s, at, months, 12, &parts->month);
    parts->month += is_month;
    return is_month;
}

/* Do the bytes at `at` read as `literal`? */
static bool has_text(struct span s, size_t at, const char *literal)
{
    return memcmp(s.ptr + at, literal, strlen(literal)) == 0;
}

/* "08:49:37" at `at`. */
static bool read_time(struct span s, size_t at, struct date_parts *parts)
{
    return read_number(s, at, 2, &parts->hour) && s.ptr[at + 2] == ':' &&
           read_number(s, at + 3, 2, &parts->minute) && s.ptr[at + 5] == ':' &&
           read_number(s, at + 6, 2, &parts->second);
}

static bool read_year(struct span s, size_t at, struct date_parts *parts)
{
    unsigned year = 0;
    bool is_number = read_number(s, at, 4, &year);
    parts->year = year;
    return is_number;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_imf(struct span s, struct date_parts *parts)
{
    return read_name(s, 0, week_days, 7, &parts->week_day) && has_text(s, 3, ", ") &&
           read_number(s, 5, 2, &parts->day) && s.ptr[7] == ' ' && read_month(s, 8, parts) &&
           s.ptr[11] == ' ' && read_year(s, 12, parts) && s.ptr[16] == ' ' &&
           read_time(s, 17, parts) && has_text(s, 25, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(struct span s, struct date_parts *parts)
{
    if (!read_name(s, 0, week_days, 7, &parts->week_day) || s.ptr[3] != ' ' ||
        !read_month(s, 4, parts) || s.ptr[7] != ' ') {
        return false;
    }
    bool has_day =
        s.ptr[8] == ' ' ? read_number(s, 9, 1, &parts->day) : read_number(s, 8, 2, &parts->day);
    return has_day && s.ptr[10] == ' ' && read_time(s, 11, parts) && s.ptr[19] == ' ' &&
           read_year(s, 20, parts);
}

/* RFC 9110 §5.6.7: a two-digit year lies at most 50 years ahead; what seems later is the past one
 * that ends in the same digits. */
static int64_t full_year(unsigned two_digits, int64_t now_s)
{
    int64_t this_year;
    unsigned month, day;
    date_from_days(floor_div(now_s, DAY_S), &this_year, &month, &day);
    int64_t latest = this_year + 50;
    int64_t year = floor_div(latest, 100) * 100 + two_digits;
    return year > latest ? year - 100 : year;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(struct span s, int64_t now_s, struct date_parts *parts)
{
    struct span name;
    struct span rest = span_cut(s, ',', &name);
    unsigned year = 0;
    if (rest.len != RFC850_REST_LEN) {
        return false;
    }
    while (parts->week_day < 7 && !span_equal(name, span_of(long_week_days[parts->week_day]))) {
        parts->week_day++;
    }
    bool is_read = parts->week_day < 7 && rest.ptr[0] == ' ' &&
                   read_number(rest, 1, 2, &parts->day) && rest.ptr[3] == '-' &&
                   read_month(rest, 4, parts) && rest.ptr[7] == '-' &&
                   read_number(rest, 8, 2, &year) && rest.ptr[10] == ' ' &&
                   read_time(rest, 11, parts) && has_text(rest, 19, " GMT");
    parts->year = full_year(year, now_s);
    return is_read;
}

static bool parts_to_time(const struct date_parts *parts, int64_t *ret_unix_s)
{
    if (parts->day < 1 || parts->day > 31 || parts->hour > 23 || parts->minute > 59 ||
        parts->second > 60) {
        return false;
    }
    int64_t days = date_days(parts->year, parts->month, parts->day), year;
    unsigned month, day;
    date_from_days(days, &year, &month, &day);
    if (month != parts->month || week_day(days) != parts->week_day) {
        return false; /* 31 April, or not that day of the week */
    }
    *ret_unix_s = days * DAY_S + parts->hour * 3600 + parts->minute * 60 + parts->second;
    return true;
}

bool date_parse(struct span s, int64_t now_s, int64_t *ret_unix_s)
{
    struct date_parts parts = {0};
    bool is_read;
    switch (s.len) {
    case DATE_LEN:
        is_read = read_imf(s, &parts);
        break;
    case ASCTIME_LEN:
        is_read = read_asctime(s, &parts);
        break;
    default:
        is_read = read_rfc850(s, now_s, &parts);
    }
    return is_read && parts_to_time(&parts, ret_unix_s);
}
