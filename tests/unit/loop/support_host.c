/* tests/unit/loop/support_host.c — see support_host.h. */
#include "support_host.h"

#include <arpa/inet.h>
#include <unistd.h>

static void accepted(struct loop_op *op)
{
    struct host *host = CONTAINER_OF(op, struct host, op);
    host->result = op->result;
    host->accepts++;
    if (op->result >= 0) {
        loop_close_fd(host->loop, (int)op->result);
    }
    if (host->goes_on && op->result >= 0) {
        loop_accept(host->loop, &host->socket, op, accepted);
    }
}

static void host_closed(struct loop_socket *socket)
{
    CONTAINER_OF(socket, struct host, socket)->closed++;
}

void host_open(struct rig *rig, struct host *host)
{
    *host = (struct host){.loop = rig->loop};
    socklen_t len = sizeof(host->address);
    host->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    host->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_INT(bind(host->fd, (struct sockaddr *)&host->address, len), 0);
    EXPECT_INT(listen(host->fd, 64), 0);
    EXPECT_INT(getsockname(host->fd, (struct sockaddr *)&host->address, &len), 0);
    EXPECT_INT(
        loop_socket_open(rig->loop, &host->socket, host->fd, LOOP_SOCKET_LISTENER, host_closed), 0);
}

void host_share(struct rig *rig, struct host *host, const struct host *other)
{
    *host = (struct host){.loop = rig->loop, .address = other->address, .fd = -1};
    EXPECT_INT(
        loop_socket_open(rig->loop, &host->socket, other->fd, LOOP_SOCKET_LISTENER, host_closed),
        0);
}

void host_accept(struct host *host)
{
    loop_accept(host->loop, &host->socket, &host->op, accepted);
}

int host_client(const struct host *host)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    EXPECT_INT(connect(fd, (const struct sockaddr *)&host->address, sizeof(host->address)), 0);
    return fd;
}

void host_close(struct rig *rig, struct host *host)
{
    loop_socket_close(rig->loop, &host->socket, false);
    RUN_UNTIL(rig, host->closed == 1);
    if (host->fd >= 0) {
        close(host->fd);
    }
}
