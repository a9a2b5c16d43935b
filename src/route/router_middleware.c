/* route/router_middleware.c — what stands before handlers: one array for all routes, because the
 * request's path decides at run time (exchange/middleware.c), not the pattern that it matched.
 * Set-up thread. */
#include "base/error.h"
#include "http/target_prefix.h"

#include "route/router_inside.h"

static bool make_middleware_room(struct router *router)
{
    if (router->middleware_count < router->middleware_capacity) {
        return true;
    }
    unsigned capacity = router->middleware_capacity ? router->middleware_capacity * 2 : 4;
    struct route_middleware *grown = arena_alloc(&router->arena, capacity * sizeof *grown);
    for (unsigned i = 0; grown && i < router->middleware_count; i++) {
        grown[i] = router->middleware[i];
    }
    router->middleware = grown ? grown : router->middleware;
    router->middleware_capacity = grown ? capacity : router->middleware_capacity;
    return grown != NULL;
}

int router_use(struct router *router, struct span prefix, galley_middleware *fn, void *arg,
               galley_error *err)
{
    const char *fault = target_prefix_fault(prefix);
    if (fault) {
        return error_set(err, GALLEY_EINVAL, "middleware prefix \"%.*s\": %s", SPAN_ARGS(prefix),
                         fault);
    }
    struct span copy = arena_copy(&router->arena, target_prefix_bare(prefix));
    if (!copy.ptr || !make_middleware_room(router)) {
        return error_set(err, GALLEY_ENOMEM, "middleware: out of memory");
    }
    router->middleware[router->middleware_count++] =
        (struct route_middleware){.prefix = copy, .fn = fn, .arg = arg};
    return GALLEY_OK;
}

static void give_middleware(const struct router *router, struct route_entry *entry)
{
    if (entry) {
        entry->target.middleware = router->middleware;
        entry->target.middleware_count = router->middleware_count;
    }
}

void router_seal(struct router *router)
{
    for (struct route_entry *entry = router->entries; entry; entry = entry->next) {
        give_middleware(router, entry);
    }
    give_middleware(router, router->fallback);
}
