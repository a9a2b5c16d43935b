/* tests/stress/pool/stress_pool.c — whole pools under many submitters, with shutdowns, expiry and
 * sleeping in the middle. Every accepted job must end exactly once, in run or in drop; most telling
 * under ThreadSanitizer. */
#include "support_pool.h"

#include "base/alloc.h"

#include <sched.h>

enum { SUBMITTERS = 4 };

struct job_fate {
    _Atomic unsigned char ran, dropped;
};

struct storm {
    galley_pool *pool;
    unsigned jobs_each;
    struct job_fate *fates;
    _Atomic uint64_t accepted, refused;
    _Atomic unsigned finished_submitters;
    unsigned flavour;
};

struct submitter_arg {
    struct storm *storm;
    unsigned number;
};

static void fate_run(void *arg)
{
    atomic_fetch_add(&((struct job_fate *)arg)->ran, 1);
}

static void fate_drop(void *arg, int why)
{
    EXPECT(why == GALLEY_DROP_SHUTDOWN || why == GALLEY_DROP_EXPIRED);
    atomic_fetch_add(&((struct job_fate *)arg)->dropped, 1);
}

/* A few jobs in one of the ways there are; how many were accepted. */
static ptrdiff_t submit_some(struct storm *storm, struct job_fate *fates, unsigned n, unsigned way)
{
    galley_job jobs[8];
    for (unsigned i = 0; i < n; i++) {
        jobs[i] = (galley_job){.run = fate_run, .drop = fate_drop, .arg = &fates[i]};
        if (storm->flavour & 1 && i % 2) {
            jobs[i].expires_ms = galley_now_ms() + (int64_t)(way % 2);
        }
    }
    switch (way % 3) {
    case 0:
        return galley_pool_submit(storm->pool, jobs, n, GALLEY_FOREVER);
    case 1:
        return galley_pool_submit(storm->pool, jobs, n, 0);
    default:
        return galley_pool_submit(storm->pool, jobs, n, 1);
    }
}

static void *submit(void *arg)
{
    struct submitter_arg *self = arg;
    struct storm *storm = self->storm;
    struct job_fate *fates = storm->fates + (size_t)self->number * storm->jobs_each;
    unsigned next = 0, way = self->number;
    while (next < storm->jobs_each) {
        unsigned n = storm->jobs_each - next < 1 + way % 8 ? storm->jobs_each - next : 1 + way % 8;
        ptrdiff_t count = submit_some(storm, fates + next, n, way++);
        if (count == GALLEY_ECLOSED) {
            break;
        }
        if (count > 0) {
            atomic_fetch_add(&storm->accepted, (uint64_t)count);
            next += (unsigned)count;
        } else {
            EXPECT(count == GALLEY_EFULL || count == GALLEY_ETIMEDOUT);
            sched_yield();
        }
        if (way % 64 == 0) {
            nap(); /* let the workers fall asleep now and then */
        }
    }
    atomic_fetch_add(&storm->finished_submitters, 1);
    return NULL;
}

enum ending { DRAIN_AFTER, DRAIN_MIDDLE, DISCARD_MIDDLE, ESCALATE_MIDDLE };

static void end_pool(struct storm *storm, enum ending ending)
{
    if (ending == DRAIN_AFTER) {
        AWAIT(storm->finished_submitters == SUBMITTERS);
    } else {
        AWAIT(storm->accepted > storm->jobs_each / 2);
    }
    if (ending == ESCALATE_MIDDLE) {
        int rc = galley_pool_shutdown(storm->pool, GALLEY_DRAIN, 0, NULL);
        EXPECT(rc == 0 || rc == GALLEY_ETIMEDOUT);
    }
    int mode =
        ending == DISCARD_MIDDLE || ending == ESCALATE_MIDDLE ? GALLEY_DISCARD : GALLEY_DRAIN;
    EXPECT_INT(galley_pool_shutdown(storm->pool, mode, GALLEY_FOREVER, NULL), 0);
}

static void check_fates(const struct storm *storm)
{
    uint64_t ran = 0, dropped = 0;
    for (size_t i = 0; i < (size_t)SUBMITTERS * storm->jobs_each; i++) {
        EXPECT(storm->fates[i].ran + storm->fates[i].dropped <= 1);
        ran += storm->fates[i].ran;
        dropped += storm->fates[i].dropped;
    }
    galley_pool_stats stats = stats_of(storm->pool);
    EXPECT_INT(ran + dropped, storm->accepted);
    EXPECT_INT(stats.accepted, storm->accepted);
    EXPECT_INT(stats.finished, ran);
    EXPECT_INT(stats.dropped + stats.expired, dropped);
}

static void run_storm(unsigned workers, size_t capacity, unsigned jobs_each, enum ending ending,
                      unsigned flavour)
{
    struct storm storm = {
        .pool = pool_of(workers, capacity), .jobs_each = jobs_each, .flavour = flavour};
    struct submitter_arg args[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    storm.fates = calloc((size_t)SUBMITTERS * jobs_each, sizeof *storm.fates);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        args[i] = (struct submitter_arg){&storm, i};
        pthread_create(&threads[i], NULL, submit, &args[i]);
    }
    end_pool(&storm, ending);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    check_fates(&storm);
    galley_pool_free(storm.pool);
    free(storm.fates);
}

