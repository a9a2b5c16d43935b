/* files/file_store_state.h — the store as its two halves see it: file_store.c keeps entries,
 * file_load.c brings them from the disk. Nobody else includes this. */
#ifndef FILES_FILE_STORE_STATE_H
#define FILES_FILE_STORE_STATE_H

#include "base/table.h"
#include "files/file_resolve.h"
#include "files/file_store.h"
#include "files/file_watch.h"

#include <limits.h>
#include <pthread.h>

struct file_store {
    struct file_store_options options;
    struct file_store_counters counters;
    struct log_limit watch_log;
    struct file_root root;
    char root_path[PATH_MAX];
    char index[256];
    pthread_mutex_t lock; /* guards all below */
    struct table entries;
    struct list order;   /* oldest first */
    struct list missing; /* those of them that are FILE_MISSING: by missing_link */
    unsigned missing_count;
    struct list loading; /* struct loading */
    struct list listeners;
    struct file_watch watch;
    size_t used_bytes;
    unsigned used_fds;
};

/* A load under way, on its worker's stack. */
struct loading {
    struct list link;
    struct span path;
    bool is_touched; /* a change was seen meanwhile: what was read may be old */
};

/** Put `fresh` in the place of `old`, of the same path and content. False: old is not in the store any
 *  more, and fresh has not become so. Takes the lock. */
bool file_store_replace(struct file_store *store, struct file_entry *old, struct file_entry *fresh);

/* Both under the lock. */

/** Put the entry into the table and on its directory, unless a change was seen meanwhile; then it
 *  is stale from the start. Keeps the budget. */
void file_store_keep(struct file_store *store, struct file_entry *entry,
                     const struct loading *loading, struct span dir_path);
/** The process has no descriptor left: those kept for files that nobody asked for lately are the
 * first to go. */
void file_store_give_back_descriptors(struct file_store *store);

#endif
