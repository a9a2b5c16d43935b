/* pool/cpu.c — CPU count from affinity and cgroups. Nothing here can fail: a file that is missing
 * or makes no sense is no limit. No allocation; paths and lines longer than the buffers are no
 * limit either. */
#include "pool/cpu.h"

#include "base/fd.h"
#include "base/span.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum {
    MASK_WORDS = (CPU_INDEX_MAX + 1) / (int)(sizeof(unsigned long) * CHAR_BIT),
    LIST_BYTES = 8192,
    VALUE_BYTES = 64
};

/* Larger than cpu_set_t, which ends at 1024: the kernel refuses a mask that is smaller than its
 * own. */
union cpu_mask {
    unsigned long words[MASK_WORDS];
    cpu_set_t set;
};

const struct cpu_paths cpu_system_paths = {"/proc/self/cgroup", "/sys/fs/cgroup"};

unsigned cpu_count_affinity(void)
{
    union cpu_mask mask = {{0}};
    if (sched_getaffinity(0, sizeof mask, &mask.set) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (unsigned)online : 1;
    }
    int count = CPU_COUNT_S(sizeof mask, &mask.set);
    return count > 0 ? (unsigned)count : 1;
}

int cpu_pin(pthread_t thread, int cpu)
{
    union cpu_mask mask = {{0}};
    CPU_SET_S((size_t)cpu, sizeof mask, &mask.set);
    return pthread_setaffinity_np(thread, sizeof mask, &mask.set);
}

/* The file's first bytes, without the line end behind them; missing when it cannot be read or fills
 * the buffer. */
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

static unsigned quota_to_cpus(struct span quota, struct span period)
{
    uint64_t quota_us = 0, period_us = 0;
    /* "max" and "-1" are no numbers: no limit */
    if (!text_parse_u64(quota, &quota_us) || !text_parse_u64(period, &period_us) ||
        period_us == 0) {
        return 0;
    }
    uint64_t cpus = quota_us / period_us + (quota_us % period_us != 0);
    if (cpus == 0) {
        return 1;
    }
    return cpus > UINT_MAX ? UINT_MAX : (unsigned)cpus;
}

/* cpu.max: "100000 100000" or "max 100000" */
static unsigned quota_v2(const char *folder)
{
    char path[PATH_MAX], buf[VALUE_BYTES];
    if (snprintf(path, sizeof path, "%s/cpu.max", folder) >= (int)sizeof path) {
        return 0;
    }
    struct span quota;
    struct span period = span_cut(read_small_file(path, buf, sizeof buf), ' ', &quota);
    return quota_to_cpus(quota, period);
}

static unsigned quota_v1(const char *folder)
{
    char path[PATH_MAX], quota_buf[VALUE_BYTES], period_buf[VALUE_BYTES];
    if (snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder) >= (int)sizeof path) {
        return 0;
    }
    struct span quota = read_small_file(path, quota_buf, sizeof quota_buf);
    if (snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder) >= (int)sizeof path) {
        return 0;
    }
    return quota_to_cpus(quota, read_small_file(path, period_buf, sizeof period_buf));
}

static unsigned tighter(unsigned a, unsigned b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return a < b ? a : b;
}

/* The tightest quota of `group` below `mount` and of every group above it. In a container the path
 * may name groups of the host that are not visible here: what is missing is skipped, and the mount
 * itself comes last. */
static unsigned quota_of_tree(const char *mount, struct span group,
                              unsigned (*quota_of)(const char *folder))
{
    char folder[PATH_MAX];
    int mount_len = snprintf(folder, sizeof folder, "%s", mount);
    if (mount_len < 0 || (size_t)mount_len + group.len >= sizeof folder) {
        return 0;
    }
    memcpy(folder + mount_len, group.ptr, group.len);
    size_t len = (size_t)mount_len + group.len;
    unsigned tightest = 0;
    for (;;) {
        folder[len] = '\0';
        tightest = tighter(tightest, quota_of(folder));
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
static unsigned quota_of_line(struct span line, const char *root)
{
    struct span id, controllers;
    struct span group = span_cut(span_cut(line, ':', &id), ':', &controllers);
    char mount[PATH_MAX];
    if (!is_group_path(group)) {
        group = SPAN("");
    }
    if (controllers.len == 0 && span_equal(id, SPAN("0"))) {
        unsigned quota = quota_of_tree(root, group, quota_v2);
        int len = snprintf(mount, sizeof mount, "%s/unified", root); /* beside version 1 */
        return len < (int)sizeof mount ? tighter(quota, quota_of_tree(mount, group, quota_v2))
                                       : quota;
    }
    if (!list_has(controllers, "cpu")) {
        return 0;
    }
    int len = snprintf(mount, sizeof mount, "%s/%.*s", root, SPAN_ARGS(controllers));
    unsigned quota = len < (int)sizeof mount ? quota_of_tree(mount, group, quota_v1) : 0;
    len = snprintf(mount, sizeof mount, "%s/cpu", root); /* the usual link for "cpu,cpuacct" */
    return len < (int)sizeof mount ? tighter(quota, quota_of_tree(mount, group, quota_v1)) : quota;
}

unsigned cpu_count_quota(const struct cpu_paths *paths)
{
    char buf[LIST_BYTES];
    unsigned tightest = 0;
    struct span rest = read_small_file(paths->cgroup_list, buf, sizeof buf);
    while (rest.ptr) {
        struct span line;
        rest = span_cut(rest, '\n', &line);
        tightest = tighter(tightest, quota_of_line(line, paths->cgroup_root));
    }
    return tightest;
}

unsigned cpu_count_usable(const struct cpu_paths *paths)
{
    return tighter(cpu_count_affinity(), cpu_count_quota(paths));
}
