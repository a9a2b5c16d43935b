/* files/file_path.h — which path of the site a request asks for, and the way back: from a path to a
 * Location. Pure but for the exchange's arena; on the loop. */
#ifndef FILES_FILE_PATH_H
#define FILES_FILE_PATH_H

#include "files/file_site_state.h"

struct file_path {
    struct span path;   /* normalized, begins with '/' */
    struct span prefix; /* what stands before it in the request's path ("/assets"); may be empty */
};

/** 0; GALLEY_ENOTFOUND: nothing of the site can be meant. Points into the request: ask again after
 * it was retained. */
int file_path_of(const galley_static *site, const struct exchange *exchange,
                 struct file_path *ret_path);
/** The Location for an entry's: prefix and query kept, one leading slash. 0 or GALLEY_ENOMEM. */
int file_path_location(struct exchange *exchange, const struct file_path *path,
                       struct span entry_location, struct span *ret_location);
/** Does the request look like one for a page, as a browser makes it: Accept names text/html, and no
 * extension? */
bool file_path_is_page(const struct exchange *exchange, struct span path);

#endif
