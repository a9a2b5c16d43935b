/* bench/micro/micro_timer.c — deadlines of connections: put off at each request, started and
 * stopped, fired. See micro.h. */
#include "micro.h"

#include "loop/timer_wheel.h"

#include <stddef.h>

enum { TIMERS = 64, IDLE_MS = 60000 };

static struct timer_wheel wheel;
static struct timer timers[TIMERS];

static void fire(struct timer *timer)
{
    micro_keep((uintptr_t)timer);
}

static void prepare(void)
{
    timer_wheel_init(&wheel, 1000);
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i] = (struct timer){.fn = NULL};
    }
}

/* What keep-alive does for each request. */
static void put_off(unsigned rounds)
{
    timer_wheel_start(&wheel, &timers[0], 1000 + IDLE_MS, fire);
    for (unsigned i = 0; i < rounds; i++) {
        timer_wheel_start(&wheel, &timers[0], 1001 + IDLE_MS + i, fire);
    }
    timer_wheel_stop(&wheel, &timers[0]);
}

static void start_and_stop(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        timer_wheel_start(&wheel, &timers[i % TIMERS], 1000 + IDLE_MS + i, fire);
        timer_wheel_stop(&wheel, &timers[i % TIMERS]);
    }
}

static void start_and_fire(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        timer_wheel_start(&wheel, &timers[i % TIMERS], wheel.now_ms + 1, fire);
        micro_need(timer_wheel_advance(&wheel, wheel.now_ms + 1) == 1, "fire");
    }
}

const struct micro micro_timer[] = {{"timer_put_off", prepare, put_off},
                                    {"timer_start_stop", prepare, start_and_stop},
                                    {"timer_start_fire", prepare, start_and_fire},
                                    {NULL, NULL, NULL}};
