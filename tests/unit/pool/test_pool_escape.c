/* tests/unit/pool/test_pool_escape.c — jobs that do what they must not (end their thread), and
 * fork(). */
#include "support_pool.h"

#include "base/alloc.h"
#include "pool/pool_state.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

static void nothing(void *arg)
{
    (void)arg;
}

static void end_thread(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

TEST(test_a_worker_whose_thread_was_ended_by_a_job_is_replaced)
{
    _Atomic unsigned count = 0;
    galley_pool *pool = pool_of(1, 64);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_INT(galley_pool_execute(pool, end_thread, NULL), 0);
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    }
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(count, 20);
    EXPECT_INT(stats_of(pool).finished, 40);
    EXPECT_INT(stats_of(pool).replaced, 20);
    EXPECT_INT(stats_of(pool).threads, 1);
    galley_pool_free(pool);
}

static void look_at_mask(void *ret_mask)
{
    pthread_sigmask(SIG_BLOCK, NULL, ret_mask);
}

static void unmask_and_end(void *arg)
{
    sigset_t none;
    (void)arg;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    pthread_exit(NULL);
}

TEST(test_a_replaced_thread_blocks_signals_like_the_first)
{
    sigset_t mask;
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_execute(pool, unmask_and_end, NULL), 0);
    EXPECT_INT(galley_pool_execute(pool, look_at_mask, &mask), 0);
    galley_pool_free(pool);
    EXPECT(sigismember(&mask, SIGTERM));
    EXPECT(!sigismember(&mask, SIGSEGV));
}

static _Atomic bool no_more_threads;

static int create_while_allowed(pthread_t *thread, const pthread_attr_t *attributes,
                                void *(*run)(void *), void *arg)
{
    return no_more_threads ? EAGAIN : pthread_create(thread, attributes, run, arg);
}

TEST(test_when_no_new_thread_can_be_had_the_old_one_goes_on)
{
    struct pool_config config;
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    _Atomic unsigned count = 0;
    if (UNDER_TSAN) {
        test_skip("ThreadSanitizer loses count of a thread that ends more than once");
    }
    options.threads = 1;
    EXPECT_INT(pool_config_from_options(&config, &options, 1, NULL), 0);
    config.create_thread = create_while_allowed;
    galley_pool *pool = pool_create(&config, NULL);
    EXPECT(pool != NULL);
    no_more_threads = true;
    for (unsigned i = 0; i < 5; i++) {
        EXPECT_INT(galley_pool_execute(pool, end_thread, NULL), 0);
        EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    }
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    no_more_threads = false; /* back to normal */
    EXPECT_INT(galley_pool_execute(pool, end_thread, NULL), 0);
    EXPECT_INT(galley_pool_execute(pool, count_job, &count), 0);
    galley_pool_free(pool);
    EXPECT_INT(count, 6);
}

static void drop_and_end(void *arg, int why)
{
    (void)arg;
    (void)why;
    pthread_exit(NULL);
}

TEST(test_a_drop_callback_that_ends_the_thread_is_counted_too)
{
    galley_pool *pool = pool_of(1, 0);
    galley_job job = {.run = nothing, .drop = drop_and_end, .expires_ms = -1};
    EXPECT_INT(galley_pool_submit(pool, &job, 1, 0), 1);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(stats_of(pool).expired, 1);
    EXPECT_INT(stats_of(pool).replaced, 1);
    galley_pool_free(pool);
}

static void stop_and_end(unsigned index, void *ctx)
{
    (void)index;
    (void)ctx;
    pthread_exit(NULL);
}

TEST(test_a_stop_callback_that_ends_the_thread_ends_the_worker_all_the_same)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = 2;
    options.thread_stop = stop_and_end;
    galley_pool *pool = galley_pool_open(&options, NULL);
    EXPECT(pool != NULL);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    galley_pool_free(pool);
}

static void end_when_released(void *latch)
{
    latch_job(latch);
    pthread_exit(NULL);
}

