/* loop/file_probe.c — preadv2(2) that does not wait, and statx(2) that asks nobody. Any
 * thread; see file_probe.h. */
#include "loop/file_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

/* Linux begins to read what is not there: the job that follows meets pages on their way. */
ssize_t file_probe_read(int fd, void *data, size_t len, off_t offset)
{
    const struct iovec iov = {.iov_base = data, .iov_len = len};
    ssize_t got;
    do {
        got = preadv2(fd, &iov, 1, offset, RWF_NOWAIT);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int file_probe_byte(int fd, off_t offset)
{
    char byte;
    ssize_t got = file_probe_read(fd, &byte, 1, offset);
    return got < 0 ? (int)got : 0;
}

int file_probe_device(int fd, uint64_t *ret_device)
{
    struct statx about;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &about) < 0) {
        return -errno;
    }
    *ret_device = makedev(about.stx_dev_major, about.stx_dev_minor);
    return 0;
}
