/* exchange/handles.h — handles that can be used wrongly without harm: what the program holds is a
 * number in a pointer's clothes, looked up at each call. A number is never given out twice, so that
 * a handle which was given up, on whatever thread, also after its server has gone, is simply not
 * found. Nor is one from before a fork() found in the child.
 *
 * One registry for the process, the only way to outlive servers: sharded locks, held for a few
 * instructions; no allocation is left when no handle lives. Two counts: `holders`, the program's
 * references, under the lock; and `pins`, of those who use the memory now. The registry itself has
 * one pin, until the last holder has gone. Any thread. */
#ifndef EXCHANGE_HANDLES_H
#define EXCHANGE_HANDLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct handle;

/** A handle is found only as what it is. */
struct handle_kind {
    /** The last pin has gone. Any thread, no lock held. */
    void (*free)(struct handle *handle);
};

/** Embedded in the object. */
struct handle {
    struct handle *next; /* in its bucket */
    const struct handle_kind *kind;
    uintptr_t number;
    unsigned holders;
    atomic_uint pins; /* acq_rel on the last one: it frees what others wrote */
};

/** One pin, the caller's; not to be found yet. */
void handle_init(struct handle *handle, const struct handle_kind *kind);
/** From now on it can be found; one holder. Never fails. Returns what the program gets. */
void *handle_publish(struct handle *handle);
/** What handle_publish() returned. */
void *handle_name(const struct handle *handle);

/** The object, pinned; NULL: there is none of this kind (any more), or name is NULL. */
struct handle *handle_find(const void *name, const struct handle_kind *kind);
/** One holder more. False: not found. */
bool handle_hold(const void *name, const struct handle_kind *kind);
/** One holder fewer: true if it was found. By the last one it is found no more, and *ret_last is
 *  the object with the registry's pin, else NULL. */
bool handle_drop(const void *name, const struct handle_kind *kind, struct handle **ret_last);

/** For who has a pin. */
void handle_pin(struct handle *handle);
void handle_unpin(struct handle *handle);

#endif
