/* route/router_inside.h — the router itself, for the files of this room that make it up; nobody else
 * includes this. Set-up thread; any thread when requests come, for then it is immutable. */
#ifndef ROUTE_ROUTER_INSIDE_H
#define ROUTE_ROUTER_INSIDE_H

#include "route/route_hosts.h"

struct router {
    struct arena arena;
    struct route_node root; /* of patterns without a host */
    struct route_hosts hosts;
    struct route_entry *entries; /* newest first */
    struct route_entry *fallback;
    struct route_middleware *middleware; /* outermost first */
    unsigned middleware_count;
    unsigned middleware_capacity;
    uint32_t methods; /* of all routes */
};

/** NULL: none. */
const struct route_target *router_fallback(const struct router *router);
/** Does a pattern name a host? Else requests need not be asked for theirs. */
bool router_has_hosts(const struct router *router);
/** A bit for each method that any path has. */
uint32_t router_methods(const struct router *router);

#endif
