/* route/router.c — routes are added, walked and looked up here; the trees they stand in are
 * route_tree.c, one for each host and one for all. Everything lives in one arena. */
#include "route/router.h"

#include "base/alloc.h"
#include "base/error.h"

#include "route/router_inside.h"

struct router *router_create(void)
{
    struct router *router = mem_alloc_zero(1, sizeof *router);
    if (router) {
        arena_init(&router->arena, 0);
    }
    return router;
}

void router_destroy(struct router *router)
{
    if (router) {
        arena_finish(&router->arena);
        mem_free(router);
    }
}

struct route_target *router_next(struct router *router, size_t *it)
{
    size_t at = 0;
    struct route_entry *entry = router->entries;
    for (; entry && at < *it; at++) {
        entry = entry->next;
    }
    if (!entry && at == *it) {
        entry = router->fallback;
    }
    *it += 1;
    return entry ? &entry->target : NULL;
}

/* ---- adding ---- */

static int out_of_memory(galley_error *err)
{
    return error_set(err, GALLEY_ENOMEM, "route: out of memory");
}

static int check_conflicts(const struct router *router, const struct pattern *pattern,
                           galley_error *err)
{
    uint32_t methods = pattern_methods(pattern->method);
    for (const struct route_entry *entry = router->entries; entry; entry = entry->next) {
        uint32_t others = pattern_methods(entry->pattern.method);
        enum pattern_relation relation = pattern_compare(pattern, &entry->pattern);
        bool is_tie = (relation == PATTERN_SAME && methods == others) ||
                      (relation == PATTERN_CROSSING && (methods & others));
        if (is_tie && pattern_has_same_host(pattern, &entry->pattern)) {
            return error_set(err, GALLEY_ECONFLICT,
                             "route \"%.*s\" conflicts with \"%.*s\": both could match the same "
                             "request",
                             SPAN_ARGS(pattern->text), SPAN_ARGS(entry->pattern.text));
        }
    }
    return GALLEY_OK;
}

/* Copies of the texts, so that the caller may free its own. NULL: out of memory. */
static struct route_entry *make_entry(struct router *router, struct span text,
                                      const struct route_target *target)
{
    struct route_entry *entry = arena_alloc(&router->arena, sizeof *entry);
    struct span label = target->label ? span_of(target->label) : text;
    struct span label_copy = entry ? arena_copy(&router->arena, label) : SPAN_NONE;
    if (!label_copy.ptr) {
        return NULL;
    }
    *entry = (struct route_entry){.target = *target};
    entry->target.label = label_copy.ptr;
    return entry;
}

static void collect_names(struct route_entry *entry)
{
    unsigned count = 0;
    for (unsigned i = 0; i < entry->pattern.segment_count; i++) {
        const struct segment *segment = &entry->pattern.segments[i];
        if (segment->kind != SEGMENT_LITERAL) {
            entry->names[count++] = segment->text;
        }
    }
}

static int insert(struct router *router, struct route_entry *entry)
{
    struct route_node *root =
        entry->pattern.host.ptr ? route_hosts_tree(&router->hosts, &router->arena, &entry->pattern)
                                : &router->root;
    if (!root || !route_tree_insert(root, &router->arena, entry)) {
        return GALLEY_ENOMEM;
    }
    router->methods |= pattern_methods(entry->pattern.method);
    entry->next = router->entries;
    router->entries = entry;
    return GALLEY_OK;
}

int router_add(struct router *router, struct span pattern, const struct route_target *target,
               galley_error *err)
{
    struct span text = arena_copy(&router->arena, pattern);
    struct route_entry *entry = text.ptr ? make_entry(router, text, target) : NULL;
    if (!entry) {
        return out_of_memory(err);
    }
    int rc = pattern_parse(&entry->pattern, text, err);
    if (rc == GALLEY_OK) {
        rc = check_conflicts(router, &entry->pattern, err);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    collect_names(entry);
    return insert(router, entry) == GALLEY_OK ? GALLEY_OK : out_of_memory(err);
}

int router_set_fallback(struct router *router, const struct route_target *target, galley_error *err)
{
    if (router->fallback) {
        return error_set(err, GALLEY_ECONFLICT, "there is a fallback already");
    }
    struct route_entry *entry = make_entry(router, SPAN("fallback"), target);
    if (!entry) {
        return out_of_memory(err);
    }
    router->fallback = entry;
    return GALLEY_OK;
}

/* ---- finding ---- */

/* Values and parameters are filled before they are counted: they need no zeros. */
struct route_match router_find(const struct router *router, enum method method, struct span host,
                               struct span path)
{
    struct route_match match;
    match.target = NULL;
    match.methods = 0;
    match.param_count = 0;
    if (path.len == 0 || path.ptr[0] != '/') {
        return match;
    }
    struct route_search search;
    search.method = method;
    search.match = &match;
    search.value_count = 0;
    bool is_found = host.len > 0 && route_hosts_find(&router->hosts, &search, host, path);
    if (!is_found) {
        (void)route_tree_find(&router->root, &search, path);
    }
    return match;
}

bool router_has_hosts(const struct router *router)
{
    return !route_hosts_is_empty(&router->hosts);
}

const struct route_target *router_fallback(const struct router *router)
{
    return router->fallback ? &router->fallback->target : NULL;
}

uint32_t router_methods(const struct router *router)
{
    return router->fallback ? router->methods | pattern_methods(METHOD_OTHER) : router->methods;
}
