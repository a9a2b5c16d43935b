/* pool/futex.h — sleeping on a 32-bit word, the only way a thread of this room waits.
 * Any thread. Waits may end for no reason (signal, a late wake-up meant for an earlier user of the
 * address), so every caller looks at its condition again in a loop. Deadlines are CLOCK_MONOTONIC
 * nanoseconds. */
#ifndef POOL_FUTEX_H
#define POOL_FUTEX_H

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

#define FUTEX_NO_DEADLINE INT64_C(-1)
enum { FUTEX_EVERYONE = INT_MAX };

/** Sleep while *word == expected, at most until the deadline. Says nothing: look again. */
void futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);
/** Wake up to count sleepers. The address may have been freed meanwhile: only its number is
 * used. */
void futex_wake(_Atomic uint32_t *word, int count);

/** The moment timeout_ms from now: negative is FUTEX_NO_DEADLINE, 0 is a moment that has passed. */
int64_t futex_deadline(int64_t timeout_ms);
/** Has it passed? Never for FUTEX_NO_DEADLINE. */
int futex_deadline_passed(int64_t deadline_ns);

#endif
