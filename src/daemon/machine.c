/* daemon/machine.c — asks the kernel what this process may use. Whatever cannot be read counts as
 * not limited: these numbers choose defaults and are shown to people, nothing depends on them. Main
 * thread. */
#include "daemon/machine.h"

#include "base/cgroup.h"
#include "base/fd.h"
#include "base/span.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The first line of a small file, without its end. Missing: empty. */
static struct span first_line(const char *path, char *room, size_t room_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : fd_read_at(fd, room, room_bytes, 0);
    fd_close(&fd);
    struct span line;
    (void)span_cut(span_make(room, len > 0 ? (size_t)len : 0), '\n', &line);
    return line;
}

/* A file of this process's control group (version 2), whose path stands in /proc/self/cgroup behind
 * "0::". */
static struct span group_line(const char *name, char *room, size_t room_bytes)
{
    char path[512], group[300];
    struct span line = first_line("/proc/self/cgroup", group, sizeof group);
    if (!span_starts_with(line, SPAN("0::/"))) {
        return SPAN("");
    }
    struct span below = span_from(line, 3);
    snprintf(path, sizeof path, "/sys/fs/cgroup%.*s%s%s", SPAN_ARGS(below),
             below.len > 1 ? "/" : "", name);
    return first_line(path, room, room_bytes);
}

/* "200000 100000" is two CPUs; "max 100000" none in particular. */
static double cpu_quota(void)
{
    char room[64];
    struct span quota;
    struct span period = span_cut(group_line("cpu.max", room, sizeof room), ' ', &quota);
    uint64_t quota_us = 0, period_us = 0;
    if (!period.ptr || !text_parse_u64(quota, &quota_us) || !text_parse_u64(period, &period_us) ||
        period_us == 0) {
        return 0;
    }
    return (double)quota_us / (double)period_us;
}

static unsigned affinity_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}

unsigned machine_cpus(void)
{
    unsigned cpus = affinity_cpus();
    double quota = cpu_quota();
    if (quota > 0 && quota < cpus) {
        cpus = quota < 1 ? 1 : (unsigned)quota;
    }
    return cpus;
}

void machine_raise_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* if not, then fewer connections */
    }
}

static uint64_t number_in(struct span line)
{
    uint64_t number = 0;
    (void)text_parse_u64(line, &number);
    return number;
}

static bool can_openat2(void)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
    bool can = fd >= 0;
    fd_close(&fd);
    return can;
}

static bool can_inotify(void)
{
    int fd = inotify_init1(IN_CLOEXEC);
    bool can = fd >= 0;
    fd_close(&fd);
    return can;
}

void machine_look(struct machine *machine)
{
    char room[64];
    struct rlimit limit = {0};
    struct utsname name = {0};
    *machine = (struct machine){.cpus_by_affinity = affinity_cpus(),
                                .cpus_by_quota = cpu_quota(),
                                .has_openat2 = can_openat2(),
                                .has_inotify = can_inotify()};
    machine->memory_limit = cgroup_memory_limit(&cgroup_system_paths);
    machine->watches =
        number_in(first_line("/proc/sys/fs/inotify/max_user_watches", room, sizeof room));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        machine->fds_now = limit.rlim_cur;
        machine->fds_most = limit.rlim_max;
    }
    if (uname(&name) == 0) {
        snprintf(machine->kernel, sizeof machine->kernel, "%s %s %s", name.sysname, name.release,
                 name.machine);
    }
}
