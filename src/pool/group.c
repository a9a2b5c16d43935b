/* pool/group.c — galley_group_…: the owner's side of fork/join, and what every thread does at a
 * task. Any thread. Takes no lock, allocates nothing, reads no clock; the shortest path (spawn, and
 * a wait that pops the task back) has two sequentially consistent stores and no other
 * read-modify-write. */
#include "pool/group.h"

#include "base/check.h"
#include "pool/futex.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

static struct group *group_of(galley_group *group)
{
    return (struct group *)(void *)group;
}

void galley_group_init(galley_group *public_group, galley_pool *pool)
{
    struct group *group = group_of(public_group);
    if (!group) {
        return;
    }
    group->pool = pool;
    group->home = NULL;
    group->parent = NULL;
    atomic_init(&group->state, 0);
    atomic_init(&group->result, pool ? 0 : GALLEY_EINVAL);
    group->owned = 0;
    group->is_seatless = false;
}

void group_fail(struct group *group, int code)
{
    int32_t live = 0;
    atomic_compare_exchange_strong_explicit(&group->result, &live, code, memory_order_relaxed,
                                            memory_order_relaxed);
}

void galley_group_fail(galley_group *group, int code)
{
    if (group) {
        group_fail(group_of(group), code < 0 ? code : GALLEY_EINVAL);
    }
}

void galley_group_cancel(galley_group *group)
{
    galley_group_fail(group, GALLEY_ECANCELED);
}

bool group_is_around(const struct group *group)
{
    const struct group *around = thread_self.current;
    while (around && around != group) {
        around = around->parent; /* groups around a running task live as long as it runs */
    }
    return around != NULL;
}

/* The first spawn: the calling thread is the owner. seat may be NULL. */
static void begin(struct group *group, struct seat *seat)
{
    group->home = seat;
    group->parent = thread_self.current;
    group->watched = thread_self.watched;
    if (!seat) {
        group->is_seatless = true;
        return;
    }
    group->base = task_deque_bottom(&seat->deque);
    seat->open++;
    if (!atomic_load_explicit(&group->pool->has_forked, memory_order_relaxed)) {
        atomic_store(&group->pool->has_forked, true); /* before the push; partner: pool_has_task */
    }
}

/* The calling thread's seat for a spawn when the newest of its chain is not of the group's pool. */
static struct seat *find_seat(struct group *group)
{
    if (!group->pool) {
        group_fail(group, GALLEY_EINVAL); /* never initialised, but zeroed */
        return NULL;
    }
    if (pool_is_forked(group->pool)) {
        group_fail(group, GALLEY_EFORKED);
        return NULL;
    }
    struct seat *seat = seat_find(group->pool);
    if (!seat && !group->home && !group->is_seatless) {
        seat = seat_take(group->pool); /* only who will wait takes one, and gives it back */
    }
    return seat;
}

/* Who may leave a task for later: the code that began the group, and its tasks. What other code
 * pushed would be among tasks of groups that it has nothing to do with. */
static bool may_push(const struct group *group, const struct seat *seat)
{
    const struct group *current = thread_self.current;
    return current == group || (seat == group->home && current == group->parent);
}

/* After a push; the sequentially consistent store of bottom comes before these looks. */
static void tell_of_push(struct seat *seat)
{
    struct sleepers *sleepers = &seat->pool->sleepers;
    if (sleepers_could_wake(sleepers)) {
        sleepers_wake(sleepers, 1, SLEEPERS_NOBODY);
    }
    if (atomic_load(&seat->hungry)) {
        seat_feed(seat);
    }
}

static bool push(struct group *group, struct seat *seat, struct task *task)
{
    bool is_own = seat == group->home;
    if (is_own) {
        group->owned++;
    } else {
        /* Relaxed: the running task, which is not over, keeps the sum above 0. */
        atomic_fetch_add_explicit(&group->state, GROUP_ONE_TASK, memory_order_relaxed);
    }
    if (LIKELY(task_deque_push(&seat->deque, task))) {
        tell_of_push(seat);
        return true;
    }
    if (is_own) {
        group->owned--;
    } else {
        atomic_fetch_sub_explicit(&group->state, GROUP_ONE_TASK, memory_order_relaxed);
    }
    return false;
}

