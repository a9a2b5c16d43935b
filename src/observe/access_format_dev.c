/* observe/access_format_dev.c — the line for a person who watches: time, status, method, target,
 * size, duration; in colours on a terminal. Local time, because that is what the clock on the wall
 * shows. On the writer thread. */
#include "observe/access_format.h"

#include <time.h>

static const char *const colours[6] = {
    [0] = "\033[1;31m", /* no answer */
    [1] = "\033[0m",    [2] = "\033[32m", [3] = "\033[36m", [4] = "\033[33m", [5] = "\033[1;31m",
};
static const char faint[] = "\033[2m";
static const char normal[] = "\033[0m";

static void append_colour(struct buf *out, const struct access_format *format, const char *colour)
{
    if (format->has_colours) {
        buf_append_text(out, colour);
    }
}

static void append_time(struct buf *out, const struct access_record *record,
                        const struct access_format *format)
{
    time_t wall_s = (time_t)((record->ended_ms + format->wall_minus_mono_ms) / 1000);
    struct tm local = {0};
    localtime_r(&wall_s, &local);
    append_colour(out, format, faint);
    buf_printf(out, "%02d:%02d:%02d", local.tm_hour, local.tm_min, local.tm_sec);
    append_colour(out, format, normal);
}

static void append_status(struct buf *out, const struct access_record *record,
                          const struct access_format *format)
{
    unsigned class = record->status / 100 < 6 ? record->status / 100 : 0;
    append_colour(out, format, colours[class]);
    if (record->status) {
        buf_printf(out, " %u ", record->status);
    } else {
        buf_append_text(out, " --- ");
    }
    append_colour(out, format, normal);
}

static void append_size(struct buf *out, uint64_t bytes)
{
    static const char units[][4] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        buf_printf(out, " %u B", (unsigned)bytes);
        return;
    }
    unsigned unit = 0;
    uint64_t tenths = bytes / 100;
    while (tenths >= 10000 && unit + 1 < sizeof units / sizeof *units) {
        tenths /= 1000;
        unit++;
    }
    buf_printf(out, " %llu.%llu %s", (unsigned long long)(tenths / 10),
               (unsigned long long)(tenths % 10), units[unit]);
}

static void append_duration(struct buf *out, uint32_t ms)
{
    if (ms < 10000) {
        buf_printf(out, " %u ms", ms);
    } else {
        buf_printf(out, " %u.%u s", ms / 1000, ms / 100 % 10);
    }
}

void access_format_dev(struct buf *out, const struct access_record *record,
                       struct access_format *format)
{
    append_time(out, record, format);
    append_status(out, record, format);
    if (record->method_len > 0) {
        access_escape_plain(out, access_record_method(record));
        buf_append_char(out, ' ');
        access_escape_plain(out, access_record_target(record));
        buf_append_text(out, (record->flags & ACCESS_TARGET_CUT) ? "..." : "");
    } else {
        buf_append_text(out, "(not a request)");
    }
    append_colour(out, format, faint);
    append_size(out, record->body_bytes);
    append_duration(out, record->duration_ms);
    append_colour(out, format, normal);
    buf_append_text(out, (record->flags & ACCESS_ABORTED) ? " aborted\n" : "\n");
}
