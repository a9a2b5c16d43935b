/* loop/file_probe.c — preadv2(2) of one byte that does not wait, and statx(2) that asks nobody. Any
 * thread; see file_probe.h. */
#include "loop/file_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

/* Linux begins to read what is not there: the job that follows meets pages on their way. */
int file_probe_byte(int fd, off_t offset)
{
    char byte;
    const struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    ssize_t got;
    do {
        got = preadv2(fd, &iov, 1, offset, RWF_NOWAIT);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : 0;
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
