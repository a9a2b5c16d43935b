/* tests/unit/pool/test_group.c — groups of tasks: every call, every documented code, what runs
 * where. Tests with one busy worker show what the caller does alone; those with a latch hold a task
 * on a worker on purpose. */
#include "support_pool.h"

#include "pool/seat.h"

static void nothing(void *arg)
{
    (void)arg;
}

/* ---- the plain way ---- */

static void spawn_and_wait(galley_pool *pool, unsigned count)
{
    galley_group group;
    galley_task tasks[64];
    _Atomic unsigned ran = 0;
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < count; i++) {
        galley_group_spawn(&group, &tasks[i], count_job, &ran);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, count);
    for (unsigned i = 0; i < count; i++) { /* empty again, and good for a second time */
        galley_group_spawn(&group, &tasks[i], count_job, &ran);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 2 * count);
}

static void spawn_and_wait_job(void *arg)
{
    (void)arg;
    for (unsigned count = 0; count <= 64; count += 16) {
        spawn_and_wait(galley_worker_pool(), count);
    }
}

TEST(test_every_spawned_task_runs_once_before_the_wait_ends)
{
    for (unsigned threads = 1; threads <= 3; threads++) {
        galley_pool *pool = pool_of(threads, 8);
        spawn_and_wait(pool, 64); /* from outside */
        EXPECT_INT(galley_pool_execute(pool, spawn_and_wait_job, NULL), 0);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        EXPECT_INT(stats_of(pool).accepted, 1); /* tasks are no jobs */
        galley_pool_free(pool);
    }
}

struct fib {
    galley_pool *pool;
    unsigned n;
    unsigned long result;
};

static void fib(void *arg)
{
    struct fib *self = arg;
    if (self->n < 2) {
        self->result = self->n;
        return;
    }
    struct fib a = {self->pool, self->n - 1, 0}, b = {self->pool, self->n - 2, 0};
    galley_group group;
    galley_task task;
    galley_group_init(&group, self->pool);
    galley_group_spawn(&group, &task, fib, &a);
    fib(&b);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    self->result = a.result + b.result;
}

TEST(test_fib_with_a_task_for_each_call)
{
    for (unsigned threads = 1; threads <= 4; threads++) {
        galley_pool *pool = pool_of(threads, 0);
        struct fib inside = {pool, 18, 0}, outside = {pool, 18, 0};
        EXPECT_INT(galley_pool_execute(pool, fib, &inside), 0);
        fib(&outside); /* both at once */
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        EXPECT_INT(inside.result, 2584);
        EXPECT_INT(outside.result, 2584);
        galley_pool_free(pool);
    }
}

/* Places queens row by row, a task for each possible place: many tasks of one group. */
struct queens {
    galley_pool *pool;
    _Atomic unsigned *solutions;
    unsigned size, columns, left, right, row;
};

static void place_queens(void *arg)
{
    struct queens *self = arg;
    struct queens next[12];
    galley_task tasks[12];
    galley_group group;
    if (self->row == self->size) {
        atomic_fetch_add(self->solutions, 1);
        return;
    }
    galley_group_init(&group, self->pool);
    for (unsigned i = 0; i < self->size; i++) {
        unsigned bit = 1u << i;
        if (!((self->columns | self->left | self->right) & bit)) {
            next[i] = *self;
            next[i].columns |= bit;
            next[i].left = (self->left | bit) << 1;
            next[i].right = (self->right | bit) >> 1;
            next[i].row++;
            galley_group_spawn(&group, &tasks[i], place_queens, &next[i]);
        }
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
}

TEST(test_queens_on_a_board_with_an_uneven_tree)
{
    for (unsigned threads = 1; threads <= 4; threads++) {
        _Atomic unsigned solutions = 0;
        galley_pool *pool = pool_of(threads, 0);
        struct queens start = {.pool = pool, .solutions = &solutions, .size = 8};
        EXPECT_INT(galley_pool_execute(pool, place_queens, &start), 0);
        EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
        EXPECT_INT(solutions, 92);
        galley_pool_free(pool);
    }
}

/* ---- who runs what ---- */

struct noted {
    _Atomic unsigned order;
    pthread_t thread;
    unsigned turn;
    struct noted *first;
};

static void note(void *arg)
{
    struct noted *self = arg;
    self->thread = pthread_self();
    self->turn = atomic_fetch_add(&self->first->order, 1);
}

TEST(test_a_caller_outside_runs_the_tasks_itself_when_all_workers_are_busy)
{
    struct latch latch;
    galley_pool *pool = pool_all_busy(2, 4, &latch);
    struct noted notes[3] = {{0}};
    galley_group group;
    galley_task tasks[3];
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < 3; i++) {
        notes[i].first = notes;
        galley_group_spawn(&group, &tasks[i], note, &notes[i]);
    }
    EXPECT_INT(notes[0].order, 0); /* a spawn leaves it for later */
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(pthread_equal(notes[i].thread, pthread_self()));
        EXPECT_INT(notes[i].turn, 2 - i); /* the newest first */
    }
    EXPECT_INT(stats_of(pool).stolen, 0);
    latch_release(&latch);
    latch_release(&latch);
    galley_pool_free(pool);
}

