/* loop/backend_epoll_accept.c — accepting and refusing on a listener, and who it was that came, for
 * the epoll backend. On the loop's thread. */
#include "loop/backend_epoll.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_ACCEPT_RETRIES = 16, EVENTS_AN_ACCEPT = 8 };

/* accept(2): errors of a connection that is gone already, or of the network, concern nobody
 * here. */
static bool is_accept_retried(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM: /* forbidden by a firewall */
        return true;
    default:
        return false;
    }
}

/* The peer's address comes with it: asking later would be a call more, and in vain if the client
 * has reset the connection meanwhile. */
static int accept_one(struct loop *loop, struct loop_socket *socket)
{
    struct epoll_world *world = epoll_world_of(loop);
    for (int i = 0; i < MAX_ACCEPT_RETRIES; i++) {
        world->accepted_len = sizeof(world->accepted_peer);
        world->accepted_fd = accept4(socket->fd, (struct sockaddr *)&world->accepted_peer,
                                     &world->accepted_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (world->accepted_fd >= 0) {
            return world->accepted_fd;
        }
        if (!is_accept_retried(errno)) {
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        }
    }
    return -EAGAIN; /* being level-triggered, it will be told again */
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

/* What the client has sent is read once and thrown away: closing with unread bytes would send RST,
 * which can take the answer away from the client (RFC 9112 §9.6). More than one try is not due to
 * it. */
int epoll_refuse(struct loop *loop, struct loop_socket *listener, const void *data, size_t len)
{
    int fd = accept_one(loop, listener);
    if (fd < 0) {
        return fd;
    }
    if (len > 0) {
        (void)send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    char thrown_away[2048];
    (void)recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);
    epoll_close_fd(loop, fd);
    return 0;
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
