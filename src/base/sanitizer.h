/* base/sanitizer.h — what programs must do for the sanitizers' run-time parts. Nothing in other
 * builds. Called by whoever installs signal handlers, on that thread, and by the loop that waits
 * where handlers are expected. */
#ifndef BASE_SANITIZER_H
#define BASE_SANITIZER_H

#include <stdint.h>

#ifdef __SANITIZE_THREAD__
#include <time.h>

/** ThreadSanitizer makes what it keeps of a thread's signals at the thread's first blocking call,
 *  and loses a signal that comes in that moment: let it be now, before a signal can mean us. */
static inline void sanitizer_settle_signals(void)
{
    const struct timespec at_once = {0};
    (void)nanosleep(&at_once, NULL);
}

/** ThreadSanitizer runs a handler at the next call that it knows. A wait that it does not know
 *  (io_uring's) must end now and then, or a signal that came just before it is never heard of:
 *  how long to wait instead of `wait_ms` (negative: for ever). */
static inline int64_t sanitizer_wait_ms(int64_t wait_ms)
{
    return wait_ms < 0 || wait_ms > 50 ? 50 : wait_ms;
}
#else
static inline void sanitizer_settle_signals(void)
{
}

static inline int64_t sanitizer_wait_ms(int64_t wait_ms)
{
    return wait_ms;
}
#endif

#endif
