/* observe/access_format.c — the combined and the JSON line, and what the formats share. On the
 * writer thread. */
#include "observe/access_format.h"

#include "base/clock.h"
#include "http/date.h"

#include <galley/access_log.h>

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void access_format_init(struct access_format *format, int kind, bool has_colours)
{
    format->append = kind == GALLEY_ACCESS_COMBINED ? access_format_combined
                     : kind == GALLEY_ACCESS_JSON   ? access_format_json
                                                    : access_format_dev;
    format->has_colours = has_colours && kind == GALLEY_ACCESS_DEV;
    format->wall_minus_mono_ms = clock_wall_ms() - clock_mono_ms();
}

/* ---- time and peer --------------------------------------------------------------------------- */

struct moment {
    int64_t year;
    unsigned month, day, hour, minute, second, ms;
};

static struct moment utc_moment(const struct access_record *record,
                                const struct access_format *format)
{
    int64_t wall_ms = record->ended_ms + format->wall_minus_mono_ms;
    wall_ms = wall_ms < 0 ? 0 : wall_ms;
    unsigned of_day_s = (unsigned)(wall_ms / 1000 % 86400);
    struct moment moment = {.hour = of_day_s / 3600,
                            .minute = of_day_s / 60 % 60,
                            .second = of_day_s % 60,
                            .ms = (unsigned)(wall_ms % 1000)};
    date_from_days(wall_ms / 86400000, &moment.year, &moment.month, &moment.day);
    return moment;
}

static void append_peer(struct buf *out, const struct access_record *record)
{
    char text[ADDRESS_TEXT_MAX];
    size_t len = record->peer.family ? peer_address_format(text, &record->peer) : 0;
    if (len > 0) {
        access_escape_plain(out, span_make(text, len));
    } else {
        buf_append_char(out, '-');
    }
}

static const char *version_text(const struct access_record *record)
{
    switch (record->version) {
    case 10:
        return "1.0";
    case 11:
        return "1.1";
    case 20:
        return "2";
    default:
        return "?";
    }
}

/* ---- combined -------------------------------------------------------------------------------- */

static void append_cut(struct buf *out, struct span text, bool is_cut)
{
    access_escape_plain(out, text);
    if (is_cut) {
        buf_append_text(out, "...");
    }
}

static void append_quoted(struct buf *out, struct span text, bool is_cut)
{
    buf_append_text(out, " \"");
    if (text.ptr) {
        append_cut(out, text, is_cut);
    } else {
        buf_append_char(out, '-');
    }
    buf_append_char(out, '"');
}

static void append_request_line(struct buf *out, const struct access_record *record)
{
    if (record->method_len == 0) { /* nothing that could be read came */
        buf_append_char(out, '-');
        return;
    }
    append_cut(out, access_record_method(record), record->flags & ACCESS_METHOD_CUT);
    buf_append_char(out, ' ');
    append_cut(out, access_record_target(record), record->flags & ACCESS_TARGET_CUT);
    buf_printf(out, " HTTP/%s", version_text(record));
}

void access_format_combined(struct buf *out, const struct access_record *record,
                            const struct access_format *format)
{
    struct moment at = utc_moment(record, format);
    append_peer(out, record);
    buf_printf(out, " - - [%02u/%s/%04lld:%02u:%02u:%02u +0000] \"", at.day,
               month_names[at.month - 1], (long long)at.year, at.hour, at.minute, at.second);
    append_request_line(out, record);
    buf_printf(out, "\" %03u %llu", record->status, (unsigned long long)record->body_bytes);
    append_quoted(out, access_record_referer(record), record->flags & ACCESS_REFERER_CUT);
    append_quoted(out, access_record_agent(record), record->flags & ACCESS_AGENT_CUT);
    buf_append_char(out, '\n');
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void append_member(struct buf *out, const char *name, struct span text)
{
    if (!text.ptr) {
        return;
    }
    buf_printf(out, ",\"%s\":\"", name);
    access_escape_json(out, text);
    buf_append_char(out, '"');
}

void access_format_json(struct buf *out, const struct access_record *record,
                        const struct access_format *format)
{
    struct moment at = utc_moment(record, format);
    buf_printf(out, "{\"time\":\"%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ\",\"peer\":\"",
               (long long)at.year, at.month, at.day, at.hour, at.minute, at.second, at.ms);
    append_peer(out, record);
    buf_append_char(out, '"');
    if (record->method_len > 0) {
        append_member(out, "method", access_record_method(record));
        append_member(out, "target", access_record_target(record));
        append_member(out, "version", span_of(version_text(record)));
    }
    buf_printf(out, ",\"status\":%u,\"bytes\":%llu,\"duration_ms\":%u", record->status,
               (unsigned long long)record->body_bytes, record->duration_ms);
    append_member(out, "referer", access_record_referer(record));
    append_member(out, "user_agent", access_record_agent(record));
    if (record->flags & ACCESS_ABORTED) {
        buf_append_text(out, ",\"aborted\":true");
    }
    if (record->flags &
        (ACCESS_METHOD_CUT | ACCESS_TARGET_CUT | ACCESS_AGENT_CUT | ACCESS_REFERER_CUT)) {
        buf_append_text(out, ",\"cut\":true");
    }
    buf_append_text(out, "}\n");
}
