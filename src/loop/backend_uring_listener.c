/* loop/backend_uring_listener.c — accepting over io_uring: one multishot accept while accepts are
 * wanted; the connections that have come wait here until an operation takes them.
 *
 * Where several loops share a listener the kernel would give a client to one of them, also to one
 * that is held up, and wake nobody else. So there each polls, all are woken, and accept4(2) is who
 * comes first.
 *
 * A failed multishot accept says little: out of descriptors it fails although nobody has come. So
 * then a poll waits for a client, and accept4(2) tells what is really the matter. On the loop's
 * thread. */
#include "loop/backend_uring.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "loop/direct.h"

#include <errno.h>
#include <string.h>

struct loop_accepted {
    struct buf fds; /* oldest first */
};

int uring_listener_add(struct loop_socket *socket)
{
    struct loop_accepted *queue = mem_alloc(sizeof(*queue));
    if (!queue) {
        return -ENOMEM;
    }
    buf_init(&queue->fds, 0);
    socket->uring.accepted = queue;
    return 0;
}

/* The oldest, or -1. */
static int take_fd(struct loop_socket *socket)
{
    struct buf *fds = &socket->uring.accepted->fds;
    int fd = -1;
    if (fds->len > 0) {
        memcpy(&fd, fds->data, sizeof(fd));
        buf_consume(fds, sizeof(fd));
    }
    socket->has_parked = fds->len > 0;
    return fd;
}

static void put_fd(struct loop_socket *socket, int fd)
{
    struct buf *fds = &socket->uring.accepted->fds;
    buf_append(fds, &fd, sizeof(fd));
    if (fds->failed) { /* no memory to remember it: this client is refused */
        fds->failed = false;
        fd_close(&fd);
    }
    socket->has_parked = fds->len > 0;
}

void uring_listener_finish(struct loop_socket *socket)
{
    int fd;
    while ((fd = take_fd(socket)) >= 0) {
        fd_close(&fd);
    }
    buf_finish(&socket->uring.accepted->fds);
    mem_free(socket->uring.accepted);
    socket->uring.accepted = NULL;
    socket->fd = -1; /* its owner's */
}

static int accept_more(struct loop *loop, struct loop_socket *socket)
{
    if (socket->in_flight) {
        return 0; /* one goes on, or ends and is followed by the next */
    }
    if (loop->shares_listeners) {
        socket->uring.flags |= URING_IS_DIRECT;
        return uring_poll(loop, socket, URING_POLL_IN);
    }
    if (uring_is_early(loop, socket)) {
        return 0;
    }
    struct io_uring_sqe *sqe = uring_sqe(loop);
    if (!sqe) {
        return -ENOMEM;
    }
    io_uring_prep_multishot_accept(sqe, socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    uring_tag(loop, sqe, socket, URING_ACCEPT);
    return 0;
}

void uring_listener_begin(struct loop *loop, struct loop_socket *socket)
{
    int result = socket->is_armed ? accept_more(loop, socket) : 0;
    if (result < 0 && socket->reading) {
        operation_decide(loop, socket->reading, result);
    }
}

int uring_listener_arm(struct loop *loop, struct loop_socket *socket)
{
    int result = accept_more(loop, socket);
    socket->is_armed = result == 0;
    return result;
}

void uring_listener_disarm(struct loop *loop, struct loop_socket *socket)
{
    if (socket->in_flight & 1 << URING_ACCEPT) {
        (void)uring_cancel(loop, socket,
                           URING_ACCEPT); /* if that fails, some more will wait here */
    }
    socket->is_armed = false;
    socket->may_read = true; /* the next accept looks at once who waits here */
}

/* A client waits, or waited: the call that finds out why the kernel could not take it. */
static int accept_direct(struct loop *loop, struct loop_socket *socket)
{
    socket->uring.flags &= (uint8_t)~URING_IS_DIRECT;
    int fd = direct_accept(socket->fd, NULL, NULL);
    if (fd == -EAGAIN) {
        int result = accept_more(loop, socket);
        return result < 0 ? result : -EAGAIN;
    }
    if (fd >= 0 && loop->shares_listeners) { /* there may be more: nobody will tell */
        socket->uring.flags |= URING_IS_DIRECT;
        socket->has_parked = true;
    }
    return fd;
}

int uring_accept(struct loop *loop, struct loop_socket *socket)
{
    int fd = take_fd(socket);
    if (fd >= 0) {
        return fd;
    }
    if (!socket->in_flight && (socket->uring.flags & URING_IS_DIRECT)) {
        return accept_direct(loop, socket);
    }
    int result = accept_more(loop, socket);
    return result < 0 ? result : -EAGAIN;
}

void uring_accepted(struct loop *loop, struct loop_socket *socket, int result)
{
    if (result >= 0 && !socket->is_closing) {
        put_fd(socket, result);
    } else if (result >= 0) {
        fd_close(&result);
    } else if (result != -ECANCELED && !socket->is_closing &&
               uring_poll(loop, socket, URING_POLL_IN) == 0) {
        socket->uring.flags |= URING_IS_DIRECT;
        return;
    }
    operation_ready(loop, socket, READY_READ);
}
