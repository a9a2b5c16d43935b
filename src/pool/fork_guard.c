/* pool/fork_guard.c — the fork count. The handler runs in the child, on its only thread, before
 * fork returns. */
#include "pool/fork_guard.h"

#include "pool/worker_self.h"

#include <pthread.h>
#include <stdatomic.h>

/* relaxed, both: generation is written while a process has one thread, and is_registered only saves
 * work: two threads that register at once make the count grow by two a fork, which compares just as
 * well */
static _Atomic int is_registered;
static _Atomic uint32_t generation;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
    worker_self_set(NULL); /* a job that forked is no worker's job in the child */
}

int fork_guard_start(void)
{
    if (atomic_load_explicit(&is_registered, memory_order_relaxed)) {
        return 0;
    }
    int error = pthread_atfork(NULL, NULL, count_fork);
    if (error == 0) {
        atomic_store_explicit(&is_registered, 1, memory_order_relaxed);
    }
    return error;
}

uint32_t fork_guard_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_relaxed);
}
