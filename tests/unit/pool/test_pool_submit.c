/* tests/unit/pool/test_pool_submit.c — execute, try_execute, submit: order, bounds, refusals,
 * expiry. */
#include "support_pool.h"

static void nothing(void *arg)
{
    (void)arg;
}

TEST(test_each_job_runs_once)
{
    _Atomic unsigned count = 0;
    galley_pool *pool = pool_of(3, 8);
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    }
    galley_pool_free(pool);
    EXPECT_INT(count, 1000);
}

/* Two jobs that need each other at the same time: with a lock held while a job runs this would
 * hang. */
static void meet(void *barrier)
{
    pthread_barrier_wait(barrier);
}

TEST(test_two_slow_jobs_overlap)
{
    pthread_barrier_t barrier;
    galley_pool *pool = pool_of(2, 0);
    for (unsigned round = 0; round < 100; round++) {
        pthread_barrier_init(&barrier, NULL, 3);
        EXPECT_INT(galley_pool_execute(pool, meet, &barrier), 0);
        EXPECT_INT(galley_pool_execute(pool, meet, &barrier), 0);
        pthread_barrier_wait(&barrier);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        pthread_barrier_destroy(&barrier);
    }
    galley_pool_free(pool);
}

TEST(test_a_batch_wakes_every_worker_that_it_can_use)
{
    pthread_barrier_t barrier;
    galley_pool *pool = pool_of(4, 0);
    for (unsigned round = 0; round < 50; round++) {
        pthread_barrier_init(&barrier, NULL, 5);
        galley_job jobs[4];
        for (unsigned i = 0; i < 4; i++) {
            jobs[i] = (galley_job){.run = meet, .arg = &barrier};
        }
        EXPECT_INT(galley_pool_submit(pool, jobs, 4, 0), 4);
        pthread_barrier_wait(&barrier);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        pthread_barrier_destroy(&barrier);
    }
    galley_pool_free(pool);
}

struct order {
    unsigned seen[200];
    unsigned count;
};
struct order_item {
    struct order *order;
    unsigned number;
};

static void note_order(void *arg)
{
    struct order_item *item = arg;
    item->order->seen[item->order->count++] = item->number;
}

TEST(test_jobs_start_in_the_order_of_acceptance)
{
    struct order order = {{0}, 0};
    struct order_item items[200];
    galley_pool *pool = pool_of(1, 16);
    for (unsigned i = 0; i < 200; i++) {
        items[i] = (struct order_item){&order, i};
        if (i % 3) {
            EXPECT_INT(galley_pool_execute(pool, note_order, &items[i]), 0);
        } else {
            galley_job job = {.run = note_order, .arg = &items[i]};
            EXPECT_INT(galley_pool_submit(pool, &job, 1, GALLEY_FOREVER), 1);
        }
    }
    galley_pool_free(pool);
    EXPECT_INT(order.count, 200);
    for (unsigned i = 0; i < 200; i++) {
        EXPECT_INT(order.seen[i], i);
    }
}

TEST(test_try_execute_refuses_exactly_beyond_the_bound)
{
    struct latch latch;
    for (size_t capacity = 1; capacity <= 8; capacity *= 2) {
        _Atomic unsigned count = 0;
        galley_pool *pool = pool_all_busy(2, capacity, &latch);
        for (size_t i = 0; i < capacity; i++) {
            EXPECT_INT(galley_pool_try_execute(pool, count_job, &count), 0);
        }
        EXPECT_INT(galley_pool_try_execute(pool, count_job, &count), GALLEY_EFULL);
        EXPECT_INT(galley_pool_try_execute(pool, count_job, &count), GALLEY_EFULL);
        EXPECT_INT(stats_of(pool).queued, capacity);
        EXPECT_INT(stats_of(pool).rejected, 2);
        EXPECT_INT(stats_of(pool).queue_peak, capacity);
        latch_release(&latch);
        latch_release(&latch);
        galley_pool_free(pool);
        EXPECT_INT(count, capacity); /* a refused job is not queued */
    }
}

TEST(test_execute_waits_for_room)
{
    struct latch latch;
    _Atomic unsigned count = 0;
    galley_pool *pool = pool_all_busy(1, 1, &latch);
    EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    struct submitter blocked[3];
    for (unsigned i = 0; i < 3; i++) {
        blocked[i] = (struct submitter){.pool = pool, .fn = count_job, .arg = &count};
        submitter_start(&blocked[i]);
    }
    await_blocked(pool, 3);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(!blocked[i].is_done);
    }
    latch_release(&latch);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_INT(submitter_join(&blocked[i]), 0);
    }
    galley_pool_free(pool);
    EXPECT_INT(count, 4);
}

