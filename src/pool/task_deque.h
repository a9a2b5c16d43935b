/* pool/task_deque.h — one thread's stack of spawned tasks, from which other threads take the
 * oldest. The owner pushes and pops at the bottom, newest first; thieves take at the top. Bounded;
 * nothing here sleeps, wakes or allocates.
 *
 * The algorithm is Chase and Lev's (SPAA 2005) with a fixed ring, in the C11 form of Lê, Pop,
 * Cohen and Zappa Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models" (PPoPP
 * 2013). Where they use relaxed accesses and fences, bottom and top are sequentially consistent
 * here: on x86 that is the same one instruction in pop, tools that know no fences can check it, and
 * push needs it anyway to come before the look at who sleeps. tests/model/pool/deque.pml goes
 * through all interleavings. */
#ifndef POOL_TASK_DEQUE_H
#define POOL_TASK_DEQUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task;

enum { TASK_DEQUE_ROOM = 256 };

struct task_deque {
    alignas(64) _Atomic int64_t top;    /* oldest task; only grows. Partners: pop, take */
    alignas(64) _Atomic int64_t bottom; /* behind the newest; the owner's. Partners: look, pop */
    int64_t top_seen;                   /* the owner's: top is at least this */
    alignas(64) _Atomic(struct task *) slots[TASK_DEQUE_ROOM];
};

static inline _Atomic(struct task *) *task_deque_slot(struct task_deque *deque, int64_t index)
{
    return &deque->slots[(uint64_t)index % TASK_DEQUE_ROOM];
}

/** Owner: where the next push goes. */
static inline int64_t task_deque_bottom(const struct task_deque *deque)
{
    return atomic_load_explicit(&deque->bottom, memory_order_relaxed); /* its own last store */
}

/** Owner: false when there is no room. A slot is written again only when top has passed it, and
 *  then the take of a thief that still reads it fails. */
static inline bool task_deque_push(struct task_deque *deque, struct task *task)
{
    int64_t bottom = task_deque_bottom(deque);
    if (bottom - deque->top_seen >= TASK_DEQUE_ROOM) {
        deque->top_seen = atomic_load(&deque->top);
        if (bottom - deque->top_seen >= TASK_DEQUE_ROOM) {
            return false;
        }
    }
    atomic_store_explicit(task_deque_slot(deque, bottom), task, memory_order_relaxed);
    /* Releases the slot and what is in the task; partner: look. Before the reads of the sleepers'
     * word and of `hungry`; partners: pool_has_work after sleepers_enter, group_ask. */
    atomic_store(&deque->bottom, bottom + 1);
    return true;
}

/** Owner: the rest of pop, for the last task or none. */
struct task *task_deque_pop_last(struct task_deque *deque, int64_t bottom, int64_t top);

/** Owner: the newest task, or NULL. */
static inline struct task *task_deque_pop(struct task_deque *deque)
{
    int64_t bottom = task_deque_bottom(deque) - 1;
    /* The store comes before the load of top: a thief that takes the slot below `bottom` has either
     * moved top before the load here, or sees this bottom. Partner: look. */
    atomic_store(&deque->bottom, bottom);
    int64_t top = atomic_load(&deque->top);
    if (top < bottom) {
        return atomic_load_explicit(task_deque_slot(deque, bottom), memory_order_relaxed);
    }
    return task_deque_pop_last(deque, bottom, top);
}

/** Any thread: the oldest task and its index, or NULL. It may be taken or over by now: not to be
 *  touched before task_deque_take succeeded. */
struct task *task_deque_look(struct task_deque *deque, int64_t *ret_index);
/** Any thread: make the task that look found the caller's. False when another was faster. */
bool task_deque_take(struct task_deque *deque, int64_t index);
/** Any thread: would look find one? */
bool task_deque_has_task(struct task_deque *deque);

#endif
