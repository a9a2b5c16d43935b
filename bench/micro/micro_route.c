/* bench/micro/micro_route.c — from a path to its route, among a program's usual number of them. See
 * micro.h. */
#include "micro.h"

#include "route/router.h"

#include <stddef.h>

static struct router *router;

static int answer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    (void)arg;
    return 0;
}

static void prepare(void)
{
    static const char *const patterns[] = {"GET /",
                                           "GET /login",
                                           "POST /login",
                                           "GET /users",
                                           "POST /users",
                                           "GET /users/{id}",
                                           "PUT /users/{id}",
                                           "DELETE /users/{id}",
                                           "GET /users/{id}/orders/{order}",
                                           "GET /assets/{path...}",
                                           "GET /health",
                                           "GET /metrics",
                                           "GET api.example.com/v1/status"};
    if (router) {
        return;
    }
    router = router_create();
    micro_need(router != NULL, "router");
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        galley_error err = {0};
        struct route_target target = {.handler = answer, .on_loop = true};
        micro_need(router_add(router, span_of(patterns[i]), &target, &err) == GALLEY_OK,
                   err.message);
    }
    router_seal(router);
}

static void find(struct span path, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct route_match match = router_find(router, METHOD_GET, SPAN("www.example.com"), path);
        micro_need(match.target != NULL, "route");
        micro_keep(match.param_count);
    }
}

static void find_literal(unsigned rounds)
{
    find(SPAN("/health"), rounds);
}

static void find_params(unsigned rounds)
{
    find(SPAN("/users/4711/orders/2026-0815"), rounds);
}

static void find_rest(unsigned rounds)
{
    find(SPAN("/assets/fonts/text.woff2"), rounds);
}

const struct micro micro_route[] = {{"route_literal", prepare, find_literal},
                                    {"route_two_params", prepare, find_params},
                                    {"route_rest", prepare, find_rest},
                                    {NULL, NULL, NULL}};
