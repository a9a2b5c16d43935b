/* observe/access_format_json.c — a record as a line of JSON (RFC 8259). It is what busy servers
 * write, so it is written straight into the batch: the room for the longest line is reserved once,
 * the text of the second is made once a second, and nothing goes through printf. On the writer
 * thread. */
#include "observe/access_put.h"

#include "http/date.h"

/* The fixed parts with three numbers, a peer, a client and the names of a protocol and a cipher, and
 * texts of which each byte is escaped. */
enum { FIXED_BYTES = 768, JSON_LINE_MAX = FIXED_BYTES + ACCESS_ESCAPE_FACTOR * ACCESS_TEXT_BYTES };

static char *put_two_digits(char *at, unsigned number)
{
    at[0] = (char)('0' + number / 10 % 10);
    at[1] = (char)('0' + number % 10);
    return at + 2;
}

/* RFC 3339 §5.6, up to the second. */
static void make_second_text(struct access_format *format, int64_t wall_s)
{
    int64_t year;
    unsigned month, day;
    date_from_days(wall_s / 86400, &year, &month, &day);
    unsigned of_day_s = (unsigned)(wall_s % 86400);
    char *at = format->second_text;
    at = put_two_digits(at, (unsigned)(year / 100));
    at = put_two_digits(at, (unsigned)(year % 100));
    *at++ = '-';
    at = put_two_digits(at, month);
    *at++ = '-';
    at = put_two_digits(at, day);
    *at++ = 'T';
    at = put_two_digits(at, of_day_s / 3600);
    *at++ = ':';
    at = put_two_digits(at, of_day_s / 60 % 60);
    *at++ = ':';
    (void)put_two_digits(at, of_day_s % 60);
    format->second = wall_s;
}

static char *put_time(char *at, const struct access_record *record, struct access_format *format)
{
    int64_t wall_ms = access_wall_ms(record, format);
    if (format->second != wall_ms / 1000) {
        make_second_text(format, wall_ms / 1000);
    }
    memcpy(at, format->second_text, sizeof format->second_text);
    at += sizeof format->second_text;
    *at++ = '.';
    at = put_three_digits(at, (unsigned)(wall_ms % 1000));
    *at++ = 'Z';
    return at;
}

/* "peer" is always the other end; this one stands where a proxy asked for somebody. */
static char *put_client(char *at, const struct access_record *record)
{
    struct access_client client;
    if (!access_record_client(record, &client)) {
        return at;
    }
    at = PUT_LITERAL(at, ",\"client\":\"");
    at = access_put_client(at, &client);
    return PUT_LITERAL(at, "\"");
}

static char *put_request_line(char *at, const struct access_record *record)
{
    if (record->method_len == 0) { /* nothing that could be read came */
        return at;
    }
    at = PUT_LITERAL(at, ",\"method\":\"");
    at = access_put_json(at, access_record_method(record));
    at = PUT_LITERAL(at, "\",\"target\":\"");
    at = access_put_json(at, access_record_target(record));
    at = PUT_LITERAL(at, "\",\"version\":\"");
    at = put_span(at, access_version_text(record));
    return PUT_LITERAL(at, "\"");
}

static char *put_numbers(char *at, const struct access_record *record)
{
    at = PUT_LITERAL(at, ",\"status\":");
    at = put_u64(at, record->status);
    at = PUT_LITERAL(at, ",\"bytes\":");
    at = put_u64(at, record->body_bytes);
    at = PUT_LITERAL(at, ",\"duration_ms\":");
    return put_u64(at, record->duration_ms);
}

static char *put_optional(char *at, const struct access_record *record)
{
    if (record->flags & ACCESS_HAS_REFERER) {
        at = PUT_LITERAL(at, ",\"referer\":\"");
        at = access_put_json(at, access_record_referer(record));
        at = PUT_LITERAL(at, "\"");
    }
    if (record->flags & ACCESS_HAS_AGENT) {
        at = PUT_LITERAL(at, ",\"user_agent\":\"");
        at = access_put_json(at, access_record_agent(record));
        at = PUT_LITERAL(at, "\"");
    }
    if (record->flags & ACCESS_ABORTED) {
        at = PUT_LITERAL(at, ",\"aborted\":true");
    }
    if (record->flags & (ACCESS_METHOD_CUT | ACCESS_TARGET_CUT | ACCESS_AGENT_CUT |
                         ACCESS_REFERER_CUT | ACCESS_TLS_CUT)) {
        at = PUT_LITERAL(at, ",\"cut\":true");
    }
    return at;
}

static char *put_tls(char *at, const struct access_record *record)
{
    struct span name = access_record_tls_name(record);
    struct span client = access_record_tls_client(record);
    at = PUT_LITERAL(at, ",\"tls\":{\"version\":\"");
    at = put_span(at, span_of(record->tls_protocol));
    at = PUT_LITERAL(at, "\",\"cipher\":\"");
    at = put_span(at, span_of(record->tls_cipher));
    if (name.ptr) {
        at = PUT_LITERAL(at, "\",\"server_name\":\"");
        at = access_put_json(at, name);
    }
    if (client.ptr) {
        at = PUT_LITERAL(at, "\",\"client\":\"");
        at = access_put_json(at, client);
    }
    return PUT_LITERAL(at, "\"}");
}

void access_format_json(struct buf *out, const struct access_record *record,
                        struct access_format *format)
{
    char *line = buf_reserve(out, JSON_LINE_MAX);
    if (!line) {
        return;
    }
    char *at = PUT_LITERAL(line, "{\"time\":\"");
    at = put_time(at, record, format);
    at = PUT_LITERAL(at, "\",\"peer\":\"");
    at = access_put_peer(at, record, format);
    at = PUT_LITERAL(at, "\"");
    at = put_client(at, record);
    at = put_request_line(at, record);
    at = put_numbers(at, record);
    at = record->tls_protocol ? put_tls(at, record) : at;
    at = put_optional(at, record);
    at = PUT_LITERAL(at, "}\n");
    out->len += (size_t)(at - line);
}
