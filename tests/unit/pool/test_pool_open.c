/* tests/unit/pool/test_pool_open.c — making a pool: what is refused, what fails cleanly, what a
 * worker's thread is like. */
#include "support_pool.h"

#include "base/alloc.h"
#include "pool/pool_state.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

TEST(test_a_pool_of_zero_threads_is_an_error_with_a_sentence)
{
    galley_error err = {0};
    EXPECT(galley_pool_new(0, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "a pool needs at least one thread, 0 were asked for");
    EXPECT(galley_pool_new(0, NULL) == NULL);
}

TEST(test_a_pool_has_exactly_the_threads_asked_for)
{
    for (unsigned n = 1; n <= 5; n++) {
        galley_pool *pool = galley_pool_new(n, NULL);
        EXPECT(pool != NULL);
        EXPECT_INT(stats_of(pool).threads, n);
        EXPECT_INT(stats_of(pool).queue_capacity, 4096);
        galley_pool_free(pool);
    }
}

TEST(test_without_options_there_is_at_least_one_worker)
{
    galley_pool *pool = galley_pool_open(NULL, NULL);
    EXPECT(pool != NULL);
    EXPECT(stats_of(pool).threads >= 1);
    galley_pool_free(pool);
}

TEST(test_pools_of_64_threads_come_and_go)
{
    for (unsigned round = 0; round < 10; round++) {
        _Atomic unsigned count = 0;
        galley_pool *pool = pool_of(64, 0);
        for (unsigned i = 0; i < 100; i++) {
            EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
        }
        galley_pool_free(pool);
        EXPECT_INT(count, 100);
    }
}

TEST(test_two_pools_do_not_know_each_other)
{
    struct latch latch;
    _Atomic unsigned count = 0;
    galley_pool *busy = pool_all_busy(1, 1, &latch);
    galley_pool *other = pool_of(1, 1);
    EXPECT_INT(galley_pool_execute(other, count_job, &count), 0);
    galley_pool_free(other);
    EXPECT_INT(count, 1);
    latch_release(&latch);
    galley_pool_free(busy);
}

static void expect_refused(galley_pool_options options, const char *word)
{
    galley_error err = {0};
    EXPECT(galley_pool_open(&options, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    if (!strstr(err.message, word)) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not speak of %s", err.message, word);
    }
}

TEST(test_every_senseless_option_is_refused_by_name)
{
    const galley_pool_options init = GALLEY_POOL_OPTIONS_INIT;
    const int negative = -1, huge = 100000;
    galley_pool_options options = init;
    options.size = 0;
    expect_refused(options, "size");
    options = init;
    options.threads = 32768;
    expect_refused(options, "threads is 32768");
    options = init;
    options.threads = 2;
    options.min_threads = 3;
    expect_refused(options, "min_threads");
    options = init;
    options.queue_capacity = SIZE_MAX;
    expect_refused(options, "queue_capacity");
    options = init;
    options.stack_size = SIZE_MAX;
    expect_refused(options, "stack_size");
    options = init;
    options.flags = 1u << 31;
    expect_refused(options, "flags");
    options = init;
    options.observe = 1u << 31;
    expect_refused(options, "observe");
    options = init;
    options.cpu_count = 1;
    expect_refused(options, "cpus");
    options.cpus = &negative;
    expect_refused(options, "CPU -1");
    options.cpus = &huge;
    expect_refused(options, "CPU 100000");
}

TEST(test_options_of_an_older_or_newer_program)
{
    struct {
        galley_pool_options options;
        char tail[16];
    } newer = {.options = GALLEY_POOL_OPTIONS_INIT};
    newer.options.threads = 2;
    newer.options.size = sizeof newer;
    galley_pool *pool = galley_pool_open(&newer.options, NULL);
    EXPECT(pool != NULL); /* asks for nothing that is unknown */
    galley_pool_free(pool);
    newer.tail[15] = 1;
    galley_error err = {0};
    EXPECT(galley_pool_open(&newer.options, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT(strstr(err.message, "newer") != NULL);

    galley_pool_options older = GALLEY_POOL_OPTIONS_INIT;
    older.size = offsetof(galley_pool_options, min_threads);
    older.threads = 3;
    older.min_threads = 99; /* beyond what the older program knows */
    pool = galley_pool_open(&older, NULL);
    EXPECT_INT(stats_of(pool).threads, 3);
    galley_pool_free(pool);
}

TEST(test_the_queue_capacity_is_rounded_up_to_a_power_of_two)
{
    static const size_t rows[][2] = {{1, 1},     {2, 2},       {3, 4},
                                     {100, 128}, {4096, 4096}, {4097, 8192}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        galley_pool *pool = pool_of(1, rows[i][0]);
        EXPECT_INT(stats_of(pool).queue_capacity, rows[i][1]);
        galley_pool_free(pool);
    }
}

/* ---- threads that cannot be made ---- */

static _Atomic unsigned threads_left;
static _Atomic unsigned callbacks;

static int create_some(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                       void *arg)
{
    if (threads_left == 0) {
        return EAGAIN;
    }
    threads_left--;
    return pthread_create(thread, attributes, run, arg);
}

static void count_callback(unsigned index, void *ctx)
{
    (void)index;
    (void)ctx;
    callbacks++;
}

static galley_pool *pool_with_threads_up_to(unsigned limit, unsigned threads, unsigned min_threads,
                                            galley_error *err)
{
    struct pool_config config;
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = threads;
    options.min_threads = min_threads;
    options.thread_start = count_callback;
    EXPECT_INT(pool_config_from_options(&config, &options, 2, err), 0);
    config.create_thread = create_some;
    threads_left = limit;
    return pool_create(&config, err);
}

TEST(test_when_the_nth_thread_fails_nothing_is_left_behind)
{
    for (unsigned limit = 0; limit < 8; limit++) {
        galley_error err = {0};
        EXPECT(pool_with_threads_up_to(limit, 8, 0, &err) ==
               NULL); /* the harness looks for threads and blocks */
        EXPECT_INT(err.code, GALLEY_ESYS);
        EXPECT_INT(err.sys_errno, EAGAIN);
        char sentence[128];
        snprintf(sentence, sizeof sentence,
                 "pool \"galley\": start thread %u of 8: Resource temporarily unavailable",
                 limit + 1);
        EXPECT_TEXT(err.message, sentence);
    }
    EXPECT_INT(callbacks, 0);
}

TEST(test_min_threads_is_content_with_fewer)
{
    galley_error err = {0};
    EXPECT(pool_with_threads_up_to(2, 8, 3, &err) == NULL);
    EXPECT_INT(err.sys_errno, EAGAIN);
    EXPECT(pool_with_threads_up_to(0, 8, 1, &err) == NULL);
    galley_pool *pool = pool_with_threads_up_to(3, 8, 3, &err);
    EXPECT(pool != NULL);
    EXPECT_INT(stats_of(pool).threads, 3);
    _Atomic unsigned count = 0;
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    }
    galley_pool_free(pool);
    EXPECT_INT(count, 50);
    EXPECT_INT(callbacks, 3);
}

TEST(test_every_allocation_may_fail)
{
    bool happened = true;
    for (uint64_t n = 1; happened; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        galley_pool *pool = galley_pool_new(2, &err);
        happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT((pool == NULL) == happened);
        if (happened) {
            EXPECT_INT(err.code, GALLEY_ENOMEM);
            EXPECT(strstr(err.message, "out of memory") != NULL);
        }
        galley_pool_free(pool);
        EXPECT(n < 20);
    }
}

/* ---- what a worker's thread is like ---- */

struct look {
    char name[32];
    sigset_t mask;
    size_t stack_size;
    int cancel_state;
    int cpus;
};

static void look_around(void *arg)
{
    struct look *look = arg;
    pthread_attr_t attributes;
    cpu_set_t set;
    pthread_getname_np(pthread_self(), look->name, sizeof look->name);
    pthread_sigmask(SIG_BLOCK, NULL, &look->mask);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &look->stack_size);
    pthread_attr_destroy(&attributes);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &look->cancel_state);
    pthread_getaffinity_np(pthread_self(), sizeof set, &set);
    look->cpus = CPU_COUNT(&set);
}

static struct look look_with(galley_pool_options options)
{
    struct look look;
    memset(&look, 0, sizeof look);
    galley_error err;
    options.threads = options.threads ? options.threads : 1;
    galley_pool *pool = galley_pool_open(&options, &err);
    EXPECT(pool != NULL);
    EXPECT_INT(galley_pool_execute(pool, look_around, &look), 0);
    galley_pool_free(pool);
    return look;
}

TEST(test_threads_are_named_after_the_pool_and_their_index)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    EXPECT_TEXT(look_with(options).name, "galley-0");
    options.name = "thumbnails-of-cats";
    EXPECT_TEXT(look_with(options).name, "thumbnails-of-0");
    options.name = "";
    EXPECT_TEXT(look_with(options).name, "galley-0");
}

