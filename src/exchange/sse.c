/* exchange/sse.c — galley_stream_event(): one event of text/event-stream (WHATWG HTML,
 * "Server-sent events"). Any thread. What is sent is made first, in memory of the call's own, so
 * that it goes whole or not at all. */
#include "base/buf.h"

#include "exchange/public_stream.h"

#include <string.h>

/* A line end would end the field, and begin what the caller has not written. */
static bool is_one_line(const char *text)
{
    return !text || text[strcspn(text, "\r\n")] == '\0';
}

static void add_field(struct buf *out, const char *name, struct span value)
{
    buf_append_text(out, name);
    buf_append_span(out, value);
    buf_append_char(out, '\n');
}

/* "Interpreting an event stream": CR LF, LF and CR each end a line; the receiver puts LF between
 * the values of several `data` lines. */
static void add_data(struct buf *out, const char *data)
{
    for (;;) {
        size_t len = strcspn(data, "\r\n");
        add_field(out, "data: ", span_make(data, len));
        data += len;
        if (*data == '\0') {
            return;
        }
        data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
    }
}

int galley_stream_event(galley_stream *st, const char *id, const char *event, const char *data)
{
    if (!st || !data || !is_one_line(id) || !is_one_line(event)) {
        return GALLEY_EINVAL;
    }
    struct buf out;
    buf_init(&out, 0);
    if (event) {
        add_field(&out, "event: ", span_of(event));
    }
    if (id) {
        add_field(&out, "id: ", span_of(id));
    }
    add_data(&out, data);
    buf_append_char(&out, '\n'); /* "dispatch the event" */
    int rc = out.failed ? GALLEY_ENOMEM : public_stream_write(st, out.data, out.len);
    buf_finish(&out);
    return rc;
}
