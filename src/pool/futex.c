/* pool/futex.c — the two futex calls and the arithmetic of deadlines. Any thread; errno is left as
 * it was, since a job's caller must not see the room's system calls in it. */
#include "pool/futex.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

void futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    int saved = errno;
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    /* WAIT_BITSET is the variant that takes an absolute time, so that a retry after EINTR does not
     * start anew. */
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
            deadline_ns < 0 ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    errno = saved;
}

void futex_wake(_Atomic uint32_t *word, int count)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
    errno = saved;
}

int64_t futex_deadline(int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        return FUTEX_NO_DEADLINE;
    }
    if (timeout_ms == 0) {
        return 0;
    }
    int64_t now = clock_mono_ns();
    if (timeout_ms > (INT64_MAX - now) / NS_PER_MS) {
        return FUTEX_NO_DEADLINE; /* three centuries */
    }
    return now + timeout_ms * NS_PER_MS;
}

int futex_deadline_passed(int64_t deadline_ns)
{
    return deadline_ns >= 0 && (deadline_ns == 0 || clock_mono_ns() >= deadline_ns);
}
