/* tls/tls_debounce.c — see tls_debounce.h. */
#include "tls/tls_debounce.h"

static int64_t wait_ms(const struct tls_debounce *debounce, int64_t now_ms)
{
    int64_t quiet_ms = debounce->last_ms + TLS_DEBOUNCE_QUIET_MS;
    int64_t most_ms = debounce->first_ms + TLS_DEBOUNCE_MOST_MS;
    int64_t due_ms = quiet_ms < most_ms ? quiet_ms : most_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

int64_t tls_debounce_touch(struct tls_debounce *debounce, int64_t now_ms)
{
    if (!debounce->is_waiting) {
        debounce->is_waiting = true;
        debounce->first_ms = now_ms;
    }
    debounce->last_ms = now_ms;
    return wait_ms(debounce, now_ms);
}

int64_t tls_debounce_due(struct tls_debounce *debounce, int64_t now_ms)
{
    if (!debounce->is_waiting) {
        return -1;
    }
    int64_t left_ms = wait_ms(debounce, now_ms);
    debounce->is_waiting = left_ms > 0;
    return left_ms;
}
