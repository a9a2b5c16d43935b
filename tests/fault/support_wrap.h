/* tests/fault/support_wrap.h — system calls that count and fail on demand. The list is in
 * cmake/tests_fault.cmake; a test that wants a call of its own unwrapped uses another one (read,
 * sendto). One thread. */
#ifndef TESTS_FAULT_SUPPORT_WRAP_H
#define TESTS_FAULT_SUPPORT_WRAP_H

#include <stdbool.h>

enum wrapped {
    WRAP_ACCEPT4,
    WRAP_BIND,
    WRAP_EPOLL_CREATE1,
    WRAP_EPOLL_CTL,
    WRAP_EPOLL_WAIT,
    WRAP_EVENTFD,
    WRAP_GETPEERNAME,
    WRAP_LISTEN,
    WRAP_RECV,
    WRAP_SEND,
    WRAP_SENDFILE,
    WRAP_SENDMSG,
    WRAP_SETSOCKOPT,
    WRAP_SOCKET,
    WRAP_WRITE,
    WRAP_COUNT
};

/* The next `times` calls, after `skip` good ones, fail with sys_errno. */
void wrap_fail(enum wrapped call, unsigned skip, unsigned times, int sys_errno);
/* The n-th wrapped call of any kind from now on fails once (epoll_wait only with EINTR); 0:
 * none. */
void wrap_fail_nth(unsigned n, int sys_errno);
bool wrap_has_failed(void);
/* How often it was called since the last wrap_reset(). */
unsigned wrap_calls(enum wrapped call);
/* Forget all counts and plans. */
void wrap_reset(void);

#endif
