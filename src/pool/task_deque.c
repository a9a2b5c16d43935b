/* pool/task_deque.c — what of the deque is not on the shortest path: the owner's last task, and the
 * thieves' side. Any thread; lock-free. Which step relies on which is in task_deque.h. */
#include "pool/task_deque.h"

#include <stddef.h>

struct task *task_deque_pop_last(struct task_deque *deque, int64_t bottom, int64_t top)
{
    struct task *task = NULL;
    if (top == bottom) {
        /* Thieves may be at the same task: top decides. Partner: take */
        task = atomic_load_explicit(task_deque_slot(deque, bottom), memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&deque->top, &top, top + 1)) {
            task = NULL;
        }
    }
    /* Empty now. Relaxed: whatever a thief sees, top has reached it. */
    atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_relaxed);
    return task;
}

struct task *task_deque_look(struct task_deque *deque, int64_t *ret_index)
{
    int64_t top = atomic_load(&deque->top);       /* first: partner pop's store and load */
    int64_t bottom = atomic_load(&deque->bottom); /* acquires the task; partner: push */
    if (top >= bottom) {
        return NULL;
    }
    *ret_index = top;
    return atomic_load_explicit(task_deque_slot(deque, top), memory_order_relaxed);
}

bool task_deque_take(struct task_deque *deque, int64_t index)
{
    /* As long as top stands at `index`, the slot's task stays: the owner pops it only by moving
     * top, and pushes over it only behind top. */
    return atomic_compare_exchange_strong(&deque->top, &index, index + 1);
}

bool task_deque_has_task(struct task_deque *deque)
{
    int64_t top = atomic_load(&deque->top);
    return atomic_load(&deque->bottom) > top;
}
