/* files/file_entry.h — what is known about one path of a site, ready to be sent.
 *
 * Made by the loader on the pool, then immutable but for `refs` and `is_stale`; shared by all
 * loops. An entry is looked up by the normalized request path. A regular file has one variant for
 * each coding that lies beside it (identity first); small variants are in memory, large ones keep a
 * descriptor. The header lines that never change for a variant are made once, by the site's
 * `decorate`, so that a hit builds nothing. */
#ifndef FILES_FILE_ENTRY_H
#define FILES_FILE_ENTRY_H

#include "base/list.h"
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
    bool is_made;      /* compressed here: nothing beside the file on the disk */
    struct span etag;  /* with quotes, and W/ if weak */
    struct span last_modified; /* IMF-fixdate or missing */
    struct span fields_200;    /* ready "Name: value\r\n" lines, Content-Length included */
    struct span fields_304;    /* those of the 200 that a 304 carries */
    struct span
        fields_206; /* as 200 but without Content-Length and Content-Type (range answers add theirs) */
};

enum { FILE_MAX_VARIANTS = CODING_COUNT };

/** What fstat(2) said of a file: two equal stamps mean the same, unchanged file. */
struct file_stamp {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t mtime_ns;
    int64_t ctime_ns;
};

struct file_entry {
    _Atomic uint32_t refs; /* acq_rel on the last drop pairs with every earlier release */
    _Atomic bool
        is_stale; /* set by the watcher, read by every hit (both relaxed: a look is either before or
                                  after a change, and the next look sees it) */
    _Atomic bool was_used;      /* second chance in the store; relaxed: a hint */
    _Atomic int64_t checked_ms; /* galley_now_ms() when the disk was last looked at; relaxed */
    _Atomic uint8_t
        makeable; /* bits of codings that could be made: file_coded.h; relaxed: a hint */
    /* One of them is being made; the others wait, for each takes the entry's place. Relaxed: nothing
     * else hangs on it. */
    _Atomic bool is_being_made;
    bool may_be_coded; /* there are, or may come, variants that are made */
    enum file_kind kind;
    struct span path; /* normalized request path: the key; NUL-terminated */
    struct span
        file_name; /* below the root, of the file behind it ("guide/index.html"); NUL-terminated */
    struct span location; /* FILE_REDIRECT: the encoded target */
    struct span type;     /* media type; by decorate */
    struct file_variant variants[FILE_MAX_VARIANTS];
    struct file_stamp stamps[FILE_MAX_VARIANTS];
    unsigned variant_count;
    bool is_watched; /* inotify tells of changes; otherwise checked_ms bounds the age */
    bool is_index;   /* an index file stands for the directory */
    struct span
        watch_name; /* changes of names that begin so, in the watched directory, touch this entry */
    size_t memory_bytes;         /* what it counts against the store's budget */
    unsigned open_fds;           /* descriptors it keeps */
    struct file_block *blocks;   /* the memory behind all spans, freed with the entry */
    struct list store_link;      /* the store's, under its lock */
    struct list missing_link;    /* the store's, under its lock; FILE_MISSING only */
    struct list watch_link;      /* the watcher's, under the store's lock */
    struct watch_dir *watch_dir; /* where it hangs; NULL: nowhere */
    bool is_in_store;
};

/** For the loader: a fresh entry with one reference; NULL: out of memory. */
struct file_entry *file_entry_create(struct span path);
/** Room that lives as long as the entry, while it is being made; NULL: out of memory. */
char *file_entry_room(struct file_entry *entry, size_t bytes);
/** NUL-terminated copy in such room; ptr NULL: out of memory. */
struct span file_entry_text(struct file_entry *entry, struct span text);

struct file_entry *file_entry_ref(struct file_entry *entry);
/** Frees (and closes descriptors) with the last reference. NULL is allowed. Any thread. */
void file_entry_unref(struct file_entry *entry);
/** The same as a chain_release_fn. */
void file_entry_release(void *entry);
/** The variant of this coding, or NULL. */
const struct file_variant *file_entry_variant(const struct file_entry *entry, enum coding coding);
/** Does the answer depend on Accept-Encoding? */
static inline bool file_entry_varies(const struct file_entry *entry)
{
    return entry->variant_count > 1 || entry->may_be_coded;
}
/** Bits of all codings that there are, for negotiate_coding(). */
unsigned file_entry_codings(const struct file_entry *entry);

#endif
