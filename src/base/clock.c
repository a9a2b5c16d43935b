/* base/clock.c — CLOCK_MONOTONIC and CLOCK_REALTIME as plain numbers.
 * Any thread; no system call where the kernel offers these clocks through the vDSO. The loop reads
 * the clock once a turn and hands the number down; rooms that are pure never call this. */
#include "base/clock.h"

#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

#ifdef GALLEY_FAULTS

static _Thread_local uint64_t reads;

static void count_read(void)
{
    reads++;
}

uint64_t clock_reads(void)
{
    return reads;
}

#else

static void count_read(void)
{
}

uint64_t clock_reads(void)
{
    return 0;
}

#endif

static struct timespec now(clockid_t id)
{
    struct timespec time = {0};
    count_read();
    clock_gettime(id, &time); /* cannot fail for these two clocks and a valid address */
    return time;
}

static int64_t as_ms(struct timespec time)
{
    return (int64_t)time.tv_sec * MS_PER_S + time.tv_nsec / NS_PER_MS;
}

int64_t clock_mono_ms(void)
{
    return as_ms(now(CLOCK_MONOTONIC));
}

int64_t clock_mono_ns(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

int64_t clock_wall_s(void)
{
    return now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_wall_ms(void)
{
    return as_ms(now(CLOCK_REALTIME));
}
