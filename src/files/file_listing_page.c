/* files/file_listing_page.c — a listing as HTML and as JSON. Pure; on a worker.
 *
 * A name is bytes that anybody may have chosen. In text it is shown as UTF-8 with everything
 * replaced that is none, or controls; in links it is percent-encoded byte by byte, so that also
 * such a name leads to its file. */
#include "files/file_listing.h"

#include "http/date.h"
#include "http/target_encode.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* ---- text from bytes ------------------------------------------------------------------------- */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t sequence_len(unsigned char first)
{
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/* Unicode, table 3-7: the second byte excludes overlong forms, surrogates and what is above
 * U+10FFFF; the C1 controls (U+0080 to U+009F) are left out too. */
static bool is_second_byte(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xC2:
        return second >= 0xA0 && second <= 0xBF;
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

/* Bytes of the character at the start of a NUL-terminated text; 0: not one that may be shown. */
static size_t character_len(const char *at)
{
    unsigned char first = (unsigned char)*at;
    if (first < 0x80) {
        return first >= 0x20 && first != 0x7F;
    }
    size_t len = sequence_len(first);
    if (len == 0 || !is_second_byte(first, (unsigned char)at[1])) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_continuation(at[i])) {
            return 0;
        }
    }
    return len;
}

typedef void append_ascii_fn(struct buf *out, char c);

static void append_text(struct buf *out, const char *text, append_ascii_fn *append_ascii)
{
    while (*text) {
        size_t len = character_len(text);
        if (len == 0) {
            buf_append_text(out, REPLACEMENT);
            len = 1;
        } else if (len == 1) {
            append_ascii(out, *text);
        } else {
            buf_append(out, text, len);
        }
        text += len;
    }
}

static void append_html_ascii(struct buf *out, char c)
{
    switch (c) {
    case '&':
        buf_append_text(out, "&amp;");
        break;
    case '<':
        buf_append_text(out, "&lt;");
        break;
    case '>':
        buf_append_text(out, "&gt;");
        break;
    case '"':
        buf_append_text(out, "&quot;");
        break;
    case '\'':
        buf_append_text(out, "&#39;");
        break;
    default:
        buf_append_char(out, c);
    }
}

/* RFC 8259 §7; '<' too, so that the text may stand in a script element. */
static void append_json_ascii(struct buf *out, char c)
{
    if (c == '"' || c == '\\') {
        buf_append_char(out, '\\');
        buf_append_char(out, c);
    } else if (c == '<') {
        buf_append_text(out, "\\u003c");
    } else {
        buf_append_char(out, c);
    }
}

static void append_link(struct buf *out, const struct listing_name *name)
{
    target_encode_name(out, span_of(name->name));
    if (name->is_directory) {
        buf_append_char(out, '/');
    }
}

/* ---- dates and sizes ------------------------------------------------------------------------- */

struct moment {
    int64_t year;
    unsigned month, day, hour, minute, second;
};

static struct moment moment_of(int64_t unix_s)
{
    enum { DAY_S = 86400 };
    const int64_t last_s = INT64_C(253402300799); /* the end of the year 9999 */
    int64_t second = unix_s < 0 ? 0 : unix_s > last_s ? last_s : unix_s;
    struct moment moment;
    date_from_days(second / DAY_S, &moment.year, &moment.month, &moment.day);
    unsigned of_day = (unsigned)(second % DAY_S);
    moment.hour = of_day / 3600;
    moment.minute = of_day / 60 % 60;
    moment.second = of_day % 60;
    return moment;
}

static void append_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    uint64_t tenths = bytes < UINT64_MAX / 10 ? bytes * 10 : UINT64_MAX;
    while (tenths >= 10240 && unit + 1 < sizeof units / sizeof *units) {
        tenths /= 1024;
        unit++;
    }
    if (unit == 0 || tenths >= 100) {
        buf_printf(out, "%llu %s", (unsigned long long)(tenths / 10), units[unit]);
    } else {
        buf_printf(out, "%llu.%llu %s", (unsigned long long)(tenths / 10),
                   (unsigned long long)(tenths % 10), units[unit]);
    }
}

