/* loop/backend_uring_ring.c — the ring of the io_uring backend: made, submitted to, waited on,
 * dropped.
 *
 * The kernel binds a ring to the thread that makes it, so that it needs no lock and completes only
 * when we look; and whoever has made one is interrupted in a system call (EINTR) when it goes. Hence
 * the first wait makes it, not loop_create(), which only has a short-lived thread try whether it can
 * be done. It is dropped when a thread is done with the loop (uring_leave in backend_uring.c), and
 * made anew for the next one. What is asked for meanwhile waits; a ring that cannot be made is tried
 * again at each wait. On the loop's thread. */
#include "loop/backend_uring.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/sanitizer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

enum {
    CQ_ENTRIES = 4096, /* more are kept by the kernel until we have read these */
    FLUSHES = 8,       /* of a full queue, for one request */
    NO_RING_WAIT_MS = 10
};

static const unsigned always = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
/* Best first: completions only when we look (6.1), only at system calls (5.19), as they come. */
static const unsigned wishes[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                  IORING_SETUP_COOP_TASKRUN, 0};

/* Multishot recv and accept came with 6.0, and so did this operation, which can be asked for. */
static int check_kernel(struct io_uring *ring)
{
    const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG |
                            IORING_FEAT_FAST_POLL | IORING_FEAT_CQE_SKIP;
    if ((ring->features & needed) != needed) {
        return -EOPNOTSUPP;
    }
    size_t bytes = sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op);
    struct io_uring_probe *probe = mem_alloc_zero(1, bytes);
    if (!probe) {
        return -ENOMEM;
    }
    int result = io_uring_register_probe(ring, probe, 256);
    if (result == 0 && !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)) {
        result = -EOPNOTSUPP;
    }
    mem_free(probe);
    return result;
}

static int init_ring(struct uring_world *world)
{
    for (;; world->wish++) {
        struct io_uring_params params = {.flags = always | wishes[world->wish],
                                         .cq_entries = CQ_ENTRIES};
        int result = io_uring_queue_init_params(URING_PLACES, &world->ring, &params);
        if (result != -EINVAL || world->wish + 1 == sizeof(wishes) / sizeof(*wishes)) {
            return result;
        }
    }
}

int uring_ring_open(struct uring_world *world)
{
    if (world->has_ring) {
        return 0;
    }
    int result = init_ring(world);
    if (result < 0) {
        return result;
    }
    world->has_ring = true;
    result = check_kernel(&world->ring);
    if (result == 0) {
        result = uring_buffers_register(&world->buffers, &world->ring);
    }
    if (result < 0) {
        uring_ring_close(world);
        return result;
    }
    (void)io_uring_ring_dontfork(&world->ring); /* what a child does not have it cannot disturb */
    (void)io_uring_register_ring_fd(&world->ring); /* spares each call a look-up */
    return 0;
}

void uring_ring_close(struct uring_world *world)
{
    if (world->has_ring) {
        io_uring_queue_exit(&world->ring);
        world->has_ring = false;
        world->is_wake_armed = false;
    }
}

static void *try_ring(void *arg)
{
    struct uring_world *world = arg;
    int result = uring_ring_open(world);
    uring_ring_close(world);
    return (void *)(intptr_t)result;
}

int uring_ring_try(struct uring_world *world)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    int result = pthread_create(&thread, NULL, try_ring, world);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    void *tried = NULL;
    if (result == 0) {
        pthread_join(thread, &tried);
    }
    return result ? -result : (int)(intptr_t)tried;
}

/* ---- requests -------------------------------------------------------------------------------- */

struct io_uring_sqe *uring_sqe(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    if (!world->has_ring) {
        return NULL;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&world->ring);
    for (int i = 0; !sqe && i < FLUSHES; i++) {
        /* EBUSY: first it wants its completions read. That calls nobody, so it may be done here. */
        if (io_uring_submit(&world->ring) < 0) {
            uring_reap(loop);
        }
        sqe = io_uring_get_sqe(&world->ring);
    }
    return sqe;
}

