/* loop/backend_uring.c — the loop over io_uring(7): its table, the completions, the life of sockets.
 *
 * Everything that a turn starts is handed to the kernel by the one call that also waits. A
 * completion calls nobody: it marks its socket ready, or decides an operation, as an event of epoll
 * would, and user code runs afterwards. A socket that is closed while requests are in flight is
 * closed when the last of them has ended, and then `closed` is due.
 *
 * See backend_uring.h for what a request is, _ring.c for the ring, _stream.c and _listener.c for
 * what streams and listeners do with it. On the loop's thread, but wake(). */
#include "loop/backend_uring.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "loop/direct.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- life ------------------------------------------------------------------------------------ */

static void uring_finish(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    uring_ring_close(world);
    uring_buffers_finish(&world->buffers);
    fd_close(&world->wake_fd);
    mem_free(world->messages);
    mem_free(world);
    loop->world = NULL;
}

static int open_world(struct uring_world *world)
{
    world->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (world->wake_fd < 0) {
        return -errno;
    }
    int result = uring_buffers_init(&world->buffers);
    if (result == 0) {
        result = uring_ring_try(world);
    }
    if (result == 0) {
        world->messages = mem_alloc_zero(URING_PLACES, sizeof(*world->messages));
        result = world->messages ? 0 : -ENOMEM;
    }
    return result;
}

static int uring_init(struct loop *loop)
{
    struct uring_world *world = mem_alloc_zero(1, sizeof(*world));
    if (!world) {
        return -ENOMEM;
    }
    world->wake_fd = -1;
    loop->world = world;
    int result = open_world(world);
    if (result < 0) {
        uring_finish(loop);
    }
    return result;
}

static void uring_read_clock(struct loop *loop)
{
    loop->now_ms = clock_mono_ms();
    loop->wall_s = clock_wall_s();
}

