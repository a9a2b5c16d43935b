/* base/random.c — the kernel's random source; see random.h.
 * Called when something is made (a table, a server), not for each request. Any thread. getrandom(2)
 * blocks only before the kernel's pool is first ready, early in boot. */
#include "base/random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

/* Only where a sandbox refuses getrandom: different for every process and call, though not
 * secret. */
static uint64_t fallback_u64(void)
{
    static _Atomic uint64_t calls; /* partner: itself; makes two calls in one nanosecond differ */
    uint64_t z =
        (uint64_t)clock_mono_ns() ^ ((uint64_t)clock_wall_ms() << 20) ^ (uint64_t)(uintptr_t)&z;
    z += atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_from_fallback(char *out, size_t len)
{
    while (len > 0) {
        uint64_t word = fallback_u64();
        size_t n = len < sizeof word ? len : sizeof word;
        memcpy(out, &word, n);
        out += n;
        len -= n;
    }
}

void random_bytes(void *out, size_t len)
{
    char *next = out;
    while (len > 0) {
        ssize_t n = getrandom(next, len, 0);
        if (n > 0) {
            next += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            fill_from_fallback(next, len);
            return;
        }
    }
}

uint64_t random_u64(void)
{
    uint64_t number = 0;
    random_bytes(&number, sizeof number);
    return number;
}
