/* loop/backend_epoll.c — the loop over epoll(7).
 * A stream is added once, edge-triggered, for everything, and never touched again until it is
 * closed; and not before the loop waits for the first time since it came, for many a client has
 * its answer by then and is gone. A listener is level-triggered and exclusive, so that of several
 * loops one is woken; it is registered only while an accept is pending, because otherwise it would
 * wake us for nothing. A foreign descriptor is armed for one event by each poll.
 *
 * A closed socket is taken out with EPOLL_CTL_DEL although close(2) does it too: not if a child
 * between fork and exec still holds the file, and then events would come for memory that is
 * gone. */
#include "loop/backend_epoll.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "loop/direct.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256 };

static int control(struct loop *loop, int action, int fd, uint32_t events, void *user)
{
    struct epoll_event event = {.events = events, .data.ptr = user};
    int result;
    do {
        result = epoll_ctl(epoll_world_of(loop)->epoll_fd, action, fd, &event);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

static void epoll_finish(struct loop *loop)
{
    struct epoll_world *world = epoll_world_of(loop);
    fd_close(&world->wake_fd);
    fd_close(&world->epoll_fd);
    mem_free(world);
    loop->world = NULL;
}

static int open_descriptors(struct loop *loop)
{
    struct epoll_world *world = epoll_world_of(loop);
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
    *world = (struct epoll_world){.epoll_fd = -1, .wake_fd = -1, .accepted_fd = -1};
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

/* ---- streams that have just come ------------------------------------------------------------- */

static int add_stream(struct loop *loop, struct loop_socket *socket)
{
    return control(loop, EPOLL_CTL_ADD, socket->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                   socket);
}

/* One that has just been accepted is surely a socket, which epoll takes. While others were served
 * its first bytes have often come: a recv in vain costs less than the epoll_ctl that one not in
 * vain may save. False: none such, or there is no room. */
static bool put_fresh(struct loop *loop, struct loop_socket *socket)
{
    struct epoll_world *world = epoll_world_of(loop);
    if (socket->fd != world->accepted_fd || world->fresh_count == MAX_FRESH) {
        return false;
    }
    world->fresh[world->fresh_count++] = socket;
    socket->may_read = true;
    return true;
}

/* False: epoll knows it. Who leaves so early is mostly the last that came. */
static bool take_fresh(struct loop *loop, const struct loop_socket *socket)
{
    struct epoll_world *world = epoll_world_of(loop);
    for (unsigned i = world->fresh_count; i > 0; i--) {
        if (world->fresh[i - 1] == socket) {
            world->fresh[i - 1] = world->fresh[--world->fresh_count];
            return true;
        }
    }
    return false;
}

/* Whoever waits for it is told. It stays fresh, so that the next who waits for it is not
 * forgotten. */
static bool fail_pending(struct loop *loop, struct loop_socket *socket, int result)
{
    if (socket->reading) {
        operation_decide(loop, socket->reading, result);
    }
    if (socket->writing) {
        operation_decide(loop, socket->writing, result);
    }
    return socket->reading || socket->writing;
}

/* True if an operation has failed: it is due. */
static bool add_fresh(struct loop *loop)
{
    struct epoll_world *world = epoll_world_of(loop);
    bool has_failed = false;
    for (unsigned i = world->fresh_count; i > 0; i--) {
        struct loop_socket *socket = world->fresh[i - 1];
        int result = add_stream(loop, socket);
        if (result < 0) {
            has_failed |= fail_pending(loop, socket, result);
        } else {
            world->fresh[i - 1] = world->fresh[--world->fresh_count];
        }
    }
    return has_failed;
}

/* ---- waiting --------------------------------------------------------------------------------- */

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
    if (add_fresh(loop)) {
        wait_ms = 0;
    }
    int timeout = wait_ms < 0 ? -1 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
    int count = epoll_wait(epoll_world_of(loop)->epoll_fd, events, MAX_EVENTS, timeout);
    CHECK(count >= 0 || errno == EINTR); /* the rest are descriptors closed behind our back */
    epoll_world_of(loop)->events = count > 0 ? (unsigned)count : 0;
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
    while (write(epoll_world_of(loop)->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        /* again */
    }
    errno = saved_errno;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int epoll_add(struct loop *loop, struct loop_socket *socket)
{
    switch (socket->kind) {
    case LOOP_SOCKET_STREAM:
        return put_fresh(loop, socket) ? 0 : add_stream(loop, socket);
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
    epoll_forget_peer(loop, socket->fd);
    if (!take_fresh(loop, socket)) {
        remove_from_epoll(loop, socket);
    }
    direct_close(&socket->fd, is_reset);
}

static int epoll_shutdown_write(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    return shutdown(socket->fd, SHUT_WR) == 0 ? 0 : -errno;
}

/* ---- input and output ------------------------------------------------------------------------ */

static ssize_t epoll_recv(struct loop *loop, struct loop_socket *socket, char *data,
                          size_t max_bytes)
{
    (void)loop;
    return direct_recv(socket->fd, data, max_bytes);
}

static ssize_t epoll_send(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                          int iov_count, bool more_follows)
{
    (void)loop;
    return direct_send(socket->fd, iov, iov_count, more_follows);
}

static ssize_t epoll_send_file(struct loop *loop, struct loop_socket *socket,
                               const struct loop_file *file)
{
    (void)loop;
    return direct_send_file(socket->fd, file);
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
