/* tests/unit/pool/test_pool_look.c — statistics, the worker table, the observer, and what a job
 * knows of itself. */
#include "support_pool.h"

static void nothing(void *arg)
{
    (void)arg;
}

TEST(test_the_numbers_add_up)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(2, 4, &latch);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), 0);
    }
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), GALLEY_EFULL);
    galley_pool_stats stats = stats_of(pool);
    EXPECT_INT(stats.threads, 2);
    EXPECT_INT(stats.running, 2);
    EXPECT_INT(stats.sleeping, 0);
    EXPECT_INT(stats.queued, 4);
    EXPECT_INT(stats.queue_peak, 4);
    EXPECT_INT(stats.accepted, 6);
    EXPECT_INT(stats.finished, 0);
    EXPECT_INT(stats.rejected, 1);
    EXPECT_INT(stats.wait_ns + stats.run_ns, 0); /* no times are kept unless asked for */
    latch_release(&latch);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    AWAIT(stats_of(pool).sleeping == 2);
    stats = stats_of(pool);
    EXPECT_INT(stats.finished, 6);
    EXPECT_INT(stats.running, 0);
    EXPECT_INT(stats.queued, 0);
    EXPECT_INT(stats.queue_peak, 4);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0); /* both sleep: one must be woken */
    AWAIT(stats_of(pool).finished == 7);
    EXPECT(stats_of(pool).wakeups >= 1);
    EXPECT_INT(stats.replaced, 0);
    galley_pool_free(pool);
}

TEST(test_a_pool_is_full_when_its_queue_is)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(1, 2, &latch);
    EXPECT_INT(galley_pool_is_full(NULL), 0);
    EXPECT_INT(galley_pool_is_full(pool), 0);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), 0);
    EXPECT_INT(galley_pool_is_full(pool), 0);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), 0);
    EXPECT_INT(galley_pool_is_full(pool), 1);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), GALLEY_EFULL);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(galley_pool_is_full(pool), 0);
    galley_pool_free(pool);
}

TEST(test_stats_check_their_arguments_and_respect_an_older_struct)
{
    galley_pool *pool = pool_of(1, 0);
    galley_pool_stats stats;
    memset(&stats, 0x55, sizeof stats);
    stats.size = 0;
    EXPECT_INT(galley_pool_get_stats(pool, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_get_stats(NULL, &stats), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_get_stats(pool, &stats), GALLEY_EINVAL);
    stats.size = offsetof(galley_pool_stats, queued);
    EXPECT_INT(galley_pool_get_stats(pool, &stats), 0);
    EXPECT_INT(stats.threads, 1);
    EXPECT_INT(stats.queued, (size_t)UINT64_C(0x5555555555555555));
    galley_pool_free(pool);
}

TEST(test_timing_sums_waits_and_runs)
{
    struct latch latch;
    latch_init(&latch);
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 1;
    options.flags = GALLEY_POOL_TIMING;
    galley_pool *pool = galley_pool_open(&options, NULL);
    EXPECT(pool != NULL);
    EXPECT_INT(galley_pool_execute(pool, latch_job, &latch), 0);
    latch_await(&latch);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    for (int64_t start = galley_now_ms(); galley_now_ms() < start + 3;) {
        nap();
    }
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT(stats_of(pool).run_ns >= 2000000);  /* the first ran that long ... */
    EXPECT(stats_of(pool).wait_ns >= 2000000); /* ... and the second waited for it */
    galley_pool_free(pool);
}

TEST(test_the_worker_table_shows_who_does_what)
{
    struct latch latch;
    latch_init(&latch);
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 2;
    options.flags = GALLEY_POOL_TIMING;
    int64_t before = galley_now_ms();
    galley_pool *pool = galley_pool_open(&options, NULL);
    galley_job job = {.run = latch_job, .arg = &latch, .label = "resize"};
    EXPECT_INT(galley_pool_submit(pool, &job, 1, 0), 1);
    latch_await(&latch);
    AWAIT(stats_of(pool).sleeping == 1);
    galley_worker_info table[3];
    memset(table, 0x55, sizeof table);
    EXPECT_INT(galley_pool_get_workers(pool, table, 3, sizeof table[0]), 2);
    int busy = table[0].state == 2 ? 0 : 1;
    EXPECT_INT(table[busy].state, 2);
    EXPECT_TEXT(table[busy].label, "resize");
    EXPECT_INT(table[busy].job, 1);
    EXPECT_INT(table[busy].finished, 0);
    EXPECT(table[busy].since_ms >= before && table[busy].since_ms <= galley_now_ms());
    EXPECT_INT(table[!busy].state, 0);
    EXPECT(table[!busy].label == NULL);
    EXPECT_INT(table[!busy].job, 0);
    EXPECT(table[!busy].since_ms >= before);
    EXPECT_INT(table[2].state, 0x55555555); /* no third worker: not written */
    latch_release(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    EXPECT_INT(galley_pool_get_workers(pool, table, 3, sizeof table[0]), 2);
    EXPECT_INT(table[0].state, 3);
    EXPECT_INT(table[1].state, 3);
    EXPECT_INT(table[0].finished + table[1].finished, 1);
    galley_pool_free(pool);
}

TEST(test_the_worker_table_respects_the_callers_room)
{
    struct {
        galley_worker_info info;
        char more[8];
    } wide[2];
    galley_pool *pool = pool_of(3, 0);
    memset(wide, 0x55, sizeof wide);
    EXPECT_INT(galley_pool_get_workers(pool, &wide[0].info, 2, sizeof wide[0]), 3);
    EXPECT(wide[1].info.state == 0 || wide[1].info.state == 1);
    EXPECT_INT(wide[1].more[7], 0); /* fields of a newer program are zero */
    EXPECT_INT(galley_pool_get_workers(pool, NULL, 0, 0), 3);
    EXPECT_INT(galley_pool_get_workers(pool, NULL, 1, sizeof wide[0]), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_get_workers(pool, &wide[0].info, 1, 0), GALLEY_EINVAL);
    EXPECT_INT(galley_pool_get_workers(NULL, &wide[0].info, 1, sizeof wide[0]), GALLEY_EINVAL);
    galley_pool_free(pool);
}

/* ---- observer ---- */

enum { MAX_EVENTS = 256 };
struct event_log {
    pthread_mutex_t lock;
    galley_pool_event events[MAX_EVENTS];
    unsigned count;
};

static void note_event(void *ctx, const galley_pool_event *event)
{
    struct event_log *log = ctx;
    pthread_mutex_lock(&log->lock);
    if (log->count < MAX_EVENTS) {
        log->events[log->count++] = *event;
    }
    pthread_mutex_unlock(&log->lock);
}

static galley_pool *observed_pool(struct event_log *log, uint32_t observe, size_t queue_capacity)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    memset(log, 0, sizeof *log);
    pthread_mutex_init(&log->lock, NULL);
    options.threads = 1;
    options.queue_capacity = queue_capacity;
    options.observer = note_event;
    options.observer_ctx = log;
    options.observe = observe;
    galley_pool *pool = galley_pool_open(&options, NULL);
    EXPECT(pool != NULL);
    return pool;
}

static unsigned count_kind(const struct event_log *log, uint32_t kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < log->count; i++) {
        count += log->events[i].kind == kind;
    }
    return count;
}

