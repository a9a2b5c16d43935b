/* pool/seat.c — who sits where, stealing, and serving a group with a stolen task. Any thread; lock-
 * free; nothing waits. The thread that steals runs the task itself, at once.
 *
 * A waiter may take a task only from a seat that serves its group. It reads the slot, then the
 * seat's service, then takes the slot by moving top. Had the seat ended that service before the
 * read, the read would say so; if it ends it after, the task cannot be from after it: as long as
 * top does not move, the slot keeps its task, and the service read was later than the push. */
#include "pool/seat.h"

#include "base/alloc.h"
#include "base/check.h"
#include "pool/futex.h"
#include "pool/group.h"

int pool_make_seats(struct galley_pool *pool, unsigned workers)
{
    unsigned count = workers + POOL_GUEST_SEATS;
    pool->seats = mem_alloc_aligned(alignof(struct seat), count * sizeof *pool->seats);
    if (!pool->seats) {
        return GALLEY_ENOMEM;
    }
    pool->seat_count = count;
    for (unsigned i = 0; i < count; i++) {
        pool->seats[i].pool = pool;
        pool->seats[i].is_guest = i >= workers;
    }
    return 0;
}

struct seat *seat_find(const struct galley_pool *pool)
{
    struct seat *seat = thread_self.seat;
    while (seat && seat->pool != pool) {
        seat = seat->outer;
    }
    return seat;
}

struct seat *seat_take(struct galley_pool *pool)
{
    for (unsigned i = pool->seat_count - POOL_GUEST_SEATS; i < pool->seat_count; i++) {
        struct seat *seat = &pool->seats[i];
        bool is_taken = false;
        if (!atomic_load_explicit(&seat->is_taken, memory_order_relaxed) &&
            atomic_compare_exchange_strong(&seat->is_taken, &is_taken, true)) {
            seat->outer = thread_self.seat;
            thread_self.seat = seat;
            return seat;
        }
    }
    return NULL;
}

void seat_give_back(struct seat *seat)
{
    struct seat **link = &thread_self.seat;
    while (*link && *link != seat) {
        link = &(*link)->outer;
    }
    if (*link) { /* a forked child sits nowhere any more */
        *link = seat->outer;
    }
    atomic_store_explicit(&seat->is_taken, false, memory_order_release); /* partner: seat_take */
}

bool pool_has_task(struct galley_pool *pool)
{
    if (!atomic_load(&pool->has_forked)) { /* partner: begin in group.c */
        return false;
    }
    for (unsigned i = 0; i < pool->seat_count; i++) {
        if (task_deque_has_task(&pool->seats[i].deque)) { /* partner: task_deque_push */
            return true;
        }
    }
    return false;
}

/* The seats in turn, beginning behind the thief's own: so that thieves do not all ask the same. */
static struct seat *neighbour(const struct seat *thief, unsigned distance)
{
    struct galley_pool *pool = thief->pool;
    return &pool->seats[((size_t)(thief - pool->seats) + distance) % pool->seat_count];
}

struct task *seat_steal(struct seat *thief)
{
    if (!atomic_load_explicit(&thief->pool->has_forked, memory_order_relaxed)) {
        return NULL;
    }
    for (unsigned i = 1; i < thief->pool->seat_count; i++) {
        struct task_deque *deque = &neighbour(thief, i)->deque;
        int64_t index;
        struct task *task = task_deque_look(deque, &index);
        if (task && task_deque_take(deque, index)) {
            return task;
        }
    }
    return NULL;
}

/* Does this seat work for `group`, with a task behind which the one at `index` was pushed? */
static bool serves(struct seat *seat, const struct group *group, int64_t index)
{
    uint32_t version = atomic_load(&seat->version);
    bool is_below =
        atomic_load(&seat->service.group) == group && atomic_load(&seat->service.base) <= index;
    return is_below && version % 2 == 0 && atomic_load(&seat->version) == version;
}

struct task *seat_steal_below(struct seat *thief, const struct group *group)
{
    for (unsigned i = 1; i < thief->pool->seat_count; i++) {
        struct seat *seat = neighbour(thief, i);
        int64_t index;
        struct task *task = task_deque_look(&seat->deque, &index);
        if (task && serves(seat, group, index) && task_deque_take(&seat->deque, index)) {
            return task;
        }
    }
    return NULL;
}

bool seat_ask(struct seat *waiter, const struct group *group)
{
    bool found = false;
    for (unsigned i = 1; i < waiter->pool->seat_count; i++) {
        struct seat *seat = neighbour(waiter, i);
        if (atomic_load(&seat->service.group) == group) { /* partner: set_service */
            atomic_store(&seat->hungry, true);            /* partner: tell_of_push */
            int64_t index;
            found = found || (task_deque_look(&seat->deque, &index) && serves(seat, group, index));
        }
    }
    return found;
}

void seat_feed(struct seat *seat)
{
    atomic_store(&seat->hungry, false);
    /* Lives: this seat runs a task of it. If the wish was for an outer one, it is renewed when the
     * seat comes back to that. */
    struct group *group = atomic_load_explicit(&seat->service.group, memory_order_relaxed);
    if (group && (atomic_fetch_and(&group->state, ~(uint32_t)GROUP_WAITING) & GROUP_WAITING)) {
        futex_wake(&group->state, 1);
    }
}

static void set_service(struct seat *seat, struct group *group, int64_t base)
{
    uint32_t version = atomic_load_explicit(&seat->version, memory_order_relaxed);
    atomic_store(&seat->hungry, false); /* before `group`: the new one's waiter may ask at once */
    atomic_store(&seat->version, version + 1);
    atomic_store(&seat->service.group, group); /* partner: seat_ask */
    atomic_store(&seat->service.base, base);
    atomic_store(&seat->version, version + 2);
    /* Its waiter may have asked before this seat served it; partner: doze. */
    if (group && (atomic_load(&group->state) & GROUP_WAITING)) {
        atomic_store(&seat->hungry, true);
    }
}

/* What the served task pushed into its own group and nobody took. */
static void run_left_over(struct seat *seat, int64_t base)
{
    while (task_deque_bottom(&seat->deque) > base) {
        struct task *task = task_deque_pop(&seat->deque);
        if (!task) {
            return;
        }
        group_run_popped(seat, task);
    }
}

void seat_serve(struct seat *seat, struct task *task)
{
    struct group *group = task->group;
    struct group *outer = atomic_load_explicit(&seat->service.group, memory_order_relaxed);
    int64_t outer_base = atomic_load_explicit(&seat->service.base, memory_order_relaxed);
    int64_t base = task_deque_bottom(&seat->deque);
    uint32_t open = seat->open;
    const galley_stop_flag *watched = galley_stop_flag_watch(group->watched);
    counter_add(&seat->stolen, 1);
    set_service(seat, group, base);
    group_run(group, task->fn, task->arg);
    CHECK(seat->open == open); /* the task has waited for its own groups */
    run_left_over(seat, base);
    set_service(seat, outer, outer_base);
    (void)galley_stop_flag_watch(watched);
    group_task_is_over(group);
}

void seat_abandon_service(struct seat *seat)
{
    struct group *group = atomic_load_explicit(&seat->service.group, memory_order_relaxed);
    CHECK(seat->open == 0); /* groups on the dying thread's stack: other threads may use them */
    if (!group) {
        return;
    }
    group_fail(group, GALLEY_ESTATE);
    thread_self.current = NULL;
    run_left_over(seat, atomic_load_explicit(&seat->service.base, memory_order_relaxed));
    set_service(seat, NULL, 0);
    group_task_is_over(group);
}
