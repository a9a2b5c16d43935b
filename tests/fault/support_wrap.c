/* tests/fault/support_wrap.c — the __wrap_ functions. See support_wrap.h. */
#include "support_wrap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

static struct {
    atomic_uint calls; /* also of threads that a server makes; nothing else is planned for them */
    unsigned skip, times;
    int sys_errno;
} plans[WRAP_COUNT];
static unsigned nth_left;
static int nth_errno;
static bool nth_has_failed;

void wrap_fail(enum wrapped call, unsigned skip, unsigned times, int sys_errno)
{
    plans[call].skip = skip;
    plans[call].times = times;
    plans[call].sys_errno = sys_errno;
}

void wrap_fail_nth(unsigned n, int sys_errno)
{
    nth_left = n;
    nth_errno = sys_errno;
    nth_has_failed = false;
}

bool wrap_has_failed(void)
{
    return nth_has_failed;
}

unsigned wrap_calls(enum wrapped call)
{
    return atomic_load(&plans[call].calls);
}

void wrap_reset(void)
{
    for (int i = 0; i < WRAP_COUNT; i++) {
        atomic_store(&plans[i].calls, 0);
        plans[i].skip = plans[i].times = 0;
    }
    wrap_fail_nth(0, 0);
}

static bool fails_as_nth(enum wrapped call)
{
    if (nth_left == 0 || (call == WRAP_EPOLL_WAIT && nth_errno != EINTR) || --nth_left > 0) {
        return false;
    }
    nth_has_failed = true;
    errno = nth_errno;
    return true;
}

static bool fails(enum wrapped call)
{
    atomic_fetch_add(&plans[call].calls, 1);
    if (fails_as_nth(call)) {
        return true;
    }
    if (plans[call].times == 0) {
        return false;
    }
    if (plans[call].skip > 0) {
        plans[call].skip--;
        return false;
    }
    plans[call].times--;
    errno = plans[call].sys_errno;
    return true;
}

#define WRAP(type, name, call, parameters, arguments)                                              \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(call) ? -1 : __real_##name arguments;                                         \
    }

WRAP(int, accept4, WRAP_ACCEPT4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),
     (fd, addr, len, flags))
WRAP(int, bind, WRAP_BIND, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
WRAP(int, epoll_create1, WRAP_EPOLL_CREATE1, (int flags), (flags))
WRAP(int, epoll_ctl, WRAP_EPOLL_CTL, (int epfd, int op, int fd, struct epoll_event *event),
     (epfd, op, fd, event))
WRAP(int, epoll_wait, WRAP_EPOLL_WAIT, (int epfd, struct epoll_event *events, int max, int timeout),
     (epfd, events, max, timeout))
WRAP(int, eventfd, WRAP_EVENTFD, (unsigned count, int flags), (count, flags))
WRAP(int, getpeername, WRAP_GETPEERNAME, (int fd, struct sockaddr *addr, socklen_t *len),
     (fd, addr, len))
WRAP(int, listen, WRAP_LISTEN, (int fd, int backlog), (fd, backlog))
WRAP(ssize_t, recv, WRAP_RECV, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(ssize_t, send, WRAP_SEND, (int fd, const void *data, size_t len, int flags),
     (fd, data, len, flags))
WRAP(ssize_t, sendfile, WRAP_SENDFILE, (int out, int in, off_t *offset, size_t len),
     (out, in, offset, len))
WRAP(ssize_t, sendmsg, WRAP_SENDMSG, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(int, setsockopt, WRAP_SETSOCKOPT,
     (int fd, int level, int option, const void *value, socklen_t len),
     (fd, level, option, value, len))
WRAP(int, socket, WRAP_SOCKET, (int family, int type, int protocol), (family, type, protocol))
WRAP(ssize_t, write, WRAP_WRITE, (int fd, const void *data, size_t len), (fd, data, len))
