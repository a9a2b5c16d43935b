/* route/route_tree.c — see route_tree.h. Everything lies in the router's arena. */
#include "route/route_tree.h"

/* ---- growing ---- */

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

static struct route_node *make_node(struct arena *arena, struct span segment)
{
    struct route_node *node = arena_alloc(arena, sizeof *node);
    if (node) {
        *node = (struct route_node){.segment = segment};
    }
    return node;
}

static bool make_room(struct arena *arena, struct route_node *node)
{
    if (node->literal_count < node->literal_capacity) {
        return true;
    }
    unsigned capacity = node->literal_capacity ? node->literal_capacity * 2 : 4;
    struct route_node **literals = arena_alloc(arena, capacity * sizeof(void *));
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

static struct route_node *literal_child(struct arena *arena, struct route_node *node,
                                        struct span segment)
{
    unsigned index = 0;
    if (find_literal(node, segment, &index)) {
        return node->literals[index];
    }
    struct route_node *child = make_room(arena, node) ? make_node(arena, segment) : NULL;
    if (child) {
        for (unsigned i = node->literal_count; i > index; i--) {
            node->literals[i] = node->literals[i - 1];
        }
        node->literals[index] = child;
        node->literal_count++;
    }
    return child;
}

static struct route_node *child_for(struct arena *arena, struct route_node *node,
                                    const struct segment *segment)
{
    if (segment->kind == SEGMENT_LITERAL) {
        return literal_child(arena, node, segment->text);
    }
    struct route_node **slot = segment->kind == SEGMENT_PARAM ? &node->param : &node->rest;
    if (!*slot) {
        *slot = make_node(arena, SPAN_NONE);
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
    search->match.methods |= node->methods;
    if (!entry) {
        return false;
    }
    search->match.target = &entry->target;
    search->match.param_count = search->value_count;
    for (unsigned i = 0; i < search->value_count; i++) {
        search->match.params[i].name = entry->names[i];
        search->match.params[i].value = search->values[i];
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

bool route_tree_find(const struct route_node *root, struct route_search *search, struct span path)
{
    return descend(search, root, span_from(path, 1));
}
