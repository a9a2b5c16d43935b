/* h2/h2_interim.c — interim answers (RFC 9110 §15.2) but 100: HEADERS without END_STREAM before those of
 * the answer (RFC 9113 §8.1). On the loop. nghttp2 copies the fields and sends what was submitted for a
 * stream in that order. No window holds HEADERS back; how many there are is bounded by who asks. */
#include "base/alloc.h"
#include "base/text.h"

#include "h2/h2_session.h"

enum { USUAL_LINES = 16, STATUS_DIGITS = 3 };

static nghttp2_nv line_of(struct span name, struct span value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)(value.ptr ? value.ptr : ""),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = NGHTTP2_NV_FLAG_NONE,
    };
}

static int submit(const struct h2_stream *stream, nghttp2_nv *lines, int status,
                  const struct response_field *fields)
{
    char digits[STATUS_DIGITS];
    size_t count = 1;
    lines[0] = line_of(SPAN(":status"),
                       span_make(digits, text_write_u64(digits, (uint64_t)status))); /* 102..199 */
    for (const struct response_field *field = fields; field; field = field->next) {
        lines[count++] = line_of(field->name, field->value);
    }
    int rv = nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, lines,
                                    count, NULL);
    return rv == 0 ? GALLEY_OK : rv == NGHTTP2_ERR_NOMEM ? GALLEY_ENOMEM : GALLEY_EINVAL;
}

static int submit_any(const struct h2_stream *stream, int status,
                      const struct response_field *fields)
{
    nghttp2_nv usual[USUAL_LINES];
    size_t count = 1;
    for (const struct response_field *field = fields; field; field = field->next) {
        count++;
    }
    nghttp2_nv *lines = count <= USUAL_LINES ? usual : mem_alloc(count * sizeof *lines);
    if (!lines) {
        return GALLEY_ENOMEM;
    }
    int rc = submit(stream, lines, status, fields);
    if (lines != usual) {
        mem_free(lines);
    }
    return rc;
}

int h2_interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    if (stream->has_answered) {
        return GALLEY_ESTATE;
    }
    if (!stream->is_open || stream->was_reset || stream->session->conn->state == CONN_CLOSED) {
        return GALLEY_ECLOSED;
    }
    int rc = submit_any(stream, status, fields);
    if (rc == GALLEY_OK) {
        h2_later(stream->session);
    }
    return rc;
}
