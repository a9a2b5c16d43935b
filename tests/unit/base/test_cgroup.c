/* tests/unit/base/test_cgroup.c — the memory limit, from made-up control groups. */
#include "fake_cgroup.h"

TEST(test_a_version_2_limit_is_read_in_bytes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"536870912\n", 536870912},
                {"max\n", 0},
                {"", 0},
                {"1 2\n", 0},
                {"4096", 4096},
                {"-1\n", 0},
                {"\n", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake fake;
        fake_init(&fake, "0::/app\n");
        put(&fake, "app/memory.max", rows[i].text);
        EXPECT_INT(cgroup_memory_limit(&fake.paths), rows[i].bytes);
        fake_finish(&fake);
    }
}

TEST(test_the_tightest_group_above_counts)
{
    struct fake fake;
    fake_init(&fake, "0::/slice/app\n");
    put(&fake, "slice/app/memory.max", "max\n");
    put(&fake, "slice/memory.max", "300000\n");
    put(&fake, "memory.max", "900000\n");
    EXPECT_INT(cgroup_memory_limit(&fake.paths), 300000);
    fake_finish(&fake);
}

TEST(test_a_version_1_limit_is_read_and_its_word_for_none_is_none)
{
    struct fake fake;
    fake_init(&fake, "7:cpu,cpuacct:/app\n5:memory:/app\n0::/app\n");
    put(&fake, "memory/app/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_INT(cgroup_memory_limit(&fake.paths), 0);
    put(&fake, "memory/memory.limit_in_bytes", "1073741824\n");
    EXPECT_INT(cgroup_memory_limit(&fake.paths), 1073741824);
    fake_finish(&fake);
}

TEST(test_other_controllers_and_missing_files_are_no_limit)
{
    struct fake fake;
    fake_init(&fake, "5:pids:/app\n");
    put(&fake, "pids/app/memory.limit_in_bytes", "4096\n");
    EXPECT_INT(cgroup_memory_limit(&fake.paths), 0);
    fake_finish(&fake);
    struct cgroup_paths missing = {"/nonexistent/list", "/nonexistent"};
    EXPECT_INT(cgroup_memory_limit(&missing), 0);
    (void)cgroup_memory_limit(&cgroup_system_paths); /* whatever it is */
}
