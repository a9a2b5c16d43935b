/* route/router_dispatch.c — what becomes of a request: its route's handler, or an answer that needs
 * none. On the loop, for every request. RFC 9110 §9: what a method means where there is no route
 * for it. */
#include "route/router.h"

#include "route/router_inside.h"

/* "GET, HEAD, OPTIONS" for a set of methods. */
static int set_allow(struct exchange *exchange, uint32_t methods)
{
    char text[96];
    size_t len = 0;
    methods |= 1u << METHOD_OPTIONS; /* answered for every path that there is */
    for (unsigned method = 1; method < METHOD_COUNT; method++) {
        struct span name = method_name((enum method)method);
        if (!(methods & (1u << method)) || len + name.len + 2 > sizeof text) {
            continue;
        }
        if (len > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, name.ptr, name.len);
        len += name.len;
    }
    return response_set_field(exchange, SPAN("Allow"), span_make(text, len));
}

static void answer_with_allow(struct exchange *exchange, uint32_t methods, int status)
{
    /* RFC 9110 §15.5.6: 405 must say Allow; without memory for it another answer is due. */
    int rc = set_allow(exchange, methods);
    exchange_answer(exchange, rc == GALLEY_OK ? status : rc);
}

static void run(struct exchange *exchange, const struct route_target *target)
{
    exchange->route = target;
    exchange_want_body(exchange);
}

static void take_params(struct request *request, const struct route_match *match)
{
    for (unsigned i = 0; i < match->param_count; i++) {
        request->params[i] = match->params[i];
    }
    request->param_count = (uint8_t)match->param_count;
}

static bool can_be_routed(enum method method)
{
    return (pattern_methods(METHOD_OTHER) & (1u << (unsigned)method)) != 0;
}

void router_dispatch(const struct router *router, struct exchange *exchange)
{
    struct request *request = &exchange->request;
    if (!can_be_routed(request->method)) {
        exchange_answer(exchange, 501); /* RFC 9110 §9.1: a method galley does not do */
        return;
    }
    if (request->target.form == TARGET_ASTERISK) {
        answer_with_allow(exchange, router_methods(router), 204); /* §9.3.7: OPTIONS * */
        return;
    }
    struct span host = router_has_hosts(router) ? request_host(request) : SPAN_NONE;
    struct route_match match = router_find(router, request->method, host, request->target.path);
    if (match.target) {
        take_params(request, &match);
        run(exchange, match.target);
    } else if (match.methods) {
        answer_with_allow(exchange, match.methods, request->method == METHOD_OPTIONS ? 204 : 405);
    } else if (router_fallback(router)) {
        run(exchange, router_fallback(router));
    } else {
        exchange_answer(exchange, 404);
    }
}
