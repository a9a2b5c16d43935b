/* exchange/error_page.c — the server's own page for a status that came without a body.
 * Made from the status alone: nothing that a client sent gets into it, so it cannot carry script.
 * Light and dark by the reader's choice, no script, no request to anywhere else. Called by the
 * owner of the exchange. */
#include "http/status.h"

#include "exchange/exchange.h"

#include <stdio.h>

static const char page_format[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>%d %s</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark }\n"
    "body { font: 1rem/1.5 system-ui, sans-serif; margin: 20vh auto 0; max-width: 32rem; "
    "padding: 0 1rem }\n"
    "h1 { font-size: 1.5rem; font-weight: 600 }\n"
    "h1 span { opacity: .6; font-weight: 400; margin-right: .5ch }\n"
    "</style>\n"
    "<h1><span>%d</span>%s</h1>\n";

int response_error_page(struct exchange *exchange, int status)
{
    char page[sizeof page_format + 128];
    const char *reason = status_reason(status).ptr;
    int len = snprintf(page, sizeof page, page_format, status, reason, status, reason);
    if (len < 0 || (size_t)len >= sizeof page) {
        return GALLEY_ENOMEM;
    }
    int rc = response_body_copy(exchange, page, (size_t)len);
    if (rc == GALLEY_OK) {
        rc = response_set_field(exchange, SPAN("Content-Type"), SPAN("text/html; charset=utf-8"));
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
