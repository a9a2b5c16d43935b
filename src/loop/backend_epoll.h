/* loop/backend_epoll.h — inside the epoll backend: what its two files share. Accepting, and who
 * was accepted, is in backend_epoll_accept.c, the rest in backend_epoll.c. On the loop's thread. */
#ifndef LOOP_BACKEND_EPOLL_H
#define LOOP_BACKEND_EPOLL_H

#include "loop/backend.h"

enum { MAX_FRESH = 64 };

struct epoll_world {
    int epoll_fd;
    int wake_fd; /* eventfd, edge-triggered: written by wake(), never read; its counter cannot overflow in practice */
    struct loop_socket *fresh[MAX_FRESH]; /* streams that epoll does not know yet */
    unsigned fresh_count;
    unsigned events; /* of this turn */
    /* Of the last accept, until it is asked for or closed. accepted_fd -1: nobody. */
    int accepted_fd;
    socklen_t accepted_len;
    struct sockaddr_storage accepted_peer;
};

static inline struct epoll_world *epoll_world_of(const struct loop *loop)
{
    return loop->world;
}

/** loop_backend's functions of these names. */
int epoll_accept(struct loop *loop, struct loop_socket *socket);
void epoll_close_fd(struct loop *loop, int fd);
int epoll_refuse(struct loop *loop, struct loop_socket *listener, const void *data, size_t len);
int epoll_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len);
/** The descriptor is being closed: the next one of that number is somebody else. */
void epoll_forget_peer(struct loop *loop, int fd);

#endif
