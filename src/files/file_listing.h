/* files/file_listing.h — what is in a directory, as HTML for people or JSON for programs (by
 * Accept).
 *
 * Three steps: start (loop: suspend, give to a worker), read and write (worker: nothing but its own
 * memory), finish (loop: response). Only names that a client can get are listed: hidden ones and
 * links that lead out are not there. */
#ifndef FILES_FILE_LISTING_H
#define FILES_FILE_LISTING_H

#include "base/buf.h"

#include "files/file_site_state.h"

enum { LISTING_MAX_NAMES = 10000, LISTING_MAX_BYTES = 32 * 1024 * 1024 };

struct listing_name {
    const char *name; /* as on the disk; NUL-terminated */
    uint64_t size;
    int64_t mtime_s;
    bool is_directory;
};

struct listing {
    struct arena memory;
    struct span dir; /* below the root, without slashes at the ends; "" is the root */
    struct listing_name *names;
    size_t count;
    size_t capacity;
    bool is_cut; /* there are more than LISTING_MAX_NAMES */
};

/** On the loop: FILE_LATER, or a handler result. */
int file_listing_start(galley_static *site, struct exchange *exchange, struct file_entry *entry);

/** On a worker: read the directory, sorted: directories first. dir must stay. 0, GALLEY_ENOTFOUND
 *  (it has gone), GALLEY_EFULL, GALLEY_ESYS. Call file_listing_finish() in any case. */
int file_listing_read(struct listing *listing, const galley_static *site, struct span dir);
void file_listing_finish(struct listing *listing);
/** Pure: the page. Failure is sticky in out. */
void file_listing_write_html(struct buf *out, const struct listing *listing);
void file_listing_write_json(struct buf *out, const struct listing *listing);

#endif
