/* pool/seat.h — a thread's place in a pool's fork/join: its stack of tasks, and for whom it works.
 * Every worker has one for life; a few more are for guests, threads outside the pool, each taken at
 * the first spawn and given back when the guest's last group has ended.
 *
 * A seat serves a group while its thread runs a task of that group that it took from another seat.
 * Tasks that are pushed meanwhile, from index base on, are below that task: of groups that the task
 * waits for. So who waits for the served group may take them, and no others: that is how a wait
 * finds related work without a look into tasks that may be gone (Wagner and Calder,
 * "Leapfrogging", PPoPP 1993). With the task the thief takes over whom its victim served: who waits
 * for one of those waits for this task too. */
#ifndef POOL_SEAT_H
#define POOL_SEAT_H

#include "base/counter.h"
#include "pool/task_deque.h"

#include <galley/pool.h>

struct group;

enum { POOL_GUEST_SEATS = 8 };

/* What a galley_task holds. */
struct __attribute__((may_alias)) task {
    galley_fn *fn;
    void *arg;
    struct group *group;
};
_Static_assert(sizeof(struct task) <= sizeof(galley_task), "a task fits in the user's room");

/* The served group and those around it by thefts, the innermost first; NULL behind the last. A
 * longer chain loses its outer end, and their waiters some work. */
enum { LINEAGE_MAX = 16 };
struct lineage {
    struct group *groups[LINEAGE_MAX];
};

/* For whom a seat works: `version` is odd while the rest changes. Others compare the groups, and
 * follow none. */
struct service {
    _Atomic uint32_t version;
    _Atomic(struct group *) groups[LINEAGE_MAX];
    _Atomic int64_t base;
};

/* What was stolen, and for whom the victim worked. */
struct loot {
    struct task *task;
    struct lineage lineage;
};

struct seat {
    struct task_deque deque;

    /* the thread's own */
    alignas(64) struct galley_pool *pool;
    struct seat *outer; /* of the same thread, in another pool */
    uint32_t open;      /* groups of this seat that have begun and not ended */
    bool is_guest;

    /* written by waiters elsewhere: wants to be told of the next push. Partner: group_ask */
    _Atomic bool hungry;

    /* written by the thread, read by others. Partner: seat_serves */
    alignas(64) struct service service;
    struct counter stolen; /* tasks run that were taken from other seats */
    _Atomic bool is_taken; /* guests: acquire and release; partner: itself */
};

/** 0 or GALLEY_ENOMEM. */
int pool_make_seats(struct galley_pool *pool, unsigned workers);

/** The calling thread's seat in that pool, or NULL. */
struct seat *seat_find(const struct galley_pool *pool);
/** A free guest's seat for the calling thread, or NULL. */
struct seat *seat_take(struct galley_pool *pool);
/** The guest leaves; its deque is empty. */
void seat_give_back(struct seat *seat);

/** Does any seat hold a task? Part of what a worker looks at before it sleeps. */
bool pool_has_task(struct galley_pool *pool);
/** Take the oldest task of some seat; below: only one that a wait for that group waits for, NULL:
 *  any. False: there is none, or another was faster. */
bool seat_steal(struct seat *thief, const struct group *below, struct loot *ret_loot);
/** Run a stolen task, with all that it leaves in this seat, and account for it. */
void seat_serve(struct seat *seat, const struct loot *loot);
/** The thread ends in the middle of seat_serve: account for the task, whose group fails. */
void seat_abandon_service(struct seat *seat);
/** After a push: somebody who waits for the running task, or around it, asked to be told. */
void seat_feed(struct seat *seat);
/** A waiter: be told of pushes below `group`. True if there is something to take already. */
bool seat_ask(struct seat *waiter, const struct group *group);

#endif
