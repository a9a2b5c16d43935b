/* files/file_told.h — will inotify on the directories of a site tell of every change? Not when a
 * file has another name by which it may be changed, when something is mounted over its own, or when
 * another machine may write to it. What is not told must age. Called by the store and by
 * file_resolve on a worker; may block as fstat does. */
#ifndef FILES_FILE_TOLD_H
#define FILES_FILE_TOLD_H

#include <stdbool.h>

/** fd: what was opened below the root, a file or a directory, also by O_PATH. False when it cannot
 * be known. */
bool file_told_of(int root_fd, int fd);

#endif
