/* wire/h1_writer.c — status lines, Date and field lines (RFC 9112 §4, §5).
 * Called on the loop for each response that is not ready-made. Invariant: len never passes
 * capacity, and what was written before a fault is never sent, since h1_write_end then says 0.
 * Pure; any thread. */
#include "wire/h1_writer.h"

#include "base/check.h"
#include "base/text.h"
#include "http/date.h"
#include "http/status.h"
#include "wire/scan.h"

enum { STATUS_MIN = 100, STATUS_END = 600 };

static const struct span status_lines[STATUS_END - STATUS_MIN] = {
#define STATUS(id, code, reason)                                                                   \
    [(code)-STATUS_MIN] = {"HTTP/1.1 " #code " " reason "\r\n",                                    \
                           sizeof("HTTP/1.1 " #code " " reason "\r\n") - 1},
#include "http/status_list.h"
#undef STATUS
};

static void fail(struct h1_writer *writer, enum h1_write_fault fault)
{
    if (writer->fault == H1_WRITE_OK) {
        writer->fault = fault;
    }
}

/* Room for len bytes, already counted; NULL when there is none or something failed before. */
static char *reserve(struct h1_writer *writer, size_t len)
{
    if (writer->capacity - writer->len < len) {
        fail(writer, H1_WRITE_NO_ROOM);
    }
    if (writer->fault != H1_WRITE_OK) {
        return NULL;
    }
    char *room = writer->out + writer->len;
    writer->len += len;
    return room;
}

static char *put(char *out, struct span s)
{
    if (s.len) {
        memcpy(out, s.ptr, s.len);
    }
    return out + s.len;
}

void h1_writer_init(struct h1_writer *writer, char *out, size_t capacity)
{
    *writer = (struct h1_writer){.out = out, .capacity = capacity};
}

struct span h1_status_line(int status)
{
    bool is_status = status >= STATUS_MIN && status < STATUS_END;
    return is_status ? status_lines[status - STATUS_MIN] : SPAN_NONE;
}

/* A code without a row: RFC 9110 §15 lets any of 100 to 599 be sent. */
static void write_other_status(struct h1_writer *writer, int status)
{
    struct span start = SPAN("HTTP/1.1 ");
    struct span reason = status_reason(status);
    char *out = reserve(writer, start.len + 3 + 1 + reason.len + 2);
    if (out) {
        out = put(out, start);
        out += text_write_u64(out, (uint64_t)status);
        *out++ = ' ';
        put(put(out, reason), SPAN("\r\n"));
    }
}

void h1_write_status(struct h1_writer *writer, int status)
{
    struct span line = h1_status_line(status);
    if (line.ptr) {
        h1_write_ready(writer, line);
    } else if (status >= STATUS_MIN && status < STATUS_END) {
        write_other_status(writer, status);
    } else {
        fail(writer, H1_WRITE_REFUSED);
    }
}

struct span h1_date_line_get(struct h1_date_line *date, int64_t now_s)
{
    if (date->second != now_s || date->text[0] == '\0') {
        char *out = put(date->text, SPAN("Date: "));
        date_write(out, now_s);
        put(out + DATE_LEN, SPAN("\r\n"));
        date->second = now_s;
    }
    return span_make(date->text, H1_DATE_LINE_BYTES);
}

void h1_write_date(struct h1_writer *writer, struct h1_date_line *date, int64_t now_s)
{
    h1_write_ready(writer, h1_date_line_get(date, now_s));
}

/* name and value are good. */
static void write_line(struct h1_writer *writer, struct span name, struct span value)
{
    char *out = reserve(writer, name.len + 2 + value.len + 2);
    if (out) {
        put(put(put(put(out, name), SPAN(": ")), value), SPAN("\r\n"));
    }
}

static bool is_token(struct span name)
{
    return name.len > 0 && scan_token(name.ptr, name.ptr + name.len) == name.ptr + name.len;
}

static bool is_value(struct span value)
{
    return value.len == 0 || scan_value(value.ptr, value.ptr + value.len) == value.ptr + value.len;
}

void h1_write_field(struct h1_writer *writer, struct span name, struct span value)
{
    if (!is_token(name) || !is_value(value)) {
        fail(writer, H1_WRITE_REFUSED);
        return;
    }
    write_line(writer, name, span_trim(value));
}

void h1_write_field_u64(struct h1_writer *writer, struct span name, uint64_t number)
{
    char digits[20];
    h1_write_field(writer, name, span_make(digits, text_write_u64(digits, number)));
}

void h1_write_ready(struct h1_writer *writer, struct span lines)
{
    char *out = reserve(writer, lines.len);
    if (out) {
        put(out, lines);
    }
}

size_t h1_write_end(struct h1_writer *writer)
{
    h1_write_ready(writer, SPAN("\r\n"));
    return writer->fault == H1_WRITE_OK ? writer->len : 0;
}
