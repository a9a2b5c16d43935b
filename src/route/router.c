/* route/router.c — a tree of segments: each node knows its literal children (sorted), the child for
 * {name} and the one for {name...}. Trying them in that order, and going back where a branch has no
 * route for the method, meets the most specific pattern first, because patterns that could tie are
 * not let in. Everything lives in one arena. */
#include "route/router.h"

#include "base/alloc.h"
#include "base/error.h"
#include "http/target_prefix.h"

#include "route/router_inside.h"

struct route_entry {
    struct route_entry *next;
    struct pattern pattern;
    struct route_target target;
    struct span names[PATTERN_MAX_PARAMS];
};

struct route_node {
    struct span segment;
    struct route_node **literals; /* sorted by segment */
    unsigned literal_count;
    unsigned literal_capacity;
    struct route_node *param;
    struct route_node *rest;
    struct route_entry *entries[METHOD_COUNT]; /* [METHOD_OTHER]: any method */
    uint32_t methods;                          /* of all entries */
};

struct router {
    struct arena arena;
    struct route_node root;
    struct route_entry *entries; /* newest first */
    struct route_entry *fallback;
    struct route_middleware *middleware; /* outermost first */
    unsigned middleware_count;
    unsigned middleware_capacity;
    uint32_t methods; /* of all routes */
};

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

static int order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int by_bytes = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return by_bytes ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

/* Index of the child, or where it belongs. */
static bool find_literal(const struct route_node *node, struct span segment, unsigned *ret_index)
{
    unsigned low = 0, high = node->literal_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int at = order(node->literals[middle]->segment, segment);
        if (at == 0) {
            *ret_index = middle;
            return true;
        }
        if (at < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_index = low;
    return false;
}

static struct route_node *make_node(struct router *router, struct span segment)
{
    struct route_node *node = arena_alloc(&router->arena, sizeof *node);
    if (node) {
        *node = (struct route_node){.segment = segment};
    }
    return node;
}

static bool make_room(struct router *router, struct route_node *node)
{
    if (node->literal_count < node->literal_capacity) {
        return true;
    }
    unsigned capacity = node->literal_capacity ? node->literal_capacity * 2 : 4;
    struct route_node **literals = arena_alloc(&router->arena, capacity * sizeof(void *));
    if (!literals) {
        return false;
    }
    for (unsigned i = 0; i < node->literal_count; i++) {
        literals[i] = node->literals[i];
    }
    node->literals = literals;
    node->literal_capacity = capacity;
    return true;
}

static struct route_node *literal_child(struct router *router, struct route_node *node,
                                        struct span segment)
{
    unsigned index = 0;
    if (find_literal(node, segment, &index)) {
        return node->literals[index];
    }
    struct route_node *child = make_room(router, node) ? make_node(router, segment) : NULL;
    if (child) {
        for (unsigned i = node->literal_count; i > index; i--) {
            node->literals[i] = node->literals[i - 1];
        }
        node->literals[index] = child;
        node->literal_count++;
    }
    return child;
}

static struct route_node *child_for(struct router *router, struct route_node *node,
                                    const struct segment *segment)
{
    if (segment->kind == SEGMENT_LITERAL) {
        return literal_child(router, node, segment->text);
    }
    struct route_node **slot = segment->kind == SEGMENT_PARAM ? &node->param : &node->rest;
    if (!*slot) {
        *slot = make_node(router, SPAN_NONE);
    }
    return *slot;
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
        if (is_tie) {
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
    struct route_node *node = &router->root;
    for (unsigned i = 0; node && i < entry->pattern.segment_count; i++) {
        node = child_for(router, node, &entry->pattern.segments[i]);
    }
    if (!node) {
        return GALLEY_ENOMEM; /* nodes without entries match nothing */
    }
    node->entries[entry->pattern.method] = entry;
    node->methods |= pattern_methods(entry->pattern.method);
    router->methods |= node->methods;
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

/* ---- middleware ---- */

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

/* ---- finding ---- */

struct search {
    enum method method;
    struct route_match *match;
    struct span values[PATTERN_MAX_PARAMS];
    unsigned value_count;
};

/* The node's route for the method: its own, for HEAD the one of GET, or the one for any, which
 * means those that are for handlers. */
static const struct route_entry *entry_at(const struct route_node *node, enum method method)
{
    const struct route_entry *entry = node->entries[method];
    if (!entry && method == METHOD_HEAD) {
        entry = node->entries[METHOD_GET];
    }
    bool is_for_any = (pattern_methods(METHOD_OTHER) >> (unsigned)method) & 1;
    return entry || !is_for_any ? entry : node->entries[METHOD_OTHER];
}

static bool end_at(struct search *search, const struct route_node *node)
{
    const struct route_entry *entry = entry_at(node, search->method);
    search->match->methods |= node->methods;
    if (!entry) {
        return false;
    }
    search->match->target = &entry->target;
    search->match->param_count = search->value_count;
    for (unsigned i = 0; i < search->value_count; i++) {
        search->match->params[i].name = entry->names[i];
        search->match->params[i].value = search->values[i];
    }
    return true;
}

static bool descend(struct search *search, const struct route_node *node, struct span rest);

/* The segment is used up by child: on to the next one, or here is the end. */
static bool step(struct search *search, const struct route_node *child, struct span rest,
                 size_t segment_len)
{
    if (segment_len == rest.len) {
        return end_at(search, child);
    }
    return descend(search, child,
                   span_make(rest.ptr + segment_len + 1, rest.len - segment_len - 1));
}

static bool step_with_value(struct search *search, const struct route_node *child, struct span rest,
                            size_t len)
{
    search->values[search->value_count++] = span_make(rest.ptr, len);
    bool is_found = step(search, child, rest, len);
    search->value_count -= 1;
    return is_found;
}

/* rest: behind a slash. As deep as the deepest pattern at most. */
static bool descend(struct search *search, const struct route_node *node, struct span rest)
{
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
    unsigned index = 0;
    if (find_literal(node, span_make(rest.ptr, len), &index) &&
        step(search, node->literals[index], rest, len)) {
        return true;
    }
    if (node->param && len > 0 && step_with_value(search, node->param, rest, len)) {
        return true;
    }
    return node->rest && step_with_value(search, node->rest, rest, rest.len);
}

struct route_match router_find(const struct router *router, enum method method, struct span path)
{
    struct route_match match = {0};
    if (path.len > 0 && path.ptr[0] == '/') {
        struct search search = {.method = method, .match = &match};
        (void)descend(&search, &router->root, span_make(path.ptr + 1, path.len - 1));
    }
    return match;
}

const struct route_target *router_fallback(const struct router *router)
{
    return router->fallback ? &router->fallback->target : NULL;
}

uint32_t router_methods(const struct router *router)
{
    return router->fallback ? router->methods | pattern_methods(METHOD_OTHER) : router->methods;
}
