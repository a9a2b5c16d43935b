/* exchange/public_query.c — galley_req_query_param(), galley_req_host(), galley_req_cookie(): views
 * that are not in the head as they are handed out, made in the arena when they are asked for. On the
 * handler's thread; request_host() also on the loop, for the router. */
#include "base/text.h"
#include "http/cookie.h"
#include "http/form.h"
#include "http/host.h"

#include "exchange/exchange.h"
#include "exchange/public_str.h"

static const galley_str nothing = {NULL, 0};

static galley_str decoded(struct arena *arena, struct span value)
{
    char *text = arena_alloc(arena, value.len + 1);
    ssize_t len = text ? form_decode(value, text) : GALLEY_ENOMEM;
    if (len < 0) {
        return nothing;
    }
    text[len] = '\0';
    return (galley_str){text, (size_t)len};
}

galley_str galley_req_query_param(galley_request *rq, const char *name)
{
    if (!rq || !name || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct span value = form_find(exchange->request.target.query, span_of(name));
    return value.ptr ? decoded(&exchange->arena, value) : nothing;
}

galley_str galley_req_cookie(galley_request *rq, const char *name)
{
    if (!rq || !name || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    const struct fields *fields = exchange->request.fields;
    const struct field *line = NULL;
    struct span value = SPAN_NONE;
    uint32_t it = 0;
    while (fields && !value.ptr && (line = fields_next(fields, FIELD_COOKIE, &it)) != NULL) {
        value = cookie_find(line->value, span_of(name));
    }
    return value.ptr ? str_of(arena_copy(&exchange->arena, value)) : nothing;
}

struct span request_host(const struct request *request)
{
    /* RFC 9112 §3.2.2: an absolute-form target goes before the Host field. */
    struct span authority =
        request->target.host.ptr ? request->target.host : request_field(request, FIELD_HOST);
    struct host host;
    if (!authority.ptr || host_parse(authority, &host) != 0) {
        return SPAN_NONE;
    }
    return host_bare_name(&host);
}

struct span request_lower_copy(struct arena *arena, struct span s)
{
    struct span copy = s.ptr ? arena_copy(arena, s) : SPAN_NONE;
    char *text = (char *)(uintptr_t)copy.ptr; /* the arena's memory is writable */
    for (size_t i = 0; text && i < copy.len; i++) {
        text[i] = text_lower(text[i]);
    }
    return copy;
}

galley_str galley_req_host(galley_request *rq)
{
    if (!rq || !OWNER_OK(exchange_of_request(rq))) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct request *request = &exchange->request;
    if (!request->host_text.ptr) {
        request->host_text = request_lower_copy(&exchange->arena, request_host(request));
    }
    return str_of(request->host_text);
}