TEST_TIMEOUT(test_every_job_ends_once_when_the_pool_is_drained_after_all, 120)
{
    run_storm(1, 1, test_rounds(1000), DRAIN_AFTER, 0);
    run_storm(4, 2, test_rounds(2000), DRAIN_AFTER, 0);
    run_storm(3, 64, test_rounds(5000), DRAIN_AFTER, 1);
    run_storm(16, 1024, test_rounds(5000), DRAIN_AFTER, 0);
}

TEST_TIMEOUT(test_every_job_ends_once_when_the_pool_is_closed_in_the_middle, 120)
{
    for (unsigned round = 0; round < test_rounds(15); round++) {
        for (enum ending ending = DRAIN_MIDDLE; ending <= ESCALATE_MIDDLE; ending++) {
            run_storm(1 + round % 5, (size_t)1 << round % 7, 600, ending, round);
        }
    }
}

/* Jobs so rare that every one of them meets sleeping workers, and every second falls into their
 * falling asleep. */
TEST_TIMEOUT(test_no_wake_up_is_lost_between_two_jobs, 120)
{
    _Atomic unsigned count = 0;
    galley_pool *pool = pool_of(3, 4);
    for (unsigned round = 0; round < test_rounds(3000); round++) {
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0); /* hangs if the job sleeps on */
        EXPECT_INT(count, round + 1);
        for (unsigned i = 0; i < round % 8; i++) {
            sched_yield();
        }
    }
    galley_pool_free(pool);
}

static void resubmit(void *arg)
{
    _Atomic unsigned *left = arg;
    if (atomic_fetch_sub(left, 1) > 1) {
        while (galley_pool_execute(galley_worker_pool(), resubmit, arg) == GALLEY_EFULL) {
            sched_yield();
        }
    }
}

TEST_TIMEOUT(test_jobs_that_submit_jobs_never_stop_the_pool, 120)
{
    _Atomic unsigned left = test_rounds(20000);
    galley_pool *pool = pool_of(3, 8);
    EXPECT_INT(galley_pool_execute(pool, resubmit, &left), 0);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(left, 0);
    galley_pool_free(pool);
}

static void maybe_end_thread(void *arg)
{
    if (atomic_fetch_add((_Atomic unsigned *)arg, 1) % 5 == 0) {
        pthread_exit(NULL);
    }
}

TEST_TIMEOUT(test_threads_that_die_in_a_storm_are_replaced_each_time, 120)
{
    for (unsigned round = 0; round < test_rounds(10); round++) {
        _Atomic unsigned count = 0;
        int64_t blocks = mem_live_blocks();
        galley_pool *pool = pool_of(4, 16);
        for (unsigned i = 0; i < 200; i++) {
            EXPECT_INT(galley_pool_execute(pool, maybe_end_thread, &count), 0);
        }
        if (round % 2) {
            galley_pool_detach(pool);
            AWAIT(mem_live_blocks() == blocks);
        } else {
            EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
            EXPECT_INT(count, 200);
            EXPECT_INT(stats_of(pool).replaced, 40);
            galley_pool_free(pool);
        }
    }
}

static void *look_in(void *arg)
{
    galley_pool *pool = arg;
    galley_worker_info table[4];
    for (unsigned i = 0; i < test_rounds(3000); i++) {
        galley_pool_stats stats = stats_of(pool);
        EXPECT(stats.queued <= stats.queue_capacity);
        EXPECT_INT(galley_pool_get_workers(pool, table, 4, sizeof table[0]), 4);
    }
    return NULL;
}

TEST_TIMEOUT(test_looking_in_disturbs_nobody, 120)
{
    pthread_t looker;
    _Atomic unsigned count = 0;
    galley_pool *pool = pool_of(4, 16);
    pthread_create(&looker, NULL, look_in, pool);
    for (unsigned i = 0; i < test_rounds(20000); i++) {
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    }
    pthread_join(looker, NULL);
    galley_pool_free(pool);
    EXPECT_INT(count, test_rounds(20000));
}

/* A worker that ended while it was counted as searching once left the last sleeper asleep; the
 * model has the proof. */
TEST_TIMEOUT(test_a_pool_that_is_closed_while_its_workers_fall_asleep_ends, 120)
{
    for (unsigned round = 0; round < test_rounds(1500); round++) {
        _Atomic unsigned count = 0;
        galley_pool *pool = pool_of(2 + round % 3, 4);
        for (unsigned i = 0; i < 1 + round % 3; i++) {
            EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
        }
        for (unsigned i = 0; i < round % 16; i++) {
            sched_yield();
        }
        galley_pool_free(pool);
        EXPECT_INT(count, 1 + round % 3);
    }
}
