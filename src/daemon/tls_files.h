/* daemon/tls_files.h — certificate files watched: when one of them is replaced, all are read again.
 * On the thread that reads signals, for reading files blocks. What is found wrong is said, and the
 * certificates in use stay. */
#ifndef DAEMON_TLS_FILES_H
#define DAEMON_TLS_FILES_H

#include "base/debounce.h"

#include <galley/tls.h>

struct tls_files {
    galley_tls *tls; /* NULL: nothing is watched */
    int fd;          /* inotify's, readable when something happened; -1: none */
    struct debounce changes;
};

/** Watch the folders of its files: a file is replaced by renaming, which the file itself does not
 *  see. Where that cannot be had, HUP remains, and that is said. tls may be NULL. */
void tls_files_open(struct tls_files *files, galley_tls *tls);
void tls_files_close(struct tls_files *files);

/** Something happened: is it one of ours? Then the files are due a moment later, for a certificate
 *  and its key are two files. */
void tls_files_look(struct tls_files *files);
/** For poll(): until they are due; -1: they are not. */
int tls_files_wait_ms(const struct tls_files *files);
/** Read them again, if due or is_asked. */
void tls_files_reload(struct tls_files *files, bool is_asked);

#endif
