/* loop/backend_epoll_accept.c — accepting and refusing on a listener, and who it was that came, for
 * the epoll backend. On the loop's thread. */
#include "loop/backend_epoll.h"

#include "base/fd.h"
#include "loop/direct.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { EVENTS_AN_ACCEPT = 8 };

/* The peer's address comes with it: asking later would be a call more, and in vain if the client
 * has reset the connection meanwhile. */
static int accept_one(struct loop *loop, struct loop_socket *socket)
{
    struct epoll_world *world = epoll_world_of(loop);
    world->accepted_len = sizeof(world->accepted_peer);
    int fd =
        direct_accept(socket->fd, (struct sockaddr *)&world->accepted_peer, &world->accepted_len);
    world->accepted_fd = fd < 0 ? -1 : fd;
    return fd;
}

/* An accept that finds nobody costs the kernel about as much as one that does, for it makes the
 * socket first, and ten times as much as being told of the listener again. So a quiet turn accepts
 * one client, and only one with much else to do tries for more. */
int epoll_accept(struct loop *loop, struct loop_socket *socket)
{
    unsigned accepted = socket->reads; /* in this turn */
    bool is_enough = accepted > epoll_world_of(loop)->events / EVENTS_AN_ACCEPT;
    return is_enough ? -EAGAIN : accept_one(loop, socket);
}

int epoll_refuse(struct loop *loop, struct loop_socket *listener, const void *data, size_t len)
{
    (void)loop;
    return direct_refuse(listener->fd, data, len);
}

/* Told once: who gives the descriptor to another loop asks before, and its number may come back
 * from there as another client's. */
int epoll_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct epoll_world *world = epoll_world_of(loop);
    if (fd != world->accepted_fd) {
        return getpeername(fd, addr, len) == 0 ? 0 : -errno;
    }
    socklen_t room = *len;
    memcpy(addr, &world->accepted_peer, room < world->accepted_len ? room : world->accepted_len);
    *len = world->accepted_len;
    world->accepted_fd = -1;
    return 0;
}

void epoll_forget_peer(struct loop *loop, int fd)
{
    struct epoll_world *world = epoll_world_of(loop);
    if (world->accepted_fd == fd) {
        world->accepted_fd = -1;
    }
}

void epoll_close_fd(struct loop *loop, int fd)
{
    epoll_forget_peer(loop, fd);
    fd_close(&fd);
}
