/* tests/stress/pool/stress_group.c — the deque under thieves, and trees of groups on pools with
 * workers and guests at once; with cancels, deadlines, workers that die, pools that close. Most
 * telling under ThreadSanitizer; a lost wake-up hangs until the harness's deadline. */
#include "support_pool.h"

#include "pool/seat.h"

#include <sched.h>

/* ---- the deque ---- */

enum { DEQUE_TASKS = 512, THIEVES = 3 };

static struct task_deque deque;
static struct task deque_tasks[DEQUE_TASKS];
static _Atomic unsigned char taken[DEQUE_TASKS];
static _Atomic bool is_over;

static void note_taken(const struct task *task)
{
    atomic_fetch_add(&taken[task - deque_tasks], 1);
}

static void *steal_until_over(void *arg)
{
    int64_t index;
    (void)arg;
    while (!is_over || task_deque_has_task(&deque)) {
        struct task *task = task_deque_look(&deque, &index);
        if (task && task_deque_take(&deque, index)) {
            note_taken(task);
        } else if (!task) {
            sched_yield();
        }
    }
    return NULL;
}

TEST_TIMEOUT(test_every_task_of_a_deque_is_taken_once, 120)
{
    for (unsigned round = 0; round < test_rounds(60); round++) {
        pthread_t thieves[THIEVES];
        struct task *task;
        for (unsigned i = 0; i < DEQUE_TASKS; i++) {
            taken[i] = 0;
        }
        is_over = false;
        for (unsigned i = 0; i < THIEVES; i++) {
            pthread_create(&thieves[i], NULL, steal_until_over, NULL);
        }
        for (unsigned i = 0; i < DEQUE_TASKS; i++) {
            while (!task_deque_push(&deque, &deque_tasks[i])) {
                sched_yield();
            }
            if (test_random_below(3) == 0 && (task = task_deque_pop(&deque))) {
                note_taken(task);
            }
        }
        while ((task = task_deque_pop(&deque))) {
            note_taken(task);
        }
        is_over = true;
        for (unsigned i = 0; i < THIEVES; i++) {
            pthread_join(thieves[i], NULL);
        }
        for (unsigned i = 0; i < DEQUE_TASKS; i++) {
            EXPECT_INT(taken[i], 1);
        }
    }
}

/* ---- trees ---- */

/* A node has up to 6 children, most of them few: an uneven tree that a number decides. Children are
 * spawned one by one, in two groups in turns, by their elder sibling's task, or waited for with
 * deadlines, as the number says. */
struct node {
    galley_pool *pool;
    uint64_t number;
    unsigned depth;
    uint64_t nodes; /* of the whole tree: the result */
    galley_group *group;
    struct node *siblings;
    galley_task *tasks;
    unsigned index, count;
};

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static unsigned children_of(const struct node *node)
{
    unsigned few = (unsigned)(mix(node->number) % 4);
    return node->depth == 0 ? 0 : few == 0 ? 6 : few - 1;
}

static struct node child_of(const struct node *node, unsigned i)
{
    return (struct node){
        .pool = node->pool, .number = mix(node->number + i + 1), .depth = node->depth - 1};
}

static uint64_t count_serially(const struct node *node)
{
    uint64_t nodes = 1;
    for (unsigned i = 0; i < children_of(node); i++) {
        struct node child = child_of(node, i);
        nodes += count_serially(&child);
    }
    return nodes;
}

static int wait_somehow(galley_group *group, uint64_t number)
{
    int rc;
    if (number % 5) {
        return galley_group_wait(group, GALLEY_FOREVER);
    }
    while ((rc = galley_group_wait(group, (int64_t)(number / 5 % 2))) == GALLEY_ETIMEDOUT) {
        sched_yield();
    }
    return rc;
}

static void count_nodes(void *arg);

