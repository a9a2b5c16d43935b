/* tests/fuzz/fuzz_http_date.c — any bytes as a date. First eight bytes: the time now.
 * Holds: what is read can be written and read again; what is written can always be read. */
#include "fuzz.h"
#include "http/date.h"

/* rooms: http */

static void expect_round_trip(int64_t unix_s)
{
    char text[DATE_LEN];
    int64_t again;
    date_write(text, unix_s);
    FUZZ_EXPECT(date_parse(span_make(text, DATE_LEN), 0, &again));
    int64_t latest = date_days(10000, 1, 1) * 86400 - 1, earliest = date_days(0, 1, 1) * 86400;
    FUZZ_EXPECT(again == unix_s || unix_s > latest || unix_s < earliest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_s, read_s;
    if (size < sizeof(now_s)) {
        return 0;
    }
    memcpy(&now_s, data, sizeof(now_s));
    expect_round_trip(now_s);
    now_s %= INT64_C(1) << 37; /* some 4000 years around 1970 */
    struct span text = span_make((const char *)data + sizeof(now_s), size - sizeof(now_s));
    if (date_parse(text, now_s, &read_s)) {
        expect_round_trip(read_s);
    }
    return 0;
}
