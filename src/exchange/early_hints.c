/* exchange/early_hints.c — see early_hints.h. galley_res_early_hints() runs on the owner's thread: it
 * takes copies of the field nodes, because the handler may change its list while the loop sends; names
 * and values stay where they are, for memory of the arena is not given back before the end. On the
 * loop they go to the driver at once, from elsewhere by the exchange's writer. */
#include "exchange/early_hints.h"

#include "http/status.h"

#include <galley/hints.h>

#include "exchange/body_writer.h"
#include "exchange/exchange.h"

bool early_hints_are_wanted(const struct exchange *exchange)
{
    int version = exchange->request.version;
    /* RFC 9110 §15.2: none to HTTP/1.0. RFC 8297 §3: to HTTP/1.1 only with care. */
    return version >= 20 || (version == 11 && exchange->services->hints_over_http1);
}

int early_hints_send(struct exchange *exchange, const struct response_field *fields)
{
    if (exchange->client_is_gone) {
        return GALLEY_ECLOSED;
    }
    if (!fields || !early_hints_are_wanted(exchange)) {
        return GALLEY_OK;
    }
    int rc = exchange->driver->interim(exchange, STATUS_EARLY_HINTS, fields);
    if (rc == GALLEY_OK && exchange->services->counters) {
        counter_add(&exchange->services->counters->early_hints, 1);
    }
    return rc;
}

/* ---- what goes ------------------------------------------------------------------------------- */

static bool is_link(const struct response_field *field)
{
    return span_equal_nocase(field->name, SPAN("Link"));
}

/* RFC 8297 §2 leaves open which fields go. Besides links only the policy by which a browser judges what
 * they name. */
static bool is_hint(const struct response_field *field)
{
    return !field->was_hinted &&
           (is_link(field) || span_equal_nocase(field->name, SPAN("Content-Security-Policy")));
}

static bool has_new_link(const struct response *response)
{
    const struct response_field *field = response->fields;
    while (field && (field->was_hinted || !is_link(field))) {
        field = field->next;
    }
    return field != NULL;
}

/* NULL: out of memory. */
static struct early_hints *gather(struct exchange *exchange)
{
    struct early_hints *hints = arena_alloc(&exchange->arena, sizeof *hints);
    if (!hints) {
        return NULL;
    }
    *hints = (struct early_hints){0};
    struct response_field **end = &hints->fields;
    for (const struct response_field *field = exchange->response.fields; field;
         field = field->next) {
        if (!is_hint(field)) {
            continue;
        }
        struct response_field *copy = arena_alloc(&exchange->arena, sizeof *copy);
        if (!copy) {
            return NULL;
        }
        *copy = (struct response_field){.name = field->name, .value = field->value};
        *end = copy;
        end = &copy->next;
    }
    return hints;
}

static void mark(struct exchange *exchange)
{
    for (struct response_field *field = exchange->response.fields; field; field = field->next) {
        field->was_hinted |= is_hint(field);
    }
    exchange->hints_given++;
}

/* ---- by a handler ---------------------------------------------------------------------------- */

/* Without its loop's services, which an orphan has no more. */
static bool are_wanted(const struct exchange *exchange)
{
    const struct body_writer *writer = exchange->response.writer;
    return writer ? writer->takes_hints : early_hints_are_wanted(exchange);
}

static int give(struct exchange *exchange)
{
    if (exchange->hints_given >= EARLY_HINTS_MAX) {
        return GALLEY_EFULL;
    }
    struct early_hints *hints = gather(exchange);
    if (!hints) {
        return GALLEY_ENOMEM;
    }
    struct body_writer *writer = exchange->response.writer;
    int rc = writer ? body_writer_hint(writer, hints) : early_hints_send(exchange, hints->fields);
    if (rc == GALLEY_OK) {
        mark(exchange);
    }
    return rc;
}

int galley_res_early_hints(galley_response *rs)
{
    if (!rs) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_response(rs);
    if (!OWNER_OK(exchange) || exchange->response.is_begun) {
        return GALLEY_ESTATE;
    }
    return are_wanted(exchange) && has_new_link(&exchange->response) ? give(exchange) : GALLEY_OK;
}
