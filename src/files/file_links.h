/* files/file_links.h — Link by pattern (RFC 8288), so that a browser preloads what a page needs: in the
 * 200 of the files that match, and ahead in a 103 (early_hints.h) when that answer has to wait for the
 * disk. Every rule that matches counts. Taken on the set-up thread; then immutable. */
#ifndef FILES_FILE_LINKS_H
#define FILES_FILE_LINKS_H

#include "files/file_site_state.h"

enum { FILE_LINKS_MAX = 8 /* for one file */ };

/** Check and copy `links` of the options. 0 or what *err says. */
int file_links_take(galley_static *site, const galley_static_rule *links, galley_error *err);
/** Link lines of this file. On a worker. */
void file_links_append(struct buf *lines, const galley_static *site, struct span file_name);
/** On the loop, before the answer, which waits: what the path is taken for gives the rules. */
void file_links_hint(const galley_static *site, struct exchange *exchange, struct span path);

#endif