/* ---- HTML ------------------------------------------------------------------------------------ */

static const char style[] =
    "<style>\n"
    ":root { color-scheme: light dark }\n"
    "body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; "
    "padding: 0 1rem }\n"
    "h1 { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }\n"
    "table { border-collapse: collapse; width: 100% }\n"
    "th { text-align: left; font-weight: 400; opacity: .6 }\n"
    "th, td { padding: .25rem .5rem .25rem 0; border-bottom: 1px solid rgb(128 128 128 / .25) }\n"
    "td:first-child { overflow-wrap: anywhere }\n"
    "td + td, th + th { text-align: right; white-space: nowrap; "
    "font-variant-numeric: tabular-nums }\n"
    "a { text-decoration: none }\n"
    "a:hover, a:focus { text-decoration: underline }\n"
    "</style>\n";

static void append_title(struct buf *out, const struct listing *listing)
{
    buf_append_char(out, '/');
    if (listing->dir.len > 0) {
        append_text(out, listing->dir.ptr, append_html_ascii);
        buf_append_char(out, '/');
    }
}

static void append_row(struct buf *out, const struct listing_name *name)
{
    struct moment at = moment_of(name->mtime_s);
    buf_append_text(out, "<tr><td><a href=\"");
    append_link(out, name);
    /* bdi: a name cannot turn around the text behind it. */
    buf_append_text(out, "\"><bdi>");
    append_text(out, name->name, append_html_ascii);
    buf_append_text(out, name->is_directory ? "/</bdi></a></td><td>" : "</bdi></a></td><td>");
    if (!name->is_directory) {
        append_size(out, name->size);
    }
    buf_printf(out, "</td><td>%04lld-%02u-%02u %02u:%02u</td></tr>\n", (long long)at.year, at.month,
               at.day, at.hour, at.minute);
}

void file_listing_write_html(struct buf *out, const struct listing *listing)
{
    buf_append_text(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, "
                         "initial-scale=1\">\n<title>");
    append_title(out, listing);
    buf_append_text(out, "</title>\n");
    buf_append_text(out, style);
    buf_append_text(out, "<h1><bdi>");
    append_title(out, listing);
    buf_append_text(out, "</bdi></h1>\n<table>\n<thead><tr><th>Name</th><th>Size</th>"
                         "<th>Modified (UTC)</th></tr></thead>\n<tbody>\n");
    if (listing->dir.len > 0) {
        buf_append_text(out, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for (size_t i = 0; i < listing->count && !out->failed; i++) {
        append_row(out, &listing->names[i]);
    }
    buf_append_text(out, "</tbody>\n</table>\n");
    if (listing->is_cut) {
        buf_printf(out, "<p>There are more; these are %zu of them.</p>\n", listing->count);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void append_object(struct buf *out, const struct listing_name *name)
{
    struct moment at = moment_of(name->mtime_s);
    buf_append_text(out, "{\"name\":\"");
    append_text(out, name->name, append_json_ascii);
    buf_append_text(out, "\",\"href\":\"");
    append_link(out, name);
    buf_append_text(out, name->is_directory ? "\",\"type\":\"directory\"" : "\",\"type\":\"file\"");
    if (!name->is_directory) {
        buf_append_text(out, ",\"size\":");
        buf_append_u64(out, name->size);
    }
    buf_printf(out, ",\"modified\":\"%04lld-%02u-%02uT%02u:%02u:%02uZ\"}", (long long)at.year,
               at.month, at.day, at.hour, at.minute, at.second);
}

void file_listing_write_json(struct buf *out, const struct listing *listing)
{
    buf_append_text(out, "{\"path\":\"/");
    if (listing->dir.len > 0) {
        append_text(out, listing->dir.ptr, append_json_ascii);
        buf_append_char(out, '/');
    }
    buf_printf(out, "\",\"is_cut\":%s,\"entries\":[", listing->is_cut ? "true" : "false");
    for (size_t i = 0; i < listing->count && !out->failed; i++) {
        buf_append_text(out, i > 0 ? ",\n" : "\n");
        append_object(out, &listing->names[i]);
    }
    buf_append_text(out, "\n]}\n");
}
