/* tests/integration/cold_disk.c — a disk that answers when a test lets it: preloaded into the
 * server by test_cold_files.py. Files of 8 MB and more are never in memory, and reading them waits
 * until the file COLD_DISK_GATE exists; that somebody waits is told by GATE.reached. What
 * sendfile(2) would send before it was read ends the program: the loop would have waited. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Windows of this size that were read once; enough for the tests' files. */
enum { COLD_BYTES = 8000000, STEP_BYTES = 4096, MAX_STEPS = 64 * 1024 };
static _Atomic unsigned char was_read[MAX_STEPS];

static int is_cold(int fd)
{
    struct stat about;
    return getenv("COLD_DISK_GATE") && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
           about.st_size >= COLD_BYTES;
}

static void wait_at_gate(void)
{
    const char *gate = getenv("COLD_DISK_GATE");
    char reached[4096];
    snprintf(reached, sizeof reached, "%s.reached", gate);
    int fd = open(reached, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    while (access(gate, F_OK) != 0) {
        usleep(2000);
    }
}

static void mark(off_t offset, ssize_t len)
{
    for (off_t at = offset / STEP_BYTES; at * STEP_BYTES < offset + len && at < MAX_STEPS; at++) {
        was_read[at] = 1;
    }
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    if (is_cold(fd)) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t (*real)(int, const struct iovec *, int, off64_t, int) =
        (ssize_t(*)(int, const struct iovec *, int, off64_t, int))dlsym(RTLD_NEXT, "preadv64v2");
    return real(fd, iov, count, offset, flags);
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return preadv64v2(fd, iov, count, offset, flags);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
    ssize_t (*real)(int, void *, size_t, off64_t) =
        (ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (!is_cold(fd)) {
        return real(fd, data, len, offset);
    }
    wait_at_gate();
    ssize_t got = real(fd, data, len, offset);
    mark(offset, got);
    return got;
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    return pread64(fd, data, len, offset);
}

/* Is there something in the part that nobody has read? Behind the file's end there is nothing. */
static int is_unread(int fd, off_t offset, size_t len)
{
    struct stat about;
    off_t end = fstat(fd, &about) == 0 ? about.st_size : 0;
    end = end < offset + (off_t)len ? end : offset + (off_t)len;
    for (off_t at = offset / STEP_BYTES; at * STEP_BYTES < end && at < MAX_STEPS; at++) {
        if (!was_read[at]) {
            return 1;
        }
    }
    return 0;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t len)
{
    if (is_cold(in) && is_unread(in, *offset, len)) {
        static const char text[] = "cold_disk: the loop would have waited\n";
        (void)!write(2, text, sizeof text - 1);
        abort();
    }
    ssize_t (*real)(int, int, off64_t *, size_t) =
        (ssize_t(*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64");
    return real(out, in, offset, len);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t len)
{
    return sendfile64(out, in, offset, len);
}
