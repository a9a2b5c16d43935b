/* files/file_read.h — one open file becomes one variant: content or descriptor, stamp, validators.
 * Workers; blocks. */
#ifndef FILES_FILE_READ_H
#define FILES_FILE_READ_H

#include "files/file_entry.h"
#include "files/file_store.h"

#include <sys/stat.h>

/** Add a variant made of fd (taken over, also on failure) to the entry: in memory when small, ETag
 *  strong up to max_hash_file, Last-Modified from `mtime_s`. 0, -ENOMEM, -EIO…, or -EAGAIN when the
 *  file kept changing while it was read. */
int file_read_variant(struct file_entry *entry, const struct file_store_options *options,
                      enum coding coding, int fd, const struct stat *stat);

/** The strong tag of a variant that lies in memory. 0 or -ENOMEM. */
int file_read_tag(struct file_entry *entry, struct file_variant *variant);

/** The stamp of a stat. */
struct file_stamp file_stamp_of(const struct stat *stat);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
