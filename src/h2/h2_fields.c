/* h2/h2_fields.c — see h2_fields.h. On the loop. nghttp2 copies names and values that may go before the
 * head is in conn->out, names in lower case. Lines that were made ready for HTTP/1 are kept taken apart
 * (h2_lines.h); fields of a connection are left out (RFC 9113 §8.2.2), for HTTP/2 has other means. */
#include "h2/h2_fields.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "http/status.h"

#include "h2/h2_lines.h"

enum { USUAL_LINES = 32, OWN_LINES = 5, STATUS_DIGITS = 3, U64_DIGITS = 20 };

struct lines {
    nghttp2_nv *at;
    size_t count;
    size_t capacity;
};

/* ---- what is said ---------------------------------------------------------------------------- */

/* RFC 9110 §8.6: none on 1xx and 204. §15.4.5: on 304 it would have to be the length of the 200, which
 * only ready-made fields know. */
static int64_t length_of(const struct exchange *exchange, bool in_pieces)
{
    const struct response *response = &exchange->response;
    bool may_say = status_may_have_length(response->status, exchange->request.method) &&
                   response->status != STATUS_NOT_MODIFIED;
    if (!may_say) {
        return -1;
    }
    if (response->status == STATUS_RESET_CONTENT) {
        return 0; /* RFC 9110 §15.3.6: no content, and the client must know at once */
    }
    if (response->is_coded) {
        return -1;
    }
    if (response->length >= 0 || in_pieces) {
        return response->length;
    }
    return (int64_t)response->piece_bytes;
}

struct h2_answer h2_answer_of(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    const struct response *response = &exchange->response;
    if (response->is_upgrade) { /* RFC 8441 §5: 200, and DATA is the new protocol's */
        return (struct h2_answer){
            .status = STATUS_OK, .length = -1, .has_body = true, .in_pieces = true};
    }
    bool in_pieces = response->is_begun && !response->pieces_ended;
    return (struct h2_answer){
        .status = response->status,
        .length = length_of(exchange, in_pieces),
        .has_body = status_may_have_body(response->status, request->method),
        .in_pieces = in_pieces,
    };
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Names of ours stay where they are, in lower case. */
static void add_own(struct lines *lines, struct span name, struct span value, uint8_t flags)
{
    lines->at[lines->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = (uint8_t)(NGHTTP2_NV_FLAG_NO_COPY_NAME | flags),
    };
}

uint8_t h2_secrecy_of(struct span name)
{
    bool is_secret = name.len == 10 && span_equal_nocase(name, SPAN("set-cookie"));
    return is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

static void add(struct lines *lines, struct span name, struct span value)
{
    lines->at[lines->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)(value.ptr ? value.ptr : ""),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = h2_secrecy_of(name),
    };
}

static void add_nosniff(struct lines *lines)
{
    add_own(lines, SPAN("x-content-type-options"), SPAN("nosniff"), NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

static void add_ready(struct lines *lines, struct span ready, const struct h2_lines *kept)
{
    struct span name;
    struct span value;
    if (kept) {
        memcpy(lines->at + lines->count, kept->fields, kept->count * sizeof *lines->at);
        lines->count += kept->count;
        return;
    }
    while (h2_lines_split(&ready, &name, &value)) {
        add(lines, name, value);
    }
}

static void add_fields(struct lines *lines, const struct response *response,
                       const struct h2_lines *kept)
{
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (field == &response->nosniff) {
            add_nosniff(lines);
        } else if (!h2_is_of_connection(field->name)) {
            add(lines, field->name, field->value);
        }
    }
    if (response->ready_fields.ptr &&
        (!response->fields || !response_field(response, "X-Content-Type-Options").ptr)) {
        add_nosniff(lines);
    }
    add_ready(lines, response->ready_fields, kept);
}

/* At most. */
static size_t count_lines(const struct response *response, const struct h2_lines *kept)
{
    size_t count = OWN_LINES + (kept ? kept->count : 0);
    for (const struct response_field *field = response->fields; field; field = field->next) {
        count++;
    }
    for (size_t i = 0; !kept && i < response->ready_fields.len; i++) {
        count += response->ready_fields.ptr[i] == '\n';
    }
    return count;
}

static struct span date_of(struct h2_driver *driver)
{
    int64_t now_s = loop_wall_s(driver->services->loop);
    if (driver->date_s != now_s) {
        driver->date_s = now_s;
        date_write(driver->date, now_s);
    }
    return span_make(driver->date, DATE_LEN);
}

static bool has_server_field(const struct response *response)
{
    return response->fields && response_field(response, "Server").ptr;
}

static void add_status(struct lines *lines, int status, char *room)
{
    if (status == STATUS_OK) {
        add_own(lines, SPAN(":status"), SPAN("200"), NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    } else {
        (void)text_write_u64(room, (uint64_t)status); /* 200..599 */
        add_own(lines, SPAN(":status"), span_make(room, STATUS_DIGITS), NGHTTP2_NV_FLAG_NONE);
    }
}

/* Room for what is written as text here. */
struct texts {
    char status[STATUS_DIGITS];
    char length[U64_DIGITS];
};

static void fill(struct lines *lines, struct texts *texts, const struct h2_stream *stream,
                 const struct response *response, const struct h2_answer *answer)
{
    struct h2_driver *driver = stream->driver;
    struct span server = driver->server_name;
    add_status(lines, answer->status, texts->status);
    add_own(lines, SPAN("date"), date_of(driver), NGHTTP2_NV_FLAG_NONE);
    if (server.ptr && !has_server_field(response)) {
        add_own(lines, SPAN("server"), server, NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    }
    if (answer->length >= 0 && !response->has_ready_length) {
        size_t len = text_write_u64(texts->length, (uint64_t)answer->length);
        add_own(lines, SPAN("content-length"), span_make(texts->length, len), NGHTTP2_NV_FLAG_NONE);
    }
    add_fields(lines, response, stream->lines);
    CHECK(lines->count <= lines->capacity);
}

/* ---- submitting ------------------------------------------------------------------------------ */

static int submit(struct h2_stream *stream, const struct lines *lines, bool has_body)
{
    nghttp2_data_provider provider = h2_body_provider(stream);
    int rv = nghttp2_submit_response(stream->session->ng, stream->id, lines->at, lines->count,
                                     has_body ? &provider : NULL);
    return rv == 0 ? GALLEY_OK : rv == NGHTTP2_ERR_NOMEM ? GALLEY_ENOMEM : GALLEY_EINVAL;
}

int h2_submit_answer(struct h2_stream *stream, const struct response *response,
                     const struct h2_answer *answer)
{
    nghttp2_nv usual[USUAL_LINES];
    struct texts texts;
    struct lines lines = {.at = usual, .capacity = USUAL_LINES};
    stream->lines = h2_lines_take(stream->driver, response->ready_fields);
    size_t count = count_lines(response, stream->lines);
    if (count > USUAL_LINES) {
        lines.capacity = count;
        lines.at = mem_alloc(count * sizeof *lines.at);
        if (!lines.at) {
            return GALLEY_ENOMEM;
        }
    }
    fill(&lines, &texts, stream, response, answer);
    int rc = submit(stream, &lines, answer->has_body);
    if (lines.at != usual) {
        mem_free(lines.at);
    }
    return rc;
}
