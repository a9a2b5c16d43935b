/* loop/timer_wheel.c — the wheel: five levels of 64 slots, one millisecond a slot at the bottom.
 * A timer stands at the level of the highest base-64 digit in which its time differs from now, in
 * the slot of that digit. So the slots ahead of now are in order without wrapping: the earliest
 * timer is in the lowest set bit of the lowest level that has one, and when now reaches a slot of
 * an upper level its timers move down. Pure, one thread. */
#include "loop/timer_wheel.h"

#include "base/check.h"

#include <stdint.h>

enum { DIGIT_BITS = 6, DIGIT_MASK = TIMER_WHEEL_SLOTS - 1 };
#define REACH_MS (INT64_C(1) << (DIGIT_BITS * TIMER_WHEEL_LEVELS))

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms)
{
    CHECK(now_ms >= 0);
    for (unsigned level = 0; level < TIMER_WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < TIMER_WHEEL_SLOTS; slot++) {
            list_init(&wheel->slots[level][slot]);
        }
    }
    list_init(&wheel->due);
    list_init(&wheel->far);
    wheel->now_ms = now_ms;
    wheel->armed = 0;
}

static unsigned digit(int64_t time_ms, unsigned level)
{
    return (unsigned)((uint64_t)time_ms >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

/* Put a timer that is in no list where its deadline belongs. */
static void file_timer(struct timer_wheel *wheel, struct timer *timer)
{
    timer->slot_ms = timer->deadline_ms;
    if (timer->slot_ms <= wheel->now_ms) {
        list_push_back(&wheel->due, &timer->link);
        return;
    }
    uint64_t difference = (uint64_t)timer->slot_ms ^ (uint64_t)wheel->now_ms;
    unsigned level = (63u - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS;
    if (level >= TIMER_WHEEL_LEVELS) {
        list_push_back(&wheel->far, &timer->link);
        return;
    }
    unsigned slot = digit(timer->slot_ms, level);
    list_push_back(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* Take a timer out of its list; the slot's bit goes with its last timer. */
static void unfile_timer(struct timer_wheel *wheel, struct timer *timer)
{
    struct list *head = timer->link.next;
    bool was_alone = head == timer->link.prev;
    list_remove(&timer->link);
    uintptr_t offset = (uintptr_t)head - (uintptr_t)wheel->slots;
    if (was_alone && offset < sizeof(wheel->slots)) {
        size_t index = offset / sizeof(struct list);
        wheel->occupied[index / TIMER_WHEEL_SLOTS] &= ~(UINT64_C(1) << (index % TIMER_WHEEL_SLOTS));
    }
}

void timer_wheel_start(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms,
                       timer_fn *fn)
{
    DEBUG_CHECK(fn != NULL);
    timer->deadline_ms = deadline_ms;
    if (timer_is_armed(timer)) {
        timer->fn = fn;
        if (deadline_ms >= timer->slot_ms) {
            return; /* it is looked at again when its old slot comes up */
        }
        unfile_timer(wheel, timer);
    } else {
        timer->fn = fn;
        wheel->armed++;
    }
    file_timer(wheel, timer);
}

void timer_wheel_stop(struct timer_wheel *wheel, struct timer *timer)
{
    if (timer_is_armed(timer)) {
        unfile_timer(wheel, timer);
        timer->fn = NULL;
        wheel->armed--;
    }
}

/* The next moment ahead of now at which a slot comes up. */
static int64_t next_slot_ms(const struct timer_wheel *wheel)
{
    for (unsigned level = 0; level < TIMER_WHEEL_LEVELS; level++) {
        if (wheel->occupied[level]) {
            unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
            uint64_t above = ~UINT64_C(0) << ((level + 1) * DIGIT_BITS);
            return (int64_t)(((uint64_t)wheel->now_ms & above) |
                             ((uint64_t)slot << (level * DIGIT_BITS)));
        }
    }
    bool has_round = !list_is_empty(&wheel->far) && wheel->now_ms <= INT64_MAX - REACH_MS;
    return has_round ? (wheel->now_ms | (REACH_MS - 1)) + 1 : INT64_MAX;
}

int64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
    return list_is_empty(&wheel->due) ? next_slot_ms(wheel) : wheel->now_ms;
}

static void take_all(struct list *ret_taken, struct list *from)
{
    list_init(ret_taken);
    if (!list_is_empty(from)) {
        *ret_taken = *from;
        ret_taken->next->prev = ret_taken;
        ret_taken->prev->next = ret_taken;
        list_init(from);
    }
}

static void refile_all(struct timer_wheel *wheel, struct list *from)
{
    struct list moving;
    take_all(&moving, from);
    struct list *link;
    while ((link = list_pop_front(&moving))) {
        file_timer(wheel, CONTAINER_OF(link, struct timer, link));
    }
}

/* now_ms has just come to a slot: bring down what stood above. What is due now ends in `due`. */
static void bring_down(struct timer_wheel *wheel)
{
    if ((wheel->now_ms & (REACH_MS - 1)) == 0) {
        refile_all(wheel, &wheel->far);
    }
    for (unsigned level = TIMER_WHEEL_LEVELS; level-- > 0;) {
        unsigned slot = digit(wheel->now_ms, level);
        uint64_t bit = UINT64_C(1) << slot;
        if (wheel->occupied[level] & bit) {
            wheel->occupied[level] &= ~bit;
            refile_all(wheel, &wheel->slots[level][slot]);
        }
    }
}

/* Fire what is in `due` now; what callbacks put there meanwhile stays for later. */
static unsigned fire_due(struct timer_wheel *wheel)
{
    struct list firing;
    take_all(&firing, &wheel->due);
    unsigned fired = 0;
    struct list *link;
    while ((link = list_pop_front(&firing))) {
        struct timer *timer = CONTAINER_OF(link, struct timer, link);
        if (timer->deadline_ms > wheel->now_ms) { /* moved later while it stood here */
            file_timer(wheel, timer);
            continue;
        }
        timer_fn *fn = timer->fn;
        timer->fn = NULL;
        wheel->armed--;
        fn(timer);
        fired++;
    }
    return fired;
}

static void move_all(struct list *to, struct list *from)
{
    struct list *link;
    while ((link = list_pop_front(from))) {
        list_push_back(to, link);
    }
}

unsigned timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms)
{
    struct list
        late; /* started by callbacks with a deadline that had passed: not before the next advance */
    list_init(&late);
    unsigned fired = fire_due(wheel);
    int64_t next_ms;
    while ((next_ms = next_slot_ms(wheel)) <= now_ms) {
        move_all(&late, &wheel->due);
        wheel->now_ms = next_ms;
        bring_down(wheel);
        fired += fire_due(wheel);
    }
    move_all(&wheel->due, &late);
    if (now_ms > wheel->now_ms) {
        wheel->now_ms = now_ms;
    }
    return fired;
}
