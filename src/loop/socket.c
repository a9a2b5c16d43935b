/* loop/socket.c — sockets known to the loop: opened, shut down, closed. Closing decides what is
 * pending and puts the socket in the line of those whose `closed` is due, which operation.c calls
 * when nothing of theirs is left. On the loop's thread. */
#include "loop/backend.h"

#include "base/check.h"
#include "loop/direct.h"

#include <errno.h>

int loop_socket_open(struct loop *loop, struct loop_socket *socket, int fd,
                     enum loop_socket_kind kind, void (*closed)(struct loop_socket *socket))
{
    DEBUG_CHECK(loop_is_current(loop));
    *socket = (struct loop_socket){.fd = fd, .kind = (uint8_t)kind, .closed = closed};
    /* Writing is tried first. Reading waits for the first event, which the backend gives also for
     * data that has come already, or for the backend to say at once that trying is worth it. */
    socket->may_write = kind == LOOP_SOCKET_STREAM;
    int result = loop->backend->add(loop, socket);
    if (result == 0) {
        loop->open_sockets++;
    }
    return result;
}

void loop_socket_close(struct loop *loop, struct loop_socket *socket, bool is_reset)
{
    DEBUG_CHECK(loop_is_current(loop));
    CHECK(!socket->is_closing);
    socket->is_closing = true;
    loop->backend->close(loop, socket, is_reset);
    if (socket->reading) {
        operation_decide(loop, socket->reading, -ECANCELED);
    }
    if (socket->writing && !(socket->in_flight & IN_FLIGHT_SEND)) {
        operation_decide(loop, socket->writing, -ECANCELED);
    }
    loop->held_sockets++;
    if (!socket->in_flight) {
        operation_released(loop, socket);
    }
}

int loop_socket_shutdown_write(struct loop *loop, struct loop_socket *socket)
{
    DEBUG_CHECK(loop_is_current(loop));
    return socket->is_closing ? -ECANCELED : loop->backend->shutdown_write(loop, socket);
}

size_t loop_send_room(struct loop *loop, const struct loop_socket *socket)
{
    DEBUG_CHECK(loop_is_current(loop) && !socket->is_closing);
    return loop->backend->send_room ? loop->backend->send_room(loop, socket)
                                    : direct_send_room(socket->fd);
}

void loop_close_fd(struct loop *loop, int fd)
{
    loop->backend->close_fd(loop, fd);
}

int loop_refuse(struct loop *loop, struct loop_socket *listener, const void *data, size_t len)
{
    DEBUG_CHECK(loop_is_current(loop));
    return loop->backend->refuse(loop, listener, data, len);
}
