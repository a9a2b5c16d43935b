/* files/file_store.h — the entries of one site, shared by all loops: loading, keeping, forgetting.
 *
 * One mutex, touched only on the cold path (workers) and by the watcher, never held during I/O on
 * files. The store keeps entries up to a budget, first in first out with a second chance for those
 * that were hit; one that is put out is marked stale, so that no loop keeps what the watcher no
 * longer knows. Any thread, but file_store_watch_ready(): the loop that polls. */
#ifndef FILES_FILE_STORE_H
#define FILES_FILE_STORE_H

#include "base/cgroup.h"
#include "base/counter.h"
#include "base/log.h"
#include "coding/compressible.h"
#include "files/file_entry.h"

#include <galley/base.h>

struct file_store;

struct file_store_options {
    const char *root;   /* directory: every open is beneath it, whatever links say. NULL: no root,
                                paths are the program's own (galley_res_file) */
    const char *index;  /* "index.html"; several separated by spaces, the first found wins */
    size_t cache_bytes; /* budget of contents in memory: see below */
    size_t max_memory_file; /* larger files keep a descriptor instead: 512 KiB */
    size_t max_hash_file;   /* strong ETag from content up to this size: 16 MiB; weak above */
    unsigned
        max_open_files; /* descriptors kept by entries: 256, or an eighth of the process's limit if that is less */
    bool serves_hidden;               /* dotfiles and backups too */
    bool uses_precompressed;          /* .br .zst .gz neighbours */
    bool compresses;                  /* what has none: file_coded.h */
    struct compressible compressible; /* … and is of these types; the list lives as long */
    bool has_clean_urls;              /* /about -> about.html */
    bool
        sends_directories; /* FILE_DIRECTORY entries are wanted (listing); else they are FILE_MISSING */
    /** Fill type and the ready fields of a FILE_REGULAR entry; memory by file_entry_room(). 0 or
     *  GALLEY_ENOMEM. On a worker. */
    int (*decorate)(void *ctx, struct file_entry *entry);
    void *ctx;
    const struct log_sink *log;
};

/** Shared by workers: counter_add_shared(). */
struct file_store_counters {
    struct counter loads;     /* times the disk was asked */
    struct counter unchanged; /* … and an old entry was still right */
    struct counter missing;   /* … and there was nothing to serve */
    struct counter refused; /* … because the path led out of the root, or was not a regular file */
    struct counter errors;  /* … and the system failed (descriptors, memory, I/O) */
    struct counter evicted;      /* entries put out to keep the budget */
    struct counter marked_stale; /* entries that a change touched */
    struct counter overflows;    /* times the system lost change events */
    struct counter unwatched;    /* entries that cannot be watched */
    struct counter compressed;   /* forms of files made here */
};

/** Zero in any size means the default above. NULL with one sentence: "serve /srv/www: No such file
 *  or directory". Opens the inotify descriptor too (without one all entries are unwatched). */
struct file_store *file_store_create(const struct file_store_options *options, galley_error *err);
/** The budget where none is given: 64 MiB, or an eighth of what the control group allows if that is
 *  less. */
size_t file_store_usual_cache_bytes(const struct cgroup_paths *paths);
/** No load may be running. Entries live on while somebody holds a reference. */
void file_store_destroy(struct file_store *store);

/** Told that entries have been taken out of the store, so that those who hold references let go of
 *  them: memory and descriptors are given back only with the last reference. Called under the
 *  store's lock, on any thread: it must not block, nor call the store. */
struct file_listener {
    struct list link;
    void (*taken_out)(struct file_listener *listener);
};
void file_store_listen(struct file_store *store, struct file_listener *listener);
/** No call after this. */
void file_store_unlisten(struct file_store *store, struct file_listener *listener);

/** The inotify descriptor, to be polled by one loop (it stays the store's); -1: none. */
int file_store_watch_fd(const struct file_store *store);
/** Read the pending events and mark what they touch; never blocks. */
void file_store_watch_ready(struct file_store *store);

/** What is at `path`, from the store if fresh, else from the disk, on this thread, which may block.
 *  The caller owns a reference. NULL with *ret_error GALLEY_EFULL (descriptors or memory used up:
 *  503; the store then gives back the descriptors that were not used lately) or
 *  GALLEY_ESYS (an I/O error: 500). */
struct file_entry *file_store_load(struct file_store *store, struct span path, int *ret_error);

/** May this entry be answered with at now_ms (galley_now_ms())? */
bool file_store_is_fresh(const struct file_entry *entry, int64_t now_ms);

/** The root's O_PATH descriptor; AT_FDCWD without a root. */
int file_store_root_fd(const struct file_store *store);
const struct file_store_options *file_store_get_options(const struct file_store *store);
const struct file_store_counters *file_store_get_counters(const struct file_store *store);

#endif
