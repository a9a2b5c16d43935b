/* pool/group_wait.c — a wait whose tasks are with other threads: help them, else sleep; and the
 * other side, the end of a task. A waiter sleeps on its group's `state`.
 *
 * No wake-up is lost. The end: WAITING and the owner's count go into `state` in one step, so the
 * task that is over last sees both, or is counted before. New tasks below the group: the waiter
 * sets WAITING, then asks the seats that serve it (hungry), then looks into them; a seat pushes and
 * then looks at hungry; a seat that begins to serve says so and then looks at WAITING. Each pair is
 * sequentially consistent, so at least one sees the other. Who answers takes WAITING off, which
 * changes the futex's word. tests/model/pool/group.pml has the same steps. */
#include "pool/futex.h"
#include "pool/group.h"

#include "base/relax.h"

/* A stolen task is often nearly done. About a microsecond; a sleep and a wake-up cost more. */
enum { LOOKS_BEFORE_SLEEP = 32 };

void group_task_is_over(struct group *group)
{
    /* Releases what the task wrote; partner: group_is_complete. The last touch of the group. */
    uint32_t before = atomic_fetch_sub(&group->state, GROUP_ONE_TASK);
    if (before == GROUP_ONE_TASK + GROUP_WAITING) {
        futex_wake(&group->state, 1); /* the address only: the group may be gone */
    }
}

/* Run one task below the group that another seat has. */
static bool help(struct group *group)
{
    struct loot loot;
    if (!seat_steal(group->home, group, &loot)) {
        return false;
    }
    seat_serve(group->home, &loot);
    return true;
}

static void doze(struct group *group, int64_t deadline_ns)
{
    uint32_t add = GROUP_ONE_TASK * group->owned + GROUP_WAITING;
    group->owned = 0;
    uint32_t state = atomic_fetch_add(&group->state, add) + add; /* partner: group_task_is_over */
    if (state != GROUP_WAITING && !seat_ask(group->home, group)) {
        futex_wait(&group->state, state, deadline_ns);
    }
    atomic_fetch_and(&group->state, ~(uint32_t)GROUP_WAITING);
}

/* Look a little longer; true when there is something to do. */
static bool linger(const struct group *group)
{
    for (int i = 0; i < LOOKS_BEFORE_SLEEP; i++) {
        cpu_relax();
        if (group_is_complete(group)) {
            return true;
        }
    }
    return false;
}

int group_wait_for_others(struct group *group, int64_t deadline_ns)
{
    while (!group_is_complete(group)) {
        if (pool_is_forked(group->pool)) {
            return GALLEY_EFORKED;
        }
        bool helped = help(group);
        if (deadline_ns >= 0 && futex_deadline_passed(deadline_ns)) {
            return group_is_complete(group) ? 0 : GALLEY_ETIMEDOUT;
        }
        if (!helped && !linger(group)) {
            doze(group, deadline_ns);
        }
    }
    return 0;
}