static void uring_wake(struct loop *loop)
{
    int saved_errno = errno; /* we may be in a signal handler */
    uint64_t one = 1;
    while (write(uring_world_of(loop)->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        /* again */
    }
    errno = saved_errno;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void close_now(struct loop_socket *socket)
{
    if (socket->kind == LOOP_SOCKET_LISTENER) {
        uring_listener_finish(socket);
    } else {
        direct_close(&socket->fd, socket->uring.flags & URING_IS_RESET);
    }
}

static bool cancel_all(struct loop *loop, struct loop_socket *socket)
{
    for (int kind = 0; kind < URING_WAKE; kind++) {
        if ((socket->in_flight & 1 << kind) &&
            !uring_cancel(loop, socket, (enum uring_request)kind)) {
            return false;
        }
    }
    return true;
}

static void cancel_soon(struct loop *loop, struct loop_socket *socket)
{
    if (!cancel_all(loop, socket)) {
        struct uring_world *world = uring_world_of(loop);
        socket->next = world->uncancelled;
        world->uncancelled = socket;
    }
}

/* Those for whom there was no room to tell the kernel. */
static void cancel_again(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    struct loop_socket *failed = NULL;
    while (world->uncancelled && !failed) {
        struct loop_socket *socket = world->uncancelled;
        world->uncancelled = socket->next;
        failed = cancel_all(loop, socket) ? NULL : socket;
    }
    if (failed) {
        failed->next = world->uncancelled;
        world->uncancelled = failed;
    }
}

static void take_out(struct loop_socket **first, struct loop_socket *socket)
{
    for (struct loop_socket **at = first; *at; at = &(*at)->next) {
        if (*at == socket) {
            *at = socket->next;
            return;
        }
    }
}

static void uring_close(struct loop *loop, struct loop_socket *socket, bool is_reset)
{
    struct uring_world *world = uring_world_of(loop);
    socket->is_armed = false;
    if (socket->kind == LOOP_SOCKET_STREAM) {
        uring_buffers_drop(&world->buffers, socket);
    }
    if (socket->uring.flags & URING_IS_EARLY) {
        take_out(&world->early, socket);
    }
    if (is_reset) {
        socket->uring.flags |= URING_IS_RESET;
    }
    if (socket->in_flight) {
        cancel_soon(loop, socket);
    } else {
        close_now(socket);
    }
}

/* ---- completions ----------------------------------------------------------------------------- */

static void polled(struct loop *loop, struct loop_socket *socket, enum uring_request kind)
{
    /* Also when it was cancelled by the end of a thread: who tries finds out. */
    operation_ready(loop, socket, kind == URING_POLL_OUT ? READY_WRITE : READY_READ);
}

static void tell(struct loop *loop, struct loop_socket *socket, enum uring_request kind,
                 const struct io_uring_cqe *cqe)
{
    switch (kind) {
    case URING_RECV:
        uring_received(loop, socket, cqe);
        break;
    case URING_SEND:
        uring_sent(loop, socket, cqe->res);
        break;
    case URING_ACCEPT:
        uring_accepted(loop, socket, cqe->res);
        break;
    default:
        polled(loop, socket, kind);
    }
}

static void complete(struct loop *loop, const struct io_uring_cqe *cqe)
{
    struct uring_world *world = uring_world_of(loop);
    enum uring_request kind = (enum uring_request)(cqe->user_data & URING_REQUEST_MASK);
    struct loop_socket *socket =
        (struct loop_socket *)(uintptr_t)(cqe->user_data & ~(uint64_t)URING_REQUEST_MASK);
    bool is_last = !(cqe->flags & IORING_CQE_F_MORE);
    if (kind == URING_CANCEL) {
        return; /* what it was to cancel has ended by itself */
    }
    world->in_flight -= is_last;
    if (kind == URING_WAKE) {
        world->is_wake_armed = !is_last;
        return;
    }
    if (is_last) {
        socket->in_flight &= (uint8_t) ~(1 << kind);
    }
    tell(loop, socket, kind, cqe);
    if (socket->is_closing && socket->in_flight == 0) {
        take_out(&world->uncancelled, socket);
        close_now(socket);
        operation_released(loop, socket);
    }
}

static bool take_completion(struct io_uring *ring, struct io_uring_cqe *ret_cqe)
{
    unsigned head;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(ring, head, cqe)
    {
        *ret_cqe = *cqe;
        io_uring_cq_advance(ring, 1);
        return true;
    }
    return false;
}

/* Each is off the ring before it is told: telling may have to make room in the submission queue, and
 * that may come back here. */
void uring_reap(struct loop *loop)
{
    struct io_uring_cqe cqe;
    while (take_completion(&uring_world_of(loop)->ring, &cqe)) {
        complete(loop, &cqe);
    }
}

static void uring_wait(struct loop *loop, int64_t wait_ms)
{
    struct uring_world *world = uring_world_of(loop);
    uring_buffers_return_lent(&world->buffers);
    if (world->uncancelled) {
        cancel_again(loop);
    }
    uring_ring_wait(loop, wait_ms);
}

/* The thread is done with the loop: the kernel ends all requests, for they are bound to it. What
 * they were for is still wanted, and is asked for again by the ring of the next thread. */
static void uring_leave(struct loop *loop)
{
    struct uring_world *world = uring_world_of(loop);
    if (!world->has_ring) {
        return;
    }
    while (world->in_flight > 0) {
        struct io_uring_sqe *sqe = uring_sqe(loop);
        if (sqe) {
            io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            io_uring_sqe_set_data64(sqe, URING_CANCEL);
        }
        (void)io_uring_submit_and_wait(&world->ring, 1);
        uring_reap(loop);
    }
    uring_ring_close(world);
}

/* ---- the rest of the table ------------------------------------------------------------------- */

static int uring_add(struct loop *loop, struct loop_socket *socket)
{
    switch (socket->kind) {
    case LOOP_SOCKET_STREAM:
        return uring_stream_add(loop, socket);
    case LOOP_SOCKET_LISTENER:
        return uring_listener_add(socket);
    default:
        return 0; /* a foreign one: when a poll begins */
    }
}

static int uring_arm(struct loop *loop, struct loop_socket *socket)
{
    if (socket->kind == LOOP_SOCKET_LISTENER) {
        return uring_listener_arm(loop, socket);
    }
    bool is_asked = socket->in_flight & 1 << URING_POLL_IN;
    return is_asked ? 0 : uring_poll(loop, socket, URING_POLL_IN);
}

static int uring_shutdown_write(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    return shutdown(socket->fd, SHUT_WR) == 0 ? 0 : -errno;
}

static void uring_close_fd(struct loop *loop, int fd)
{
    (void)loop;
    fd_close(&fd);
}

static int uring_refuse(struct loop *loop, struct loop_socket *listener, const void *data,
                        size_t len)
{
    (void)loop;
    return direct_refuse(listener->fd, data, len);
}

static int uring_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len)
{
    (void)loop;
    return getpeername(fd, addr, len) == 0 ? 0 : -errno;
}

const struct loop_backend loop_backend_uring = {
    .name = "io_uring",
    .init = uring_init,
    .finish = uring_finish,
    .leave = uring_leave,
    .read_clock = uring_read_clock,
    .wait = uring_wait,
    .wake = uring_wake,
    .add = uring_add,
    .arm = uring_arm,
    .disarm = uring_listener_disarm,
    .close = uring_close,
    .cancel_send = uring_cancel_send,
    .shutdown_write = uring_shutdown_write,
    .accept = uring_accept,
    .recv = uring_recv,
    .send = uring_send,
    .send_file = uring_send_file,
    .close_fd = uring_close_fd,
    .refuse = uring_refuse,
    .peer_name = uring_peer_name,
};
