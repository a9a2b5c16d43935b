/* bench/micro/micro_http.c — a target taken apart, into the one form of its path. See micro.h. */
#include "micro.h"

#include "base/arena.h"
#include "http/target.h"

#include <galley/base.h>
#include <stddef.h>

static void take_apart(struct span raw, unsigned rounds)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (unsigned i = 0; i < rounds; i++) {
        struct target target;
        micro_need(target_parse(raw, METHOD_GET, &arena, &target) == GALLEY_OK, "target");
        micro_keep(target.path.len);
        arena_reset(&arena);
    }
    arena_finish(&arena);
}

static void plain_target(unsigned rounds)
{
    take_apart(SPAN("/assets/app.js?v=17"), rounds);
}

static void escaped_target(unsigned rounds)
{
    take_apart(SPAN("/a%20folder/../%C3%BCber/./page.html"), rounds);
}

const struct micro micro_http[] = {{"target_plain", NULL, plain_target},
                                   {"target_escaped", NULL, escaped_target},
                                   {NULL, NULL, NULL}};
