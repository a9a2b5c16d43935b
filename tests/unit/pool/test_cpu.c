/* tests/unit/pool/test_cpu.c — CPU counts from the affinity mask and from made-up cgroups. */
#include "fake_cgroup.h"
#include "pool/cpu.h"
#include "support_pool.h"

#include <sched.h>

/* The quota that one file in one kind of group makes. */
static unsigned quota_of(const char *list, const char *name, const char *text, const char *name2,
                         const char *text2)
{
    struct fake fake;
    fake_init(&fake, list);
    put(&fake, name, text);
    if (name2) {
        put(&fake, name2, text2);
    }
    unsigned quota = cpu_count_quota(&fake.paths);
    fake_finish(&fake);
    return quota;
}

TEST(test_a_version_2_quota_is_rounded_up)
{
    static const struct {
        const char *text;
        unsigned cpus;
    } rows[] = {
        {"max 100000\n", 0},    {"100000 100000\n", 1},
        {"150000 100000\n", 2}, {"400000 100000\n", 4},
        {"1000 100000\n", 1},   {"0 100000\n", 1},
        {"100000 0\n", 0},      {"", 0},
        {"nonsense\n", 0},      {"-1 100000\n", 0},
        {"100000\n", 0},        {"5 5 5\n", 0},
        {"200000 100000", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXPECT_INT(quota_of("0::/a\n", "a/cpu.max", rows[i].text, NULL, NULL), rows[i].cpus);
    }
}

TEST(test_the_tightest_group_above_counts)
{
    EXPECT_INT(
        quota_of("0::/a/b\n", "a/cpu.max", "200000 100000\n", "a/b/cpu.max", "800000 100000\n"), 2);
    EXPECT_INT(quota_of("0::/a/b\n", "a/cpu.max", "max 100000\n", "a/b/cpu.max", "300000 100000\n"),
               3);
    EXPECT_INT(quota_of("0::/\n", "cpu.max", "300000 100000\n", NULL, NULL), 3);
}

TEST(test_a_version_1_quota_counts)
{
    const char *list = "5:memory:/x\n4:cpu,cpuacct:/a\n0::/\n";
    EXPECT_INT(quota_of(list, "cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n",
                        "cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
               3);
    EXPECT_INT(
        quota_of(list, "cpu/a/cpu.cfs_quota_us", "-1\n", "cpu/a/cpu.cfs_period_us", "100000\n"), 0);
    EXPECT_INT(
        quota_of(list, "cpu/cpu.cfs_quota_us", "100000\n", "cpu/cpu.cfs_period_us", "100000\n"), 1);
    EXPECT_INT(quota_of("3:cpuacct:/a\n", "cpuacct/a/cpu.cfs_quota_us", "100000\n",
                        "cpuacct/a/cpu.cfs_period_us", "100000\n"),
               0);
}

TEST(test_a_group_that_cannot_be_seen_falls_back_to_the_mount)
{
    EXPECT_INT(quota_of("0::/host/only/here\n", "cpu.max", "200000 100000\n", NULL, NULL), 2);
    EXPECT_INT(quota_of("0::/../../other\n", "cpu.max", "200000 100000\n", NULL, NULL), 2);
    EXPECT_INT(quota_of("0::/a\n", "unified/a/cpu.max", "200000 100000\n", NULL, NULL), 2);
}

TEST(test_lists_that_make_no_sense_are_no_limit)
{
    EXPECT_INT(quota_of("", "cpu.max", "200000 100000\n", NULL, NULL), 0);
    EXPECT_INT(quota_of("garbage\n\n:::\n", "cpu.max", "200000 100000\n", NULL, NULL), 0);
    struct cgroup_paths missing = {"/nonexistent/list", "/nonexistent"};
    EXPECT_INT(cpu_count_quota(&missing), 0);
    EXPECT(cpu_count_usable(&missing) >= 1);
}

TEST(test_a_group_path_too_long_for_a_path_is_no_limit)
{
    char list[7000];
    memset(list, 'x', sizeof list);
    memcpy(list, "0::/", 4);
    list[sizeof list - 1] = '\0';
    EXPECT_INT(quota_of(list, "cpu.max", "200000 100000\n", NULL, NULL), 0);
}

TEST(test_a_tight_quota_still_leaves_one_thread)
{
    struct fake fake;
    fake_init(&fake, "0::/\n");
    put(&fake, "cpu.max", "1000 1000000\n");
    EXPECT_INT(cpu_count_usable(&fake.paths), 1);
    fake_finish(&fake);
}

TEST(test_the_affinity_mask_is_counted)
{
    cpu_set_t set;
    EXPECT_INT(sched_getaffinity(0, sizeof set, &set), 0);
    EXPECT_INT(cpu_count_affinity(), CPU_COUNT(&set));
    int first = 0;
    while (!CPU_ISSET((size_t)first, &set)) {
        first++;
    }
    EXPECT_INT(cpu_pin(pthread_self(), first), 0);
    EXPECT_INT(cpu_count_affinity(), 1);
    EXPECT(cpu_pin(pthread_self(), CPU_INDEX_MAX) != 0);
}
