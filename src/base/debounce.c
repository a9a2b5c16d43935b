/* base/debounce.c — see debounce.h. */
#include "base/debounce.h"

int64_t debounce_left_ms(const struct debounce *debounce, int64_t now_ms)
{
    if (!debounce->is_waiting) {
        return -1;
    }
    int64_t quiet_ms = debounce->last_ms + debounce->quiet_ms;
    int64_t most_ms = debounce->first_ms + debounce->most_ms;
    int64_t due_ms = quiet_ms < most_ms ? quiet_ms : most_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

int64_t debounce_touch(struct debounce *debounce, int64_t now_ms)
{
    if (!debounce->is_waiting) {
        debounce->is_waiting = true;
        debounce->first_ms = now_ms;
    }
    debounce->last_ms = now_ms;
    return debounce_left_ms(debounce, now_ms);
}

int64_t debounce_due(struct debounce *debounce, int64_t now_ms)
{
    int64_t left_ms = debounce_left_ms(debounce, now_ms);
    debounce->is_waiting = left_ms > 0;
    return left_ms;
}
