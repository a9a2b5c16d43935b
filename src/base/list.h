/* base/list.h — intrusive, circular, doubly linked list. The head is a node too. No allocation.
 * The node is embedded in the struct that it links; CONTAINER_OF leads back. One thread at a time.
 * Invariant: every node is in a list, if only in one of its own, so that list_remove is always
 * allowed after list_init. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

/** The struct of `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->prev = list;
    list->next = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_insert_before(struct list *position, struct list *node)
{
    node->prev = position->prev;
    node->next = position;
    position->prev->next = node;
    position->prev = node;
}

static inline void list_push_back(struct list *list, struct list *node)
{
    list_insert_before(list, node);
}

static inline void list_push_front(struct list *list, struct list *node)
{
    list_insert_before(list->next, node);
}

/** Unlink and leave the node as a list of its own, so that a second removal does no harm. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/** Unlink and return the first node; NULL when empty. */
static inline struct list *list_pop_front(struct list *list)
{
    struct list *node = list->next;
    if (node == list) {
        return NULL;
    }
    list_remove(node);
    return node;
}

#endif
