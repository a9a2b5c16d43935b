/* base/counter.h — event counts: one thread writes, any thread reads.
 * Relaxed atomics: a count orders nothing, and a reader may see two counters at slightly different
 * moments. No read-modify-write, so an increment costs a plain add. Partner of each load is the
 * adding thread's store. */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

static inline void counter_add(struct counter *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, now + n, memory_order_relaxed);
}

/** For counters that several threads write. */
static inline void counter_add_shared(struct counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif
