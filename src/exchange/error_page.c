/* exchange/error_page.c — the server's own page for a status that came without a body.
 * Made from the status alone: nothing that a client sent gets into it, so it cannot carry script.
 * Light and dark by the reader's choice, no script, no request to anywhere else. Called by the
 * owner of the exchange. */
#include "base/text.h"
#include "http/status.h"

#include "exchange/exchange.h"

/* Between these stand: status and reason, the status, the reason. */
#define BEFORE_TITLE                                                                               \
    "<!doctype html>\n"                                                                            \
    "<html lang=\"en\">\n"                                                                         \
    "<meta charset=\"utf-8\">\n"                                                                   \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                   \
    "<title>"
#define BEFORE_STATUS                                                                              \
    "</title>\n"                                                                                   \
    "<style>\n"                                                                                    \
    ":root { color-scheme: light dark }\n"                                                         \
    "body { font: 1rem/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 32rem; "         \
    "padding: 0 1rem }\n"                                                                          \
    "h1 { font-size: 1.5rem; font-weight: 600 }\n"                                                 \
    "h1 span { opacity: .6; font-weight: 400; margin-right: .5ch }\n"                              \
    "</style>\n"                                                                                   \
    "<h1><span>"
#define BEFORE_REASON "</span>"
#define BEHIND        "</h1>\n"

static char *put(char *at, struct span piece)
{
    memcpy(at, piece.ptr, piece.len);
    return at + piece.len;
}

/* Made for each refused request, of which there may be many: no printf. */
static int add_page(struct exchange *exchange, int status)
{
    char digits[20];
    struct span number = span_make(digits, text_write_u64(digits, (uint64_t)status));
    struct span reason = status_reason(status);
    struct span fixed[] = {SPAN(BEFORE_TITLE), SPAN(BEFORE_STATUS), SPAN(BEFORE_REASON),
                           SPAN(BEHIND)};
    size_t len = fixed[0].len + fixed[1].len + fixed[2].len + fixed[3].len +
                 2 * (number.len + reason.len) + 1;
    char *at = response_body_room(exchange, len);
    if (!at) {
        return GALLEY_ENOMEM;
    }
    at = put(put(at, fixed[0]), number);
    *at++ = ' ';
    at = put(put(put(at, reason), fixed[1]), number);
    (void)put(put(put(at, fixed[2]), reason), fixed[3]);
    return GALLEY_OK;
}

/* What is known to be good needs neither a look nor a copy. */
static int set_type(struct exchange *exchange)
{
    struct response_field *field = arena_alloc(&exchange->arena, sizeof *field);
    if (!field) {
        return GALLEY_ENOMEM;
    }
    *field = (struct response_field){.name = SPAN("Content-Type"),
                                     .value = SPAN("text/html; charset=utf-8")};
    response_put_field(&exchange->response, field);
    return GALLEY_OK;
}

int response_error_page(struct exchange *exchange, int status)
{
    int rc = add_page(exchange, status);
    if (rc == GALLEY_OK) {
        rc = set_type(exchange);
    }
    if (rc != GALLEY_OK) {
        /* A body without its type would be guessed at; no body is always right. */
        chain_clear(&exchange->response.body);
        exchange->response.has_body = false;
        exchange->response.length = 0;
    }
    return rc;
}

void response_be_page(struct exchange *exchange, int status)
{
    response_reset(exchange);
    exchange->response.status = status;
    if (status_may_have_body(status, METHOD_GET)) {
        (void)response_error_page(exchange, status); /* without memory: the status alone */
    }
}
