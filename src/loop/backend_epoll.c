/* loop/backend_epoll.c — the loop over epoll(7).
 * A stream is added once, edge-triggered, for everything, and never touched again until it is
 * closed. A listener is level-triggered and exclusive, so that of several loops one is woken; it is
 * registered only while an accept is pending, because otherwise it would wake us for nothing. A
 * foreign descriptor is armed for one event by each poll.
 *
 * A closed socket is taken out with EPOLL_CTL_DEL although close(2) does it too: not if a child
 * between fork and exec still holds the file, and then events would come for memory that is
 * gone. */
#include "loop/backend.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, MAX_ACCEPT_RETRIES = 16 };

struct epoll_world {
    int epoll_fd;
    int wake_fd; /* eventfd, edge-triggered: written by wake(), never read; its counter cannot overflow in practice */
};

static struct epoll_world *world_of(struct loop *loop)
{
    return loop->world;
}

static int control(struct loop *loop, int action, int fd, uint32_t events, void *user)
{
    struct epoll_event event = {.events = events, .data.ptr = user};
    return epoll_ctl(world_of(loop)->epoll_fd, action, fd, &event) == 0 ? 0 : -errno;
}

static void epoll_finish(struct loop *loop)
{
    struct epoll_world *world = world_of(loop);
    fd_close(&world->wake_fd);
    fd_close(&world->epoll_fd);
    mem_free(world);
    loop->world = NULL;
}

static int open_descriptors(struct loop *loop)
{
    struct epoll_world *world = world_of(loop);
    world->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (world->epoll_fd < 0) {
        return -errno;
    }
    world->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (world->wake_fd < 0) {
        return -errno;
    }
    return control(loop, EPOLL_CTL_ADD, world->wake_fd, EPOLLIN | EPOLLET, NULL);
}

static int epoll_init(struct loop *loop)
{
    struct epoll_world *world = mem_alloc(sizeof(*world));
    if (!world) {
        return -ENOMEM;
    }
    *world = (struct epoll_world){-1, -1};
    loop->world = world;
    int result = open_descriptors(loop);
    if (result < 0) {
        epoll_finish(loop);
    }
    return result;
}

static void epoll_read_clock(struct loop *loop)
{
    loop->now_ms = clock_mono_ms();
    loop->wall_s = clock_wall_s();
}

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;
    if (events & EPOLLIN) {
        ready |= READY_READ;
    }
    if (events & EPOLLOUT) {
        ready |= READY_WRITE;
    }
    if (events & EPOLLRDHUP) {
        ready |= READY_READ | READY_HANGUP;
    }
    if (events & (EPOLLHUP | EPOLLERR)) {
        ready |= READY_READ | READY_WRITE | READY_HANGUP;
    }
    return ready;
}

static void epoll_wait_events(struct loop *loop, int64_t wait_ms)
{
    struct epoll_event events[MAX_EVENTS];
    int timeout = wait_ms < 0 ? -1 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
    int count = epoll_wait(world_of(loop)->epoll_fd, events, MAX_EVENTS, timeout);
    CHECK(count >= 0 || errno == EINTR); /* the rest are descriptors closed behind our back */
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr) {
            operation_ready(loop, events[i].data.ptr, ready_of(events[i].events));
        }
    }
}

