/* h2/h2_fields.c — see h2_fields.h. On the loop. nghttp2 copies names and values, names in lower case.
 * Lines that were made ready for HTTP/1 are taken apart again; fields of a connection are left out (RFC
 * 9113 §8.2.2), for HTTP/2 has others means. */
#include "h2/h2_fields.h"

#include "base/alloc.h"
#include "base/text.h"
#include "http/status.h"

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

/* RFC 9113 §8.2.2: an endpoint MUST NOT generate connection-specific fields. */
static bool is_of_connection(struct span name)
{
    static const struct span names[] = {{"connection", 10},
                                        {"keep-alive", 10},
                                        {"proxy-connection", 16},
                                        {"transfer-encoding", 17},
                                        {"upgrade", 7}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.len == names[i].len && span_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

static void add(struct lines *lines, struct span name, struct span value)
{
    if (lines->count == lines->capacity || is_of_connection(name)) {
        return; /* the first cannot be: they were counted */
    }
    /* RFC 7541 §7.1.3: what is secret and short must not be guessed by compression. */
    bool is_secret = name.len == 10 && span_equal_nocase(name, SPAN("set-cookie"));
    lines->at[lines->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)(value.ptr ? value.ptr : ""),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
}

/* "Name: value\r\n" lines. */
static void add_ready(struct lines *lines, struct span ready)
{
    while (ready.ptr && ready.len > 0) {
        struct span line;
        struct span name;
        ready = span_cut(ready, '\n', &line);
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
        struct span value = span_cut(line, ':', &name);
        if (value.ptr) {
            add(lines, name, span_trim(value));
        }
    }
}

static void add_fields(struct lines *lines, const struct response *response)
{
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (field == &response->nosniff) {
            add(lines, SPAN("x-content-type-options"), SPAN("nosniff"));
        } else {
            add(lines, field->name, field->value);
        }
    }
    if (response->ready_fields.ptr && !response_field(response, "X-Content-Type-Options").ptr) {
        add(lines, SPAN("x-content-type-options"), SPAN("nosniff"));
    }
    add_ready(lines, response->ready_fields);
}

static size_t count_lines(const struct response *response)
{
    size_t count = OWN_LINES;
    for (const struct response_field *field = response->fields; field; field = field->next) {
        count++;
    }
    for (size_t i = 0; i < response->ready_fields.len; i++) {
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

/* Room for what is written as text here. */
struct texts {
    char status[STATUS_DIGITS];
    char length[U64_DIGITS];
};

static void fill(struct lines *lines, struct texts *texts, struct h2_driver *driver,
                 const struct response *response, const struct h2_answer *answer)
{
    struct span server = span_of(driver->services->server_name);
    (void)text_write_u64(texts->status, (uint64_t)answer->status); /* 200..599 */
    add(lines, SPAN(":status"), span_make(texts->status, STATUS_DIGITS));
    add(lines, SPAN("date"), date_of(driver));
    if (server.ptr && !has_server_field(response)) {
        add(lines, SPAN("server"), server);
    }
    if (answer->length >= 0 && !response->has_ready_length) {
        size_t len = text_write_u64(texts->length, (uint64_t)answer->length);
        add(lines, SPAN("content-length"), span_make(texts->length, len));
    }
    add_fields(lines, response);
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
    size_t count = count_lines(response);
    if (count > USUAL_LINES) {
        lines.capacity = count;
        lines.at = mem_alloc(count * sizeof *lines.at);
        if (!lines.at) {
            return GALLEY_ENOMEM;
        }
    }
    fill(&lines, &texts, stream->driver, response, answer);
    int rc = submit(stream, &lines, answer->has_body);
    if (lines.at != usual) {
        mem_free(lines.at);
    }
    return rc;
}
