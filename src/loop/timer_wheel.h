/* loop/timer_wheel.h — deadlines by the thousand: hierarchical wheel, start and stop in constant
 * time. Pure: it is told what time it is. A timer whose deadline is moved later while armed stays
 * in its slot and is put on when the slot comes up, so that keep-alive re-arming costs one store.
 * One thread. */
#ifndef LOOP_TIMER_WHEEL_H
#define LOOP_TIMER_WHEEL_H

#include "base/list.h"

#include <stdint.h>

struct timer;
typedef void timer_fn(struct timer *timer);

struct timer {
    struct list link;
    int64_t deadline_ms; /* when it is wanted */
    int64_t slot_ms;     /* the deadline under which it is filed; <= deadline_ms */
    timer_fn *fn;        /* NULL: not armed */
};

enum { TIMER_WHEEL_LEVELS = 5, TIMER_WHEEL_SLOTS = 64 };

struct timer_wheel {
    struct list slots[TIMER_WHEEL_LEVELS][TIMER_WHEEL_SLOTS];
    uint64_t occupied[TIMER_WHEEL_LEVELS]; /* a bit a slot: set exactly when it is not empty */
    struct list due; /* started with a deadline that had passed: fire at the next advance */
    struct list far; /* beyond the top level's 12 days: filed again when the wheel has gone round */
    int64_t now_ms;  /* everything filed up to here has fired */
    uint64_t armed;
};

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms);
/** As loop_timer_start(). A deadline in the past fires at the next advance. */
void timer_wheel_start(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms,
                       timer_fn *fn);
void timer_wheel_stop(struct timer_wheel *wheel, struct timer *timer);
/** Earliest moment at which advance may have something to do; INT64_MAX when nothing is armed.
 * Never late. */
int64_t timer_wheel_next_ms(const struct timer_wheel *wheel);
/** Fire everything due at now_ms; callbacks may start and stop any timer. Returns how many
 * fired. */
unsigned timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms);

static inline bool timer_is_armed(const struct timer *timer)
{
    return timer->fn != NULL;
}

#endif
