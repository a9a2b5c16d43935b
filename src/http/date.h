/* http/date.h — HTTP dates (RFC 9110 §5.6.7) without the C library: no locale, no time zone, no
 * tables of the system. Pure; any thread. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/span.h"

enum { DATE_LEN = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/** Writes DATE_LEN bytes, no NUL: IMF-fixdate. Years 0..9999; beyond them the nearest second that
 * fits. */
void date_write(char *out, int64_t unix_s);
/** Reads IMF-fixdate, RFC 850 and asctime dates, exactly as the grammar has them. Impossible days,
 *  hours and week days that do not belong to the date are refused; second 60 counts as the next
 *  second. A two-digit year that seems more than 50 years after now_s is in the past century.
 *  False: not a date; *ret untouched. */
bool date_parse(struct span s, int64_t now_s, int64_t *ret_unix_s);

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. month 1-12, day
 * 1-31. */
int64_t date_days(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