TEST(test_an_idle_worker_takes_a_task_before_anybody_waits)
{
    struct latch latch;
    galley_pool *pool = pool_of(2, 4);
    galley_group group;
    galley_task task;
    latch_init(&latch);
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &task, latch_job, &latch);
    latch_await(&latch); /* hangs if no worker was woken */
    EXPECT_INT(stats_of(pool).stolen, 1);
    EXPECT_INT(galley_group_wait(&group, 0), GALLEY_ETIMEDOUT);
    EXPECT_INT(galley_group_wait(&group, 1), GALLEY_ETIMEDOUT);
    latch_release(&latch);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0); /* sleeps, or comes too late to */
    galley_pool_free(pool);
}

TEST(test_with_timeout_0_a_wait_runs_one_task)
{
    struct latch latch;
    _Atomic unsigned ran = 0;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    galley_task tasks[3];
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < 3; i++) {
        galley_group_spawn(&group, &tasks[i], count_job, &ran);
    }
    EXPECT_INT(galley_group_wait(&group, 0), GALLEY_ETIMEDOUT);
    EXPECT_INT(ran, 1);
    EXPECT_INT(galley_group_wait(&group, 0), GALLEY_ETIMEDOUT);
    EXPECT_INT(ran, 2);
    EXPECT_INT(galley_group_wait(&group, 0), 0);
    EXPECT_INT(ran, 3);
    latch_release(&latch);
    galley_pool_free(pool);
}

TEST(test_a_spawn_without_room_runs_its_task_in_the_call)
{
    struct latch latch;
    _Atomic unsigned ran = 0;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    static galley_task tasks[TASK_DEQUE_ROOM + 10];
    galley_group_init(&group, pool);
    for (unsigned i = 0; i < TASK_DEQUE_ROOM + 10; i++) {
        galley_group_spawn(&group, &tasks[i], count_job, &ran);
        EXPECT_INT(ran, i < TASK_DEQUE_ROOM ? 0 : i + 1 - TASK_DEQUE_ROOM);
    }
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, TASK_DEQUE_ROOM + 10);
    latch_release(&latch);
    galley_pool_free(pool);
}

/* A guest that holds its seat until it is let go. */
struct guest {
    galley_pool *pool;
    struct latch latch;
    pthread_t thread;
};

static void *sit(void *arg)
{
    struct guest *guest = arg;
    galley_group group;
    galley_task task;
    galley_group_init(&group, guest->pool);
    galley_group_spawn(&group, &task, nothing, NULL);
    latch_job(&guest->latch);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    return NULL;
}

