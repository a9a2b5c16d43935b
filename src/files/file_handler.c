/* files/file_handler.c — the two ways into the room for a request: galley_static_serve() as a
 * route's handler, and file_site_reply() for galley_res_file(). Both on the loop. */
#include "files/file_lookup.h"
#include "files/file_respond.h"

/* RFC 9110 §9.3.7; with CORS also the preflight of the Fetch standard. */
static int respond_options(const galley_static *site, struct exchange *exchange)
{
    const struct fields *fields = exchange->request.fields;
    bool is_preflight = site->preflight_lines.ptr && fields && fields_has(fields, FIELD_ORIGIN) &&
                        fields_has(fields, FIELD_ACCESS_CONTROL_REQUEST_METHOD);
    exchange->response.status = 204;
    exchange->response.ready_fields = is_preflight ? site->preflight_lines : site->common_lines;
    return response_set_field(exchange, SPAN("Allow"), FILE_ALLOWED);
}

static int serve(galley_static *site, struct exchange *exchange)
{
    switch (exchange->request.method) {
    case METHOD_OPTIONS:
        return respond_options(site, exchange);
    case METHOD_OTHER:
    case METHOD_CONNECT:
    case METHOD_TRACE:
        return file_respond_refusal(site, exchange);
    default: /* also methods that are not allowed: a directory without its slash redirects them all */
        return file_lookup_start(site, exchange, FILE_STAGE_PATH, SPAN_NONE);
    }
}

/* Joined to the loop that we are on? A handler registered past the server's knowledge could be
 * anywhere. */
static bool is_at_home(const galley_static *site, const struct exchange *exchange)
{
    const struct exchange_services *services = exchange->services;
    return services->loop_index < site->loop_count &&
           site->loops[services->loop_index].loop == services->loop &&
           loop_is_current(services->loop);
}

int galley_static_serve(galley_request *rq, galley_response *rs, void *arg)
{
    galley_static *site = arg;
    if (!rq || !rs || !site) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_request(rq);
    if (!is_at_home(site, exchange)) {
        return GALLEY_ESTATE;
    }
    int result = serve(site, exchange);
    if (result != FILE_LATER && exchange->state == EXCHANGE_SUSPENDED) {
        exchange_resume(exchange, result); /* suspended, but nothing could be started */
        return GALLEY_OK;
    }
    return result == FILE_LATER ? GALLEY_OK : result;
}

void file_site_reply(galley_static *site, struct exchange *exchange, struct span path)
{
    int result = is_at_home(site, exchange)
                     ? file_lookup_start(site, exchange, FILE_STAGE_REPLY, path)
                     : GALLEY_ESTATE;
    if (result != FILE_LATER) {
        exchange_resume(exchange, result);
    }
}