/* With 16 slots two must be free, so that a stream of longer jobs is not a wake-up for each. The
 * slot is there for those who do not wait. */
TEST(test_who_waits_is_let_in_when_a_batch_of_slots_is_free)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(1, 16, &latch);
    for (unsigned i = 0; i < 16; i++) {
        EXPECT_INT(galley_pool_try_execute(pool, latch_job, &latch), 0);
    }
    _Atomic unsigned count = 0;
    struct submitter blocked = {.pool = pool, .fn = count_job, .arg = &count};
    submitter_start(&blocked);
    await_blocked(pool, 1);
    latch_release(&latch);
    latch_await(&latch); /* the second has begun: one slot is free */
    for (unsigned i = 0; i < 20; i++) {
        nap();
    }
    EXPECT(!blocked.is_done);
    EXPECT_INT(stats_of(pool).queued, 15);
    latch_release(&latch);
    EXPECT_INT(submitter_join(&blocked), 0);
    for (unsigned i = 0; i < 15; i++) {
        latch_release(&latch);
    }
    galley_pool_free(pool);
    EXPECT_INT(count, 1);
}

TEST(test_a_closed_pool_refuses)
{
    _Atomic unsigned count = 0;
    galley_job job = {.run = count_job, .arg = &count};
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(galley_pool_execute(pool, count_job, &count), GALLEY_ECLOSED);
    EXPECT_INT(galley_pool_try_execute(pool, count_job, &count), GALLEY_ECLOSED);
    EXPECT_INT(galley_pool_submit(pool, &job, 1, GALLEY_FOREVER), GALLEY_ECLOSED);
    EXPECT_INT(stats_of(pool).rejected, 3);
    galley_pool_free(pool);
    EXPECT_INT(count, 0);
}