TEST(test_a_job_that_ends_its_thread_after_detach_or_during_shutdown)
{
    struct latch latch;
    int64_t blocks = 0;
    latch_init(&latch);
    galley_pool *pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_execute(pool, end_when_released, &latch), 0);
    latch_await(&latch);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, 0, NULL), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    galley_pool_free(pool);

    blocks = mem_live_blocks();
    pool = pool_of(1, 0);
    EXPECT_INT(galley_pool_execute(pool, end_when_released, &latch), 0);
    latch_await(&latch);
    galley_pool_detach(pool);
    latch_release(&latch);
    AWAIT(mem_live_blocks() == blocks);
}

/* ---- fork ---- */

/* Runs `check` in a forked child and expects it to return 0. */
static void in_child(galley_pool *pool, int (*check)(galley_pool *pool))
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(check(pool));
    }
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
}

static int check_every_call(galley_pool *pool)
{
    galley_pool_stats stats = {.size = sizeof stats};
    galley_worker_info info;
    galley_job job = {.run = nothing};
    if (galley_pool_execute(pool, nothing, NULL) != GALLEY_EFORKED ||
        galley_pool_try_execute(pool, nothing, NULL) != GALLEY_EFORKED ||
        galley_pool_submit(pool, &job, 1, 0) != GALLEY_EFORKED ||
        galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL) != GALLEY_EFORKED ||
        galley_pool_wait(pool, GALLEY_FOREVER) != GALLEY_EFORKED ||
        galley_pool_get_stats(pool, &stats) != GALLEY_EFORKED ||
        galley_pool_get_workers(pool, &info, 1, sizeof info) != GALLEY_EFORKED) {
        return 1;
    }
    galley_pool_free(pool); /* returns; releases the copy of the memory */
    return 0;
}

static int check_detach(galley_pool *pool)
{
    galley_pool_detach(pool);
    return 0;
}

static int check_new_pool(galley_pool *old)
{
    (void)old;
    _Atomic unsigned count = 0;
    galley_pool *pool = galley_pool_new(2, NULL);
    if (!pool || galley_pool_execute(pool, count_job, &count) != 0) {
        return 1;
    }
    galley_pool_free(pool);
    return count == 1 ? 0 : 2;
}

TEST(test_after_fork_the_childs_calls_say_so_and_the_parent_goes_on)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(2, 4, &latch);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    in_child(pool, check_every_call);
    in_child(pool, check_detach);
    latch_release(&latch);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(stats_of(pool).finished, 3);
    galley_pool_free(pool);
}

TEST(test_a_forked_child_may_make_a_pool_of_its_own)
{
    if (UNDER_TSAN || UNDER_ASAN) {
        test_skip("a sanitizer's allocator may be locked for ever in a forked child");
    }
    galley_pool *pool = pool_of(2, 0);
    in_child(pool, check_new_pool);
    galley_pool_free(pool);
}

struct forker {
    _Atomic pid_t child;
};

static void fork_and_return(void *arg)
{
    struct forker *forker = arg;
    pid_t pid = fork();
    if (pid == 0) {
        if (galley_worker_index() != -1 || galley_worker_pool() != NULL || galley_should_stop()) {
            _exit(3);
        }
        return; /* which a child must not do; it must not go on as a worker */
    }
    forker->child = pid;
}

TEST(test_a_child_that_returns_from_its_job_ends_and_runs_no_job_of_the_parent)
{
    struct latch latch;
    struct forker forker = {0};
    latch_init(&latch);
    static galley_pool *pool; /* static: the child's leak checker finds it */
    pool = pool_of(1, 8);
    EXPECT_INT(galley_pool_execute(pool, latch_job, &latch), 0);
    latch_await(&latch);
    EXPECT_INT(galley_pool_execute(pool, fork_and_return, &forker), 0);
    EXPECT_INT(galley_pool_execute(pool, nothing, NULL), 0);
    latch_release(&latch);
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    int status = 0;
    EXPECT_INT(waitpid(forker.child, &status, 0), forker.child);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
    galley_pool_free(pool);
}
