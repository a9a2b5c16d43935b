/* h1/h1_head.c — status line and fields of an answer, into one piece of memory that the output
 * chain owns. On the loop. Date comes ready for the second, Server ready for the driver's life, the
 * status line ready from a table; ready_fields are copied as they are. */
#include "h1/h1_head.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "http/status.h"

enum { HEAD_BYTES = 2048, FIXED_BYTES = 512, U64_DIGITS = 20 };

/* ---- how it is delimited --------------------------------------------------------------------- */

static bool is_304(const struct response *response)
{
    return response->status == STATUS_NOT_MODIFIED;
}

/* -1: not known before the last piece. */
static int64_t length_of(const struct exchange *exchange, bool in_pieces)
{
    const struct response *response = &exchange->response;
    if (response->status == STATUS_RESET_CONTENT) {
        return 0; /* RFC 9110 §15.3.6: it has no content, and the client must know at once */
    }
    if (response->is_coded) {
        return -1;
    }
    if (response->length >= 0 || in_pieces) {
        return response->length;
    }
    /* All pieces are there already. To HEAD they were counted, not kept. */
    return (int64_t)response->piece_bytes;
}

static enum h1_framing framing_of(const struct exchange *exchange, int64_t length)
{
    const struct request *request = &exchange->request;
    const struct response *response = &exchange->response;
    /* RFC 9110 §8.6: none on 1xx and 204. §15.4.5: on 304 it would have to be the length of the
     * 200, which only ready-made fields know. */
    if (!status_may_have_length(response->status, request->method) || is_304(response)) {
        return H1_FRAMING_NONE;
    }
    if (length >= 0) {
        return H1_FRAMING_LENGTH;
    }
    /* RFC 9112 §6.1: chunked goes to HTTP/1.1 only; to others the end of the connection is the
     * end. */
    return request->version >= 11 ? H1_FRAMING_CHUNKED : H1_FRAMING_CLOSE;
}

/* RFC 9110 §15.2.2: behind the head the connection is the new protocol's. */
static struct h1_answer upgrade_of(const struct response *response)
{
    return (struct h1_answer){.status = STATUS_SWITCHING_PROTOCOLS,
                              .framing = H1_FRAMING_NONE,
                              .has_body = true,
                              .in_pieces = true,
                              .upgrade = response->upgrade};
}

struct h1_answer h1_answer_of(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    const struct response *response = &exchange->response;
    if (response->is_upgrade) {
        return upgrade_of(response);
    }
    bool in_pieces = response->is_begun && !response->pieces_ended;
    int64_t length = length_of(exchange, in_pieces);
    enum h1_framing framing = framing_of(exchange, length);
    bool has_body = status_may_have_body(response->status, request->method);
    return (struct h1_answer){
        .status = response->status,
        .framing = framing,
        .length = framing == H1_FRAMING_LENGTH ? (uint64_t)length : 0,
        .has_body = has_body,
        .in_pieces = in_pieces,
        .will_close = has_body && framing == H1_FRAMING_CLOSE,
        .is_http_1_0 = request->version < 11,
        .offer = response->status == STATUS_UPGRADE_REQUIRED ? response->upgrade : SPAN_NONE,
    };
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_length(struct h1_writer *writer, uint64_t length)
{
    char digits[U64_DIGITS];
    h1_write_ready(writer, SPAN("Content-Length: "));
    h1_write_ready(writer, span_make(digits, text_write_u64(digits, length)));
    h1_write_ready(writer, SPAN("\r\n"));
}

static void write_framing(struct h1_writer *writer, const struct response *response,
                          const struct h1_answer *answer)
{
    if (answer->framing == H1_FRAMING_LENGTH && !response->has_ready_length) {
        write_length(writer, answer->length);
    } else if (answer->framing == H1_FRAMING_CHUNKED) {
        h1_write_ready(writer, SPAN("Transfer-Encoding: chunked\r\n"));
    }
}

/* RFC 9112 §9.3: persistence is the default of HTTP/1.1 and the exception of 1.0. RFC 9110 §7.8:
 * with Upgrade goes the connection option of that name. */
static void write_connection(struct h1_writer *writer, const struct h1_answer *answer)
{
    if (answer->upgrade.ptr) {
        h1_write_ready(writer, SPAN("Connection: Upgrade\r\n"));
        h1_write_field(writer, SPAN("Upgrade"), answer->upgrade);
    } else if (answer->offer.ptr) {
        h1_write_ready(writer, answer->will_close ? SPAN("Connection: close, Upgrade\r\n")
                                                  : SPAN("Connection: Upgrade\r\n"));
        h1_write_field(writer, SPAN("Upgrade"), answer->offer);
    } else if (answer->will_close) {
        h1_write_ready(writer, SPAN("Connection: close\r\n"));
    } else if (answer->is_http_1_0) {
        h1_write_ready(writer, SPAN("Connection: keep-alive\r\n"));
    }
}

static void write_fields(struct h1_writer *writer, const struct response *response)
{
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (field == &response->nosniff) {
            h1_write_ready(writer, H1_NOSNIFF);
        } else {
            h1_write_field(writer, field->name, field->value);
        }
    }
    if (response->ready_fields.ptr && !response_field(response, "X-Content-Type-Options").ptr) {
        h1_write_ready(writer, H1_NOSNIFF);
    }
    h1_write_ready(writer, response->ready_fields);
}

