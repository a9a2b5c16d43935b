/* tests/fault/support_wrap_uring.h — the calls of liburing that fail on demand, and mmap; in programs
 * linked with the options of cmake/tests_fault.cmake for them. liburing returns -errno. One
 * thread. */
#ifndef TESTS_FAULT_SUPPORT_WRAP_URING_H
#define TESTS_FAULT_SUPPORT_WRAP_URING_H

#include <stdbool.h>

enum wrapped_uring {
    WRAP_URING_INIT,
    WRAP_URING_PROBE,
    WRAP_URING_BUFFERS,
    WRAP_URING_RING_FD,
    WRAP_URING_SUBMIT,
    WRAP_URING_WAIT,
    WRAP_URING_MMAP,
    WRAP_URING_COUNT
};

/* The next `times` calls, after `skip` good ones, fail with sys_errno. */
void wrap_uring_fail(enum wrapped_uring call, unsigned skip, unsigned times, int sys_errno);
/* The n-th of any kind from now on fails once; 0: none. */
void wrap_uring_fail_nth(unsigned n, int sys_errno);
bool wrap_uring_has_failed(void);
/* Let the kernel look as if it lacked what came with 6.0: the probe says so. */
void wrap_uring_be_old(void);
/* Rings made from now on have room for no more completions than requests. */
void wrap_uring_shrink(void);
/* How many waits left completions with the kernel, because the ring had no room for them. */
unsigned wrap_uring_overflows(void);
unsigned wrap_uring_calls(enum wrapped_uring call);

#endif