TEST(test_workers_block_all_signals_but_faults_and_the_opener_keeps_its_mask)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    static const int blocked[] = {SIGTERM, SIGINT,  SIGHUP,  SIGUSR1, SIGUSR2,
                                  SIGCHLD, SIGPIPE, SIGALRM, SIGPROF};
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    struct look look = look_with(options);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    EXPECT(sigismember(&after, SIGUSR2) && !sigismember(&after, SIGTERM));
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        EXPECT(!sigismember(&look.mask, faults[i]));
    }
    for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
        EXPECT(sigismember(&look.mask, blocked[i]));
    }
}

TEST(test_the_stack_is_2_mib_or_what_was_asked_for)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.stack_size = 512 * 1024 - 1; /* rounded up to pages */
    size_t small = look_with(options).stack_size;
    EXPECT(small >= 512 * 1024 && small < 1024 * 1024); /* a sanitizer adds some */
    options.stack_size = 0; /* after the small one: the C library keeps stacks to use them again */
    size_t usual = look_with(options).stack_size;
    EXPECT(usual >= 2 * 1024 * 1024);
    options.stack_size = 1; /* raised to the minimum */
    EXPECT(look_with(options).stack_size >= (size_t)sysconf(_SC_THREAD_STACK_MIN));
}

TEST(test_cancellation_is_disabled)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    EXPECT_INT(look_with(options).cancel_state, PTHREAD_CANCEL_DISABLE);
}

