/* base/fd.c — small steps with descriptors that are easy to get wrong: EINTR, short counts, errno
 * kept. Called by the rooms that own descriptors (loop, net, files, observe). Any thread; reads and
 * writes block when the descriptor does. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        /* Not repeated on EINTR: on Linux the number is free by then and may be somebody else's
         * already. */
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

int fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

int fd_write_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        ssize_t n = write(fd, next, len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            next += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

ssize_t fd_read_at(int fd, void *data, size_t len, off_t offset)
{
    char *next = data;
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, next + got, len - got, offset + (off_t)got);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)got;
}
