/* files/file_site_state.h — inside the files room: what a galley_static is.
 *
 * Options and ready lines are made by galley_static_new() and immutable afterwards. `loops` is made
 * by file_site_attach(); each element belongs to its loop's thread (counters: written there, read
 * anywhere). */
#ifndef FILES_FILE_SITE_STATE_H
#define FILES_FILE_SITE_STATE_H

#include "files/file_cache.h"
#include "files/file_rules.h"
#include "files/file_site.h"
#include "files/file_store.h"

struct file_site_counters {
    struct counter hits;              /* answered in the same call, from memory or a descriptor */
    struct counter waits;             /* a worker had to look at the disk first */
    struct counter missing;           /* 404 */
    struct counter redirects;         /* to the form with a slash */
    struct counter not_modified;      /* 304 */
    struct counter failed_conditions; /* 412 */
    struct counter ranges;            /* 206 */
    struct counter bad_ranges;        /* 416 */
    struct counter listings;
    struct counter refused_methods; /* 405, 501 */
    struct counter
        unavailable; /* 503 and 500: no room in a queue, no memory, no descriptors, I/O errors */
};

struct file_site_loop {
    _Alignas(64) struct file_cache *cache;
    struct loop *loop;
    struct file_site_counters counters;
};

/* Changes on the disk are read by one loop. */
struct file_site_watch {
    struct loop_socket socket; /* over a duplicate of the store's inotify descriptor */
    struct loop_op poll;
    struct loop_post start;
    struct timer timer; /* instead of the socket, when the loop cannot take it */
    struct loop *loop;
    int fd;
    bool is_polling;
    bool is_on_timer;
};

struct galley_static {
    struct file_store *store;
    struct arena memory; /* of all spans below */
    uint32_t flags;
    bool is_for_replies; /* of file_site_for_replies(): paths and fields are the program's own */
    bool has_own_policy; /* Content-Security-Policy is among the fields of every answer */
    struct span param;
    struct span
        not_found_path; /* request path of the page for 404; ptr NULL: the server's own page */
    struct span common_lines; /* on every answer: CORS, the owner's fields */
    struct span
        preflight_lines; /* common_lines, and what a browser's preflight asks; ptr NULL: no CORS */
    struct file_rules rules; /* Cache-Control */
    struct file_rules links; /* file_links.h */
    struct log_sink log;     /* silent until attached */
    struct log_limit reply_log;
    struct log_limit trouble_log;
    struct file_site_loop *loops;
    unsigned loop_count;
    struct file_site_watch watch;
};

/** Check and copy the options into the site; defaults for the store go to *ret_store. 0 or what
 * *err says. */
int file_site_take_options(galley_static *site, const galley_static_options *options,
                           struct file_store_options *ret_store, galley_error *err);

static inline struct file_site_loop *file_site_loop_of(galley_static *site,
                                                       const struct exchange *exchange)
{
    return &site->loops[exchange->services->loop_index];
}

#endif
