/* route/router_inside.h — what router_dispatch.c needs of router.c; nobody else includes this. Any
 * thread: the router is immutable when requests come. */
#ifndef ROUTE_ROUTER_INSIDE_H
#define ROUTE_ROUTER_INSIDE_H

#include "route/router.h"

/** NULL: none. */
const struct route_target *router_fallback(const struct router *router);
/** A bit for each method that any path has. */
uint32_t router_methods(const struct router *router);

#endif
