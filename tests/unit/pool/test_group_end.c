/* tests/unit/pool/test_group_end.c — groups that do not end in plain success: canceled, failed,
 * misused, on pools that are closed, discarded, given up, forked. */
#include "support_pool.h"

#include "base/alloc.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- cancel and fail ---- */

TEST(test_a_canceled_groups_tasks_are_skipped)
{
    struct latch latch;
    _Atomic unsigned ran = 0;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    galley_task tasks[3];
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &tasks[0], count_job, &ran);
    galley_group_spawn(&group, &tasks[1], count_job, &ran);
    galley_group_cancel(&group);
    galley_group_spawn(&group, &tasks[2], count_job, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_ECANCELED);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_ECANCELED); /* and stays so */
    EXPECT_INT(ran, 0);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &tasks[0], count_job, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 1);
    latch_release(&latch);
    galley_pool_free(pool);
}

struct failing {
    galley_group *group;
    _Atomic unsigned ran;
};

static void fail_once(void *arg)
{
    struct failing *self = arg;
    unsigned turn = atomic_fetch_add(&self->ran, 1);
    galley_group_fail(self->group, turn == 0 ? -1000 : -2000);
    EXPECT(galley_should_stop());
}

TEST(test_the_first_failure_is_the_groups_result_and_stops_the_rest)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    galley_task tasks[8];
    struct failing failing = {.group = &group};
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < 8; i++) {
        galley_group_spawn(&group, &tasks[i], fail_once, &failing);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), -1000);
    EXPECT_INT(failing.ran, 1);
    galley_group_init(&group, pool);
    galley_group_fail(&group, 7); /* no negative code */
    galley_group_cancel(&group);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    latch_release(&latch);
    galley_pool_free(pool);
}

static void until_unwanted(void *latch)
{
    sem_post(&((struct latch *)latch)->begun);
    AWAIT(galley_should_stop());
}

struct outer {
    galley_pool *pool;
    struct latch *latch;
};

static void until_unwanted_below(void *arg)
{
    struct outer *self = arg;
    galley_group group;
    galley_task task;
    galley_group_init(&group, self->pool);
    galley_group_spawn(&group, &task, until_unwanted, self->latch);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER),
               0); /* only the group around is canceled */
}

TEST(test_running_tasks_see_that_a_group_around_them_was_canceled)
{
    struct latch latch;
    galley_pool *pool = pool_of(2, 4);
    struct outer outer = {pool, &latch};
    galley_group group;
    galley_task tasks[2];
    latch_init(&latch);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &tasks[0], until_unwanted, &latch);
    galley_group_spawn(&group, &tasks[1], until_unwanted_below, &outer);
    latch_await(&latch);
    latch_await(&latch);
    EXPECT(!galley_should_stop());
    galley_group_cancel(&group);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_ECANCELED);
    EXPECT(!galley_should_stop());
    galley_pool_free(pool);
}

TEST(test_tasks_watch_the_flag_that_their_groups_owner_watches)
{
    struct latch latch;
    galley_stop_flag flag = {0};
    galley_pool *pool = pool_of(1, 4);
    galley_group group;
    galley_task task;
    latch_init(&latch);
    EXPECT(galley_stop_flag_watch(&flag) == NULL);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &task, until_unwanted, &latch);
    latch_await(&latch); /* on the worker */
    galley_stop_flag_raise(&flag);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT(galley_stop_flag_watch(NULL) == &flag);
    galley_pool_free(pool);
}

/* ---- misuse ---- */

TEST(test_missing_arguments_are_defined_errors)
{
    galley_pool *pool = pool_of(1, 4);
    galley_group group;
    galley_task task;
    _Atomic unsigned ran = 0;
    galley_group_init(NULL, pool);
    galley_group_spawn(NULL, &task, count_job, &ran);
    galley_group_cancel(NULL);
    galley_group_fail(NULL, -1);
    EXPECT_INT(galley_group_wait(NULL, 0), GALLEY_EINVAL);
    galley_group_init(&group, NULL);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    galley_group_init(&group, NULL);
    galley_group_spawn(&group, &task, count_job, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    memset(&group, 0, sizeof group); /* never initialised */
    galley_group_spawn(&group, &task, count_job, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, NULL, count_job, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &task, NULL, &ran);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_EINVAL);
    galley_group_init(&group, pool);
    EXPECT_INT(galley_group_wait(&group, 0), 0); /* nothing was spawned */
    EXPECT_INT(ran, 0);
    galley_pool_free(pool);
}

