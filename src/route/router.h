/* route/router.h — from method, host and path to a route: whole paths, the most specific pattern
 * wins, whatever the order of registration.
 *
 * Of the patterns that match the path and the method, the one with the narrowest set of paths is
 * taken; of those with the same paths the one with the narrowest set of methods. Two that could tie
 * are refused when they are added. Patterns for the request's host go before those for hosts with a
 * star, and these before those without a host, which answer what the others do not match.
 *
 * Built by the set-up thread; from then on immutable and read by all loops without a lock. A look-up
 * allocates nothing and visits each node of a tree at most once. */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include "exchange/exchange.h"
#include "route/pattern.h"

struct router;

/** NULL: out of memory. */
struct router *router_create(void);
void router_destroy(struct router *router);

/** Copies everything but handler and arg; a NULL label becomes the pattern. 0, GALLEY_EINVAL,
 *  GALLEY_ECONFLICT, GALLEY_ENOMEM, with a sentence. */
int router_add(struct router *router, struct span pattern, const struct route_target *target,
               galley_error *err);
/** What no pattern's path matches goes there. 0, GALLEY_ECONFLICT (there is one already),
 * GALLEY_ENOMEM. */
int router_set_fallback(struct router *router, const struct route_target *target,
                        galley_error *err);
/** galley_server_use(): from router_seal() on it stands before every handler. Copies prefix. 0,
 *  GALLEY_EINVAL, GALLEY_ENOMEM, with a sentence. */
int router_use(struct router *router, struct span prefix, galley_middleware *fn, void *arg,
               galley_error *err);
/** Everything has been added: routes learn of the middleware. Before requests come. */
void router_seal(struct router *router);
/** Walk all routes, the fallback last: *it = 0 first; NULL at the end. Set-up and end only: the
 * caller may change them. */
struct route_target *router_next(struct router *router, size_t *it);

struct route_match {
    const struct route_target *target; /* NULL: no pattern for this method */
    uint32_t methods; /* a bit for each method that the path has; 0: no such path */
    unsigned param_count;
    struct request_param params[REQUEST_MAX_PARAMS]; /* so many are filled */
};
/** path: normalized (http/target.h). host: as request_host() gives it; ptr NULL: none. HEAD is served
 *  by GET's route where there is none of its own. */
struct route_match router_find(const struct router *router, enum method method, struct span host,
                               struct span path);

/** Routes an exchange: found ones are run (body first); 404, 405 and OPTIONS with Allow, 501 are
 *  answered here. Fits exchange_services.dispatch. */
void router_dispatch(const struct router *router, struct exchange *exchange);

#endif