TEST(test_the_observer_hears_every_kind_of_event)
{
    struct event_log log;
    struct latch latch;
    latch_init(&latch);
    galley_pool *pool = observed_pool(&log, 0, 2); /* 0: all */
    AWAIT(stats_of(pool).sleeping == 1);
    galley_job jobs[] = {{.run = latch_job, .arg = &latch, .label = "slow"}};
    EXPECT_INT(galley_pool_submit(pool, jobs, 1, 0), 1);
    latch_await(&latch);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), 0);
    galley_job expired = {.run = nothing, .expires_ms = -1, .label = "late"};
    EXPECT_INT(galley_pool_submit(pool, &expired, 1, 0), 1);
    EXPECT_INT(galley_pool_try_execute(pool, nothing, NULL), GALLEY_EFULL);
    latch_release(&latch);
    galley_pool_free(pool);
    EXPECT_INT(count_kind(&log, GALLEY_EV_ACCEPT), 3);
    EXPECT_INT(count_kind(&log, GALLEY_EV_START), 2);
    EXPECT_INT(count_kind(&log, GALLEY_EV_FINISH), 2);
    EXPECT_INT(count_kind(&log, GALLEY_EV_DROP), 1);
    EXPECT_INT(count_kind(&log, GALLEY_EV_REJECT), 1);
    EXPECT(count_kind(&log, GALLEY_EV_PARK) >= 1);
    EXPECT(count_kind(&log, GALLEY_EV_UNPARK) >= 1);
    EXPECT_INT(count_kind(&log, GALLEY_EV_THREAD_START), 1);
    EXPECT_INT(count_kind(&log, GALLEY_EV_THREAD_STOP), 1);
    for (unsigned i = 0; i < log.count; i++) {
        const galley_pool_event *event = &log.events[i];
        switch (event->kind) {
        case GALLEY_EV_ACCEPT:
            EXPECT_INT(event->worker, -1);
            break;
        case GALLEY_EV_FINISH:
            EXPECT_INT(event->worker, 0);
            EXPECT(event->run_ns >= 0 && event->wait_ns >= 0);
            break;
        case GALLEY_EV_DROP:
            EXPECT_TEXT(event->label, "late");
            EXPECT_INT(event->job, 3);
            EXPECT_INT(event->why, GALLEY_DROP_EXPIRED);
            EXPECT(event->wait_ns >= 0);
            break;
        case GALLEY_EV_REJECT:
            EXPECT_INT(event->job, 0);
            EXPECT_INT(event->why, GALLEY_EFULL);
            EXPECT_INT(event->queued, 2);
            break;
        default:
            break;
        }
    }
}