TEST(test_without_a_free_seat_a_guests_tasks_run_in_the_spawn)
{
    struct latch latch;
    struct guest guests[POOL_GUEST_SEATS];
    _Atomic unsigned ran = 0;
    galley_pool *pool = pool_all_busy(1, 4, &latch);
    galley_group group;
    galley_task task;
    for (unsigned i = 0; i < POOL_GUEST_SEATS; i++) {
        guests[i].pool = pool;
        latch_init(&guests[i].latch);
        pthread_create(&guests[i].thread, NULL, sit, &guests[i]);
        latch_await(&guests[i].latch);
    }
    galley_group_init(&group, pool);
    galley_group_spawn(&group, &task, count_job, &ran);
    EXPECT_INT(ran, 1);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    struct fib self = {pool, 10, 0}; /* nested, too */
    fib(&self);
    EXPECT_INT(self.result, 55);
    for (unsigned i = 0; i < POOL_GUEST_SEATS; i++) {
        latch_release(&guests[i].latch);
        pthread_join(guests[i].thread, NULL);
    }
    galley_group_spawn(&group, &task, count_job, &ran); /* there are seats again */
    EXPECT_INT(ran, 1);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(ran, 2);
    latch_release(&latch);
    galley_pool_free(pool);
}

/* ---- groups in groups ---- */

struct wide {
    galley_pool *pool;
    galley_group *group;
    galley_task tasks[8];
    _Atomic unsigned ran;
};

static void spawn_into_own_group(void *arg)
{
    struct wide *wide = arg;
    for (unsigned i = 1; i < 8; i++) {
        galley_group_spawn(wide->group, &wide->tasks[i], count_job, &wide->ran);
    }
}

static void wide_job(void *arg)
{
    for (unsigned round = 0; round < 500; round++) {
        galley_group group;
        struct wide wide = {.pool = galley_worker_pool(), .group = &group};
        galley_group_init(&group, wide.pool);
        galley_group_spawn(&group, &wide.tasks[0], spawn_into_own_group, &wide);
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
        EXPECT_INT(wide.ran, 7);
    }
    (void)arg;
}

TEST(test_tasks_may_spawn_into_their_own_group_wherever_they_run)
{
    for (unsigned threads = 1; threads <= 3; threads++) {
        galley_pool *pool = pool_of(threads, 4);
        for (unsigned i = 0; i < threads; i++) {
            EXPECT_INT(galley_pool_execute(pool, wide_job, NULL), 0);
        }
        galley_pool_free(pool);
    }
}

static void two_groups_in_turns(void *arg)
{
    galley_pool *pool = arg;
    galley_group below, groups[2];
    galley_task task_below, tasks[20];
    _Atomic unsigned ran_below = 0, ran[2] = {0};
    galley_group_init(&below, pool);
    galley_group_init(&groups[0], pool);
    galley_group_init(&groups[1], pool);
    galley_group_spawn(&below, &task_below, count_job, &ran_below); /* the deque never gets empty */
    for (unsigned i = 0; i < 20; i++) {
        galley_group_spawn(&groups[i % 2], &tasks[i], count_job, &ran[i % 2]);
    }
    EXPECT_INT(galley_group_wait(&groups[0], GALLEY_FOREVER), 0);
    EXPECT_INT(ran[0], 10);
    EXPECT_INT(galley_group_wait(&groups[1], GALLEY_FOREVER), 0);
    EXPECT_INT(ran[1], 10);
    EXPECT_INT(ran_below, 0);
    EXPECT_INT(galley_group_wait(&below, GALLEY_FOREVER), 0);
}

TEST(test_a_wait_finds_its_tasks_below_those_of_another_group)
{
    struct latch latch;
    galley_pool *pool = pool_of(1, 4);
    EXPECT_INT(galley_pool_execute(pool, two_groups_in_turns, pool), 0); /* nobody steals */
    EXPECT_INT(galley_pool_wait(pool, GALLEY_FOREVER), 0);
    EXPECT_INT(stats_of(pool).stolen, 0);
    galley_pool_free(pool);
    pool = pool_all_busy(1, 4, &latch);
    two_groups_in_turns(pool);
    latch_release(&latch);
    galley_pool_free(pool);
}

/* Rule: code that waits never finds itself inside work that the wait is not for. */
struct lock_user {
    galley_pool *pool;
    pthread_mutex_t *lock;
};

static void check_lock(void *arg)
{
    pthread_mutex_t *lock = arg;
    int rc = pthread_mutex_lock(lock);
    EXPECT_INT(rc, 0);
    pthread_mutex_unlock(lock);
}

