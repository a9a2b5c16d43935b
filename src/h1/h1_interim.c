/* h1/h1_interim.c — interim answers (RFC 9110 §15.2) but 100 and 101, before the one that is being
 * made. On the loop. Only one request of a connection is in progress, so what is appended to conn->out
 * stands behind the answers before it. They carry no Date and no framing: the head is all. */
#include "base/alloc.h"

#include "h1/h1_session.h"

enum { HEAD_BYTES = 2048, FIXED_BYTES = 128 };

static size_t most_bytes(const struct response_field *fields)
{
    size_t bytes = FIXED_BYTES;
    for (const struct response_field *field = fields; field; field = field->next) {
        bytes += field->name.len + field->value.len + sizeof ": \r\n";
    }
    return bytes;
}

/* One piece, so that it is there whole or not at all. */
static int write_head(struct chain *out, struct h1_writer *writer, int status,
                      const struct response_field *fields)
{
    h1_write_status(writer, status);
    for (const struct response_field *field = fields; field; field = field->next) {
        h1_write_field(writer, field->name, field->value);
    }
    size_t len = h1_write_end(writer);
    return len > 0 ? chain_add_copy(out, writer->out, len) : GALLEY_EINVAL;
}

static int add_head(struct chain *out, int status, const struct response_field *fields)
{
    char usual[HEAD_BYTES];
    size_t capacity = most_bytes(fields);
    char *head = capacity <= sizeof usual ? usual : mem_alloc(capacity);
    if (!head) {
        return GALLEY_ENOMEM;
    }
    struct h1_writer writer;
    h1_writer_init(&writer, head, capacity);
    int rc = write_head(out, &writer, status, fields);
    if (head != usual) {
        mem_free(head);
    }
    return rc;
}

int h1_interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    struct h1_session *session = h1_session_of(exchange);
    struct conn *conn = session->conn;
    if (session->has_answered) {
        return GALLEY_ESTATE;
    }
    if (conn_is_ending(conn)) {
        return GALLEY_ECLOSED;
    }
    int rc = add_head(&conn->out, status, fields);
    if (rc == GALLEY_OK) {
        conn_flush(conn);
    }
    return rc;
}