static bool has_server_field(const struct response *response)
{
    return response->fields && response_field(response, "Server").ptr;
}

static size_t write_head(struct h1_writer *writer, struct h1_driver *driver,
                         const struct response *response, const struct h1_answer *answer)
{
    h1_write_status(writer, answer->status);
    h1_write_date(writer, &driver->date, loop_wall_s(driver->services->loop));
    if (!has_server_field(response)) {
        h1_write_ready(writer, span_make(driver->server_line, driver->server_line_len));
    }
    write_connection(writer, answer);
    write_framing(writer, response, answer);
    write_fields(writer, response);
    return h1_write_end(writer);
}

static size_t most_bytes(const struct response *response)
{
    size_t bytes = FIXED_BYTES + response->ready_fields.len + response->upgrade.len;
    for (const struct response_field *field = response->fields; field; field = field->next) {
        bytes += field->name.len + field->value.len + sizeof ": \r\n";
    }
    return bytes;
}

static int write_large_head(struct h1_session *session, const struct response *response,
                            const struct h1_answer *answer)
{
    size_t capacity = most_bytes(response);
    char *head = mem_alloc(capacity);
    if (!head) {
        return GALLEY_ENOMEM;
    }
    struct h1_writer writer;
    h1_writer_init(&writer, head, capacity);
    size_t len = write_head(&writer, session->driver, response, answer);
    DEBUG_CHECK(writer.fault != H1_WRITE_NO_ROOM);
    int rc = len ? chain_add(&session->conn->out, head, len, mem_free, head) : GALLEY_EINVAL;
    if (rc != GALLEY_OK) {
        mem_free(head);
    }
    return rc;
}

static int write_any_head(struct h1_session *session, const struct response *response,
                          const struct h1_answer *answer)
{
    char head[HEAD_BYTES];
    struct h1_writer writer;
    h1_writer_init(&writer, head, sizeof head);
    size_t len = write_head(&writer, session->driver, response, answer);
    if (len > 0) {
        return chain_add_copy(&session->conn->out, head, len);
    }
    return writer.fault == H1_WRITE_NO_ROOM ? write_large_head(session, response, answer)
                                            : GALLEY_EINVAL;
}

int h1_head_write(struct h1_session *session, const struct response *response,
                  const struct h1_answer *answer)
{
    int rc;
    bool is_written = h1_ready_head_write(session, response, answer, &rc);
    return is_written ? rc : write_any_head(session, response, answer);
}