TEST(test_a_job_is_told_accepted_started_finished_in_this_order)
{
    struct event_log log;
    galley_pool *pool =
        observed_pool(&log, GALLEY_EV_ACCEPT | GALLEY_EV_START | GALLEY_EV_FINISH, 8);
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    }
    galley_pool_free(pool);
    EXPECT_INT(log.count, 150);
    unsigned stage[51] = {0};
    for (unsigned i = 0; i < log.count; i++) {
        static const uint32_t kinds[] = {GALLEY_EV_ACCEPT, GALLEY_EV_START, GALLEY_EV_FINISH};
        const galley_pool_event *event = &log.events[i];
        EXPECT(event->job >= 1 && event->job <= 50);
        EXPECT_INT(event->kind, kinds[stage[event->job]++]);
    }
}

TEST(test_the_observer_hears_only_what_it_asked_for)
{
    struct event_log log;
    galley_pool *pool = observed_pool(&log, GALLEY_EV_DROP, 8);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    galley_pool_free(pool);
    EXPECT_INT(log.count, 0);
}

TEST(test_a_job_dropped_by_a_discard_is_told_with_no_worker)
{
    struct event_log log;
    struct latch latch;
    latch_init(&latch);
    galley_pool *pool = observed_pool(&log, GALLEY_EV_DROP, 8);
    EXPECT_INT(galley_pool_execute(pool, latch_job, &latch), 0);
    latch_await(&latch);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DISCARD, 0, NULL), GALLEY_ETIMEDOUT);
    EXPECT_INT(log.count, 1);
    EXPECT_INT(log.events[0].worker, -1);
    EXPECT_INT(log.events[0].why, GALLEY_DROP_SHUTDOWN);
    latch_release(&latch);
    galley_pool_free(pool);
}

/* ---- inside a job ---- */

struct self {
    int index;
    galley_pool *pool;
    bool stop_before, stop_raised;
    const galley_stop_flag *flag_found;
};

static void look_at_self(void *arg)
{
    struct self *self = arg;
    static galley_stop_flag raised, calm;
    galley_stop_flag_raise(&raised);
    self->index = galley_worker_index();
    self->pool = galley_worker_pool();
    self->flag_found = galley_stop_flag_watch(&calm);
    self->stop_before = galley_should_stop();
    EXPECT(galley_stop_flag_watch(&raised) == &calm);
    self->stop_raised = galley_should_stop();
    /* left set: the worker must clear it */
}

TEST(test_a_job_knows_its_worker_and_hears_its_owner)
{
    galley_pool *pool = pool_of(1, 0);
    for (unsigned round = 0; round < 2; round++) {
        struct self self = {0};
        EXPECT_INT(galley_pool_execute(pool, look_at_self, &self), 0);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        EXPECT_INT(self.index, 0);
        EXPECT(self.pool == pool);
        EXPECT(!self.stop_before);
        EXPECT(self.stop_raised);
        EXPECT(self.flag_found == NULL); /* nothing left over from the job before */
    }
    galley_pool_free(pool);
}

TEST(test_other_threads_are_no_workers)
{
    galley_stop_flag raised = {0};
    galley_stop_flag_raise(&raised);
    galley_stop_flag_raise(NULL);
    EXPECT_INT(galley_worker_index(), -1);
    EXPECT(galley_worker_pool() == NULL);
    EXPECT(!galley_should_stop());
    EXPECT(galley_stop_flag_watch(&raised) == NULL); /* a loop runs handlers too */
    EXPECT(galley_should_stop());
    EXPECT(galley_stop_flag_watch(NULL) == &raised);
    EXPECT(!galley_should_stop());
}

TEST(test_a_plan_says_what_a_pool_would_take)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    galley_pool_plan plan = {.size = sizeof plan};
    options.threads = 3;
    options.queue_capacity = 1000;
    options.stack_size = 512 * 1024;
    EXPECT_INT(galley_pool_get_plan(&options, &plan), 0);
    EXPECT_INT(plan.threads, 3);
    EXPECT_INT(plan.queue_capacity, 1024);
    EXPECT_INT(plan.stack_bytes, 3 * 512 * 1024);
    uint64_t slots = 1024 * 64; /* and a deque for each worker and guest */
    EXPECT(plan.memory_bytes >= slots && plan.memory_bytes < 2 * slots);

    galley_pool_plan usual = {.size = sizeof usual};
    EXPECT_INT(galley_pool_get_plan(NULL, &usual), 0);
    EXPECT(usual.threads >= 1 && usual.queue_capacity == 4096);
}

TEST(test_a_plan_of_what_cannot_be_made_is_refused)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    galley_pool_plan plan = {.size = sizeof plan};
    EXPECT_INT(galley_pool_get_plan(NULL, NULL), GALLEY_EINVAL);
    options.threads = 1000000;
    EXPECT_INT(galley_pool_get_plan(&options, &plan), GALLEY_EINVAL);
    plan.size = 0;
    EXPECT_INT(galley_pool_get_plan(NULL, &plan), GALLEY_EINVAL);
}
