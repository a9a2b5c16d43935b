/* tests/unit/files/support_tree.h — a temporary directory for a test, removed at its end. */
#ifndef TESTS_UNIT_FILES_SUPPORT_TREE_H
#define TESTS_UNIT_FILES_SUPPORT_TREE_H

#include "files/file_store.h"

/** Make an empty directory of its own and go into it; returns its absolute path. */
const char *tree_make(void);
/** Leave and remove it. */
void tree_remove(void);
/** Relative to the directory; parents are made as needed. */
void tree_write(const char *path, const char *content);
void tree_write_bytes(const char *path, const void *bytes, size_t len);
void tree_directory(const char *path);
void tree_link(const char *target, const char *path);
void tree_rename(const char *from, const char *to);
void tree_unlink(const char *path);
/** Set the modification time. */
void tree_touch(const char *path, int64_t mtime_s);

/** A store over the directory with these options changed (NULL: defaults with precompressed
 * neighbours). */
struct file_store *tree_store(const struct file_store_options *options);
/** Load and expect success; the caller unrefs. */
struct file_entry *tree_load(struct file_store *store, const char *path);
/** Load, compare the kind (and, unless NULL, the content in memory), unref. */
void tree_expect(struct file_store *store, const char *path, enum file_kind kind,
                 const char *content);

#endif
