/* daemon/banner.h — what is said on standard output once connections are accepted: where, what, and
 * what not. Main thread; walks the folder, so it may take a moment, while requests are answered
 * already. */
#ifndef DAEMON_BANNER_H
#define DAEMON_BANNER_H

#include "base/buf.h"

#include "daemon/apply.h"

void banner_print(const struct service *service, const struct options *options);
/** "http://127.0.0.1:7878/" for "127.0.0.1:7878"; what is no TCP address stays as it is. */
void banner_url(struct buf *out, const char *scheme, struct span address);
/** The lines about the folder: what was found, what is not served and why. */
void banner_folder(struct buf *out, const galley_static *site, const char *directory,
                   bool has_colours);

#endif
