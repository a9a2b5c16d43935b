/* loop/backend_sim.c — the loop over a world in memory (sim_world.h): nothing waits, time is what
 * tests say. It behaves as strictly as edge-triggered epoll: a stream is told of an event only when
 * something has changed, with the readiness that holds at that moment, so that code which would
 * hang over epoll hangs here too. A wait that finds nothing to tell moves the virtual clock on by
 * the time it may wait. */
#include "loop/backend.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/fd.h"
#include "loop/errand.h"
#include "loop/sim_world.h"

#include <errno.h>

enum { FILE_PIECE_BYTES = 64 * 1024 };

static int sim_init(struct loop *loop)
{
    struct sim_world *world = mem_alloc_zero(1, sizeof(*world));
    loop->errands = errands_create();
    if (!world || !loop->errands) {
        mem_free(world);
        if (loop->errands) {
            errands_unref(loop->errands);
        }
        return -ENOMEM;
    }
    list_init(&world->peers);
    list_init(&world->listeners);
    list_init(&world->foreigns);
    list_init(&world->edges);
    world->now_ms = SIM_START_MS;
    loop->world = world;
    return 0;
}

static void sim_finish(struct loop *loop)
{
    struct sim_world *world = sim_world_of(loop);
    while (!list_is_empty(&world->peers)) {
        sim_peer_outlive(CONTAINER_OF(world->peers.next, struct sim_peer, link));
    }
    struct list *link;
    while ((link = list_pop_front(&world->listeners))) {
        mem_free(CONTAINER_OF(link, struct sim_listener, link));
    }
    while ((link = list_pop_front(&world->foreigns))) {
        mem_free(CONTAINER_OF(link, struct sim_foreign, link));
    }
    errands_unref(loop->errands);
    loop->errands = NULL;
    mem_free(world->by_fd);
    mem_free(world);
    loop->world = NULL;
}

static void sim_read_clock(struct loop *loop)
{
    loop->now_ms = sim_world_of(loop)->now_ms;
    loop->wall_s = (loop->now_ms + sim_wall_minus_mono_ms()) / 1000;
}

static void sim_wake(struct loop *loop)
{
    (void)sem_post(&loop->errands->woken); /* see errand.c */
}

/* ---- waiting --------------------------------------------------------------------------------- */

static size_t unread_bytes(const struct sim_peer *peer)
{
    return peer->to_server.len - peer->taken;
}

static unsigned ready_of(const struct sim_peer *peer)
{
    bool has_hangup = peer->client_fin || peer->client_reset || peer->client_gone;
    bool is_broken = peer->client_reset || peer->client_gone;
    unsigned ready = has_hangup ? READY_READ | READY_HANGUP : 0;
    if (unread_bytes(peer) > 0 || peer->failure[LOOP_OP_RECV]) {
        ready |= READY_READ;
    }
    if (peer->window > 0 || is_broken || peer->failure[LOOP_OP_SEND] ||
        peer->failure[LOOP_OP_SEND_FILE]) {
        ready |= READY_WRITE;
    }
    return ready;
}

static unsigned tell_streams(struct loop *loop)
{
    unsigned told = 0;
    struct list *link;
    while ((link = list_pop_front(&sim_world_of(loop)->edges))) {
        struct sim_peer *peer = CONTAINER_OF(link, struct sim_peer, edge_link);
        if (peer->socket) {
            operation_ready(loop, peer->socket, ready_of(peer));
            told++;
        }
    }
    return told;
}

/* Level-triggered, as listeners are. */
static unsigned tell_listeners(struct loop *loop)
{
    unsigned told = 0;
    struct list *head = &sim_world_of(loop)->listeners;
    for (struct list *link = head->next; link != head; link = link->next) {
        struct sim_listener *listener = CONTAINER_OF(link, struct sim_listener, link);
        struct loop_socket *socket = listener->socket;
        if (socket && socket->is_armed && !list_is_empty(&listener->waiting)) {
            operation_ready(loop, socket, READY_READ);
            told++;
        }
    }
    return told;
}

