/* files/file_entry.h — what is known about one path of a site, ready to be sent.
 *
 * Made by the loader on the pool, then immutable but for `refs` and `is_stale`; shared by all loops. An entry is
 * looked up by the normalized request path. A regular file has one variant for each coding that lies beside it
 * (identity first); small variants are in memory, large ones keep a descriptor. The header lines that never change for
 * a variant are made once, by the site's `decorate`, so that a hit builds nothing. */
#ifndef FILES_FILE_ENTRY_H
#define FILES_FILE_ENTRY_H

#include "base/span.h"
#include "http/negotiate.h"

#include <stdatomic.h>
#include <stdint.h>

enum file_kind {
    FILE_REGULAR,
    FILE_DIRECTORY, /* exists, is a directory without an index file: listing or 404 */
    FILE_REDIRECT, /* a directory asked for without its slash (or a clean URL's other form): go to `location` */
    FILE_MISSING, /* not there, not regular, hidden, or leads out of the root: all 404, told apart in no answer */
};

struct file_variant {
    enum coding coding;
    uint64_t size;
    int64_t mtime_s;   /* of the identity file for all; INT64_MIN: leave Last-Modified out */
    struct span bytes; /* the content if in memory, else ptr NULL */
    int fd;            /* open for reading if not in memory, else -1 */
    struct span etag;  /* with quotes, and W/ if weak */
    struct span last_modified; /* IMF-fixdate or missing */
    struct span fields_200;    /* ready "Name: value\r\n" lines, Content-Length included */
    struct span fields_304;    /* those of the 200 that a 304 carries */
    struct span
        fields_206; /* as 200 but without Content-Length and Content-Type (range answers add theirs) */
};

enum { FILE_MAX_VARIANTS = 4 };

struct file_entry {
    _Atomic uint32_t refs; /* acq_rel on the last drop pairs with every earlier release */
    _Atomic bool
        is_stale; /* set by the watcher (release), read by every hit (relaxed: a late reader is
                               corrected by its next look) */
    enum file_kind kind;
    struct span path;     /* normalized request path: the key */
    struct span location; /* FILE_REDIRECT */
    struct span type;     /* media type */
    struct file_variant variants[FILE_MAX_VARIANTS];
    unsigned variant_count;
    bool is_watched;     /* inotify tells of changes; otherwise `checked_ms` bounds the age */
    int64_t checked_ms;  /* galley_now_ms() when the disk was last looked at */
    size_t memory_bytes; /* what it counts against the cache's budget */
    void *blocks;        /* the memory behind all spans, freed with the entry */
};

struct file_entry *file_entry_ref(struct file_entry *entry);
/** Frees (and closes descriptors) with the last reference. Any thread. Fits chain_release_fn through a cast-free wrapper:
 *  file_entry_release(void *entry). */
void file_entry_unref(struct file_entry *entry);
void file_entry_release(void *entry);
/** The variant of this coding, or NULL. */
const struct file_variant *file_entry_variant(const struct file_entry *entry,
                                              enum coding coding);

#endif
