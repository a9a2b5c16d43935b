/* pool/group.h — what a galley_group holds, and running its tasks. Private to this room.
 *
 * How many tasks are not over is one number in two parts. `owned` counts what the owner pushed and
 * has not popped back; only the owner touches it, so a task that nobody steals costs no atomic
 * count. `state` counts the rest, and may be below zero: other threads add what they push and take
 * off what they finish. A task is counted before it can run and taken off when it is over, so the
 * sum, which only the owner knows, reaches 0 when all are. Before it sleeps the owner moves `owned`
 * over, so that the last to finish sees the 0, and sets WAITING, so that it wakes the owner.
 * Whoever takes the last task off must not touch the group any more: it may be gone. */
#ifndef POOL_GROUP_H
#define POOL_GROUP_H

#include "pool/pool_state.h"
#include "pool/seat.h"
#include "pool/worker_self.h"

enum { GROUP_WAITING = 1, GROUP_ONE_TASK = 2 };

struct __attribute__((may_alias)) group {
    struct galley_pool *pool;
    struct seat *home;               /* the owner's, from the first spawn to the end of the wait */
    struct group *parent;            /* of the task in which the owner began it; NULL: a job */
    const galley_stop_flag *watched; /* what the owner watches */
    int64_t base;                    /* its tasks in the home deque are from this index on */
    _Atomic uint32_t state;          /* 2 * count | WAITING; futex. Partner: itself */
    _Atomic int32_t result;          /* 0: live. Relaxed: a wish; the wait orders it */
    uint32_t owned;
    bool is_seatless; /* begun without a seat: every task runs in its spawn */
};
_Static_assert(sizeof(struct group) <= sizeof(galley_group), "a group fits in the user's room");

static inline bool group_is_live(const struct group *group)
{
    return atomic_load_explicit(&group->result, memory_order_relaxed) == 0;
}

/** Nothing of it is queued or running. Owner only. Acquires what the tasks wrote; partner:
 *  group_task_is_over. */
static inline bool group_is_complete(const struct group *group)
{
    uint32_t state = atomic_load_explicit(&group->state, memory_order_acquire);
    return (state & ~(uint32_t)GROUP_WAITING) + GROUP_ONE_TASK * group->owned == 0;
}

/** Run it here, or skip it when the group is not live. */
static inline void group_run(struct group *group, galley_fn *fn, void *arg)
{
    if (group_is_live(group)) {
        struct group *outer = thread_self.current;
        thread_self.current = group;
        fn(arg);
        thread_self.current = outer;
    }
}

/** Take one off `state`. The group may be gone afterwards. */
void group_task_is_over(struct group *group);
/** Make `code` its result, if it is the first. */
void group_fail(struct group *group, int code);
/** Is the calling thread inside one of its tasks, at any depth? */
bool group_is_around(const struct group *group);
/** Run a task that was popped from the seat's own deque. */
void group_run_popped(struct seat *seat, struct task *task);
/** The owner has no task of it left: wait for those that others have. 0, GALLEY_ETIMEDOUT or
 *  GALLEY_EFORKED. (group_wait.c) */
int group_wait_for_others(struct group *group, int64_t deadline_ns);

#endif