/* Spawns its next sibling, from wherever it runs, and counts itself. */
static void count_and_spawn_next(void *arg)
{
    struct node *node = arg;
    if (node->index + 1 < node->count) {
        galley_group_spawn(node->group, &node->tasks[node->index + 1], count_and_spawn_next,
                           &node->siblings[node->index + 1]);
    }
    count_nodes(node);
}

static void count_nodes(void *arg)
{
    struct node *node = arg;
    unsigned count = children_of(node);
    uint64_t way = node->number % 3;
    struct node children[6];
    galley_task tasks[6];
    galley_group groups[2];
    galley_group_init(&groups[0], node->pool);
    galley_group_init(&groups[1], node->pool);
    for (unsigned i = 0; i < count; i++) {
        children[i] = child_of(node, i);
        children[i].group = &groups[0];
        children[i].siblings = children;
        children[i].tasks = tasks;
        children[i].index = i;
        children[i].count = count;
    }
    if (way == 2 && count > 0) {
        galley_group_spawn(&groups[0], &tasks[0], count_and_spawn_next, &children[0]);
    }
    for (unsigned i = 0; i < count && way != 2; i++) {
        galley_group_spawn(&groups[i % (way + 1)], &tasks[i], count_nodes, &children[i]);
    }
    EXPECT_INT(wait_somehow(&groups[0], node->number), 0);
    EXPECT_INT(wait_somehow(&groups[1], node->number), 0);
    node->nodes = 1;
    for (unsigned i = 0; i < count; i++) {
        node->nodes += children[i].nodes;
    }
}

static void check_tree(galley_pool *pool, uint64_t number)
{
    struct node root = {.pool = pool, .number = number, .depth = 9};
    uint64_t expected = count_serially(&root);
    count_nodes(&root);
    EXPECT_INT(root.nodes, expected);
}

struct grower {
    galley_pool *pool;
    uint64_t number;
    unsigned rounds;
};

static void grow(void *arg)
{
    struct grower *self = arg;
    for (unsigned i = 0; i < self->rounds; i++) {
        check_tree(self->pool, self->number + i);
    }
}

static void *grow_thread(void *arg)
{
    grow(arg);
    return NULL;
}

static void run_growers(unsigned workers, unsigned jobs, unsigned guests, unsigned rounds)
{
    struct grower growers[16];
    pthread_t threads[16];
    galley_pool *pool = pool_of(workers, 64);
    for (unsigned i = 0; i < jobs + guests; i++) {
        growers[i] = (struct grower){pool, test_random(), rounds};
        if (i < jobs) {
            EXPECT_INT(galley_pool_execute(pool, grow, &growers[i]), 0);
        } else {
            pthread_create(&threads[i], NULL, grow_thread, &growers[i]);
        }
    }
    for (unsigned i = jobs; i < jobs + guests; i++) {
        pthread_join(threads[i], NULL);
    }
    galley_pool_free(pool);
}

TEST_TIMEOUT(test_uneven_trees_of_groups_of_every_kind, 120)
{
    unsigned rounds = test_rounds(20);
    run_growers(1, 1, 1, rounds);
    run_growers(2, 2, 0, rounds);
    run_growers(2, 1, 2, rounds);
    run_growers(4, 1, 0, rounds);
    run_growers(4, 5, 3, rounds);
    run_growers(3, 2, 10, rounds); /* more guests than seats */
}

/* ---- single tasks, which meet workers falling asleep ---- */

TEST_TIMEOUT(test_no_wake_up_is_lost_between_two_tasks, 120)
{
    struct latch latch;
    galley_pool *pool = pool_of(3, 4);
    latch_init(&latch);
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        galley_group group;
        galley_task tasks[2];
        galley_group_init(&group, pool);
        for (unsigned i = 0; i < 2; i++) {
            galley_group_spawn(&group, &tasks[i], latch_job, &latch);
        }
        for (unsigned i = 0; i < 2; i++) {
            latch_await(&latch); /* hangs if a worker sleeps beside the task */
        }
        latch_release(&latch);
        for (unsigned i = 0; i < round % 8; i++) {
            sched_yield();
        }
        latch_release(&latch);
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    }
    galley_pool_free(pool);
}