static uint64_t tag_of(const struct loop_socket *socket, enum uring_request kind)
{
    return (uintptr_t)socket | (uint64_t)kind;
}

void uring_tag(struct loop *loop, struct io_uring_sqe *sqe, struct loop_socket *socket,
               enum uring_request kind)
{
    io_uring_sqe_set_data64(sqe, tag_of(socket, kind));
    uring_world_of(loop)->in_flight++;
    if (socket) {
        DEBUG_CHECK(!(socket->in_flight & 1 << kind));
        socket->in_flight |= (uint8_t)(1 << kind);
    }
}

bool uring_cancel(struct loop *loop, struct loop_socket *socket, enum uring_request kind)
{
    struct io_uring_sqe *sqe = uring_sqe(loop);
    if (!sqe) {
        return false;
    }
    io_uring_prep_cancel64(sqe, tag_of(socket, kind), 0);
    io_uring_sqe_set_data64(sqe, tag_of(NULL, URING_CANCEL));
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    return true;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void arm_wake(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    struct io_uring_sqe *sqe = world->is_wake_armed ? NULL : uring_sqe(loop);
    if (sqe) {
        io_uring_prep_poll_multishot(sqe, world->wake_fd, POLLIN);
        uring_tag(loop, sqe, NULL, URING_WAKE);
        world->is_wake_armed = true;
    }
}

bool uring_is_early(struct loop *loop, struct loop_socket *socket)
{
    struct uring_world *world = uring_world_of(loop);
    if (!world->has_ring && !(socket->uring.flags & URING_IS_EARLY)) {
        socket->uring.flags |= URING_IS_EARLY;
        socket->next = world->early;
        world->early = socket;
    }
    return !world->has_ring;
}

/* True if there was somebody: something may be due now. */
static bool begin_early(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    bool was_anybody = world->early != NULL;
    while (world->early) {
        struct loop_socket *socket = world->early;
        world->early = socket->next;
        socket->uring.flags &= (uint8_t)~URING_IS_EARLY;
        if (socket->kind == LOOP_SOCKET_STREAM) {
            uring_stream_begin(loop, socket);
        } else if (socket->kind == LOOP_SOCKET_LISTENER) {
            uring_listener_begin(loop, socket);
        } else if (socket->reading && uring_poll(loop, socket, URING_POLL_IN) < 0) {
            operation_decide(loop, socket->reading, -ENOMEM);
        }
    }
    return was_anybody;
}

static int wait_on_ring(struct io_uring *ring, int64_t wait_ms)
{
    if (wait_ms == 0) {
        return io_uring_submit_and_get_events(ring);
    }
    struct __kernel_timespec time = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    struct io_uring_cqe *first;
    return io_uring_submit_and_wait_timeout(ring, &first, 1, wait_ms < 0 ? NULL : &time, NULL);
}

void uring_ring_wait(struct loop *loop, int64_t wait_ms)
{
    struct uring_world *world = uring_world_of(loop);
    bool is_ready = uring_ring_open(world) == 0;
    if (is_ready) {
        arm_wake(loop);
        wait_ms = begin_early(loop) ? 0 : wait_ms;
    }
    if (!world->is_wake_armed && (wait_ms < 0 || wait_ms > NO_RING_WAIT_MS)) {
        wait_ms = NO_RING_WAIT_MS; /* nobody can wake us: look often */
    }
    if (!is_ready) {
        (void)poll(NULL, 0, (int)wait_ms);
        return;
    }
    int result = wait_on_ring(&world->ring, sanitizer_wait_ms(wait_ms));
    /* ETIME: the time is over; EAGAIN, ENOMEM, EBUSY: what is queued is handed in by the next wait.
     * EEXIST: it is another thread's, who has not left it. */
    CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
          result == -ENOMEM || result == -EBUSY);
    uring_reap(loop);
}
