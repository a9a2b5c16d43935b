/* base/clock.h — the two clocks. Deadlines use the monotonic one, Date and Last-Modified the wall one. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);
/** Seconds since 1970, UTC. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

#endif
