/* pool/gate.c — see gate.h. Any thread. All operations are sequentially consistent: the argument is
 * about the order of accesses to different words, and none is on a path that runs once a job but
 * the one load in gate_open_one. */
#include "pool/gate.h"

#include "pool/futex.h"

void gate_init(struct gate *gate)
{
    atomic_init(&gate->waiters, 0);
    atomic_init(&gate->waking, 0);
    atomic_init(&gate->turn, 0);
}

void gate_enter(struct gate *gate)
{
    atomic_fetch_add(&gate->waiters, 1);
}

void gate_leave(struct gate *gate)
{
    atomic_fetch_sub(&gate->waiters, 1);
}

uint32_t gate_look(struct gate *gate)
{
    uint32_t seen = atomic_load(&gate->turn);
    /* Before the look at the condition: an opener that still sees `waking` has changed the
     * condition before. */
    atomic_store(&gate->waking, 0);
    return seen;
}

void gate_wait(struct gate *gate, uint32_t seen, int64_t deadline_ns)
{
    futex_wait(&gate->turn, seen, deadline_ns);
}

void gate_open_one(struct gate *gate)
{
    uint32_t nobody = 0;
    if (atomic_load(&gate->waiters) == 0 ||
        !atomic_compare_exchange_strong(&gate->waking, &nobody, 1)) {
        return;
    }
    atomic_fetch_add(&gate->turn, 1);
    futex_wake(&gate->turn, 1);
}

void gate_pass_on(struct gate *gate)
{
    if (atomic_load(&gate->waiters) > 1) {
        gate_open_one(gate);
    }
}

void gate_open_all(struct gate *gate)
{
    /* A read-modify-write, not a load: it comes before the waiter's count (which then sees all that
     * was done before here) or after it (and sees the waiter), whatever order the condition was
     * stored with. */
    if (atomic_fetch_add(&gate->waiters, 0) == 0) {
        return;
    }
    atomic_fetch_add(&gate->turn, 1);
    futex_wake(&gate->turn, FUTEX_EVERYONE);
}
