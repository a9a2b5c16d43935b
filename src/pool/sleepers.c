/* pool/sleepers.c — the sleep/wake protocol. Any thread; lock-free; the only waits are the
 * sleepers' own.
 *
 *   submitter   publish · wake: { nobody searches and somebody sleeps: take the top off, count it
 *   searching, wake it }
 *   worker      take fails · enter the stack (and leave the searching) · look again: { a job: wake
 *   as above } · wait
 *   woken       is searching · take succeeds · end the search · look again: { a job: wake as above
 *   } · run
 *
 * Claim: when no step is left to do and a published job is at the head, no worker sleeps unless one
 * is searching or active. Sketch: take the last wake of the job's submitter, which reads the word
 * after the publish. (1) It took a sleeper off: that one is searching and will look.
 * (2) It saw no sleeper: every worker was active or searching. Each of them looks at the queue
 * after it enters the
 *     stack, which is after that read in the single order of the sequentially consistent operations
 *     (enter changes the word, publish and the look are on seq), so it sees the job, or a job
 *     before it, and wakes.
 * (3) It saw a searcher. A searcher stops in two ways: it enters the stack and looks, as in (2); or
 * it ends the search
 *     with a job in hand and looks again: if the job is still there it wakes, and (1)-(3) hold for
 *     that wake.
 * A look that finds the head claimed but not published may ignore it: its submitter has its wake
 * still to come, and the worker that it leads to goes on to the jobs behind. Wakes strictly follow
 * publishes and takes, so the chain in (3) ends. Leaving out the second look, or letting the
 * publish pass the read of the word, loses a job for good: the model finds both.
 *
 * The epoch grows with every push, so that a compare-exchange prepared with an old `next` fails
 * (ABA): the same top would have to come back after exactly 2^32 sleeps within one prepared pop. */
#include "pool/sleepers.h"

#include "base/alloc.h"
#include "base/check.h"
#include "pool/futex.h"

#include <galley/base.h>

enum { SEARCHING_SHIFT = 16, EPOCH_SHIFT = 32 };
#define FIELD_MASK    UINT64_C(0xffff)
#define ONE_SEARCHING (UINT64_C(1) << SEARCHING_SHIFT)
#define ONE_EPOCH     (UINT64_C(1) << EPOCH_SHIFT)

int sleepers_init(struct sleepers *sleepers, unsigned count)
{
    CHECK(count > 0 && count <= SLEEPERS_MAX);
    atomic_init(&sleepers->word, 0);
    sleepers->places = mem_alloc_aligned(alignof(struct sleeper), count * sizeof(struct sleeper));
    return sleepers->places ? 0 : GALLEY_ENOMEM;
}

void sleepers_finish(struct sleepers *sleepers)
{
    mem_free(sleepers->places);
    sleepers->places = NULL;
}

static unsigned below(struct sleepers *sleepers, unsigned top)
{
    return atomic_load_explicit(&sleepers->places[top - 1].next, memory_order_relaxed);
}

static void wake_sleeper(struct sleeper *sleeper, bool is_self)
{
    atomic_store_explicit(&sleeper->awake, 1, memory_order_release); /* partner: sleepers_wait */
    if (!is_self) {
        futex_wake(&sleeper->awake, 1);
    }
}

unsigned sleepers_wake(struct sleepers *sleepers, uint64_t want, unsigned self)
{
    unsigned woken = 0;
    uint64_t word = atomic_load(&sleepers->word); /* after the publish; partner: sleepers_enter */
    /* Counting what was woken keeps this short when the woken ones find nothing yet and fall asleep
     * behind it. */
    while (woken < want && sleepers_searching(word) < want && sleepers_top(word) != 0) {
        unsigned top = sleepers_top(word);
        uint64_t popped = (word & ~FIELD_MASK) + ONE_SEARCHING + below(sleepers, top);
        if (atomic_compare_exchange_weak(&sleepers->word, &word, popped)) {
            wake_sleeper(&sleepers->places[top - 1], top - 1 == self);
            woken++;
            word = atomic_load(&sleepers->word);
        }
    }
    return woken;
}

/* Takes the whole stack at once: those who fall asleep again meanwhile are not met a second
 * time. */
void sleepers_wake_all(struct sleepers *sleepers)
{
    unsigned top;
    uint64_t emptied, word = atomic_load(&sleepers->word);
    do {
        emptied = word & ~FIELD_MASK;
        unsigned count =
            0; /* bounded: the chain may change under this walk, and then the exchange fails */
        for (top = sleepers_top(word); top != 0 && count < SLEEPERS_MAX;
             top = below(sleepers, top)) {
            count++;
        }
        emptied += count * ONE_SEARCHING;
        top = sleepers_top(word);
    } while (!atomic_compare_exchange_weak(&sleepers->word, &word, emptied));
    while (top != 0) {
        struct sleeper *sleeper = &sleepers->places[top - 1];
        top = below(sleepers, top); /* before it is woken, and may enter anew */
        wake_sleeper(sleeper, false);
    }
}

void sleepers_enter(struct sleepers *sleepers, unsigned self, bool was_searching)
{
    struct sleeper *sleeper = &sleepers->places[self];
    atomic_store_explicit(&sleeper->awake, 0, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&sleepers->word, memory_order_relaxed);
    uint64_t entered;
    do {
        atomic_store_explicit(&sleeper->next, sleepers_top(word), memory_order_relaxed);
        entered = (word & ~FIELD_MASK) + ONE_EPOCH + self + 1 - (was_searching ? ONE_SEARCHING : 0);
    } while (!atomic_compare_exchange_weak(&sleepers->word, &word, entered)); /* partner: wake */
}

void sleepers_wait(struct sleepers *sleepers, unsigned self)
{
    struct sleeper *sleeper = &sleepers->places[self];
    while (!atomic_load_explicit(&sleeper->awake, memory_order_acquire)) {
        futex_wait(&sleeper->awake, 0, FUTEX_NO_DEADLINE);
    }
}

bool sleepers_search(struct sleepers *sleepers)
{
    uint64_t word = atomic_load_explicit(&sleepers->word, memory_order_relaxed);
    return sleepers_searching(word) == 0 &&
           atomic_compare_exchange_strong(&sleepers->word, &word, word + ONE_SEARCHING);
}

void sleepers_search_end(struct sleepers *sleepers)
{
    atomic_fetch_sub(&sleepers->word, ONE_SEARCHING); /* partner: the read in wake */
}
