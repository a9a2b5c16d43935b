/* files/file_resolve.h — from a request path to what is on the disk: index files, redirects, clean
 * URLs, hidden names, precompressed neighbours. Called by the store on a worker, with no lock held;
 * may block. */
#ifndef FILES_FILE_RESOLVE_H
#define FILES_FILE_RESOLVE_H

#include "files/file_entry.h"
#include "files/file_store.h"

struct file_root {
    int fd;           /* O_PATH, or AT_FDCWD for trusted paths */
    struct span path; /* as the kernel knows it; ptr NULL if it does not say */
};

/** Look at the disk and fill the entry (kind, variants, fields). 0 or a code of file_store_load().
 *  *ret_is_direct: no symlink was on the way, so that watching the directories of the path sees
 *  every change. */
int file_resolve(struct file_entry *entry, const struct file_root *root,
                 const struct file_store_options *options, struct file_store_counters *counters,
                 bool *ret_is_direct);

/** The file system's name for a normalized request path: without the leading slash, "%25" marks
 *  undone. Length, or
 *  -1 when no file can have it (an encoded slash, too long). With a root AT_FDCWD paths are taken
 *  as they are. */
int file_name_of_path(char *out, size_t room, struct span path);

/** Is the file behind a fresh look the same as the entry's? Opens and compares stamps. */
bool file_resolve_is_unchanged(const struct file_entry *entry, const struct file_root *root,
                               const struct file_store_options *options);

#endif
