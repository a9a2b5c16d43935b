/* h2/h2_fields.c — see h2_fields.h. On the loop. A head is encoded at once, field by field: nothing of it
 * is needed afterwards. Lines that were made ready for HTTP/1 are kept taken apart (h2_lines.h), those
 * of ours are made once; fields of a connection are left out (RFC 9113 §8.2.2), for HTTP/2 has other
 * means.
 *
 * The tables of both sides would differ if a head were given up in its middle: so what it takes is asked
 * for before it begins. */
#include "h2/h2_fields.h"

#include "base/check.h"
#include "base/text.h"
#include "http/status.h"

#include "h2/h2_lines.h"

enum { STATUS_DIGITS = 3, U64_DIGITS = 20 };

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

static bool is_alt_svc(struct span name)
{
    return name.len == 7 && span_equal_nocase(name, SPAN("alt-svc"));
}

enum hpack_how h2_how_of(struct span name)
{
    switch (field_id_of(name)) {
    case FIELD_SET_COOKIE: /* RFC 7541 §7.1.3: what is secret and short must not be guessed */
        return HPACK_NEVER;
    case FIELD_ACCEPT_RANGES:
    case FIELD_ACCESS_CONTROL_ALLOW_CREDENTIALS:
    case FIELD_ACCESS_CONTROL_ALLOW_ORIGIN:
    case FIELD_CACHE_CONTROL:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_LANGUAGE:
    case FIELD_CONTENT_SECURITY_POLICY:
    case FIELD_CONTENT_TYPE:
    case FIELD_DATE:
    case FIELD_LINK:
    case FIELD_REFERRER_POLICY:
    case FIELD_SERVER:
    case FIELD_STRICT_TRANSPORT_SECURITY:
    case FIELD_VARY:
    case FIELD_X_CONTENT_TYPE_OPTIONS:
        return HPACK_INDEX;
    default:
        return is_alt_svc(name) ? HPACK_INDEX : HPACK_IF_REPEATED;
    }
}

static void add(struct h2_stream *stream, const struct hpack_line *line)
{
    frames_head_line(&stream->frames, line);
}

/* A name in any case: RFC 9113 §8.2.1 wants it in lower case. There is room: has_room(). */
static void add_any(struct h2_stream *stream, struct span name, struct span value)
{
    char *own = stream->driver->name.data;
    for (size_t i = 0; i < name.len; i++) {
        own[i] = text_lower(name.ptr[i]);
    }
    struct hpack_line line =
        hpack_line_make(span_make(own, name.len), value.ptr ? value : SPAN(""), h2_how_of(name));
    add(stream, &line);
}

static void add_status(struct h2_stream *stream, int status)
{
    char digits[STATUS_DIGITS];
    if (status == STATUS_OK) {
        add(stream, &stream->driver->ok_line);
        return;
    }
    size_t len = text_write_u64(digits, (uint64_t)status); /* 100..599 */
    struct hpack_line line = hpack_line_make(SPAN(":status"), span_make(digits, len), HPACK_INDEX);
    add(stream, &line);
}

static void add_length(struct h2_stream *stream, int64_t length)
{
    char digits[U64_DIGITS];
    size_t len = text_write_u64(digits, (uint64_t)length);
    struct hpack_line line =
        hpack_line_make(SPAN("content-length"), span_make(digits, len), HPACK_IF_REPEATED);
    add(stream, &line);
}

static void add_date(struct h2_stream *stream)
{
    struct h2_driver *driver = stream->driver;
    int64_t now_s = loop_wall_s(driver->services->loop);
    if (driver->date_s != now_s) {
        driver->date_s = now_s;
        date_write(driver->date, now_s);
        driver->date_line =
            hpack_line_make(SPAN("date"), span_make(driver->date, DATE_LEN), HPACK_INDEX);
    }
    add(stream, &driver->date_line);
}

static void add_server(struct h2_stream *stream, const struct response *response)
{
    const struct hpack_line *line = &stream->driver->server_line;
    bool has_own = response->fields && response_field(response, "Server").ptr;
    if (line->name.ptr && !has_own) {
        add(stream, line);
    }
}

/* ---- fields of the answer's owner ------------------------------------------------------------ */

static void add_fields(struct h2_stream *stream, const struct response *response)
{
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (field == &response->nosniff) {
            add(stream, &stream->driver->nosniff_line);
        } else if (!h2_is_of_connection(field->name)) {
            add_any(stream, field->name, field->value);
        }
    }
    if (response->ready_fields.ptr &&
        (!response->fields || !response_field(response, "X-Content-Type-Options").ptr)) {
        add(stream, &stream->driver->nosniff_line);
    }
}

static void add_ready(struct h2_stream *stream, struct span ready, const struct h2_lines *kept)
{
    struct span name;
    struct span value;
    for (uint32_t i = 0; kept && i < kept->count; i++) {
        add(stream, &kept->fields[i]);
    }
    while (!kept && h2_lines_split(&ready, &name, &value)) {
        add_any(stream, name, value);
    }
}

/* ---- before a head begins -------------------------------------------------------------------- */

/* 0, or GALLEY_EINVAL: no client takes so much. GALLEY_ENOMEM: no room for names in lower case. */
static int prepare(struct h2_driver *driver, const struct response_field *fields, struct span ready,
                   bool is_kept)
{
    uint64_t bytes = ready.len;
    size_t longest = is_kept ? 0 : ready.len;
    for (const struct response_field *field = fields; field; field = field->next) {
        bytes += field->name.len + field->value.len;
        longest = field->name.len > longest ? field->name.len : longest;
    }
    if (bytes > H2_MAX_ANSWER) {
        return GALLEY_EINVAL;
    }
    if (longest > driver->name.capacity) {
        buf_clear(&driver->name);
        (void)buf_reserve(&driver->name, longest);
    }
    return longest > driver->name.capacity ? GALLEY_ENOMEM : GALLEY_OK;
}

static int end_head(struct h2_stream *stream, enum frames_head_kind kind)
{
    int rc = frames_head_end(&stream->frames, kind);
    if (rc != GALLEY_OK) {
        h2_out_of_memory(stream->session);
    }
    return rc;
}

/* ---- submitting ------------------------------------------------------------------------------ */

int h2_submit_answer(struct h2_stream *stream, const struct response *response,
                     const struct h2_answer *answer)
{
    const struct h2_lines *kept = h2_lines_find(stream->driver, response->ready_fields);
    int rc = prepare(stream->driver, response->fields, response->ready_fields, kept != NULL);
    if (rc != GALLEY_OK) {
        return rc;
    }
    frames_head_begin(&stream->frames);
    add_status(stream, answer->status);
    add_date(stream);
    add_server(stream, response);
    if (answer->length >= 0 && !response->has_ready_length) {
        add_length(stream, answer->length);
    }
    add_fields(stream, response);
    add_ready(stream, response->ready_fields, kept);
    return end_head(stream, answer->has_body ? FRAMES_HEAD_WITH_BODY : FRAMES_HEAD_ONLY);
}

int h2_submit_interim(struct h2_stream *stream, int status, const struct response_field *fields)
{
    int rc = prepare(stream->driver, fields, SPAN_NONE, false);
    if (rc != GALLEY_OK) {
        return rc;
    }
    frames_head_begin(&stream->frames);
    add_status(stream, status);
    for (const struct response_field *field = fields; field; field = field->next) {
        add_any(stream, field->name, field->value);
    }
    return end_head(stream, FRAMES_HEAD_INTERIM);
}
