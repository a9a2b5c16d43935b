/* files/file_watch.h — which directories are watched (inotify), and which entries a change in them
 * touches.
 *
 * A record for each watched directory, by its path below the root ("" is the root); its parents are
 * watched too, so that a renamed or swapped directory on the way is noticed. Entries hang on the
 * deepest watched directory of their path. Belongs to the store and is used under its lock; only
 * file_watch_read() does a system call that reads. */
#ifndef FILES_FILE_WATCH_H
#define FILES_FILE_WATCH_H

#include "base/log.h"
#include "base/table.h"
#include "files/file_entry.h"

struct watch_dir {
    struct span path; /* "" or "guide" or "guide/img"; the table's key */
    struct watch_dir *parent;
    unsigned child_count;
    int wd;
    struct watch_dir *next_same_wd; /* another path that leads to the same directory */
    struct list entries;            /* file_entry.watch_link */
};

struct file_watch {
    int fd; /* inotify; -1: none */
    struct table by_path;
    struct table by_wd; /* key: the bytes of wd in the first record */
    uint64_t forgotten; /* records given up so far */
    const char *index;  /* names of index files, separated by spaces */
    /** A change touches this entry; the watcher has already let go of it. */
    void (*touched)(void *ctx, struct file_entry *entry);
    /** Everything whose path begins with this directory (slash behind it unless empty) may have
     * changed. */
    void (*tree_touched)(void *ctx, struct span dir_path);
    /** Something called `name` in the directory changed: for loads under way. */
    void (*name_touched)(void *ctx, struct span dir_path, struct span name);
    /** Events were lost. */
    void (*all_touched)(void *ctx);
    void *ctx;
};

enum { FILE_WATCH_MAX_DIRS = 16384 };

/** Never fails: without inotify fd is -1 and nothing is watched. */
void file_watch_init(struct file_watch *watch, const char *index);
void file_watch_finish(struct file_watch *watch);

struct watch_dir *file_watch_find(const struct file_watch *watch, struct span dir_path);
/** Watch the directory behind the O_PATH descriptor under this path. The parent (NULL for the root)
 *  must be watched. NULL: cannot be watched. */
struct watch_dir *file_watch_add(struct file_watch *watch, struct watch_dir *parent,
                                 struct span dir_path, int dir_fd);
/** Hang an entry on a directory; entry->watch_name says which names touch it. */
void file_watch_attach(struct watch_dir *dir, struct file_entry *entry);
/** Take it off; a directory that nobody needs is forgotten. No-op when it hangs nowhere. */
void file_watch_detach(struct file_watch *watch, struct file_entry *entry);
/** Forget directories that nobody needs, starting here and going up. */
void file_watch_trim(struct file_watch *watch, struct watch_dir *dir);

/** Read and dispatch pending events; never blocks. False when nothing was there. */
bool file_watch_read(struct file_watch *watch);

#endif
