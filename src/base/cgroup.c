/* base/cgroup.c — finds the groups of this process and asks each for its limit. Nothing here can
 * fail: a file that is missing or makes no sense is no limit. No allocation; paths and lines longer
 * than the buffers are no limit either. */
#include "base/cgroup.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { LIST_BYTES = 8192, VALUE_BYTES = 64 };

const struct cgroup_paths cgroup_system_paths = {"/proc/self/cgroup", "/sys/fs/cgroup"};

static struct span read_small_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SPAN_NONE;
    }
    ssize_t got = fd_read_at(fd, buf, size, 0);
    fd_close(&fd);
    if (got <= 0 || (size_t)got == size) {
        return SPAN_NONE;
    }
    size_t len = (size_t)got;
    while (len > 0 && buf[len - 1] == '\n') {
        len--;
    }
    return span_make(buf, len);
}

struct span cgroup_read(const char *folder, const char *name, char *buf, size_t size)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return SPAN_NONE;
    }
    return read_small_file(path, buf, size);
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return a < b ? a : b;
}

/* The tightest limit of `group` below `mount` and of every group above it. In a container the path
 * may name groups of the host that are not visible here: what is missing is skipped, and the mount
 * itself comes last. */
static uint64_t limit_of_tree(const char *mount, struct span group, cgroup_limit_fn *limit_of)
{
    char folder[PATH_MAX];
    int mount_len = snprintf(folder, sizeof folder, "%s", mount);
    if (mount_len < 0 || (size_t)mount_len + group.len >= sizeof folder) {
        return 0;
    }
    memcpy(folder + mount_len, group.ptr, group.len);
    size_t len = (size_t)mount_len + group.len;
    uint64_t tightest = 0;
    for (;;) {
        folder[len] = '\0';
        tightest = tighter(tightest, limit_of(folder));
        if (len == (size_t)mount_len) {
            return tightest;
        }
        do {
            len--;
        } while (len > (size_t)mount_len && folder[len] != '/');
    }
}

/* Is `name` one of the comma-separated names? */
static bool list_has(struct span list, const char *name)
{
    while (list.ptr) {
        struct span item;
        list = span_cut(list, ',', &item);
        if (span_equal(item, span_of(name))) {
            return true;
        }
    }
    return false;
}

/* "/../.." is how a group outside of this namespace shows. */
static bool is_group_path(struct span group)
{
    return group.ptr && group.len > 0 && group.ptr[0] == '/' &&
           !span_starts_with(group, SPAN("/.."));
}

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:/GROUP", without controllers in version 2. */
static uint64_t limit_of_line(struct span line, const char *root, const struct cgroup_kind *kind)
{
    struct span id, controllers;
    struct span group = span_cut(span_cut(line, ':', &id), ':', &controllers);
    char mount[PATH_MAX];
    if (!is_group_path(group)) {
        group = SPAN("");
    }
    if (controllers.len == 0 && span_equal(id, SPAN("0"))) {
        uint64_t limit = limit_of_tree(root, group, kind->v2);
        int len = snprintf(mount, sizeof mount, "%s/unified", root); /* beside version 1 */
        return len < (int)sizeof mount ? tighter(limit, limit_of_tree(mount, group, kind->v2))
                                       : limit;
    }
    if (!list_has(controllers, kind->controller)) {
        return 0;
    }
    int len = snprintf(mount, sizeof mount, "%s/%.*s", root, SPAN_ARGS(controllers));
    uint64_t limit = len < (int)sizeof mount ? limit_of_tree(mount, group, kind->v1) : 0;
    /* the usual link, for "cpu,cpuacct" */
    len = snprintf(mount, sizeof mount, "%s/%s", root, kind->controller);
    return len < (int)sizeof mount ? tighter(limit, limit_of_tree(mount, group, kind->v1)) : limit;
}

uint64_t cgroup_limit(const struct cgroup_paths *paths, const struct cgroup_kind *kind)
{
    char buf[LIST_BYTES];
    uint64_t tightest = 0;
    struct span rest = read_small_file(paths->list, buf, sizeof buf);
    while (rest.ptr) {
        struct span line;
        rest = span_cut(rest, '\n', &line);
        tightest = tighter(tightest, limit_of_line(line, paths->root, kind));
    }
    return tightest;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t bytes_in(const char *folder, const char *name)
{
    char buf[VALUE_BYTES];
    uint64_t bytes = 0;
    /* "max" is no number: no limit. Version 1 says the same by the largest number of pages. */
    if (!text_parse_u64(cgroup_read(folder, name, buf, sizeof buf), &bytes) ||
        bytes > INT64_MAX / 2) {
        return 0;
    }
    return bytes;
}

static uint64_t memory_v2(const char *folder)
{
    return bytes_in(folder, "memory.max");
}

static uint64_t memory_v1(const char *folder)
{
    return bytes_in(folder, "memory.limit_in_bytes");
}

uint64_t cgroup_memory_limit(const struct cgroup_paths *paths)
{
    static const struct cgroup_kind kind = {"memory", memory_v2, memory_v1};
    return cgroup_limit(paths, &kind);
}
