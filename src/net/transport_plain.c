/* net/transport_plain.c — bytes over a socket as they are: each operation is the loop's own. On its
 * loop only. */
#include "base/list.h"
#include "net/transport.h"

static void plain_recv(struct transport *transport, struct loop_op *op, size_t max_bytes,
                       loop_done_fn *done)
{
    loop_recv(transport->loop, &transport->socket, op, max_bytes, done);
}

static void plain_send(struct transport *transport, struct loop_op *op, const struct iovec *iov,
                       int iov_count, loop_done_fn *done)
{
    loop_send(transport->loop, &transport->socket, op, iov, iov_count, done);
}

static void plain_send_file(struct transport *transport, struct loop_op *op, int file_fd,
                            off_t offset, size_t len, loop_done_fn *done)
{
    const struct loop_file file = {.fd = file_fd, .offset = offset, .len = len};
    loop_send_file(transport->loop, &transport->socket, op, &file, done);
}

static int plain_shutdown_write(struct transport *transport)
{
    return loop_socket_shutdown_write(transport->loop, &transport->socket);
}

static void plain_close(struct transport *transport, bool is_reset)
{
    loop_socket_close(transport->loop, &transport->socket, is_reset);
}

static const struct transport_ops plain_ops = {
    .name = "plain",
    .recv = plain_recv,
    .send = plain_send,
    .send_file = plain_send_file,
    .shutdown_write = plain_shutdown_write,
    .close = plain_close,
};

static void socket_closed(struct loop_socket *socket)
{
    struct transport *transport = CONTAINER_OF(socket, struct transport, socket);
    if (transport->closed) {
        transport->closed(transport);
    }
}

int transport_plain_open(struct transport *transport, struct loop *loop, int fd,
                         void (*closed)(struct transport *transport))
{
    transport->ops = &plain_ops;
    transport->loop = loop;
    transport->state = NULL;
    transport->closed = closed;
    return loop_socket_open(loop, &transport->socket, fd, LOOP_SOCKET_STREAM, socket_closed);
}