TEST(test_arguments_out_of_range_are_refused)
{
    galley_pool *pool = pool_of(1, 4);
    galley_job jobs[2] = {{.run = nothing}, {.run = NULL}};
    EXPECT_INT(galley_pool_execute(NULL, nothing, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_execute(pool, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_try_execute(NULL, nothing, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_try_execute(pool, NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_submit(NULL, jobs, 1, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_submit(pool, NULL, 1, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_submit(pool, jobs, SIZE_MAX, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_submit(pool, jobs, 2, 0), GALLEY_EINVAL);
    jobs[1] = (galley_job){.run = nothing, .reserved = 1};
    EXPECT_INT(galley_pool_submit(pool, jobs, 2, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_submit(pool, NULL, 0, 0), 0);
    EXPECT_INT(stats_of(pool).accepted, 0); /* not even the good one of the two */
    galley_pool_free(pool);
}

TEST(test_submit_takes_what_fits_and_says_how_much)
{
    struct latch latch;
    _Atomic unsigned count = 0;
    galley_job jobs[10];
    for (unsigned i = 0; i < 10; i++) {
        jobs[i] = (galley_job){.run = count_job, .arg = &count};
    }
    galley_pool *pool = pool_all_busy(1, 8, &latch);
    EXPECT_INT(galley_pool_submit(pool, jobs, 10, 0), 8);
    EXPECT_INT(galley_pool_submit(pool, jobs, 10, 0), GALLEY_EFULL);
    EXPECT_INT(galley_pool_submit(pool, jobs, 10, 5), GALLEY_ETIMEDOUT);
    EXPECT_INT(stats_of(pool).rejected, 22);
    latch_release(&latch);
    EXPECT_INT(galley_pool_submit(pool, jobs, 10, GALLEY_FOREVER), 10);
    galley_pool_free(pool);
    EXPECT_INT(count, 18);
}

TEST(test_submit_waits_for_room_for_more_jobs_than_the_queue_holds)
{
    _Atomic unsigned count = 0;
    galley_job jobs[1000];
    for (unsigned i = 0; i < 1000; i++) {
        jobs[i] = (galley_job){.run = count_job, .arg = &count};
    }
    galley_pool *pool = pool_of(2, 4);
    EXPECT_INT(galley_pool_submit(pool, jobs, 1000, GALLEY_FOREVER), 1000);
    EXPECT_INT(galley_pool_submit(pool, jobs, 1000, INT64_MAX), 1000);
    galley_pool_free(pool);
    EXPECT_INT(count, 2000);
}

/* ---- on a worker of the same pool ---- */

struct inside {
    galley_pool *pool;
    int execute, waited, shut, waiting_many;
    unsigned accepted;
};

static void fill_from_inside(void *arg)
{
    struct inside *inside = arg;
    galley_job job = {.run = nothing};
    while ((inside->execute = galley_pool_execute(inside->pool, nothing, NULL)) == 0) {
        inside->accepted++;
    }
    inside->waiting_many = (int)galley_pool_submit(inside->pool, &job, 1, GALLEY_FOREVER);
    inside->waited = galley_pool_wait(inside->pool, GALLEY_FOREVER);
    inside->shut = galley_pool_shutdown(inside->pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL);
}

TEST(test_a_worker_never_blocks_on_its_own_pool)
{
    struct inside inside = {.pool = pool_of(1, 4)};
    EXPECT_INT(galley_pool_execute(inside.pool, fill_from_inside, &inside), 0);
    EXPECT_INT(galley_pool_wait(inside.pool, GALLEY_FOREVER), 0);
    EXPECT_INT(inside.accepted, 4);
    EXPECT_INT(inside.execute, GALLEY_EFULL);
    EXPECT_INT(inside.waiting_many, GALLEY_EFULL);
    EXPECT_INT(inside.waited, GALLEY_EDEADLK);
    EXPECT_INT(inside.shut, GALLEY_EDEADLK);
    EXPECT_INT(galley_pool_execute(inside.pool, nothing, NULL), 0); /* nothing was closed */
    galley_pool_free(inside.pool);
}

struct elsewhere {
    galley_pool *other;
    int result;
};

static void submit_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;
    for (unsigned i = 0; i < 50 && elsewhere->result == 0; i++) {
        elsewhere->result = galley_pool_execute(elsewhere->other, nothing, NULL);
    }
}

TEST(test_a_worker_of_another_pool_waits_for_room_like_anybody)
{
    struct elsewhere elsewhere = {.other = pool_of(1, 1)};
    galley_pool *pool = pool_of(1, 1);
    EXPECT_INT(galley_pool_execute(pool, submit_elsewhere, &elsewhere), 0);
    galley_pool_free(pool);
    EXPECT_INT(elsewhere.result, 0);
    EXPECT_INT(stats_of(elsewhere.other).accepted, 50);
    galley_pool_free(elsewhere.other);
}

/* ---- expiry ---- */

struct fate {
    _Atomic unsigned ran, dropped;
    _Atomic int why;
};

static void fate_run(void *arg)
{
    ((struct fate *)arg)->ran++;
}

static void fate_drop(void *arg, int why)
{
    ((struct fate *)arg)->dropped++;
    ((struct fate *)arg)->why = why;
}

TEST(test_a_job_whose_time_is_up_is_dropped_not_run)
{
    struct latch latch;
    struct fate late = {0}, in_time = {0}, without_drop = {0};
    galley_pool *pool = pool_all_busy(1, 8, &latch);
    int64_t now = galley_now_ms();
    galley_job jobs[] = {
        {.run = fate_run, .drop = fate_drop, .arg = &late, .expires_ms = now + 1},
        {.run = fate_run, .drop = fate_drop, .arg = &in_time, .expires_ms = now + 1000000},
        {.run = fate_run, .arg = &without_drop, .expires_ms = -1},
    };
    EXPECT_INT(galley_pool_submit(pool, jobs, 3, 0), 3);
    AWAIT(galley_now_ms() > now + 1);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(late.ran, 0);
    EXPECT_INT(late.dropped, 1);
    EXPECT_INT(late.why, GALLEY_DROP_EXPIRED);
    EXPECT_INT(in_time.ran, 1);
    EXPECT_INT(in_time.dropped, 0);
    EXPECT_INT(without_drop.ran, 0);
    EXPECT_INT(stats_of(pool).expired, 2);
    EXPECT_INT(stats_of(pool).dropped, 0);
    EXPECT_INT(stats_of(pool).finished, 2);
    galley_pool_free(pool);
}

/* ---- overload: twice as much as the workers can do ---- */

TEST(test_under_overload_the_queue_stays_bounded_and_the_rest_is_refused_at_once)
{
    struct latch latch;
    _Atomic unsigned count = 0;
    unsigned accepted = 0, refused = 0;
    galley_pool *pool = pool_all_busy(2, 64, &latch);
    for (unsigned i = 0; i < 1000; i++) {
        int rc = galley_pool_try_execute(pool, count_job, &count);
        EXPECT(rc == 0 || rc == GALLEY_EFULL);
        accepted += rc == 0;
        refused += rc != 0;
        EXPECT(stats_of(pool).queued <= 64);
    }
    EXPECT_INT(accepted, 64);
    EXPECT_INT(refused, 936);
    latch_release(&latch);
    latch_release(&latch);
    galley_pool_free(pool);
    EXPECT_INT(count, 64);
}
