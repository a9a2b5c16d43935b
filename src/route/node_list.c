/* route/node_list.c — see node_list.h. A binary search, because it is walked for each request and
 * grows only while the server is set up. */
#include "route/node_list.h"

#include "route/route_tree.h"

enum { FIRST_CAPACITY = 4 };

/* Index of the node, or where it belongs. */
static bool search(const struct node_list *list, struct span name, node_order *order,
                   unsigned *ret_index)
{
    unsigned low = 0, high = list->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int at = order(list->sorted[middle]->name, name);
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

struct route_node *node_list_find(const struct node_list *list, struct span name, node_order *order)
{
    unsigned index = 0;
    return search(list, name, order, &index) ? list->sorted[index] : NULL;
}

static bool make_room(struct node_list *list, struct arena *arena)
{
    if (list->count < list->capacity) {
        return true;
    }
    unsigned capacity = list->capacity ? list->capacity * 2 : FIRST_CAPACITY;
    struct route_node **grown = arena_alloc(arena, capacity * sizeof(*grown));
    if (!grown) {
        return false;
    }
    for (unsigned i = 0; i < list->count; i++) {
        grown[i] = list->sorted[i];
    }
    list->sorted = grown;
    list->capacity = capacity;
    return true;
}

struct route_node *node_list_take(struct node_list *list, struct arena *arena, struct span name,
                                  node_order *order)
{
    unsigned index = 0;
    if (search(list, name, order, &index)) {
        return list->sorted[index];
    }
    struct route_node *added = make_room(list, arena) ? route_node_make(arena, name) : NULL;
    if (!added) {
        return NULL;
    }
    for (unsigned i = list->count; i > index; i--) {
        list->sorted[i] = list->sorted[i - 1];
    }
    list->sorted[index] = added;
    list->count++;
    return added;
}