TEST(test_workers_are_pinned_to_the_cpus_given)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    int cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &set)) {
        cpu++;
    }
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.cpus = &cpu;
    options.cpu_count = 1;
    options.threads = 3;
    EXPECT_INT(look_with(options).cpus, 1);
}

TEST(test_a_cpu_that_does_not_exist_is_an_error_and_leaves_nothing)
{
    int cpus[] = {0, 8000};
    galley_error err = {0};
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    while (!CPU_ISSET((size_t)cpus[0], &set)) {
        cpus[0]++;
    }
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.cpus = cpus;
    options.cpu_count = 2;
    options.threads = 4;
    EXPECT(galley_pool_open(&options, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT_TEXT(err.message, "pool \"galley\": pin thread 1 to CPU 8000: Invalid argument");
}

struct callback_log {
    _Atomic unsigned started, stopped;
    _Atomic bool is_self_known;
};

static void on_start(unsigned index, void *ctx)
{
    struct callback_log *log = ctx;
    log->started++;
    log->is_self_known = galley_worker_index() == (int)index;
}

static void on_stop(unsigned index, void *ctx)
{
    struct callback_log *log = ctx;
    log->stopped++;
    log->is_self_known = log->is_self_known && galley_worker_index() == (int)index;
}

TEST(test_start_and_stop_callbacks_run_once_on_each_worker)
{
    struct callback_log log = {0};
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 4;
    options.thread_start = on_start;
    options.thread_stop = on_stop;
    options.thread_ctx = &log;
    galley_pool *pool = galley_pool_open(&options, NULL);
    EXPECT(pool != NULL);
    galley_pool_free(pool);
    EXPECT_INT(log.started, 4);
    EXPECT_INT(log.stopped, 4);
    EXPECT(log.is_self_known);
}

TEST(test_spinning_is_off_on_few_cpus_and_under_a_quota)
{
    static const struct {
        unsigned cpus, threads;
        uint32_t asked_us;
        int64_t spin_ns;
    } rows[] = {
        {1, 1, 50, 0},     {2, 2, 50, 0},         {4, 4, 0, 20000},
        {4, 4, 50, 50000}, {4, 4, UINT32_MAX, 0}, {4, 8, 50, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pool_config config;
        galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
        options.threads = rows[i].threads;
        options.spin_us = rows[i].asked_us;
        EXPECT_INT(pool_config_from_options(&config, &options, rows[i].cpus, NULL), 0);
        EXPECT_INT(config.spin_ns, rows[i].spin_ns);
    }
}

TEST(test_a_pool_that_spins_runs_its_jobs_and_ends)
{
    struct pool_config config;
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    _Atomic unsigned count = 0;
    options.threads = 2;
    EXPECT_INT(pool_config_from_options(&config, &options, 8, NULL), 0);
    EXPECT(config.spin_ns > 0);
    galley_pool *pool = pool_create(&config, NULL);
    EXPECT(pool != NULL);
    for (unsigned i = 0; i < 500; i++) {
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
        if (i % 50 == 0) {
            nap();
        }
    }
    galley_pool_free(pool);
    EXPECT_INT(count, 500);
}

TEST(test_the_cgroup_is_asked_only_when_its_answer_matters)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    EXPECT(pool_config_needs_quota(NULL, 2));
    EXPECT(pool_config_needs_quota(&options, 2)); /* how many threads? */
    options.threads = 4;
    EXPECT(!pool_config_needs_quota(&options, 2)); /* never spins there */
    EXPECT(!pool_config_needs_quota(&options, 3));
    EXPECT(pool_config_needs_quota(&options, 4));
    options.spin_us = UINT32_MAX;
    EXPECT(!pool_config_needs_quota(&options, 4));
    options.size = 1;
    EXPECT(pool_config_needs_quota(&options, 4)); /* refused anyway */
}
