/* pool/cpu.c — CPU count from affinity and cgroups (base/cgroup.h). Nothing here can fail: a file
 * that is missing or makes no sense is no limit. No allocation. */
#include "pool/cpu.h"

#include "base/span.h"
#include "base/text.h"

#include <limits.h>
#include <sched.h>
#include <unistd.h>

enum {
    MASK_WORDS = (CPU_INDEX_MAX + 1) / (int)(sizeof(unsigned long) * CHAR_BIT),
    VALUE_BYTES = 64
};

/* Larger than cpu_set_t, which ends at 1024: the kernel refuses a mask that is smaller than its
 * own. */
union cpu_mask {
    unsigned long words[MASK_WORDS];
    cpu_set_t set;
};

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
static uint64_t quota_v2(const char *folder)
{
    char buf[VALUE_BYTES];
    struct span quota;
    struct span period = span_cut(cgroup_read(folder, "cpu.max", buf, sizeof buf), ' ', &quota);
    return quota_to_cpus(quota, period);
}

static uint64_t quota_v1(const char *folder)
{
    char quota[VALUE_BYTES], period[VALUE_BYTES];
    return quota_to_cpus(cgroup_read(folder, "cpu.cfs_quota_us", quota, sizeof quota),
                         cgroup_read(folder, "cpu.cfs_period_us", period, sizeof period));
}

unsigned cpu_count_quota(const struct cgroup_paths *paths)
{
    static const struct cgroup_kind kind = {"cpu", quota_v2, quota_v1};
    return (unsigned)cgroup_limit(paths, &kind);
}

unsigned cpu_count_usable(const struct cgroup_paths *paths)
{
    unsigned quota = cpu_count_quota(paths);
    unsigned affinity = cpu_count_affinity();
    return quota > 0 && quota < affinity ? quota : affinity;
}
