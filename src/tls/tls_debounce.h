/* tls/tls_debounce.h — when to reload after files have changed. A new certificate and its key are
 * two files, written one after the other, often in several steps: reading at once would find a pair
 * that does not fit. So: when it has been quiet for half a second, but five seconds after the first
 * change at the latest. Pure; whoever watches the files keeps the timer, on one thread. */
#ifndef TLS_TLS_DEBOUNCE_H
#define TLS_TLS_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

enum { TLS_DEBOUNCE_QUIET_MS = 500, TLS_DEBOUNCE_MOST_MS = 5000 };

/** Zeroed is idle. */
struct tls_debounce {
    bool is_waiting;
    int64_t first_ms;
    int64_t last_ms;
};

/** A file changed. How many ms from now to look again with tls_debounce_due(). */
int64_t tls_debounce_touch(struct tls_debounce *debounce, int64_t now_ms);
/** 0: reload now, and it is idle again; > 0: look again after so many ms; -1: nothing to do. */
int64_t tls_debounce_due(struct tls_debounce *debounce, int64_t now_ms);

#endif
