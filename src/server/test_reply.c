/* server/test_reply.c — is that an answer, and a whole one? Read from its first byte each time
 * something has come, which is rare: the loop has turned until it was quiet. Pure. */
#include "base/text.h"
#include "http/limits.h"
#include "wire/chunked.h"

#include "server/test_client.h"

/* Up to and with the empty line; missing: not there yet. */
static struct span find_head(struct span in)
{
    const char *end = in.len > 0 ? memmem(in.ptr, in.len, "\r\n\r\n", 4) : NULL;
    return end ? span_make(in.ptr, (size_t)(end + 4 - in.ptr)) : SPAN_NONE;
}

/* RFC 9112 §4: HTTP-version SP status-code SP. 0: it is not. */
static int read_status(struct span head)
{
    uint64_t status = 0;
    bool is_http = span_starts_with(head, SPAN("HTTP/1.1 ")) && head.len > 13 &&
                   text_parse_u64(span_make(head.ptr + 9, 3), &status) && head.ptr[12] == ' ';
    return is_http && status >= 100 ? (int)status : 0;
}

struct span test_reply_field(struct span *lines, struct span name)
{
    while (lines->len > 0) {
        struct span line, found;
        *lines = span_cut(*lines, '\n', &line);
        struct span value = span_cut(line, ':', &found);
        if (value.ptr && span_equal_nocase(found, name)) {
            value.len -= value.len > 0 && value.ptr[value.len - 1] == '\r';
            return span_trim(value);
        }
    }
    return SPAN_NONE;
}

static struct span field_of(struct span head, struct span name)
{
    return test_reply_field(&head, name);
}

/* ---- the ways in which a body ends: RFC 9112 §6.3 ---- */

static int read_chunks(struct buf *body, struct span in)
{
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct chunked_decoder decoder;
    struct span piece;
    enum chunked_event event;
    chunked_decoder_init(&decoder, NULL);
    while ((event = chunked_decode(&decoder, &limits, &in, &piece)) == CHUNKED_DATA) {
        buf_append_span(body, piece);
    }
    return event == CHUNKED_END ? 1 : event == CHUNKED_MORE ? 0 : GALLEY_EPROTO;
}

static int read_length(struct buf *body, struct span in, struct span length)
{
    uint64_t bytes = 0;
    if (!text_parse_u64(length, &bytes)) {
        return GALLEY_EPROTO;
    }
    if (in.len < bytes) {
        return 0;
    }
    buf_append(body, in.ptr, (size_t)bytes);
    return 1;
}

static bool has_no_body(int status, bool is_head)
{
    return is_head || status == 204 || status == 304;
}

static int read_body(struct buf *body, const struct test_reply *reply, struct span in, bool is_head,
                     bool is_closed)
{
    struct span length = field_of(reply->head, SPAN("content-length"));
    if (has_no_body(reply->status, is_head)) {
        return 1;
    }
    if (reply->status != 101 && field_of(reply->head, SPAN("transfer-encoding")).ptr) {
        return read_chunks(body, in);
    }
    if (reply->status != 101 && length.ptr) {
        return read_length(body, in, length);
    }
    buf_append_span(body, in);
    return is_closed || reply->status == 101;
}

int test_reply_read(struct test_reply *ret, struct buf *body, struct span in, bool is_head,
                    bool is_closed, bool was_reset)
{
    int got = 0;
    for (;;) {
        ret->head = find_head(in);
        if (!ret->head.ptr) {
            break;
        }
        ret->status = read_status(ret->head);
        if (ret->status == 0) {
            return GALLEY_EPROTO;
        }
        in = span_from(in, ret->head.len);
        if (ret->status >= 200 || ret->status == 101) {
            buf_clear(body);
            got = read_body(body, ret, in, is_head, is_closed && !was_reset);
            break;
        }
    }
    if (body->failed) {
        return GALLEY_ENOMEM;
    }
    return got == 0 && is_closed ? GALLEY_ECLOSED : got;
}
