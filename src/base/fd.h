/* base/fd.h — file descriptors: closing without surprises, writing and reading to the end.
 * All descriptors of galley are close-on-exec from the call that makes them. Any thread; a
 * descriptor has one owner, and the owner's variable is -1 as soon as it is closed. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

/** Close if >= 0, keeping errno; sets *fd to -1. */
void fd_close(int *fd);
/** O_NONBLOCK on; 0 or -errno. */
int fd_set_nonblocking(int fd);
/** write(2) until all is out; EINTR is retried. 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);
/** pread(2) until len bytes or the end; EINTR is retried. Bytes read or -errno. */
ssize_t fd_read_at(int fd, void *data, size_t len, off_t offset);

#endif
