/* observe/access_format.c — the combined line, and what the formats share. On the writer thread. */
#include "observe/access_format.h"

#include "base/clock.h"
#include "http/date.h"

#include "observe/access_put.h"

#include <galley/access_log.h>

#include <sys/socket.h>

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void access_format_init(struct access_format *format, int kind, bool has_colours)
{
    format->append = kind == GALLEY_ACCESS_COMBINED ? access_format_combined
                     : kind == GALLEY_ACCESS_JSON   ? access_format_json
                                                    : access_format_dev;
    format->has_colours = has_colours && kind == GALLEY_ACCESS_DEV;
    format->wall_minus_mono_ms = clock_wall_ms() - clock_mono_ms();
    format->second = -1;
    format->peer.family = 0;
}

/* ---- time and peer --------------------------------------------------------------------------- */

struct moment {
    int64_t year;
    unsigned month, day, hour, minute, second;
};

int64_t access_wall_ms(const struct access_record *record, const struct access_format *format)
{
    int64_t wall_ms = record->ended_ms + format->wall_minus_mono_ms;
    return wall_ms < 0 ? 0 : wall_ms;
}

static struct moment utc_moment(const struct access_record *record,
                                const struct access_format *format)
{
    int64_t wall_ms = access_wall_ms(record, format);
    unsigned of_day_s = (unsigned)(wall_ms / 1000 % 86400);
    struct moment moment = {
        .hour = of_day_s / 3600, .minute = of_day_s / 60 % 60, .second = of_day_s % 60};
    date_from_days(wall_ms / 86400000, &moment.year, &moment.month, &moment.day);
    return moment;
}

/* Most come by IPv4, and inet_ntop(3) goes through printf. */
static char *put_ipv4(char *at, const uint8_t bytes[4])
{
    for (int i = 0; i < 4; i++) {
        at = put_small(at, bytes[i]);
        *at++ = '.';
    }
    return at - 1;
}

static bool is_known_peer(const struct access_format *format, const struct peer_address *peer)
{
    return format->peer.family == peer->family &&
           memcmp(format->peer.bytes, peer->bytes, sizeof peer->bytes) == 0;
}

static void make_peer_text(struct access_format *format, const struct peer_address *peer)
{
    char *text = format->peer_text;
    size_t len = peer->family == AF_INET ? (size_t)(put_ipv4(text, peer->bytes) - text)
                                         : peer_address_format(text, peer);
    format->peer_text_len = (uint8_t)len; /* below ADDRESS_TEXT_MAX */
    format->peer = *peer;
}

char *access_put_peer(char *at, const struct access_record *record, struct access_format *format)
{
    const struct peer_address *peer = &record->peer;
    if (peer->family == 0) {
        return PUT_LITERAL(at, "-");
    }
    if (!is_known_peer(format, peer)) {
        make_peer_text(format, peer);
    }
    return put_span(at, span_make(format->peer_text, format->peer_text_len));
}

/* Not by the text that is kept: that one is of the proxy, who sends many requests. */
char *access_put_client(char *at, const struct access_client *client)
{
    if (client->address.family == 0) {
        return put_span(at, client->name);
    }
    if (client->address.family == AF_INET) {
        return put_ipv4(at, client->address.bytes);
    }
    return at + peer_address_format(at, &client->address);
}

/* Combined has room for one: who asks. */
static void append_client(struct buf *out, const struct access_record *record,
                          struct access_format *format)
{
    char text[ADDRESS_TEXT_MAX];
    struct access_client client;
    const char *end = access_record_client(record, &client) ? access_put_client(text, &client)
                                                            : access_put_peer(text, record, format);
    buf_append(out, text, (size_t)(end - text));
}

struct span access_version_text(const struct access_record *record)
{
    switch (record->version) {
    case 10:
        return SPAN("1.0");
    case 11:
        return SPAN("1.1");
    case 20:
        return SPAN("2");
    default:
        return SPAN("?");
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
    buf_append_text(out, " HTTP/");
    buf_append_span(out, access_version_text(record));
}

void access_format_combined(struct buf *out, const struct access_record *record,
                            struct access_format *format)
{
    struct moment at = utc_moment(record, format);
    append_client(out, record, format);
    buf_printf(out, " - - [%02u/%s/%04lld:%02u:%02u:%02u +0000] \"", at.day,
               month_names[at.month - 1], (long long)at.year, at.hour, at.minute, at.second);
    append_request_line(out, record);
    buf_printf(out, "\" %03u %llu", record->status, (unsigned long long)record->body_bytes);
    append_quoted(out, access_record_referer(record), record->flags & ACCESS_REFERER_CUT);
    append_quoted(out, access_record_agent(record), record->flags & ACCESS_AGENT_CUT);
    buf_append_char(out, '\n');
}