struct waiter {
    galley_pool *pool;
    galley_group *group;
    int result;
    int result_below;
};

static void wait_around(void *arg)
{
    struct waiter *self = arg;
    self->result_below = galley_group_wait(self->group, GALLEY_FOREVER);
}

static void wait_for_itself(void *arg)
{
    struct waiter *self = arg;
    galley_group inner;
    galley_task task;
    self->result = galley_group_wait(self->group, GALLEY_FOREVER);
    galley_group_init(&inner, self->pool);
    galley_group_spawn(&inner, &task, wait_around, self);
    EXPECT_INT(galley_group_wait(&inner, GALLEY_FOREVER), 0);
}

TEST(test_to_wait_for_a_group_from_inside_is_a_deadlock_that_is_told)
{
    struct latch latch;
    for (unsigned way = 0; way < 2; way++) { /* run by the owner; run by a worker */
        galley_pool *pool = way == 0 ? pool_all_busy(1, 4, &latch) : pool_of(1, 4);
        galley_group group;
        galley_task task;
        struct waiter waiter = {pool, &group, 1, 1};
        galley_group_init(&group, pool);
        galley_group_spawn(&group, &task, wait_for_itself, &waiter);
        AWAIT(way == 0 || stats_of(pool).stolen == 1);
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
        EXPECT_INT(waiter.result, GALLEY_EDEADLK);
        EXPECT_INT(waiter.result_below, GALLEY_EDEADLK);
        if (way == 0) {
            latch_release(&latch);
        }
        galley_pool_free(pool);
    }
}

TEST(test_only_the_owner_can_wait)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group, other;
    galley_task tasks[2];
    _Atomic unsigned ran = 0;
    struct waiter waiter = {pool, &group, 1, 1};
    galley_group_init(&group, pool);
    galley_group_init(&other, pool);
    galley_group_spawn(&group, &tasks[0], count_job, &ran);
    galley_group_spawn(&other, &tasks[1], wait_around, &waiter); /* another task of the thread */
    EXPECT_INT(galley_group_wait(&other, GALLEY_FOREVER), 0);
    EXPECT_INT(waiter.result_below, GALLEY_ESTATE);
    pthread_t thread; /* another thread */
    pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))wait_around, &waiter);
    pthread_join(thread, NULL);
    EXPECT_INT(waiter.result_below, GALLEY_ESTATE);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 1);
    latch_release(&latch);
    galley_pool_free(pool);
}

struct stranger {
    galley_group *group;
    galley_task *task;
    _Atomic unsigned ran;
};

static void *spawn_as_stranger(void *arg)
{
    struct stranger *self = arg;
    galley_group_spawn(self->group, self->task, count_job, &self->ran);
    return NULL;
}

TEST(test_a_spawn_by_strangers_runs_its_task_in_the_call)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    galley_task tasks[2];
    pthread_t thread;
    struct stranger stranger = {.group = &group, .task = &tasks[1]};
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &tasks[0], count_job, &stranger.ran);
    pthread_create(&thread, NULL, spawn_as_stranger, &stranger);
    pthread_join(thread, NULL);
    EXPECT_INT(stranger.ran, 1);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(stranger.ran, 2);
    latch_release(&latch);
    galley_pool_free(pool);
}

static void leave_group_unended(void *arg)
{
    galley_group group;
    galley_task task;
    galley_group_init(&group, arg);
    galley_group_spawn(&group, &task, count_job, arg);
    galley_group_cancel(&group);
}

static int dies_of_check(void (*run)(galley_pool *pool))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        run(pool_of(1, 4)); /* the pool is the child's own */
        _exit(0);
    }
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void job_without_wait(galley_pool *pool)
{
    (void)!galley_pool_execute(pool, leave_group_unended, pool);
    galley_pool_wait(pool, GALLEY_FOREVER);
}

static void task_without_wait(galley_pool *pool)
{
    galley_group group;
    galley_task task;
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &task, leave_group_unended, pool);
    (void)galley_group_wait(&group, GALLEY_FOREVER);
}

