/* What --doctor says of memory, for plans of known numbers. */
#include "test.h"

#include "daemon/doctor_memory.h"

static galley_memory_plan known(void)
{
    return (galley_memory_plan){.size = sizeof(galley_memory_plan),
                                .connections = 1000,
                                .loops = 2,
                                .threads = 7,
                                .idle_bytes = 352,
                                .input_bytes = 3 << 10,
                                .memory_bytes = 1 << 20,
                                .output_bytes = 1536,
                                .loop_bytes = 1 << 20,
                                .cache_bytes = 64 << 20,
                                .pool_bytes = 5 << 10,
                                .stack_bytes = 7 << 14,
                                .stack_reserved_bytes = 14 << 20,
                                .least_bytes = UINT64_C(3) << 30,
                                .most_bytes = UINT64_MAX,
                                .streams = 100};
}

static bool has_line(const struct buf *out, const char *line)
{
    return strstr(out->data, line) != NULL;
}

TEST(test_each_part_has_a_line_with_its_option)
{
    struct buf out;
    galley_memory_plan plan = known();
    buf_init(&out, 0);
    EXPECT(doctor_append_plan(&out, &plan));
    buf_append_char(&out, '\0');
    EXPECT(has_line(&out, "     64.0 MiB  contents of files (--cache-size), and"));
    EXPECT(has_line(&out, "      2.0 MiB  2 loops and what they keep"));
    EXPECT(has_line(&out, "    343.8 KiB  1000 connections, 352 B each (--max-connections)\n"));
    EXPECT(has_line(&out, "stacks of 7 threads at least; they may grow to 14.0 MiB\n"));
    EXPECT(has_line(&out, "          0 B  its body (--max-body)\n"));
    EXPECT(has_line(&out, "      3.0 GiB  must fit"));
    EXPECT(
        has_line(&out, "     no bound  at worst: every connection has 100 of them at once (--max"));
    EXPECT(!has_line(&out, "access log"));
    EXPECT(!has_line(&out, "control group allows"));
    buf_finish(&out);
}

TEST(test_what_cannot_fit_is_said)
{
    struct buf out;
    galley_memory_plan plan = known();
    buf_init(&out, 0);
    plan.limit_bytes = plan.least_bytes - 1;
    plan.log_bytes = 1 << 20;
    EXPECT(!doctor_append_plan(&out, &plan));
    buf_append_char(&out, '\0');
    EXPECT(has_line(&out, "  this cannot fit\n"));
    EXPECT(has_line(&out, "      1.0 MiB  access log (--log-buffer"));
    plan.limit_bytes = plan.least_bytes;
    EXPECT(doctor_append_plan(&out, &plan));
    buf_finish(&out);
}
