/* base/debounce.h — when to act after things have changed that change together, as a certificate and
 * its key: two files, written one after the other, often in several steps. Acting at once would find
 * a pair that does not fit. So: when it has been quiet for a moment, but some time after the first
 * change at the latest. Pure; whoever watches keeps the timer, on one thread. */
#ifndef BASE_DEBOUNCE_H
#define BASE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

/** The owner sets the first two; the rest zeroed is idle. */
struct debounce {
    int64_t quiet_ms; /* without a change */
    int64_t most_ms;  /* since the first one */
    bool is_waiting;
    int64_t first_ms;
    int64_t last_ms;
};

/** Something changed. How many ms from now to look again with debounce_due(). */
int64_t debounce_touch(struct debounce *debounce, int64_t now_ms);
/** How many ms from now it is due: 0: it is; -1: nothing to do. */
int64_t debounce_left_ms(const struct debounce *debounce, int64_t now_ms);
/** 0: act now, and it is idle again; > 0: look again after so many ms; -1: nothing to do. */
int64_t debounce_due(struct debounce *debounce, int64_t now_ms);

#endif
