/* The report of who does not let go: how many, of which routes, in a bounded text. */
#include "support_world.h"

#include "exchange/held_report.h"
#include "loop/sim.h"

#include <galley/stream.h>

enum { ROUTES = 10 };

static galley_deferred *given[32];
static unsigned given_count;

static int defer(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    given[given_count++] = galley_res_defer(rs);
    return 0;
}

static void hold(struct world *world, const struct route_target *route)
{
    EXPECT(world_request(world, "GET", "/"));
    world->exchange->route = route;
    exchange_want_body(world->exchange);
}

static void let_all_go(struct world *world)
{
    for (unsigned i = 0; i < given_count; i++) {
        EXPECT_INT(galley_deferred_finish(given[i], 204), 0);
    }
    given_count = 0;
    sim_run(world->loop);
}

TEST(test_who_is_held_is_counted_by_route)
{
    struct world world;
    struct route_target slow = {.handler = defer, .on_loop = true, .label = "GET /slow"};
    struct route_target nameless = {.handler = defer, .on_loop = true};
    char text[64] = "what was there";
    world_init(&world);
    EXPECT_INT(exchange_pool_held(&world.pool, text, sizeof text), 0);
    EXPECT_TEXT(text, "");
    hold(&world, &slow);
    hold(&world, &nameless);
    hold(&world, &slow);
    EXPECT_INT(exchange_pool_held(&world.pool, text, sizeof text), 3);
    EXPECT_TEXT(text, "GET /slow (2), a route");
    EXPECT_INT(exchange_pool_held(&world.pool, text, 12), 3);
    EXPECT_TEXT(text, "GET /slow (");
    let_all_go(&world);
    EXPECT_INT(exchange_pool_held(&world.pool, text, sizeof text), 0);
    world_finish(&world);
}

TEST(test_of_many_routes_the_last_are_not_named)
{
    struct world world;
    struct route_target routes[ROUTES];
    char names[ROUTES][4], text[256];
    world_init(&world);
    for (unsigned i = 0; i < ROUTES; i++) {
        snprintf(names[i], sizeof names[i], "/%u", i);
        routes[i] = (struct route_target){.handler = defer, .on_loop = true, .label = names[i]};
        hold(&world, &routes[i]);
    }
    EXPECT_INT(exchange_pool_held(&world.pool, text, sizeof text), ROUTES);
    EXPECT_TEXT(text, "/0, /1, /2, /3, /4, /5, /6, /7, others (2)");
    let_all_go(&world);
    world_finish(&world);
}