static void sim_wait(struct loop *loop, int64_t wait_ms)
{
    unsigned told = tell_streams(loop) + tell_listeners(loop) + sim_foreign_tell(loop);
    if (told == 0 && wait_ms > 0) {
        sim_world_of(loop)->now_ms += wait_ms;
    }
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int sim_add(struct loop *loop, struct loop_socket *socket)
{
    if (socket->kind == LOOP_SOCKET_FOREIGN) {
        return sim_foreign_add(loop, socket);
    }
    if (socket->kind == LOOP_SOCKET_LISTENER) {
        struct sim_listener *listener = sim_listener_of(loop, socket->fd);
        if (!listener || listener->socket) {
            return -EBADF;
        }
        listener->socket = socket;
        sim_world_of(loop)->open_count++;
        return 0;
    }
    struct sim_peer *peer = sim_peer_of(loop, socket->fd);
    if (!peer || peer->socket || !peer->has_server) {
        return -EBADF;
    }
    peer->socket = socket;
    sim_edge(peer);
    return 0;
}

static int sim_arm(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    socket->is_armed = socket->kind == LOOP_SOCKET_LISTENER;
    return 0;
}

static void sim_disarm(struct loop *loop, struct loop_socket *socket)
{
    (void)loop;
    socket->is_armed = false;
    socket->may_read = false;
}

static void close_listener(struct loop *loop, struct loop_socket *socket)
{
    struct sim_listener *listener = sim_listener_of(loop, socket->fd);
    CHECK(listener != NULL);
    listener->socket = NULL;
    socket->is_armed = false;
    sim_world_of(loop)->open_count--;
}

/* As Linux does, closing with bytes unread resets the connection. */
static void close_server_end(struct sim_peer *peer, bool is_reset)
{
    peer->server_reset = is_reset || unread_bytes(peer) > 0;
    peer->server_fin = true;
    peer->has_server = false;
    peer->socket = NULL;
    sim_world_of(peer->loop)->open_count--;
    sim_peer_settle(peer);
}

static void sim_close(struct loop *loop, struct loop_socket *socket, bool is_reset)
{
    if (socket->kind == LOOP_SOCKET_FOREIGN) {
        sim_foreign_close(loop, socket);
    } else if (socket->kind == LOOP_SOCKET_LISTENER) {
        close_listener(loop, socket);
    } else {
        struct sim_peer *peer = sim_peer_of(loop, socket->fd);
        CHECK(peer && peer->socket == socket);
        close_server_end(peer, is_reset);
    }
    socket->fd = -1;
}

static void sim_close_fd(struct loop *loop, int fd)
{
    struct sim_peer *peer = sim_peer_of(loop, fd);
    CHECK(peer && peer->has_server && !peer->socket);
    close_server_end(peer, false);
}

static int sim_shutdown_write(struct loop *loop, struct loop_socket *socket)
{
    struct sim_peer *peer = sim_peer_of(loop, socket->fd);
    if (peer->client_reset) {
        return -ENOTCONN;
    }
    peer->server_fin = true;
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

static struct sim_peer *take_waiting(struct loop *loop, struct loop_socket *socket)
{
    struct sim_listener *listener = sim_listener_of(loop, socket->fd);
    struct list *link = listener ? list_pop_front(&listener->waiting) : NULL;
    if (!link) {
        return NULL;
    }
    sim_world_of(loop)->open_count++;
    return CONTAINER_OF(link, struct sim_peer, wait_link);
}

static int sim_accept(struct loop *loop, struct loop_socket *socket)
{
    struct sim_world *world = sim_world_of(loop);
    struct sim_listener *listener = sim_listener_of(loop, socket->fd);
    if (list_is_empty(&listener->waiting)) {
        return -EAGAIN;
    }
    if (world->accept_failures > 0) {
        world->accept_failures--;
        return -world->accept_errno;
    }
    return take_waiting(loop, socket)->fd;
}

/* The scripted failure of the next operation of the kind, 0 if there is none. EAGAIN is followed by
 * an event, as a kernel that has said "full" or "empty" would send one. */
static int take_failure(struct sim_peer *peer, enum loop_op_kind kind)
{
    int failure = peer->failure[kind];
    peer->failure[kind] = 0;
    if (failure == EAGAIN) {
        sim_edge(peer);
    }
    return failure;
}

static size_t at_most(size_t n, size_t bound)
{
    return bound && n > bound ? bound : n;
}

static ssize_t sim_recv(struct loop *loop, struct loop_socket *socket, char *data, size_t max_bytes)
{
    struct sim_peer *peer = sim_peer_of(loop, socket->fd);
    int failure = take_failure(peer, LOOP_OP_RECV);
    if (failure) {
        return -failure;
    }
    if (peer->client_reset) {
        return -ECONNRESET;
    }
    size_t unread = unread_bytes(peer);
    if (unread == 0) {
        return peer->client_fin || peer->client_gone ? 0 : -EAGAIN;
    }
    size_t n = at_most(unread < max_bytes ? unread : max_bytes, peer->max_read);
    memcpy(data, peer->to_server.data + peer->taken, n);
    peer->taken += n;
    if (n == unread) {
        buf_clear(&peer->to_server);
        peer->taken = 0;
    } else if (n < max_bytes) {
        sim_edge(peer); /* a scripted short read: the next piece is still on its way */
    }
    return (ssize_t)n;
}

/* How much a send may take now, or -errno. */
static ssize_t room_to_send(struct sim_peer *peer, enum loop_op_kind kind, size_t wanted)
{
    int failure = take_failure(peer, kind);
    if (failure) {
        return -failure;
    }
    if (peer->client_reset || peer->client_gone || peer->server_fin) {
        return -EPIPE;
    }
    size_t n = at_most(wanted < peer->window ? wanted : peer->window, peer->max_write);
    return n == 0 && wanted > 0 ? -EAGAIN : (ssize_t)n;
}

static ssize_t deliver(struct sim_peer *peer, size_t sent, size_t wanted)
{
    if (peer->to_client.failed) {
        return -ENOBUFS;
    }
    if (peer->window != SIZE_MAX) {
        peer->window -= sent;
    }
    if (sent < wanted && peer->window > 0) {
        sim_edge(peer); /* a scripted short write: there is room again soon */
    }
    return (ssize_t)sent;
}

static size_t total_bytes(const struct iovec *iov, int iov_count)
{
    size_t total = 0;
    for (int i = 0; i < iov_count; i++) {
        total += iov[i].iov_len;
    }
    return total;
}

static ssize_t sim_send_some(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                             int iov_count, bool more_follows)
{
    struct sim_peer *peer = sim_peer_of(loop, socket->fd);
    peer->expects_more = more_follows;
    peer->sends++;
    size_t wanted = total_bytes(iov, iov_count);
    ssize_t room = room_to_send(peer, LOOP_OP_SEND, wanted);
    if (room < 0) {
        return room;
    }
    size_t left = (size_t)room;
    for (int i = 0; i < iov_count && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        buf_append(&peer->to_client, iov[i].iov_base, n);
        left -= n;
    }
    return deliver(peer, (size_t)room, wanted);
}

static ssize_t sim_send_file(struct loop *loop, struct loop_socket *socket,
                             const struct loop_file *file)
{
    struct sim_peer *peer = sim_peer_of(loop, socket->fd);
    ssize_t room = room_to_send(peer, LOOP_OP_SEND_FILE, file->len);
    if (room < 0) {
        return room;
    }
    size_t wanted = at_most((size_t)room, FILE_PIECE_BYTES);
    char *place = buf_reserve(&peer->to_client, wanted);
    if (!place) {
        return -ENOBUFS;
    }
    ssize_t got = fd_read_at(file->fd, place, wanted, file->offset);
    if (got < 0) {
        return got;
    }
    peer->to_client.len += (size_t)got;
    return deliver(peer, (size_t)got, file->len);
}

static int sim_probe_file(struct loop *loop, int fd, off_t offset)
{
    (void)fd;
    (void)offset;
    sim_world_of(loop)->probes++;
    return sim_world_of(loop)->probe_result;
}

static size_t sim_send_room(struct loop *loop, const struct loop_socket *socket)
{
    return sim_peer_of(loop, socket->fd)->window;
}

static int sim_refuse(struct loop *loop, struct loop_socket *socket, const void *data, size_t len)
{
    struct sim_peer *peer = take_waiting(loop, socket);
    if (!peer) {
        return -EAGAIN;
    }
    buf_append(&peer->to_client, data, len);
    buf_clear(&peer->to_server);
    close_server_end(peer, false);
    return 0;
}

static int sim_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len)
{
    const struct sim_peer *peer = sim_peer_of(loop, fd);
    if (!peer || peer->address_len == 0) {
        return -ENOTCONN;
    }
    memcpy(addr, &peer->address, peer->address_len < *len ? peer->address_len : *len);
    *len = peer->address_len;
    return 0;
}

const struct loop_backend loop_backend_sim = {
    .name = "sim",
    .init = sim_init,
    .finish = sim_finish,
    .read_clock = sim_read_clock,
    .wait = sim_wait,
    .wake = sim_wake,
    .add = sim_add,
    .arm = sim_arm,
    .disarm = sim_disarm,
    .close = sim_close,
    .shutdown_write = sim_shutdown_write,
    .accept = sim_accept,
    .recv = sim_recv,
    .send = sim_send_some,
    .send_file = sim_send_file,
    .probe_file = sim_probe_file,
    .send_room = sim_send_room,
    .close_fd = sim_close_fd,
    .refuse = sim_refuse,
    .peer_name = sim_peer_name,
};
