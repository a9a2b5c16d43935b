/* files/file_cache.h — entries by path, one cache per loop and site, in front of the shared store
 * (files/file_store.h).
 *
 * A table of references to the store's entries; a hit reads one hash slot and one relaxed flag: no
 * lock, no system call, no shared write, not for the send either: a loop counts its own. What may block (open,
 * stat, read, hash) is a pool job; loads of the same path at the same time are joined into one.
 * Used on its loop only.
 *
 * Freshness: a watched entry (inotify on every directory that the path led through) is marked stale
 * at once; one that cannot be watched is looked at again when older than a second. After a queue
 * overflow everything is stale. What the store has taken out (stale, or over its budget) is let go
 * of within a few turns, asked for or not: so the store's budgets of memory and descriptors hold
 * for the caches too. */
#ifndef FILES_FILE_CACHE_H
#define FILES_FILE_CACHE_H

#include "files/file_entry.h"
#include "files/file_store.h"
#include "loop/offload.h"

#include <galley/base.h>

struct file_waiter; /* embedded by whoever waits for a load */
typedef void file_loaded_fn(struct file_waiter *waiter, struct file_entry *entry, int error);
struct file_waiter {
    struct list link;
    file_loaded_fn *
        loaded; /* once, on the loop, later: entry is borrowed for the call (take a ref), NULL with an error */
};

/** Where what may block or takes long is done; NULL: at once (tests). */
struct file_pools {
    galley_pool *file; /* clients wait for it */
    galley_pool *idle; /* nobody does: compressing; its thread gets what time the others leave */
};

/** NULL: out of memory. */
struct file_cache *file_cache_create(struct file_store *store, struct loop *loop,
                                     struct file_pools pools);
/** What a cache takes besides the entries, which are the store's, at most. */
uint64_t file_cache_bytes(void);
/** Waiters still pending are called with GALLEY_ECANCELED; memory goes when the last load has come
 *  back and the loop has run what was posted to it. */
void file_cache_destroy(struct file_cache *cache);
/** A fresh entry, borrowed until the loop's next turn (take a ref to keep it), or NULL: cold or
 * stale. */
struct file_entry *file_cache_find(struct file_cache *cache, struct span path);
/** Until it is released, on the cache's loop, the entry lives on. */
struct file_use {
    void (*release)(void *arg); /* fits a chain */
    void *arg;
};
/** For a send of the entry, which the caller has borrowed or owns. What file_cache_find() has just
 *  returned is counted by the loop alone, beside its one reference: loops that send the same file
 *  write nothing that they share. */
struct file_use file_cache_use(struct file_cache *cache, struct file_entry *entry);
/** A client would rather have the entry, which the caller has borrowed, in this coding: the idle
 *  thread makes it, if it has not been asked to, and better once more when there is nothing else to
 *  do. For hits that come later. */
void file_cache_compress(struct file_cache *cache, struct file_entry *entry, enum coding coding);
/** Load it; the waiter is called exactly once, never inside this call. GALLEY_EFULL,
 * GALLEY_ECLOSED: nothing started. */
int file_cache_load(struct file_cache *cache, struct span path, struct file_waiter *waiter);

#endif
