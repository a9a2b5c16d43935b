/* pool/gate.h — threads outside the pool wait here: submitters for room in the queue, and
 * galley_pool_wait for the end of the last job. Any thread. The pass-by costs one load while nobody
 * waits.
 *
 *   waiter   gate_enter · loop { seen = gate_look · is it there? then gate_leave, done ·
 *   gate_wait(seen) } · gate_leave
 *   other    make it so (seq_cst) · gate_open_one or gate_open_all
 *
 * No wake-up is lost: the waiter counts itself before it looks at the condition, the other side
 * changes the condition before it looks at the count; and who opens changes `turn`, so that a
 * waiter that looked before does not fall asleep after. gate_open_one wakes at most one waiter at a
 * time: until that waiter looked (it clears `waking` first), others pass by, so a stream of small
 * jobs is not one system call each. The woken one opens for the next if there is more room. */
#ifndef POOL_GATE_H
#define POOL_GATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
    alignas(64) _Atomic uint32_t waiters; /* partner: the condition itself */
    _Atomic uint32_t waking;              /* partner: the condition itself */
    _Atomic uint32_t turn;                /* futex */
};

void gate_init(struct gate *gate);
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
/** To be called before each look at the condition. */
uint32_t gate_look(struct gate *gate);
/** Sleep unless the gate was opened since gate_look returned `seen`, at most until the deadline. */
void gate_wait(struct gate *gate, uint32_t seen, int64_t deadline_ns);
/** Wake one waiter, unless one is on its way. */
void gate_open_one(struct gate *gate);
/** A waiter that got what it waited for, and left some, says so before it leaves. */
void gate_pass_on(struct gate *gate);
/** Wake all. Also right when the condition was changed by plain release stores. */
void gate_open_all(struct gate *gate);

#endif
