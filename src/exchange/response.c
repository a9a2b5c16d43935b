/* exchange/response.c — fields and body of a response; see response.h.
 * Callers: the public setters on the handler's thread, files/ and the dispatcher on the loop;
 * always the exchange's owner. While a worker owns the exchange, response.body has no chain pool,
 * because pools belong to their loop. Invariant: nothing in `fields` contains CR, LF, NUL or
 * another control byte, and no framing field is among them. */
#include "exchange/response.h"

#include "base/alloc.h"
#include "http/field_name.h"
#include "http/field_value.h"

#include "exchange/exchange.h"
#include "exchange/source.h"
#include "exchange/stream.h"

void response_init(struct response *response, struct chain_pool *chains)
{
    *response = (struct response){0};
    chain_init(&response->body, chains);
}

/* Those of `from` that last, in their order. */
static void put_lasting(struct response *response, struct response_field *from)
{
    struct response_field *next = NULL;
    for (struct response_field *field = from; field; field = next) {
        next = field->next;
        if (field->lasts) {
            response_append_field(response, field);
        }
    }
}

void response_reset(struct exchange *exchange)
{
    struct response *response = &exchange->response;
    struct response_field *fields = response->fields;
    struct body_writer *writer = response->writer;
    struct response_coding coding = response->coding;
    bool must_close = response->must_close;
    stream_detach(exchange);
    source_detach(exchange);
    chain_clear(&response->body);
    response_init(response, response->body.pool);
    response->writer = writer;
    response->coding = coding;
    response->must_close = must_close;
    put_lasting(response, fields);
}

/* RFC 9112 §6, RFC 9110 §7.6.1: framing and connection fields say what the driver does, so only it
 * may set them. */
static bool is_drivers_own(struct span name)
{
    switch (field_id_of(name)) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_DATE:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRAILER:
    case FIELD_UPGRADE:
        return true;
    default:
        return false;
    }
}

void response_append_field(struct response *response, struct response_field *field)
{
    field->next = NULL;
    if (response->last_field) {
        response->last_field->next = field;
    } else {
        response->fields = field;
    }
    response->last_field = field;
}

/* Makes a node without linking it: an error must leave the response as it was. */
int response_prepare_field(struct exchange *exchange, struct span name, struct span value,
                           struct response_field **ret_field)
{
    /* RFC 9110 §5.5: what would end the line early never gets out. */
    if (!field_name_is_valid(name) || !field_value_is_valid(value) || is_drivers_own(name)) {
        return GALLEY_EINVAL;
    }
    struct response_field *field = arena_alloc(&exchange->arena, sizeof *field);
    struct span name_copy = field ? arena_copy(&exchange->arena, name) : SPAN_NONE;
    struct span value_copy = name_copy.ptr ? arena_copy(&exchange->arena, value) : SPAN_NONE;
    if (!value_copy.ptr) {
        return GALLEY_ENOMEM;
    }
    *field = (struct response_field){.name = name_copy, .value = value_copy};
    *ret_field = field;
    return GALLEY_OK;
}

void response_remove_field(struct response *response, struct span name)
{
    struct response_field **link = &response->fields;
    response->last_field = NULL;
    while (*link) {
        if (span_equal_nocase((*link)->name, name)) {
            *link = (*link)->next;
        } else {
            response->last_field = *link;
            link = &(*link)->next;
        }
    }
}

void response_put_field(struct response *response, struct response_field *field)
{
    if (field) {
        response_remove_field(response, field->name);
        response_append_field(response, field);
    }
}

int response_set_field(struct exchange *exchange, struct span name, struct span value)
{
    struct response_field *field = NULL;
    int rc = response_prepare_field(exchange, name, value, &field);
    if (rc == GALLEY_OK) {
        response_put_field(&exchange->response, field);
    }
    return rc;
}

int response_add_field(struct exchange *exchange, struct span name, struct span value)
{
    struct response_field *field = NULL;
    int rc = response_prepare_field(exchange, name, value, &field);
    if (rc == GALLEY_OK) {
        response_append_field(&exchange->response, field);
    }
    return rc;
}

struct span response_field(const struct response *response, const char *name)
{
    struct span wanted = span_of(name);
    for (const struct response_field *field = response->fields; field; field = field->next) {
        if (span_equal_nocase(field->name, wanted)) {
            return field->value;
        }
    }
    return SPAN_NONE;
}

void response_add_nosniff(struct response *response)
{
    if (response->ready_fields.ptr || response->nosniff.name.ptr ||
        response_field(response, "X-Content-Type-Options").ptr) {
        return;
    }
    response->nosniff.name = SPAN("X-Content-Type-Options");
    response->nosniff.value = SPAN("nosniff");
    response_append_field(response, &response->nosniff);
}

/* ---- body ---- */

static void count_body(struct response *response)
{
    response->has_body = true;
    response->length = (int64_t)response->body.bytes;
}

/* Before exchange_retain() a view of the request lies in the receive buffer, which the next turn
 * overwrites. */
static bool lies_in_receive_buffer(const struct exchange *exchange, const void *data)
{
    struct span head = exchange->request.head;
    uintptr_t start = (uintptr_t)head.ptr;
    uintptr_t at = (uintptr_t)data;
    return !exchange->is_retained && head.ptr && at >= start && at < start + head.len;
}

int response_body_data(struct exchange *exchange, const void *data, size_t len,
                       chain_release_fn *release, void *arg)
{
    struct response *response = &exchange->response;
    if (!release && lies_in_receive_buffer(exchange, data)) {
        return response_body_copy(exchange, data, len);
    }
    int rc = chain_add(&response->body, data, len, release, arg);
    if (rc == GALLEY_OK) {
        response->borrows_memory |= !release && len > 0;
        count_body(response);
    }
    return rc;
}

int response_body_copy(struct exchange *exchange, const void *data, size_t len)
{
    int rc = chain_add_copy(&exchange->response.body, data, len);
    if (rc == GALLEY_OK) {
        count_body(&exchange->response);
    }
    return rc;
}

char *response_body_room(struct exchange *exchange, size_t len)
{
    char *room = chain_add_room(&exchange->response.body, len);
    if (room) {
        count_body(&exchange->response);
    }
    return room;
}

int response_body_file(struct exchange *exchange, int fd, off_t offset, uint64_t len,
                       chain_release_fn *release, void *arg)
{
    int rc = chain_add_file(&exchange->response.body, fd, offset, len, release, arg);
    if (rc == GALLEY_OK) {
        count_body(&exchange->response);
    }
    return rc;
}
