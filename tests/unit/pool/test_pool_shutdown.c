/* tests/unit/pool/test_pool_shutdown.c — drain, discard, detach, free, wait. */
#include "support_pool.h"

#include "base/alloc.h"
#include "pool/pool_state.h"

struct ledger {
    _Atomic unsigned ran, dropped;
    _Atomic int why;
};

static void ledger_run(void *arg)
{
    ((struct ledger *)arg)->ran++;
}

static void ledger_drop(void *arg, int why)
{
    ((struct ledger *)arg)->dropped++;
    ((struct ledger *)arg)->why = why;
}

static void queue_jobs(galley_pool *pool, struct ledger *ledger, unsigned n)
{
    galley_job job = {.run = ledger_run, .drop = ledger_drop, .arg = ledger};
    for (unsigned i = 0; i < n; i++) {
        EXPECT_INT(galley_pool_submit(pool, &job, 1, 0), 1);
    }
}

static galley_shutdown_report new_report(void)
{
    return (galley_shutdown_report){.size = sizeof(galley_shutdown_report)};
}

TEST(test_drain_runs_what_is_queued_and_reports_it)
{
    struct latch latch;
    struct ledger ledger = {0};
    galley_shutdown_report report = new_report();
    galley_pool *pool = pool_all_busy(2, 64, &latch);
    queue_jobs(pool, &ledger, 50);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 0, &report), GALLEY_ETIMEDOUT);
    EXPECT_INT(report.ran, 0);
    EXPECT_INT(report.still_running, 2);
    latch_release(&latch);
    latch_release(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, &report), 0);
    EXPECT_INT(report.ran, 52);
    EXPECT_INT(report.dropped, 0);
    EXPECT_INT(report.still_running, 0);
    EXPECT_INT(ledger.ran, 50);
    galley_pool_free(pool);
}

TEST(test_the_report_counts_from_the_close)
{
    struct ledger ledger = {0};
    galley_shutdown_report report = new_report();
    galley_pool *pool = pool_of(1, 64);
    queue_jobs(pool, &ledger, 10);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, &report), 0);
    EXPECT_INT(report.ran, 0);
    galley_pool_free(pool);
}

TEST(test_discard_drops_what_is_queued_at_once_and_waits_for_what_runs)
{
    struct latch latch;
    struct ledger ledger = {0};
    galley_shutdown_report report = new_report();
    galley_pool *pool = pool_all_busy(1, 64, &latch);
    queue_jobs(pool, &ledger, 50);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 1, &report), GALLEY_ETIMEDOUT);
    EXPECT_INT(ledger.dropped, 50);
    EXPECT_INT(ledger.why, GALLEY_DROP_SHUTDOWN);
    EXPECT_INT(report.dropped, 50);
    EXPECT_INT(report.still_running, 1);
    latch_release(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, GALLEY_FOREVER, &report), 0);
    EXPECT_INT(report.ran, 1);
    EXPECT_INT(report.dropped, 50);
    EXPECT_INT(ledger.ran, 0);
    EXPECT_INT(stats_of(pool).dropped, 50);
    galley_pool_free(pool);
}

TEST(test_a_drain_that_takes_too_long_can_become_a_discard)
{
    struct latch latch;
    struct ledger ledger = {0};
    galley_shutdown_report report = new_report();
    galley_pool *pool = pool_all_busy(1, 64, &latch);
    queue_jobs(pool, &ledger, 5);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 1, &report), GALLEY_ETIMEDOUT);
    EXPECT_INT(ledger.dropped, 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 1, &report), GALLEY_ETIMEDOUT);
    EXPECT_INT(ledger.dropped, 5);
    /* not the other way: the discard stays */
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 1, &report), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, &report), 0);
    EXPECT_INT(report.dropped, 5);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 0, &report), 0); /* and once more */
    galley_pool_free(pool);
}

static void *drain_forever(void *pool)
{
    return galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL) == 0 ? pool : NULL;
}

TEST(test_several_threads_may_shut_down_at_once)
{
    struct latch latch;
    struct ledger ledger = {0};
    pthread_t threads[4];
    galley_pool *pool = pool_all_busy(2, 64, &latch);
    queue_jobs(pool, &ledger, 20);
    for (unsigned i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, drain_forever, pool);
    }
    AWAIT(galley_pool_try_execute(pool, ledger_run, &ledger) == GALLEY_ECLOSED);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    latch_release(&latch);
    for (unsigned i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        EXPECT(result == pool);
    }
    EXPECT_INT(ledger.ran + ledger.dropped, 20);
    galley_pool_free(pool);
}

TEST(test_blocked_submitters_are_released_when_the_pool_closes)
{
    struct latch latch;
    struct ledger ledger = {0};
    struct submitter blocked[4];
    galley_pool *pool = pool_all_busy(1, 1, &latch);
    queue_jobs(pool, &ledger, 1);
    for (unsigned i = 0; i < 4; i++) {
        blocked[i] = (struct submitter){.pool = pool, .fn = ledger_run, .arg = &ledger};
        submitter_start(&blocked[i]);
    }
    await_blocked(pool, 4);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 0, NULL), GALLEY_ETIMEDOUT);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(submitter_join(&blocked[i]), GALLEY_ECLOSED); /* the worker is still busy */
    }
    latch_release(&latch);
    galley_pool_free(pool);
    EXPECT_INT(ledger.ran, 1);
}

TEST(test_free_lets_blocked_submitters_out_before_it_takes_the_memory)
{
    for (unsigned round = 0; round < 20; round++) {
        struct latch latch;
        struct ledger ledger = {0};
        struct submitter blocked = {.fn = ledger_run, .arg = &ledger};
        blocked.pool = pool_all_busy(1, 1, &latch);
        queue_jobs(blocked.pool, &ledger, 1);
        submitter_start(&blocked);
        await_blocked(blocked.pool, 1);
        EXPECT_INT(galley_pool_shutdown(blocked.pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
        latch_release(&latch);
        galley_pool_free(blocked.pool);
        EXPECT_INT(submitter_join(&blocked), GALLEY_ECLOSED);
    }
}

TEST(test_shutdown_checks_its_arguments)
{
    galley_shutdown_report report = {0};
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_shutdown(NULL, GALLEY_DRAIN, 0, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_shutdown(pool, 2, 0, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 0, &report), GALLEY_EINVAL);
    struct ledger ledger = {0};
    queue_jobs(pool, &ledger, 1); /* still open */
    galley_pool_free(pool);
    galley_pool_free(NULL);
    galley_pool_detach(NULL);
}

TEST(test_a_report_of_an_older_program_is_not_overrun)
{
    galley_shutdown_report report;
    memset(&report, 0x55, sizeof report);
    report.size = offsetof(galley_shutdown_report, dropped);
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, &report), 0);
    EXPECT_INT(report.ran, 0);
    EXPECT_INT(report.dropped, UINT64_C(0x5555555555555555));
    galley_pool_free(pool);
}

/* ---- being told to stop ---- */

static void run_until_told(void *arg)
{
    struct latch *latch = arg;
    sem_post(&latch->begun);
    while (!galley_should_stop()) {
        nap();
    }
}

TEST(test_a_discard_tells_running_jobs_and_a_drain_does_not)
{
    struct latch latch;
    latch_init(&latch);
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_execute(pool, run_until_told, &latch), 0);
    latch_await(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 5, NULL), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, GALLEY_FOREVER, NULL), 0);
    galley_pool_free(pool);
}

/* ---- detach ---- */

TEST(test_detach_does_not_wait_and_the_last_worker_releases_the_memory)
{
    struct latch latch;
    struct ledger ledger = {0};
    int64_t blocks = mem_live_blocks();
    galley_pool *pool = pool_all_busy(3, 64, &latch);
    queue_jobs(pool, &ledger, 10);
    galley_pool_detach(pool); /* all workers are still busy */
    EXPECT_INT(ledger.dropped, 10);
    EXPECT(mem_live_blocks() > blocks);
    for (unsigned i = 0; i < 3; i++) {
        latch_release(&latch);
    }
    AWAIT(mem_live_blocks() == blocks);
    EXPECT_INT(ledger.ran, 0);
}

TEST(test_detach_of_an_idle_pool_and_after_a_timeout)
{
    struct latch latch;
    int64_t blocks = mem_live_blocks();
    galley_pool_detach(pool_of(4, 0));
    AWAIT(mem_live_blocks() == blocks);
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 1, NULL), GALLEY_ETIMEDOUT);
    galley_pool_detach(pool);
    latch_release(&latch);
    AWAIT(mem_live_blocks() == blocks);
    pool = pool_of(2, 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    galley_pool_detach(pool); /* everything was joined */
    EXPECT_INT(mem_live_blocks(), blocks);
}

static void free_own_pool(void *latch)
{
    latch_job(latch); /* until the submitter is out of the pool */
    galley_pool_free(galley_worker_pool());
    EXPECT(galley_should_stop());
}

TEST(test_free_on_a_worker_of_the_pool_is_detach)
{
    struct latch latch;
    latch_init(&latch);
    int64_t blocks = mem_live_blocks();
    galley_pool *pool = pool_of(2, 0);
    EXPECT_INT(galley_pool_execute(pool, free_own_pool, &latch), 0);
    latch_release(&latch);
    AWAIT(mem_live_blocks() == blocks);
}

/* ---- wait ---- */

TEST(test_wait_returns_when_no_job_is_queued_or_running)
{
    struct latch latch;
    struct ledger ledger = {0};
    galley_pool *pool = pool_all_busy(1, 64, &latch);
    queue_jobs(pool, &ledger, 30);
    EXPECT_INT(galley_pool_wait(pool, 0), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_pool_wait(pool, 2), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(ledger.ran, 30);
    EXPECT_INT(stats_of(pool).running, 0);
    EXPECT_INT(galley_pool_wait(pool, 0), 0);
    EXPECT_INT(galley_pool_wait(NULL, 0), GALLEY_EINVAL);
    queue_jobs(pool, &ledger, 1); /* a pool that was waited for goes on */
    galley_pool_free(pool);
    EXPECT_INT(ledger.ran, 31);
}

static void *wait_forever(void *pool)
{
    return galley_pool_wait(pool, GALLEY_FOREVER) == 0 ? pool : NULL;
}

TEST(test_wait_returns_when_a_discard_empties_the_pool)
{
    struct latch latch;
    struct ledger ledger = {0};
    pthread_t waiter;
    void *result = NULL;
    galley_pool *pool = pool_all_busy(1, 64, &latch);
    queue_jobs(pool, &ledger, 5);
    pthread_create(&waiter, NULL, wait_forever, pool);
    AWAIT(atomic_load(&pool->idle.waiters) == 1);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    pthread_join(waiter, &result);
    EXPECT(result == pool);
    galley_pool_free(pool);
}
