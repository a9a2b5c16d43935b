/* observe/log_waker.c — sleep and wake of the log's writer thread over an eventfd. The protocol is
 * in the header. */
#include "observe/log_waker.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int log_waker_init(struct log_waker *waker)
{
    atomic_init(&waker->state, LOG_AWAKE);
    waker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return waker->event_fd < 0 ? -errno : 0;
}

void log_waker_finish(struct log_waker *waker)
{
    fd_close(&waker->event_fd);
}

void log_waker_call(struct log_waker *waker)
{
    uint64_t one = 1;
    int saved_errno = errno; /* a signal handler may be the caller */
    /* It fails only when 2^64-2 wake-ups wait to be seen, and then one more is not needed. */
    ssize_t rc = write(waker->event_fd, &one, sizeof one);
    (void)rc;
    errno = saved_errno;
}

void log_waker_tell(struct log_waker *waker, bool is_half_full)
{
    int state = atomic_load_explicit(&waker->state, memory_order_seq_cst);
    if (state == LOG_AWAKE || (state == LOG_NAPPING && !is_half_full)) {
        return;
    }
    /* Only the one who changes it pays for the system call. */
    if (atomic_exchange_explicit(&waker->state, LOG_AWAKE, memory_order_seq_cst) != LOG_AWAKE) {
        log_waker_call(waker);
    }
}

void log_waker_lie_down(struct log_waker *waker, enum log_waker_state state)
{
    atomic_store_explicit(&waker->state, (int)state, memory_order_seq_cst);
}

void log_waker_get_up(struct log_waker *waker)
{
    atomic_store_explicit(&waker->state, LOG_AWAKE, memory_order_seq_cst);
}

void log_waker_clear(struct log_waker *waker)
{
    uint64_t count;
    ssize_t rc = read(waker->event_fd, &count, sizeof count); /* EAGAIN: nobody called */
    (void)rc;
}

void log_waker_wait(struct log_waker *waker)
{
    int state = atomic_load_explicit(&waker->state, memory_order_relaxed);
    struct pollfd wait = {.fd = waker->event_fd, .events = POLLIN};
    /* EINTR and errors count as a wake-up: the writer looks again. */
    if (poll(&wait, 1, state == LOG_ASLEEP ? -1 : LOG_NAP_MS) > 0) {
        log_waker_clear(waker);
    }
    log_waker_get_up(waker);
}
