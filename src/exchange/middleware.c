/* exchange/middleware.c — the way of a request through middleware to its handler: the one place from
 * which handlers are called. On the handler's thread, the loop's or a worker's.
 *
 * The chain lies on the stack of the call: nothing is allocated, and a route without middleware pays
 * one branch. What stands before the handler is decided by the request's own path, in the normal
 * form that the router saw, so that no pattern can lead around it. */
#include "http/target_prefix.h"

#include "exchange/exchange_steps.h"

struct galley_chain {
    struct exchange *exchange;
    unsigned next; /* of the route's middleware */
    bool has_gone_on;
};

static int call_from(struct exchange *exchange, unsigned at);

static int call_middleware(struct exchange *exchange, unsigned at)
{
    const struct route_middleware *middleware = &exchange->route->middleware[at];
    struct galley_chain chain = {.exchange = exchange, .next = at + 1};
    return middleware->fn(exchange_rq(exchange), exchange_rs(exchange), &chain, middleware->arg);
}

static int call_from(struct exchange *exchange, unsigned at)
{
    const struct route_target *route = exchange->route;
    for (; at < route->middleware_count; at++) {
        if (target_is_below(exchange->request.target.path, route->middleware[at].prefix)) {
            return call_middleware(exchange, at);
        }
    }
    return route->handler(exchange_rq(exchange), exchange_rs(exchange), route->arg);
}

int exchange_call_handler(struct exchange *exchange)
{
    owner_enter(exchange);
    int result = call_from(exchange, 0);
    if (!exchange->is_deferred) { /* else the owner is whoever holds the deferral */
        owner_leave(exchange);
    }
    return result;
}

int galley_next(galley_chain *chain)
{
    if (!chain) {
        return GALLEY_EINVAL;
    }
    if (chain->has_gone_on) {
        return GALLEY_ESTATE;
    }
    chain->has_gone_on = true;
    int result = call_from(chain->exchange, chain->next);
    return chain->exchange->is_deferred ? GALLEY_OK : result; /* the deferral's holder decides */
}
