/* base/clock.h — the two clocks, in milliseconds, seconds or nanoseconds as the name says.
 * Deadlines use the monotonic one, Date and Last-Modified the wall one: only the second can jump,
 * when somebody sets it. Any thread; never blocks, never fails. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);
/** Seconds since 1970, UTC. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);
/** How often this thread has read one (test builds; 0 otherwise). */
uint64_t clock_reads(void);

#endif
