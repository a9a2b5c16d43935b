/* route/node_list.h — nodes of a tree sorted by their names, in the router's arena: the literal
 * children of a node, the hosts with their trees. Who asks brings the order of names, always the
 * same one for a list. Set-up thread while it grows; then immutable, any thread. */
#ifndef ROUTE_NODE_LIST_H
#define ROUTE_NODE_LIST_H

#include "base/arena.h"
#include "base/span.h"

struct route_node;

/** Zeroed: empty. */
struct node_list {
    struct route_node **sorted;
    unsigned count;
    unsigned capacity;
};

/** Below, at or above 0, as memcmp(). */
typedef int node_order(struct span a, struct span b);

/** NULL: there is none of that name. Allocates nothing. */
struct route_node *node_list_find(const struct node_list *list, struct span name,
                                  node_order *order);
/** The one of that name, made if it is the first; name is kept, not copied. NULL: out of memory,
 *  and nothing was added. */
struct route_node *node_list_take(struct node_list *list, struct arena *arena, struct span name,
                                  node_order *order);

#endif