static void epoll_wake(struct loop *loop)
{
    int saved_errno = errno; /* we may be in a signal handler */
    uint64_t one = 1;
    while (write(world_of(loop)->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        /* again */
    }
    errno = saved_errno;
}

static int epoll_add(struct loop *loop, struct loop_socket *socket)
{
    switch (socket->kind) {
    case LOOP_SOCKET_STREAM:
        return control(loop, EPOLL_CTL_ADD, socket->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                       socket);
    case LOOP_SOCKET_FOREIGN:
        return control(loop, EPOLL_CTL_ADD, socket->fd, EPOLLONESHOT, socket);
    default:
        return 0; /* a listener: when an accept waits */
    }
}

static int epoll_arm(struct loop *loop, struct loop_socket *socket)
{
    if (socket->kind == LOOP_SOCKET_FOREIGN) {
        return control(loop, EPOLL_CTL_MOD, socket->fd, EPOLLIN | EPOLLONESHOT, socket);
    }
    int result = control(loop, EPOLL_CTL_ADD, socket->fd, EPOLLIN | EPOLLEXCLUSIVE, socket);
    socket->is_armed = result == 0;
    return result;
}

static void remove_from_epoll(struct loop *loop, struct loop_socket *socket)
{
    int result = control(loop, EPOLL_CTL_DEL, socket->fd, 0, NULL);
    DEBUG_CHECK(result == 0);
    (void)result;
}

static void epoll_disarm(struct loop *loop, struct loop_socket *socket)
{
    remove_from_epoll(loop, socket);
    socket->is_armed = false;
    socket->may_read = false;
}

static void epoll_close(struct loop *loop, struct loop_socket *socket, bool is_reset)
{
    if (socket->kind == LOOP_SOCKET_LISTENER) {
        if (socket->is_armed) {
            epoll_disarm(loop, socket);
        }
        socket->fd = -1; /* its owner's */
        return;
    }
    remove_from_epoll(loop, socket);
    if (is_reset) {
        /* socket(7): lingering for 0 s makes close(2) send RST */
        const struct linger no_linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
    }
    fd_close(&socket->fd);
}

static int epoll_shutdown_write(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    return shutdown(socket->fd, SHUT_WR) == 0 ? 0 : -errno;
}

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

static int epoll_accept(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    for (int i = 0; i < MAX_ACCEPT_RETRIES; i++) {
        int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        if (!is_accept_retried(errno)) {
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        }
    }
    return -EAGAIN; /* being level-triggered, it will be told again */
}

static ssize_t epoll_recv(struct loop *loop, struct loop_socket *socket, char *data,
                          size_t max_bytes)
{
    (void)loop;
    ssize_t got;
    do {
        got = recv(socket->fd, data, max_bytes, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static ssize_t epoll_send(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                          int iov_count, bool more_follows)
{
    (void)loop;
    int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
    ssize_t sent;
    do {
        if (iov_count == 1) {
            sent = send(socket->fd, iov->iov_base, iov->iov_len, flags);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                                     .msg_iovlen = (size_t)iov_count};
            sent = sendmsg(socket->fd, &message, flags);
        }
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static ssize_t epoll_send_file(struct loop *loop, struct loop_socket *socket,
                               const struct loop_file *file)
{
    (void)loop;
    ssize_t sent;
    do {
        off_t position = file->offset;
        sent = sendfile(socket->fd, file->fd, &position, file->len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static void epoll_close_fd(struct loop *loop, int fd)
{
    (void)loop;
    fd_close(&fd);
}

/* What the client has sent is read once and thrown away: closing with unread bytes would send RST,
 * which can take the answer away from the client (RFC 9112 §9.6). More than one try is not due to
 * it. */
static int epoll_refuse(struct loop *loop, struct loop_socket *listener, const void *data,
                        size_t len)
{
    int fd = epoll_accept(loop, listener);
    if (fd < 0) {
        return fd;
    }
    if (len > 0) {
        (void)send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    char thrown_away[2048];
    (void)recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);
    fd_close(&fd);
    return 0;
}

static int epoll_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len)
{
    (void)loop;
    return getpeername(fd, addr, len) == 0 ? 0 : -errno;
}

const struct loop_backend loop_backend_epoll = {
    .name = "epoll",
    .init = epoll_init,
    .finish = epoll_finish,
    .read_clock = epoll_read_clock,
    .wait = epoll_wait_events,
    .wake = epoll_wake,
    .add = epoll_add,
    .arm = epoll_arm,
    .disarm = epoll_disarm,
    .close = epoll_close,
    .shutdown_write = epoll_shutdown_write,
    .accept = epoll_accept,
    .recv = epoll_recv,
    .send = epoll_send,
    .send_file = epoll_send_file,
    .close_fd = epoll_close_fd,
    .refuse = epoll_refuse,
    .peer_name = epoll_peer_name,
};