static void wait_with_lock(void *arg)
{
    struct lock_user *self = arg;
    struct fib inner = {self->pool, 8, 0};
    EXPECT_INT(pthread_mutex_lock(self->lock), 0);
    fib(&inner); /* waits many times with the lock held */
    pthread_mutex_unlock(self->lock);
}

TEST(test_a_lock_held_across_a_wait_is_safe_from_the_other_tasks)
{
    pthread_mutex_t lock;
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&lock, &kind);
    for (unsigned threads = 1; threads <= 3; threads++) {
        galley_pool *pool = pool_of(threads, 4);
        struct lock_user user = {pool, &lock};
        for (unsigned round = 0; round < 30; round++) {
            galley_group group;
            galley_task tasks[32];
            galley_group_init(&group, pool);
            for (unsigned i = 0; i < 32; i++) {
                if (i % 4 == 0) {
                    galley_group_spawn(&group, &tasks[i], wait_with_lock, &user);
                } else {
                    galley_group_spawn(&group, &tasks[i], check_lock, &lock);
                }
            }
            EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
        }
        galley_pool_free(pool);
    }
    pthread_mutex_destroy(&lock);
    pthread_mutexattr_destroy(&kind);
}

/* A chain of thefts: the caller's task is on one worker, that one's task on the other, which needs a
 * third thread. Only the caller is free, and what it is to run is below its group. */
struct chain {
    galley_pool *pool;
    struct latch third;
    sem_t second_began, second_ended;
};

static void second_in_chain(void *arg)
{
    struct chain *chain = arg;
    galley_group group;
    galley_task task;
    sem_post(&chain->second_began);
    galley_group_init(&group, chain->pool);
    galley_group_spawn(&group, &task, latch_job, &chain->third);
    latch_await(&chain->third); /* hangs if the caller does not help */
    latch_release(&chain->third);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    sem_post(&chain->second_ended);
}

static void first_in_chain(void *arg)
{
    struct chain *chain = arg;
    galley_group group;
    galley_task task;
    galley_group_init(&group, chain->pool);
    galley_group_spawn(&group, &task, second_in_chain, chain);
    sem_wait(&chain->second_began);
    sem_wait(&chain->second_ended); /* cannot help */
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
}

TEST(test_a_waiter_finds_what_was_stolen_from_who_stole_from_it)
{
    struct chain chain = {.pool = pool_of(2, 4)};
    galley_group group;
    galley_task task;
    latch_init(&chain.third);
    sem_init(&chain.second_began, 0, 0);
    sem_init(&chain.second_ended, 0, 0);
    for (unsigned round = 0; round < 200; round++) {
        uint64_t stolen = stats_of(chain.pool).stolen;
        galley_group_init(&group, chain.pool);
        galley_group_spawn(&group, &task, first_in_chain, &chain);
        AWAIT(stats_of(chain.pool).stolen != stolen);
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
        EXPECT_INT(stats_of(chain.pool).stolen, stolen + 3);
    }
    galley_pool_free(chain.pool);
}

/* A worker of one pool is a guest of another; both wait for each other's work. */
static void fib_elsewhere(void *arg)
{
    struct fib *self = arg;
    galley_group group;
    galley_task task;
    struct fib there = {self->pool, 12, 0}, here = {galley_worker_pool(), 12, 0};
    galley_group_init(&group, here.pool);
    galley_group_spawn(&group, &task, fib, &here);
    fib(&there);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    EXPECT_INT(here.result, 144);
    EXPECT_INT(there.result, 144);
}

TEST(test_groups_of_two_pools_in_one_job)
{
    galley_pool *first = pool_of(2, 4), *second = pool_of(2, 4);
    struct fib to_second = {second, 0, 0}, to_first = {first, 0, 0};
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_INT(galley_pool_execute(first, fib_elsewhere, &to_second), 0);
        EXPECT_INT(galley_pool_execute(second, fib_elsewhere, &to_first), 0);
    }
    EXPECT_INT(galley_pool_wait(first, GALLEY_FOREVER), 0);
    EXPECT_INT(galley_pool_wait(second, GALLEY_FOREVER), 0);
    galley_pool_free(first);
    galley_pool_free(second);
}
