/* pool/fork_guard.h — does a handle come from before a fork()? The child has none of the pool's
 * threads, so its calls would wait for ever. Any thread.
 * The room's only static state besides thread-local pointers: a process-wide count of forks, which
 * pthread_atfork makes the child's C library raise, because nothing else sees a fork without a
 * system call on every use. */
#ifndef POOL_FORK_GUARD_H
#define POOL_FORK_GUARD_H

#include <stdint.h>

/** Register the handler if that has not been done. 0 or a positive errno. */
int fork_guard_start(void);
/** How many forks lie between this process and the one that registered; keep it and compare
 * later. */
uint32_t fork_guard_generation(void);

#endif
