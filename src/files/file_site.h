/* files/file_site.h — what server/ needs from this room: a site (galley_static) joined to the loops
 * of a server, and answers with a file of the program's own choosing (galley_res_file). */
#ifndef FILES_FILE_SITE_H
#define FILES_FILE_SITE_H

#include "exchange/exchange.h"

#include <galley/static.h>

struct file_site_env {
    struct loop *const *loops;
    unsigned loop_count;
    galley_pool *file_pool; /* NULL: tests, load at once */
    galley_pool *idle_pool; /* for what nobody waits for; NULL: tests, at once */
    const struct log_sink *log;
};

/** Set-up thread, before the loops run: a cache per loop; the first loop polls for changes (its
 *  start is posted to that loop). 0, GALLEY_ENOMEM, or GALLEY_ESTATE when the site is joined to
 *  another server already. */
int file_site_attach(galley_static *site, const struct file_site_env *env);
/** On loop 0 while it still runs: stop polling. The site's caches are given up by
 *  file_site_detach() after all loops have stopped and their exchanges ended. */
void file_site_stop(galley_static *site);
void file_site_detach(galley_static *site);

/** May it ask for what the idle pool does? NULL is allowed. */
bool file_site_compresses(const galley_static *site);

/** What a site takes when its cache is full, and of each loop besides. Of the replies' site: NULL. */
uint64_t file_site_bytes(const galley_static *site);
uint64_t file_site_loop_bytes(void);

/** A site without a root for galley_res_file(): paths are the program's own, relative to the
 * working directory. */
galley_static *file_site_for_replies(galley_error *err);
/** Answer `exchange` with the file (status from exchange->response.status), later if it is cold:
 *  fits exchange_services.send_file. */
void file_site_reply(galley_static *site, struct exchange *exchange, struct span path);

/** Name/value counters of the site, for stats: *it = 0 first, false at the end. */
bool file_site_next_counter(const galley_static *site, size_t *it, const char **name,
                            uint64_t *value);

#endif
