/* files/file_cache.h — entries by path: a lock-free look-up per loop in front of a shared, locked store.
 *
 * file_store: one per site; mutex; touched only on the cold path (pool) and by the watcher. file_cache: one per loop and
 * site; a table of references into the store's entries; a hit reads one hash slot and one relaxed flag: no lock, no
 * system call, no shared write but the reference taken for the send. What may block (open, stat, read, hash) is a pool
 * job; loads of the same path at the same time are joined into one.
 *
 * Freshness: a watched entry (inotify on every directory that the path led through) is marked stale at once; one that
 * cannot be watched is looked at again when older than a second. After a queue overflow everything is stale. */
#ifndef FILES_FILE_CACHE_H
#define FILES_FILE_CACHE_H

#include "files/file_entry.h"
#include "loop/offload.h"

#include <galley/base.h>

struct file_store;
struct file_cache;

struct file_store_options {
    const char
        *root; /* directory; every open is beneath it (openat2), whatever links say. NULL: no root,
                                  paths are the program's own (galley_res_file) */
    const char *index;       /* "index.html"; several separated by spaces, the first found wins */
    size_t cache_bytes;      /* budget of contents in memory */
    size_t max_memory_file;  /* larger files keep a descriptor instead: 1 MiB */
    size_t max_hash_file;    /* strong ETag from content up to this size: 16 MiB; weak above */
    unsigned max_open_files; /* descriptors kept by entries */
    bool serves_hidden;      /* dotfiles too */
    bool uses_precompressed; /* .br .zst .gz neighbours */
    bool has_clean_urls;     /* /about -> about.html */
    bool
        sends_directories; /* FILE_DIRECTORY entries are wanted (listing); else they are FILE_MISSING */
    /** Fill type and the ready fields of a FILE_REGULAR entry; memory by file_entry_text(). 0 or GALLEY_ENOMEM. On a
     *  worker. */
    int (*decorate)(void *ctx, struct file_entry *entry);
    void *ctx;
    const struct log_sink *log;
};

/** Memory that lives as long as the entry, while it is being made. ptr NULL: out of memory. */
struct span file_entry_text(struct file_entry *entry, struct span text);

struct
    file_store_counters; /* hits are counted per cache, loads, evictions, stale marks, watch overflows, refused opens here */

/** NULL with one sentence: "serve /srv/www: No such file or directory". Also opens the inotify descriptor (-1 if the
 *  system has none: entries are then unwatched). */
struct file_store *file_store_create(const struct file_store_options *options, galley_error *err);
void file_store_destroy(struct file_store *store);
/** The inotify descriptor, to be polled by one loop (it stays the store's); -1: none. */
int file_store_watch_fd(const struct file_store *store);
/** Read the pending events and mark what they touch. On the loop that polls; never blocks. */
void file_store_watch_ready(struct file_store *store);
/** Load `path` now, on this thread (a worker, or a test): never NULL unless memory is out; the caller owns a reference.
 *  *ret_error: 0, or GALLEY_ESYS for EMFILE, EIO…: the entry is then not cached and the answer is 503 or 500. */
struct file_entry *file_store_load(struct file_store *store, struct span path, int *ret_error);
/** The root's O_PATH descriptor (-1: no root). */
int file_store_root_fd(const struct file_store *store);

struct file_waiter; /* embedded by whoever waits for a load */
typedef void file_loaded_fn(struct file_waiter *waiter, struct file_entry *entry, int error);
struct file_waiter {
    struct list link;
    file_loaded_fn *
        loaded; /* once, on the loop, later: entry is borrowed for the call (take a ref), NULL with an error */
};

/** pool: where loads run (NULL: at once, tests). NULL: out of memory. */
struct file_cache *file_cache_create(struct file_store *store, struct loop *loop,
                                     galley_pool *pool);
/** Waiters still pending are called with GALLEY_ECANCELED; memory goes when the last load has come back. */
void file_cache_destroy(struct file_cache *cache);
/** A fresh entry, borrowed until the loop's next turn (take a ref to keep it), or NULL: cold or stale. */
struct file_entry *file_cache_find(struct file_cache *cache, struct span path);
/** Load it; the waiter is called exactly once, never inside this call. GALLEY_EFULL, GALLEY_ECLOSED: nothing started. */
int file_cache_load(struct file_cache *cache, struct span path, struct file_waiter *waiter);

#endif