void galley_group_spawn(galley_group *public_group, galley_task *public_task, galley_fn *fn,
                        void *arg)
{
    struct group *group = group_of(public_group);
    struct task *task = (struct task *)(void *)public_task;
    if (!group) {
        return;
    }
    if (!task || !fn) {
        group_fail(group, GALLEY_EINVAL);
        return;
    }
    struct seat *seat = thread_self.seat;
    if (!LIKELY(seat && seat->pool == group->pool)) {
        seat = find_seat(group);
    }
    if (!group->home && !group->is_seatless) {
        begin(group, seat);
    }
    task->fn = fn;
    task->arg = arg;
    task->group = group;
    if (!group->home || !seat || !may_push(group, seat) || !push(group, seat, task)) {
        group_run(group, fn, arg);
    }
}

/* The wait is over, all tasks are. */
static int end(struct group *group)
{
    struct seat *seat = group->home;
    group->home = NULL;
    group->owned = 0;
    atomic_store_explicit(&group->state, 0, memory_order_relaxed);
    seat->open--;
    if (seat->open == 0 && seat->is_guest) {
        seat_give_back(seat);
    }
    return atomic_load_explicit(&group->result, memory_order_relaxed);
}

/* A group without a seat has nothing queued or running. */
static int wait_seatless(struct group *group)
{
    if (group_is_around(group)) {
        return GALLEY_EDEADLK;
    }
    if (!group->pool) {
        return GALLEY_EINVAL;
    }
    if (pool_is_forked(group->pool)) {
        return GALLEY_EFORKED;
    }
    group->is_seatless = false;
    return atomic_load_explicit(&group->result, memory_order_relaxed);
}

/* 0 when the caller is the owner, in the code that began the group. */
static int check_owner(const struct group *group)
{
    if (LIKELY(thread_self.seat == group->home && thread_self.current == group->parent)) {
        return 0;
    }
    if (pool_is_forked(group->pool)) {
        return GALLEY_EFORKED;
    }
    if (group_is_around(group)) {
        return GALLEY_EDEADLK;
    }
    bool is_owner = seat_find(group->pool) == group->home && thread_self.current == group->parent;
    return is_owner ? 0 : GALLEY_ESTATE;
}

void group_run_popped(struct seat *seat, struct task *task)
{
    struct group *group = task->group;
    uint32_t open = seat->open;
    if (group->home == seat) {
        group->owned--;
        group_run(group, task->fn, task->arg);
    } else {
        group_run(group, task->fn, task->arg);
        group_task_is_over(group);
    }
    CHECK(seat->open == open); /* the task has waited for its own groups */
}

/* Push a task back that may have stood higher: its group's tasks begin here, if not lower. */
static void push_back(struct seat *seat, struct task *task)
{
    struct group *group = task->group;
    int64_t bottom = task_deque_bottom(&seat->deque);
    if (group->home == seat && group->base > bottom) {
        group->base = bottom;
    }
    CHECK(task_deque_push(&seat->deque, task)); /* there was room for it */
    tell_of_push(seat);
}

/* Its owner has tasks of several groups on top of each other: take this one's newest from below the
 * others, which go back on the deque in their order. `newest` was popped. */
static struct task *pop_from_below(struct seat *seat, const struct group *group,
                                   struct task *newest)
{
    struct task *others[TASK_DEQUE_ROOM];
    unsigned count = 0;
    struct task *task = newest;
    while (task && task->group != group) {
        others[count++] = task;
        task = task_deque_bottom(&seat->deque) > group->base ? task_deque_pop(&seat->deque) : NULL;
    }
    while (count > 0) {
        push_back(seat, others[--count]);
    }
    return task;
}

/* The newest task of the group in its owner's deque. Stolen tasks leave bottom where it is. */
static struct task *pop_own(struct seat *seat, const struct group *group)
{
    if (task_deque_bottom(&seat->deque) <= group->base) {
        return NULL;
    }
    struct task *task = task_deque_pop(&seat->deque);
    return LIKELY(!task || task->group == group) ? task : pop_from_below(seat, group, task);
}

int galley_group_wait(galley_group *public_group, int64_t timeout_ms)
{
    struct group *group = group_of(public_group);
    if (!group) {
        return GALLEY_EINVAL;
    }
    if (!group->home) {
        return wait_seatless(group);
    }
    int rc = check_owner(group);
    if (rc) {
        return rc;
    }
    struct seat *seat = group->home;
    struct task *task;
    int64_t deadline_ns = LIKELY(timeout_ms < 0) ? FUTEX_NO_DEADLINE : futex_deadline(timeout_ms);
    while ((task = pop_own(seat, group))) {
        group_run_popped(seat, task);
        if (deadline_ns >= 0 && futex_deadline_passed(deadline_ns) && !group_is_complete(group)) {
            return GALLEY_ETIMEDOUT;
        }
    }
    if (!LIKELY(group_is_complete(group))) {
        rc = group_wait_for_others(group, deadline_ns);
    }
    return rc ? rc : end(group);
}
