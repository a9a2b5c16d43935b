/* route/route_tree.h — one tree of path segments: each node knows its literal children (sorted), the
 * child for {name} and the one for {name...}. Trying them in that order, and going back where a
 * branch has no route for the method, meets the most specific pattern first, because patterns that
 * could tie are not let in. Set-up thread while it grows; then immutable, any thread. */
#ifndef ROUTE_ROUTE_TREE_H
#define ROUTE_ROUTE_TREE_H

#include "route/node_list.h"
#include "route/router.h"

struct route_entry {
    struct route_entry *next; /* the router's list */
    struct pattern pattern;
    struct route_target target;
    struct span names[PATTERN_MAX_PARAMS];
};

struct route_node {
    struct span name; /* its segment; of the root of a host's tree: the host */
    struct node_list literals;
    struct route_node *param;
    struct route_node *rest;
    struct route_entry *entries[METHOD_COUNT]; /* [METHOD_OTHER]: any method */
    uint32_t methods;                          /* of all entries */
};

/** What a look-up is after and what it has found; matches of several trees add up. */
struct route_search {
    enum method method;
    struct route_match *match;
    struct span values[PATTERN_MAX_PARAMS];
    unsigned value_count;
};

/** Without children or entries: matches nothing. NULL: out of memory. */
struct route_node *route_node_make(struct arena *arena, struct span name);
/** Put the entry where its pattern says. False: out of memory; then nothing is found that was not
 *  before. */
bool route_tree_insert(struct route_node *root, struct arena *arena, struct route_entry *entry);
/** path begins with a slash. True: search->match->target is there. Else its methods have grown by
 *  the methods of the path. */
bool route_tree_find(const struct route_node *root, struct route_search *search, struct span path);

#endif