TEST(test_a_job_or_task_that_does_not_wait_for_its_group_stops_the_program)
{
    EXPECT_INT(dies_of_check(job_without_wait), SIGABRT);
    EXPECT_INT(dies_of_check(task_without_wait), SIGABRT);
}

static void end_thread(void *latch)
{
    sem_post(&((struct latch *)latch)->begun);
    pthread_exit(NULL);
}

TEST(test_a_task_that_ends_its_thread_fails_its_group_and_the_worker_is_replaced)
{
    struct latch latch;
    galley_pool *pool = pool_of(1, 4);
    latch_init(&latch);
    for (unsigned i = 1; i <= 5; i++) {
        galley_group group;
        galley_task task;
        galley_group_init(&group, pool);
        galley_group_spawn(&group, &task, end_thread, &latch);
        latch_await(&latch); /* on the worker, not in the wait */
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), GALLEY_ESTATE);
        AWAIT(stats_of(pool).replaced == i);
    }
    galley_pool_free(pool);
}

/* ---- pools that end ---- */

static void spawn_three(galley_pool *pool)
{
    galley_group group;
    galley_task tasks[3];
    _Atomic unsigned ran = 0;
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < 3; i++) {
        galley_group_spawn(&group, &tasks[i], count_job, &ran);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 3);
}

TEST(test_tasks_of_a_pool_that_was_shut_down_are_run_by_the_waiter)
{
    galley_pool *pool = pool_of(2, 4);
    EXPECT_INT(galley_pool_shutdown(pool, GALLEY_DRAIN, GALLEY_FOREVER, NULL), 0);
    spawn_three(pool);
    galley_pool_free(pool);
}

struct survivor {
    struct latch latch;
    galley_pool *pool;
    _Atomic bool was_unwanted;
};

static void fork_after_latch(void *arg)
{
    struct survivor *self = arg;
    latch_job(&self->latch);
    spawn_three(self->pool); /* tasks are not dropped: the running job needs them */
    self->was_unwanted = galley_should_stop();
}

TEST(test_a_running_job_can_fork_and_join_on_while_its_pool_is_discarded_or_detached)
{
    for (unsigned way = 0; way < 2; way++) {
        int64_t blocks = mem_live_blocks();
        struct survivor survivor = {.pool = pool_of(2, 4)};
        latch_init(&survivor.latch);
        EXPECT_INT(galley_pool_execute(survivor.pool, fork_after_latch, &survivor), 0);
        latch_await(&survivor.latch);
        if (way == 0) {
            EXPECT_INT(galley_pool_shutdown(survivor.pool, GALLEY_DISCARD, 0, NULL),
                       GALLEY_ETIMEDOUT);
            latch_release(&survivor.latch);
            galley_pool_free(survivor.pool);
        } else {
            galley_pool_detach(survivor.pool);
            latch_release(&survivor.latch);
            AWAIT(mem_live_blocks() == blocks);
        }
        EXPECT(survivor.was_unwanted);
    }
}

static void nothing_in_range(size_t begin, size_t end, void *arg)
{
    (void)begin;
    (void)end;
    (void)arg;
}

static galley_group forked_group;

static int check_in_child(galley_pool *pool)
{
    galley_group group;
    galley_task task;
    _Atomic unsigned ran = 0;
    if (galley_group_wait(&forked_group, GALLEY_FOREVER) != GALLEY_EFORKED) {
        return 1;
    }
    galley_group_init(&group, pool);
    if (galley_group_wait(&group, 0) != GALLEY_EFORKED) {
        return 2;
    }
    galley_group_spawn(&group, &task, count_job, &ran);
    if (galley_group_wait(&group, 0) != GALLEY_EFORKED || ran != 0) {
        return 3;
    }
    return galley_parallel_for(pool, 0, 9, 1, nothing_in_range, NULL) == GALLEY_EFORKED ? 0 : 4;
}

TEST(test_a_forked_childs_groups_say_so)
{
    struct latch latch;
    galley_task task;
    _Atomic unsigned ran = 0;
    int status = 0;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group_init(&forked_group, pool);
    galley_group_spawn(&forked_group, &task, count_job, &ran);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(check_in_child(pool));
    }
    EXPECT_INT(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
    EXPECT_INT(galley_group_wait(&forked_group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 1);
    latch_release(&latch);
    galley_pool_free(pool);
}
