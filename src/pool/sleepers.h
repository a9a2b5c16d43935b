/* pool/sleepers.h — which workers sleep, how many look for work, and who wakes whom. The protocol
 * and its proof sketch are in sleepers.c; tests/model/pool/ checks it over all interleavings.
 * One 64-bit word holds it all: epoch | searching | top of a stack of sleepers. Each worker sleeps
 * on a futex of its own, and the one that fell asleep last is woken first: its cache is warm, and
 * the others can sleep on. A worker is at any time one of: active (runs jobs, or is about to look),
 * searching (counted; promises to look at the queue before it sleeps), sleeping (on the stack). */
#ifndef POOL_SLEEPERS_H
#define POOL_SLEEPERS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLEEPERS_MAX = 32767, SLEEPERS_NOBODY = 0xffff };

struct sleeper {
    alignas(64) _Atomic uint32_t
        awake;             /* futex; partner: sleepers_wake sets it, sleepers_wait waits for it */
    _Atomic uint32_t next; /* the sleeper below, + 1; 0: none. Valid while on the stack */
};

struct sleepers {
    alignas(64) _Atomic uint64_t word;
    struct sleeper *places; /* one for each worker */
};

/** Index + 1 of the sleeper to wake next; 0: nobody sleeps. */
static inline unsigned sleepers_top(uint64_t word)
{
    return (unsigned)(word & 0xffff);
}

static inline uint64_t sleepers_searching(uint64_t word)
{
    return (word >> 16) & 0xffff;
}

/** 0 or GALLEY_ENOMEM. count: 1 .. SLEEPERS_MAX. */
int sleepers_init(struct sleepers *sleepers, unsigned count);
void sleepers_finish(struct sleepers *sleepers);

/** After jobs were published: see that at least `want` workers search, as far as there are
 *  sleepers. Returns how many were woken; each of them is counted as searching from this moment.
 *  `self` is the caller's index if it may be on the stack itself (it needs no system call to wake),
 *  else SLEEPERS_NOBODY. */
unsigned sleepers_wake(struct sleepers *sleepers, uint64_t want, unsigned self);
/** Would sleepers_wake(…, 1, …) wake one? For callers that publish often. */
static inline bool sleepers_could_wake(struct sleepers *sleepers)
{
    uint64_t word = atomic_load(&sleepers->word); /* after the publish; partner: sleepers_enter */
    return sleepers_top(word) != 0 && sleepers_searching(word) == 0;
}
/** Wake every sleeper; for the end of the pool. */
void sleepers_wake_all(struct sleepers *sleepers);

/** Go on the stack, and out of the searching if was_searching. The caller must then look at the
 *  queue once more and call sleepers_wake(…, 1, self) if there is a job, and then sleepers_wait. */
void sleepers_enter(struct sleepers *sleepers, unsigned self, bool was_searching);
/** Sleep until somebody took this worker off the stack. It then counts as searching. */
void sleepers_wait(struct sleepers *sleepers, unsigned self);

/** Start to search without sleeping, if nobody else searches. */
bool sleepers_search(struct sleepers *sleepers);
/** A searching worker found a job or ends. If there are more jobs it must then call
 * sleepers_wake(…, 1, …). */
void sleepers_search_end(struct sleepers *sleepers);

#endif
