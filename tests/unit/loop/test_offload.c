/* tests/unit/loop/test_offload.c — "run there, finish here" with a real pool: done once on the
 * loop, also for jobs that are dropped or have expired, never for a start that failed. */
#include "loop/offload.h"

#include "support_rig.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

struct work {
    struct offload offload;
    unsigned dones;
    bool has_run;
    int dropped;
    int ran_on; /* galley_worker_index() */
    unsigned value;
};

static struct loop *the_loop;
static unsigned all_dones;

static void run_work(struct offload *offload)
{
    struct work *work = CONTAINER_OF(offload, struct work, offload);
    work->has_run = true;
    work->ran_on = galley_worker_index();
    work->value++; /* not atomic: the post publishes it, TSan watches */
}

static void work_done(struct offload *offload)
{
    struct work *work = CONTAINER_OF(offload, struct work, offload);
    EXPECT(loop_is_current(the_loop));
    EXPECT_INT(galley_worker_index(), -1);
    work->dropped = offload->dropped;
    work->dones++;
    all_dones++;
}

REAL(a_job_runs_on_a_worker_and_ends_on_the_loop)
{
    struct rig rig;
    struct work work = {0};
    rig_open(&rig, backend);
    the_loop = rig.loop;
    galley_pool *pool = galley_pool_new(1, NULL);
    const struct offload_options options = {.label = "test"};
    EXPECT_INT(offload_start(&work.offload, rig.loop, pool, run_work, work_done, &options), 0);
    EXPECT_INT(work.dones, 0);
    RUN_UNTIL(&rig, work.dones == 1);
    EXPECT(work.has_run && work.ran_on == 0 && work.value == 1 && work.dropped == 0);
    galley_pool_free(pool);
    rig_close(&rig);
}

enum { MANY = 200 };
static struct work many[MANY];
static unsigned restarts_left = 2000;
static galley_pool *the_pool;

static void restart_work(struct offload *offload)
{
    work_done(offload);
    if (restarts_left > 0) {
        restarts_left--;
        EXPECT_INT(offload_start(offload, the_loop, the_pool, run_work, restart_work, NULL), 0);
    }
}

REAL(many_jobs_end_once_for_each_start_and_may_start_again_in_done)
{
    struct rig rig;
    rig_open(&rig, backend);
    the_loop = rig.loop;
    the_pool = galley_pool_new(2, NULL);
    for (int i = 0; i < MANY; i++) {
        EXPECT_INT(
            offload_start(&many[i].offload, rig.loop, the_pool, run_work, restart_work, NULL), 0);
    }
    RUN_UNTIL(&rig, all_dones == MANY + 2000);
    unsigned runs = 0;
    for (int i = 0; i < MANY; i++) {
        runs += many[i].value;
    }
    EXPECT_INT(runs, MANY + 2000);
    galley_pool_free(the_pool);
    rig_close(&rig);
}

static atomic_bool gate_is_open; /* release by the test, acquire by the worker that waits */

static void wait_at_the_gate(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&gate_is_open, memory_order_acquire)) {
        sched_yield();
    }
}

REAL(a_full_queue_refuses_and_done_is_not_called)
{
    struct rig rig;
    rig_open(&rig, backend);
    the_loop = rig.loop;
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 1;
    options.queue_capacity = 2;
    galley_pool *pool = galley_pool_open(&options, NULL);
    EXPECT_INT(galley_pool_execute(pool, wait_at_the_gate, NULL), 0);
    unsigned accepted = 0;
    int result = 0;
    while (accepted < MANY && result == 0) {
        result = offload_start(&many[accepted].offload, rig.loop, pool, run_work, work_done, NULL);
        accepted += result == 0;
    }
    EXPECT_INT(result, GALLEY_EFULL);
    EXPECT(accepted < MANY);
    atomic_store_explicit(&gate_is_open, true, memory_order_release);
    RUN_UNTIL(&rig, all_dones == accepted);
    EXPECT_INT(many[accepted].dones, 0);
    galley_pool_free(pool);
    rig_settle(&rig);
    EXPECT_INT(all_dones, accepted);
    rig_close(&rig);
}

REAL(a_job_that_the_pool_drops_ends_with_the_reason_and_a_closed_pool_refuses)
{
    struct rig rig;
    struct work work = {0}, refused = {0};
    rig_open(&rig, backend);
    the_loop = rig.loop;
    galley_pool *pool = galley_pool_new(1, NULL);
    EXPECT_INT(galley_pool_execute(pool, wait_at_the_gate, NULL), 0);
    EXPECT_INT(offload_start(&work.offload, rig.loop, pool, run_work, work_done, NULL), 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
    RUN_UNTIL(&rig, work.dones == 1);
    EXPECT(!work.has_run);
    EXPECT_INT(work.dropped, GALLEY_DROP_SHUTDOWN);
    EXPECT_INT(offload_start(&refused.offload, rig.loop, pool, run_work, work_done, NULL),
               GALLEY_ECLOSED);
    atomic_store_explicit(&gate_is_open, true, memory_order_release);
    galley_pool_free(pool);
    rig_settle(&rig);
    EXPECT_INT(refused.dones, 0);
    rig_close(&rig);
}

REAL(a_job_that_waited_too_long_ends_as_expired)
{
    struct rig rig;
    struct work work = {0};
    rig_open(&rig, backend);
    the_loop = rig.loop;
    galley_pool *pool = galley_pool_new(1, NULL);
    EXPECT_INT(galley_pool_execute(pool, wait_at_the_gate, NULL), 0);
    const struct offload_options options = {.expires_ms = galley_now_ms() + 1};
    EXPECT_INT(offload_start(&work.offload, rig.loop, pool, run_work, work_done, &options), 0);
    while (galley_now_ms() <= options.expires_ms + 1) {
        loop_turn(rig.loop, 1);
    }
    atomic_store_explicit(&gate_is_open, true, memory_order_release);
    RUN_UNTIL(&rig, work.dones == 1);
    EXPECT(!work.has_run);
    EXPECT_INT(work.dropped, GALLEY_DROP_EXPIRED);
    galley_pool_free(pool);
    rig_close(&rig);
}

EACH(without_a_pool_it_runs_at_once_and_ends_in_the_same_turn)
{
    struct rig rig;
    struct work work = {0};
    rig_open(&rig, backend);
    the_loop = rig.loop;
    EXPECT_INT(offload_start(&work.offload, rig.loop, NULL, run_work, work_done, NULL), 0);
    EXPECT(work.has_run && work.dones == 0);
    loop_turn(rig.loop, 0);
    EXPECT_INT(work.dones, 1);
    rig_close(&rig);
}
