/* route/route_tree.c — see route_tree.h. Everything lies in the router's arena. */
#include "route/route_tree.h"

/* ---- growing ---- */

static int order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int by_bytes = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return by_bytes ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

struct route_node *route_node_make(struct arena *arena, struct span name)
{
    struct route_node *node = arena_alloc(arena, sizeof *node);
    if (node) {
        *node = (struct route_node){.name = name};
    }
    return node;
}

static struct route_node *child_for(struct arena *arena, struct route_node *node,
                                    const struct segment *segment)
{
    if (segment->kind == SEGMENT_LITERAL) {
        return node_list_take(&node->literals, arena, segment->text, order);
    }
    struct route_node **slot = segment->kind == SEGMENT_PARAM ? &node->param : &node->rest;
    if (!*slot) {
        *slot = route_node_make(arena, SPAN_NONE);
    }
    return *slot;
}

bool route_tree_insert(struct route_node *root, struct arena *arena, struct route_entry *entry)
{
    struct route_node *node = root;
    for (unsigned i = 0; node && i < entry->pattern.segment_count; i++) {
        node = child_for(arena, node, &entry->pattern.segments[i]);
    }
    if (!node) {
        return false; /* nodes without entries match nothing */
    }
    node->entries[entry->pattern.method] = entry;
    node->methods |= pattern_methods(entry->pattern.method);
    return true;
}

/* ---- finding ---- */

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

static bool end_at(struct route_search *search, const struct route_node *node)
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

static bool descend(struct route_search *search, const struct route_node *node, struct span rest);

/* The segment is used up by child: on to the next one, or here is the end. */
static bool step(struct route_search *search, const struct route_node *child, struct span rest,
                 size_t segment_len)
{
    if (segment_len == rest.len) {
        return end_at(search, child);
    }
    return descend(search, child,
                   span_make(rest.ptr + segment_len + 1, rest.len - segment_len - 1));
}

static bool step_with_value(struct route_search *search, const struct route_node *child,
                            struct span rest, size_t len)
{
    search->values[search->value_count++] = span_make(rest.ptr, len);
    bool is_found = step(search, child, rest, len);
    search->value_count -= 1;
    return is_found;
}

/* rest: behind a slash. As deep as the deepest pattern at most. */
static bool descend(struct route_search *search, const struct route_node *node, struct span rest)
{
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
    const struct route_node *literal =
        node_list_find(&node->literals, span_make(rest.ptr, len), order);
    if (literal && step(search, literal, rest, len)) {
        return true;
    }
    if (node->param && len > 0 && step_with_value(search, node->param, rest, len)) {
        return true;
    }
    return node->rest && step_with_value(search, node->rest, rest, rest.len);
}

bool route_tree_find(const struct route_node *root, struct route_search *search, struct span path)
{
    return descend(search, root, span_from(path, 1));
}
