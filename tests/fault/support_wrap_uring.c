/* tests/fault/support_wrap_uring.c — the __wrap_ functions. See support_wrap_uring.h. */
#include "support_wrap_uring.h"

#include <errno.h>
#include <liburing.h>
#include <sys/mman.h>

static struct {
    unsigned calls, skip, times;
    int sys_errno;
} plans[WRAP_URING_COUNT];
static unsigned nth_left;
static int nth_errno;
static bool nth_has_failed, is_old, is_small;
static unsigned overflows;

void wrap_uring_fail(enum wrapped_uring call, unsigned skip, unsigned times, int sys_errno)
{
    plans[call].skip = skip;
    plans[call].times = times;
    plans[call].sys_errno = sys_errno;
}

void wrap_uring_fail_nth(unsigned n, int sys_errno)
{
    nth_left = n;
    nth_errno = sys_errno;
    nth_has_failed = false;
}

bool wrap_uring_has_failed(void)
{
    return nth_has_failed;
}

void wrap_uring_be_old(void)
{
    is_old = true;
}

void wrap_uring_shrink(void)
{
    is_small = true;
}

unsigned wrap_uring_overflows(void)
{
    return overflows;
}

unsigned wrap_uring_calls(enum wrapped_uring call)
{
    return plans[call].calls;
}

/* 0, or the errno to fail with. */
static int failure_of(enum wrapped_uring call)
{
    plans[call].calls++;
    if (nth_left > 0 && --nth_left == 0) {
        nth_has_failed = true;
        return nth_errno;
    }
    if (plans[call].times == 0) {
        return 0;
    }
    if (plans[call].skip > 0) {
        plans[call].skip--;
        return 0;
    }
    plans[call].times--;
    return plans[call].sys_errno;
}

#define WRAP(name, call, parameters, arguments)                                                    \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        int failure = failure_of(call);                                                            \
        return failure ? -failure : __real_##name arguments;                                       \
    }

/* Those that wait may leave completions behind. */
#define WRAP_WAIT(name, parameters, arguments)                                                     \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        int failure = failure_of(WRAP_URING_WAIT);                                                 \
        int result = failure ? -failure : __real_##name arguments;                                 \
        overflows += io_uring_cq_has_overflow(ring);                                               \
        return result;                                                                             \
    }

WRAP(io_uring_register_buf_ring, WRAP_URING_BUFFERS,
     (struct io_uring * ring, struct io_uring_buf_reg *about, unsigned flags), (ring, about, flags))
WRAP(io_uring_register_ring_fd, WRAP_URING_RING_FD, (struct io_uring * ring), (ring))
WRAP(io_uring_submit, WRAP_URING_SUBMIT, (struct io_uring * ring), (ring))
WRAP_WAIT(io_uring_submit_and_wait, (struct io_uring * ring, unsigned count), (ring, count))
WRAP_WAIT(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
WRAP_WAIT(io_uring_submit_and_wait_timeout,
          (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned count,
           struct __kernel_timespec *time, sigset_t *mask),
          (ring, cqe, count, time, mask))

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params)
{
    int failure = failure_of(WRAP_URING_INIT);
    if (is_small) {
        params->cq_entries = entries;
    }
    return failure ? -failure : __real_io_uring_queue_init_params(entries, ring, params);
}

int __real_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe,
                                   unsigned count);
int __wrap_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe,
                                   unsigned count);
int __wrap_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe,
                                   unsigned count)
{
    int failure = failure_of(WRAP_URING_PROBE);
    int result = failure ? -failure : __real_io_uring_register_probe(ring, probe, count);
    if (is_old) {
        probe->last_op = IORING_OP_URING_CMD;
    }
    return result;
}

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    int failure = failure_of(WRAP_URING_MMAP);
    if (failure) {
        errno = failure;
        return MAP_FAILED;
    }
    return __real_mmap(at, len, protection, flags, fd, offset);
}
