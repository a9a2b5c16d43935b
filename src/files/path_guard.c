/* files/path_guard.c — opening beneath the root: openat2, and a walk without symlinks where it is
 * missing. */
#include "files/path_guard.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RETRIES_WHEN_RACED = 64 };

/* Set once by tests or by the first ENOSYS; relaxed: a second try does no harm. */
static _Atomic bool has_no_openat2;

void path_guard_disable_openat2(bool disabled)
{
    atomic_store_explicit(&has_no_openat2, disabled, memory_order_relaxed);
}

static int open_by_kernel(int root_fd, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int attempt = 0; attempt < RETRIES_WHEN_RACED; attempt++) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0) {
            return (int)fd;
        }
        /* EAGAIN: a rename went on while ".." of a symlink was resolved; only a new walk is
         * safe. */
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
    }
    return -ENOENT;
}

/* One name at a time, O_NOFOLLOW: slower and without symlinks, but nothing can lead out. */
static int open_by_walk(int root_fd, const char *path, uint64_t flags)
{
    int dir = root_fd;
    char name[NAME_MAX + 1];
    const char *rest = path;
    for (;;) {
        size_t len = strcspn(rest, "/");
        bool is_last = rest[len] == '\0';
        if (len > NAME_MAX || (len == 2 && memcmp(rest, "..", 2) == 0)) {
            errno = len > NAME_MAX ? ENAMETOOLONG : EXDEV;
            break;
        }
        memcpy(name, rest, len);
        name[len] = '\0';
        int next = openat(dir, len ? name : ".",
                          is_last ? (int)flags | O_NOFOLLOW
                                  : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        if (dir != root_fd) {
            fd_close(&dir);
        }
        if (next < 0 || is_last) {
            return next < 0 ? -error : next;
        }
        dir = next;
        rest += len + 1;
    }
    int error = errno;
    if (dir != root_fd) {
        fd_close(&dir);
    }
    return -error;
}

static int open_trusted(const char *path, uint64_t flags)
{
    int fd = open(path, (int)flags);
    return fd < 0 ? -errno : fd;
}

static int open_beneath(int root_fd, const char *path, uint64_t flags)
{
    if (root_fd == AT_FDCWD) {
        return open_trusted(path, flags);
    }
    if (!atomic_load_explicit(&has_no_openat2, memory_order_relaxed)) {
        int fd = open_by_kernel(root_fd, path, flags);
        if (fd != -ENOSYS &&
            fd != -EPERM) { /* EPERM: a seccomp filter that does not know openat2 */
            return fd;
        }
        if (fd == -ENOSYS) {
            path_guard_disable_openat2(true);
        }
    }
    return open_by_walk(root_fd, path, flags);
}

/* A relative, NUL-terminated copy; false when it does not fit or holds a NUL. */
static bool make_c_path(char out[PATH_MAX], struct span path)
{
    if (path.len == 0) {
        path = SPAN(".");
    }
    if (path.len >= PATH_MAX || memchr(path.ptr, '\0', path.len)) {
        return false;
    }
    memcpy(out, path.ptr, path.len);
    out[path.len] = '\0';
    return true;
}

static bool is_served_kind(const struct stat *stat)
{
    return S_ISREG(stat->st_mode) || S_ISDIR(stat->st_mode);
}

int path_guard_open(int root_fd, struct span path, struct stat *ret_stat)
{
    char c_path[PATH_MAX];
    if (!make_c_path(c_path, path)) {
        return -ENAMETOOLONG;
    }
    /* Look before opening: opening some devices has effects. The second look is the one that
     * counts. */
    int probe = open_beneath(root_fd, c_path, O_PATH | O_CLOEXEC);
    if (probe < 0) {
        return probe;
    }
    struct stat stat;
    int result = fstat(probe, &stat) ? -errno : is_served_kind(&stat) ? 0 : -ENOENT;
    fd_close(&probe);
    if (result < 0) {
        return result;
    }
    int fd = open_beneath(root_fd, c_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return fd;
    }
    result = fstat(fd, &stat) ? -errno : is_served_kind(&stat) ? 0 : -ENOENT;
    if (result < 0) {
        fd_close(&fd);
        return result;
    }
    *ret_stat = stat;
    return fd;
}

int path_guard_open_directory(int root_fd, struct span path)
{
    char c_path[PATH_MAX];
    if (!make_c_path(c_path, path)) {
        return -ENAMETOOLONG;
    }
    return open_beneath(root_fd, c_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* What editors and patch leave behind, and what private keys are kept in. */
static const char *const hidden_endings[] = {".bak", ".swp", ".orig", ".pem", ".key",
                                             ".p12", ".pfx", ".jks",  ".kdbx"};
static const char *const key_names[] = {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"};

static bool is_in_list(struct span name, const char *const *list, size_t count,
                       bool (*test)(struct span name, struct span listed))
{
    for (size_t i = 0; i < count; i++) {
        if (test(name, span_of(list[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_hidden_name(struct span name, bool is_first)
{
    if (name.len == 0) {
        return false;
    }
    if (name.ptr[0] == '.') {
        return !(is_first && span_equal(name, SPAN(".well-known")));
    }
    return name.ptr[name.len - 1] == '~' ||
           is_in_list(name, hidden_endings, sizeof(hidden_endings) / sizeof(*hidden_endings),
                      span_ends_with) ||
           is_in_list(name, key_names, sizeof(key_names) / sizeof(*key_names), span_equal_nocase);
}

bool path_guard_is_hidden(struct span path)
{
    struct span rest = span_from(path, path.len && path.ptr[0] == '/');
    bool is_first = true;
    while (rest.ptr) {
        struct span name;
        rest = span_cut(rest, '/', &name);
        if (is_hidden_name(name, is_first)) {
            return true;
        }
        is_first = false;
    }
    return false;
}

bool path_guard_is_direct(int fd, struct span root_path, struct span path)
{
    char link[32];
    char real[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, real, sizeof(real));
    if (len <= 0 || (size_t)len >= sizeof(real)) {
        return false;
    }
    struct span rest = span_make(real, (size_t)len);
    if (!span_starts_with(rest, root_path)) {
        return false;
    }
    rest = span_from(rest, root_path.len);
    if (path.len == 0) {
        return rest.len == 0;
    }
    bool has_slash = span_ends_with(root_path, SPAN("/"));
    if (!has_slash && (rest.len == 0 || rest.ptr[0] != '/')) {
        return false;
    }
    return span_equal(span_from(rest, !has_slash), path);
}
