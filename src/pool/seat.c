/* pool/seat.c — who sits where, stealing, and serving a group with a stolen task. Any thread; lock-
 * free; nothing waits. The thread that steals runs the task itself, at once.
 *
 * A waiter may take a task only from a seat that serves its group, itself or by thefts. It reads the slot, then the
 * seat's service, then takes the slot by moving top. Had the seat ended that service before the
 * read, the read would say so; if it ends it after, the task cannot be from after it: as long as
 * top does not move, the slot keeps its task, and the service read was later than the push. */
#include "pool/seat.h"

#include "base/alloc.h"
#include "base/check.h"
#include "pool/futex.h"
#include "pool/group.h"

#include <string.h>

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

/* Whom the seat serves with what it pushed at `index`. False while that changes. */
static bool read_lineage(struct seat *seat, int64_t index, struct lineage *ret_lineage)
{
    struct service *service = &seat->service;
    uint32_t version = atomic_load(&service->version); /* partner: set_service */
    bool is_below = atomic_load_explicit(&service->base, memory_order_acquire) <= index;
    for (unsigned i = 0; i < LINEAGE_MAX; i++) {
        ret_lineage->groups[i] =
            is_below ? atomic_load_explicit(&service->groups[i], memory_order_acquire) : NULL;
    }
    /* Not before the loads above, which acquire: one that saw a later value sees a later version */
    return version % 2 == 0 &&
           atomic_load_explicit(&service->version, memory_order_relaxed) == version;
}

static bool has_group(const struct lineage *lineage, const struct group *group)
{
    for (unsigned i = 0; i < LINEAGE_MAX; i++) {
        if (lineage->groups[i] == group) {
            return true;
        }
    }
    return false;
}

static bool steal_from(struct seat *seat, const struct group *below, struct loot *ret_loot)
{
    int64_t index;
    ret_loot->task = task_deque_look(&seat->deque, &index);
    if (!ret_loot->task) {
        return false;
    }
    if (!read_lineage(seat, index, &ret_loot->lineage)) {
        ret_loot->lineage = (struct lineage){{NULL}}; /* costs some waiter some work, no more */
    }
    return (!below || has_group(&ret_loot->lineage, below)) && task_deque_take(&seat->deque, index);
}

bool seat_steal(struct seat *thief, const struct group *below, struct loot *ret_loot)
{
    if (!atomic_load_explicit(&thief->pool->has_forked, memory_order_relaxed)) {
        return false;
    }
    for (unsigned i = 1; i < thief->pool->seat_count; i++) {
        if (steal_from(neighbour(thief, i), below, ret_loot)) {
            return true;
        }
    }
    return false;
}

bool seat_ask(struct seat *waiter, const struct group *group)
{
    bool found = false;
    for (unsigned i = 1; i < waiter->pool->seat_count; i++) {
        struct seat *seat = neighbour(waiter, i);
        struct lineage lineage;
        int64_t index;
        if (read_lineage(seat, INT64_MAX, &lineage) && !has_group(&lineage, group)) {
            continue;
        }
        atomic_store(&seat->hungry, true); /* partner: tell_of_push */
        found = found || (task_deque_look(&seat->deque, &index) &&
                          read_lineage(seat, index, &lineage) && has_group(&lineage, group));
    }
    return found;
}

static bool is_awaited(const struct group *group)
{
    return (atomic_load(&group->state) & GROUP_WAITING) != 0;
}

/* The next group around whose owner sleeps. All of them live: this seat runs a task below them. */
static struct group *next_awaited(struct group *group)
{
    while (group && !is_awaited(group)) {
        group = group->parent;
    }
    return group;
}

static struct group *served_group(struct seat *seat)
{
    return atomic_load_explicit(&seat->service.groups[0], memory_order_relaxed);
}

void seat_feed(struct seat *seat)
{
    atomic_store(&seat->hungry, false);
    struct group *group = next_awaited(served_group(seat));
    if (!group) {
        return;
    }
    if (next_awaited(group->parent)) {
        atomic_store(&seat->hungry, true); /* the next push is for that one */
    }
    if (atomic_fetch_and(&group->state, ~(uint32_t)GROUP_WAITING) & GROUP_WAITING) {
        futex_wake(&group->state, 1);
    }
}

static void set_service(struct seat *seat, const struct lineage *lineage, int64_t base)
{
    struct service *service = &seat->service;
    uint32_t version = atomic_load_explicit(&service->version, memory_order_relaxed);
    atomic_store(&seat->hungry, false); /* first: the new ones' waiters may ask at once */
    atomic_store_explicit(&service->version, version + 1, memory_order_relaxed);
    /* Release: who sees one of these sees the odd version. Partner: read_lineage */
    atomic_store_explicit(&service->base, base, memory_order_release);
    for (unsigned i = 0; i < LINEAGE_MAX; i++) {
        atomic_store_explicit(&service->groups[i], lineage->groups[i], memory_order_release);
    }
    atomic_store(&service->version, version + 2); /* before the look below; partner: seat_ask */
    /* A waiter may have asked before this seat served it; partner: doze. */
    if (next_awaited(lineage->groups[0])) {
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

void seat_serve(struct seat *seat, const struct loot *loot)
{
    struct group *group = loot->task->group;
    struct lineage outer, own = {.groups = {group}};
    int64_t outer_base = atomic_load_explicit(&seat->service.base, memory_order_relaxed);
    int64_t base = task_deque_bottom(&seat->deque);
    uint32_t open = seat->open;
    const galley_stop_flag *watched = galley_stop_flag_watch(group->watched);
    (void)read_lineage(seat, INT64_MAX, &outer); /* its own: nobody changes it */
    memcpy(&own.groups[1], &loot->lineage.groups[0], (LINEAGE_MAX - 1) * sizeof own.groups[0]);
    counter_add(&seat->stolen, 1);
    set_service(seat, &own, base);
    group_run(group, loot->task->fn, loot->task->arg);
    CHECK(seat->open == open); /* the task has waited for its own groups */
    run_left_over(seat, base);
    set_service(seat, &outer, outer_base);
    (void)galley_stop_flag_watch(watched);
    group_task_is_over(group);
}

void seat_abandon_service(struct seat *seat)
{
    const struct lineage nobody = {{NULL}};
    struct group *group = served_group(seat);
    CHECK(seat->open == 0); /* groups on the dying thread's stack: other threads may use them */
    if (!group) {
        return;
    }
    group_fail(group, GALLEY_ESTATE);
    thread_self.current = NULL;
    run_left_over(seat, atomic_load_explicit(&seat->service.base, memory_order_relaxed));
    set_service(seat, &nobody, 0);
    group_task_is_over(group);
}
