/* tls/tls_paths.h — where a change of certificate files shows: inotify on the directories that their
 * paths lead through. Files are replaced by renaming, links are turned to other directories
 * (Kubernetes: "..data"; certbot: "live"), directories are removed and made again; none of that shows
 * at the file itself. Blocks on the file system; any thread, one at a time. */
#ifndef TLS_TLS_PATHS_H
#define TLS_TLS_PATHS_H

#include "base/buf.h"

#include <galley/tls.h>

#include <stdint.h>

struct tls_paths {
    int fd;           /* of inotify, does not block; -1: nothing is watched */
    struct buf names; /* what counts in those directories: "/cert.pem/..data/" */
};

/** Watch what galley_tls_file() names, as it lies now. 0 or -errno, and then nothing is watched. */
int tls_paths_open(struct tls_paths *paths, const galley_tls *tls);
void tls_paths_close(struct tls_paths *paths);
/** Take what happened; true: the files may have changed, and lie elsewhere now. Does not block. */
bool tls_paths_changed(struct tls_paths *paths);

/** What the file system says of the files as they are now, as one number: another one when any of
 *  them is another file, was written, is gone, or is there again. */
uint64_t tls_paths_stamp(const galley_tls *tls);

#endif
