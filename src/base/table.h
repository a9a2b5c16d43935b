/* base/table.h — hash table from byte strings to pointers, keyed (SipHash-1-3 with a random key per
 * table), so that chosen names cannot make it slow. Open addressing; keys are borrowed from the
 * values that own them. One thread at a time. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/span.h"

struct table_slot {
    struct span key;
    void *value;
    uint64_t hash;
};

struct table {
    struct table_slot *slots;
    size_t capacity; /* power of two, or 0 */
    size_t count;
    size_t deleted;
    uint64_t seed[2];
};

void table_init(struct table *table);
void table_finish(struct table *table);
/** What a table takes that never held more than so many entries at once. */
uint64_t table_most_bytes(uint64_t entries);
/** The value or NULL. */
void *table_get(const struct table *table, struct span key);
/** Adds or replaces (value and key; value is not NULL); key.ptr must live as long as the entry. 0
 *  or GALLEY_ENOMEM (nothing changed). */
int table_put(struct table *table, struct span key, void *value);
/** Removes and returns the value, or NULL. Never shrinks, so it is safe inside table_next walks. */
void *table_remove(struct table *table, struct span key);
/** Walk: *it = 0 first; NULL at the end. Order is not defined. */
void *table_next(const struct table *table, size_t *it);
/** The keyed hash itself. */
uint64_t table_hash(const uint64_t seed[2], struct span key);

#endif