struct late {
    galley_pool *pool;
    struct latch latch;
    unsigned yields;
};

/* Spawns below a group whose owner may be asleep by now, and needs it: both of its tasks must run
 * at once. */
static void spawn_late(void *arg)
{
    struct late *self = arg;
    galley_group group;
    galley_task tasks[2];
    for (unsigned i = 0; i < self->yields; i++) {
        sched_yield();
    }
    galley_group_init(&group, self->pool);
    galley_group_spawn(&group, &tasks[0], latch_job, &self->latch);
    latch_await(&self->latch); /* hangs if the waiter sleeps on */
    latch_release(&self->latch);
    EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
}

TEST_TIMEOUT(test_a_sleeping_waiter_is_woken_for_new_tasks_below_its_group, 120)
{
    galley_pool *pool = pool_of(1, 4); /* the worker runs spawn_late, so only the waiter can help */
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        galley_group group;
        galley_task task;
        struct late late = {.pool = pool, .yields = round % 16};
        latch_init(&late.latch);
        galley_group_init(&group, pool);
        uint64_t stolen = stats_of(pool).stolen;
        galley_group_spawn(&group, &task, spawn_late, &late);
        AWAIT(stats_of(pool).stolen != stolen);
        EXPECT_INT(galley_group_wait(&group, GALLEY_FOREVER), 0);
    }
    galley_pool_free(pool);
}

/* ---- cancels and deaths ---- */

static void cancel_sometimes(void *arg)
{
    galley_group *group = arg;
    if (mix((uint64_t)(uintptr_t)&arg + (uint64_t)galley_now_ms()) % 16 == 0) {
        galley_group_cancel(group);
    }
}

static void end_sometimes(void *arg)
{
    unsigned turn = atomic_fetch_add((_Atomic unsigned *)arg, 1);
    if (turn % 7 == 0 && galley_worker_index() >= 0) {
        pthread_exit(NULL);
    }
}

TEST_TIMEOUT(test_groups_that_are_canceled_and_workers_that_die_leave_nothing_behind, 120)
{
    for (unsigned round = 0; round < test_rounds(100); round++) {
        galley_pool *pool = pool_of(1 + round % 4, 4);
        _Atomic unsigned turn = round;
        galley_group groups[2];
        galley_task tasks[2][40];
        galley_group_init(&groups[0], pool);
        galley_group_init(&groups[1], pool);
        for (unsigned i = 0; i < 40; i++) {
            galley_group_spawn(&groups[0], &tasks[0][i], cancel_sometimes, &groups[0]);
            galley_group_spawn(&groups[1], &tasks[1][i], end_sometimes, &turn);
        }
        int rc = galley_group_wait(&groups[0], GALLEY_FOREVER);
        EXPECT(rc == 0 || rc == GALLEY_ECANCELED);
        rc = galley_group_wait(&groups[1], GALLEY_FOREVER);
        EXPECT(rc == 0 || rc == GALLEY_ESTATE);
        galley_pool_free(pool);
    }
}

static void discard_soon(void *arg)
{
    EXPECT_INT(galley_pool_shutdown(arg, GALLEY_DISCARD, GALLEY_FOREVER, NULL), 0);
}

static void *discard_thread(void *arg)
{
    discard_soon(arg);
    return NULL;
}

TEST_TIMEOUT(test_trees_go_on_while_their_pool_is_discarded, 120)
{
    for (unsigned round = 0; round < test_rounds(60); round++) {
        pthread_t closer;
        galley_pool *pool = pool_of(1 + round % 4, 4);
        struct grower grower = {pool, test_random(), 4};
        EXPECT_INT(galley_pool_execute(pool, grow, &grower), 0);
        pthread_create(&closer, NULL, discard_thread, pool);
        check_tree(pool, round);
        pthread_join(closer, NULL);
        galley_pool_free(pool);
    }
}
