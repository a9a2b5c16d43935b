/* exchange/show_head.c — exchange_show_head(): what a client asked, in the log. Called by drivers for each
 * request, on the loop; costs a comparison unless the log wants to know. */
#include "base/log.h"

#include "exchange/exchange.h"

/* Logs travel further than requests should. */
static bool is_secret(enum field_id id)
{
    return id == FIELD_AUTHORIZATION || id == FIELD_PROXY_AUTHORIZATION || id == FIELD_COOKIE;
}

static const char *version_text(unsigned version)
{
    switch (version) {
    case 10:
        return "HTTP/1.0";
    case 11:
        return "HTTP/1.1";
    default:
        return "HTTP/2";
    }
}

static void show_field(const struct log_sink *log, const struct field *field)
{
    struct span value = is_secret(field->id) ? SPAN("(not shown)") : field->value;
    log_write(log, LOG_DEBUG, "> %.*s: %.*s", (int)field->name.len, field->name.ptr, (int)value.len,
              value.ptr);
}

void exchange_show_head(const struct exchange *exchange)
{
    const struct log_sink *log = exchange->services->log;
    if (!log_wants(log, LOG_DEBUG)) {
        return;
    }
    const struct request *request = &exchange->request;
    struct span method = request->method_name, target = request->raw_target;
    log_write(log, LOG_DEBUG, "> %.*s %.*s %s", (int)method.len, method.ptr, (int)target.len,
              target.ptr, version_text(request->version));
    uint32_t it = 0;
    const struct field *field;
    while (request->fields && (field = fields_next_any(request->fields, &it)) != NULL) {
        show_field(log, field);
    }
}
