/* server/test_request.c — "POST /x\nContent-Type: a/b" becomes the bytes of a request. It is for
 * tests that mean well: what would be another request than the text says is refused; hostile bytes
 * go through galley_test_send(). Pure. */
#include "http/chars.h"

#include "server/test_client.h"

/* RFC 9112 §3: method SP request-target SP HTTP-version. */
static int write_request_line(struct buf *out, struct span line)
{
    struct span method;
    struct span target = span_cut(line, ' ', &method);
    if (!chars_is_token(method) || target.len == 0 || span_find(target, ' ') < target.len) {
        return GALLEY_EINVAL;
    }
    buf_append_span(out, line);
    buf_append_text(out, " HTTP/1.1\r\n");
    return GALLEY_OK;
}

struct given {
    bool host, length, coding;
};

static int write_field_line(struct buf *out, struct span line, struct given *given)
{
    struct span name;
    struct span value = span_cut(line, ':', &name);
    if (!value.ptr || !chars_is_token(name)) {
        return GALLEY_EINVAL;
    }
    given->host |= span_equal_nocase(name, SPAN("host"));
    given->length |= span_equal_nocase(name, SPAN("content-length"));
    given->coding |= span_equal_nocase(name, SPAN("transfer-encoding"));
    buf_append_span(out, line);
    buf_append_text(out, "\r\n");
    return GALLEY_OK;
}

static int write_field_lines(struct buf *out, struct span lines, struct given *given)
{
    int rc = GALLEY_OK;
    while (lines.len > 0 && rc == GALLEY_OK) {
        struct span line;
        lines = span_cut(lines, '\n', &line);
        rc = write_field_line(out, line, given);
    }
    return rc;
}

/* RFC 9110 §8.6: a method that expects content says that there is none. */
static bool expects_content(struct span line)
{
    return span_starts_with(line, SPAN("POST ")) || span_starts_with(line, SPAN("PUT ")) ||
           span_starts_with(line, SPAN("PATCH "));
}

int test_request_write(struct buf *out, const char *request, const void *body, size_t len)
{
    struct given given = {false};
    struct span text = span_of(request), line;
    if (span_find(text, '\r') < text.len) {
        return GALLEY_EINVAL;
    }
    struct span lines = span_cut(text, '\n', &line);
    int rc = write_request_line(out, line);
    rc = rc == GALLEY_OK ? write_field_lines(out, lines, &given) : rc;
    if (rc != GALLEY_OK) {
        return rc;
    }
    if (!given.host) {
        buf_append_text(out, "Host: localhost\r\n"); /* RFC 9112 §3.2 */
    }
    if (!given.length && !given.coding && (len > 0 || expects_content(line))) {
        buf_printf(out, "Content-Length: %zu\r\n", len);
    }
    buf_append_text(out, "\r\n");
    buf_append(out, body, len);
    return out->failed ? GALLEY_ENOMEM : GALLEY_OK;
}
