/* Memory and a pool: each allocation of making one may fail, whatever is asked for; afterwards nothing
 * is allocated, so no call can fail for want of it. */
#include "support_pool.h"

#include "base/alloc.h"

static void observe(void *ctx, const galley_pool_event *ev)
{
    (void)ctx;
    (void)ev;
}

TEST(test_each_allocation_of_a_pool_made_to_order_may_fail)
{
    galley_pool_options opt = GALLEY_POOL_OPTIONS_INIT;
    bool did_fail = true;
    opt.threads = 3;
    opt.min_threads = 1; /* fewer threads are not what is short */
    opt.queue_capacity = 3;
    opt.observer = observe;
    opt.flags = GALLEY_POOL_TIMING;
    for (uint64_t n = 1; did_fail; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_pool *pool = galley_pool_open(&opt, &err);
        did_fail = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(pool == NULL, did_fail);
        EXPECT_INT(err.code, did_fail ? GALLEY_ENOMEM : 0);
        EXPECT(did_fail || n > 1);
        galley_pool_free(pool); /* the harness looks for what is left */
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

static void nothing_of_range(size_t begin, size_t end, void *arg)
{
    (void)begin;
    (void)end;
    (void)arg;
}

TEST(test_nothing_else_allocates)
{
    galley_pool *pool = galley_pool_new(2, NULL);
    galley_job jobs[50];
    galley_pool_stats stats = {.size = sizeof stats};
    galley_worker_info info[2];
    galley_group group;
    galley_task tasks[20];
    for (int i = 0; i < 50; i++) {
        jobs[i] = (galley_job){.run = nothing};
    }
    mem_fail_nth(1);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), 0);
    EXPECT_INT(galley_pool_submit(pool, jobs, 50, GALLEY_FOREVER), 50);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    galley_group_init(&group, pool);
    for (int i = 0; i < 20; i++) {
        galley_group_spawn(&group, &tasks[i], nothing, NULL);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(galley_parallel_for(pool, 0, 1000, 0, nothing_of_range, NULL), 0);
    EXPECT_INT(galley_pool_get_stats(pool, &stats), 0);
    EXPECT_INT(galley_pool_get_workers(pool, info, 2, sizeof *info), 2);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, GALLEY_FOREVER, NULL), 0);
    EXPECT(!mem_fail_happened());
    mem_fail_nth(0);
    galley_pool_free(pool);
}
