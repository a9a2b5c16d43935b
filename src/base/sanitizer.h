/* base/sanitizer.h — what programs must do for the sanitizers' run-time parts. Nothing in other
 * builds. Called by whoever installs signal handlers, on that thread. */
#ifndef BASE_SANITIZER_H
#define BASE_SANITIZER_H

#ifdef __SANITIZE_THREAD__
#include <time.h>

/** ThreadSanitizer makes what it keeps of a thread's signals at the thread's first blocking call,
 *  and loses a signal that comes in that moment: let it be now, before a signal can mean us. */
static inline void sanitizer_settle_signals(void)
{
    const struct timespec at_once = {0};
    (void)nanosleep(&at_once, NULL);
}
#else
static inline void sanitizer_settle_signals(void)
{
}
#endif

#endif
