/* loop/sim.c — the tests' side of the simulated world: clients that connect, send, hang up;
 * scripted short reads, errors and full windows; the virtual clock. The loop's side is
 * backend_sim.c. One thread. */
#include "loop/sim.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "loop/errand.h"
#include "loop/sim_world.h"

#include <errno.h>
#include <time.h>

/* ---- the world ------------------------------------------------------------------------------- */

struct sim_peer *sim_peer_of(struct loop *loop, int fd)
{
    struct sim_world *world = sim_world_of(loop);
    size_t index = (size_t)fd - SIM_FIRST_FD;
    return fd >= SIM_FIRST_FD && index < world->fd_count ? world->by_fd[index] : NULL;
}

struct sim_listener *sim_listener_of(struct loop *loop, int fd)
{
    struct list *head = &sim_world_of(loop)->listeners;
    for (struct list *link = head->next; link != head; link = link->next) {
        struct sim_listener *listener = CONTAINER_OF(link, struct sim_listener, link);
        if (listener->fd == fd) {
            return listener;
        }
    }
    return NULL;
}

int sim_new_fd(struct sim_world *world, struct sim_peer *peer)
{
    if (world->fd_count == world->fd_capacity) {
        size_t capacity = world->fd_capacity ? 2 * world->fd_capacity : 16;
        struct sim_peer **grown = mem_resize(world->by_fd, capacity * sizeof(struct sim_peer *));
        if (!grown) {
            return -ENOMEM;
        }
        world->by_fd = grown;
        world->fd_capacity = capacity;
    }
    world->by_fd[world->fd_count] = peer;
    return SIM_FIRST_FD + (int)world->fd_count++;
}

void sim_edge(struct sim_peer *peer)
{
    if (peer->loop && list_is_empty(&peer->edge_link)) {
        list_push_back(&sim_world_of(peer->loop)->edges, &peer->edge_link);
    }
}

static void leave_world(struct sim_peer *peer)
{
    if (peer->loop) {
        sim_world_of(peer->loop)->by_fd[peer->fd - SIM_FIRST_FD] = NULL;
        list_remove(&peer->link);
        list_remove(&peer->edge_link);
        list_remove(&peer->wait_link);
        peer->loop = NULL;
    }
}

void sim_peer_settle(struct sim_peer *peer)
{
    if (peer->client_gone && !peer->has_server) {
        leave_world(peer);
        buf_finish(&peer->to_server);
        buf_finish(&peer->to_client);
        mem_free(peer);
    }
}

void sim_peer_outlive(struct sim_peer *peer)
{
    leave_world(peer);
    peer->socket = NULL;
    peer->has_server = false;
    peer->server_fin = true;
    sim_peer_settle(peer);
}

static struct sim_peer *new_peer(struct loop *loop)
{
    struct sim_world *world = sim_world_of(loop);
    struct sim_peer *peer = mem_alloc_zero(1, sizeof(*peer));
    int fd = peer ? sim_new_fd(world, peer) : -ENOMEM;
    if (fd < 0) {
        mem_free(peer);
        return NULL;
    }
    peer->loop = loop;
    peer->fd = fd;
    peer->window = SIZE_MAX;
    peer->has_server = true;
    buf_init(&peer->to_server, 0);
    buf_init(&peer->to_client, 0);
    list_init(&peer->edge_link);
    list_init(&peer->wait_link);
    list_push_back(&world->peers, &peer->link);
    return peer;
}

/* ---- connecting ------------------------------------------------------------------------------ */

int sim_listener(struct loop *loop)
{
    CHECK(loop->backend == &loop_backend_sim);
    struct sim_world *world = sim_world_of(loop);
    struct sim_listener *listener = mem_alloc_zero(1, sizeof(*listener));
    int fd = listener ? sim_new_fd(world, NULL) : -ENOMEM;
    if (fd < 0) {
        mem_free(listener);
        return -ENOMEM;
    }
    listener->fd = fd;
    list_init(&listener->waiting);
    list_push_back(&world->listeners, &listener->link);
    return fd;
}

struct sim_peer *sim_connect(struct loop *loop, int listener_fd)
{
    struct sim_listener *listener = sim_listener_of(loop, listener_fd);
    CHECK(listener != NULL);
    struct sim_peer *peer = new_peer(loop);
    if (peer) {
        list_push_back(&listener->waiting, &peer->wait_link);
    }
    return peer;
}

struct sim_peer *sim_pair(struct loop *loop, int *ret_fd)
{
    struct sim_peer *peer = new_peer(loop);
    if (peer) {
        sim_world_of(loop)->open_count++;
        *ret_fd = peer->fd;
    }
    return peer;
}

void sim_peer_free(struct sim_peer *peer)
{
    if (peer) {
        peer->client_gone = true;
        sim_edge(peer);
        sim_peer_settle(peer);
    }
}

void sim_set_address(struct sim_peer *peer, const struct sockaddr *addr, socklen_t len)
{
    CHECK(len <= sizeof(peer->address));
    memcpy(&peer->address, addr, len);
    peer->address_len = len;
}

/* ---- the client's doings --------------------------------------------------------------------- */

int sim_send(struct sim_peer *peer, const void *data, size_t len)
{
    if (!peer->has_server) {
        return GALLEY_ECLOSED;
    }
    buf_append(&peer->to_server, data, len);
    sim_edge(peer);
    return peer->to_server.failed ? GALLEY_ENOMEM : 0;
}

void sim_shutdown(struct sim_peer *peer)
{
    peer->client_fin = true;
    sim_edge(peer);
}

void sim_reset(struct sim_peer *peer)
{
    peer->client_reset = true;
    sim_edge(peer);
}

struct span sim_received(const struct sim_peer *peer)
{
    struct span received = buf_span(&peer->to_client);
    return received.ptr ? received : SPAN("");
}

struct span sim_received_text(struct sim_peer *peer)
{
    struct buf *buf = &peer->to_client;
    bool had_failed = buf->failed;
    char *end = buf_reserve(buf, 1);
    buf->failed = had_failed; /* only this call has failed, not the connection */
    if (!end) {
        return SPAN_NONE;
    }
    *end = '\0';
    return span_make(buf->data, buf->len);
}

void sim_consume(struct sim_peer *peer, size_t n)
{
    buf_consume(&peer->to_client, n);
}

bool sim_is_closed(const struct sim_peer *peer)
{
    return peer->server_fin || peer->server_reset;
}

bool sim_is_reset(const struct sim_peer *peer)
{
    return peer->server_reset;
}

/* ---- the script ------------------------------------------------------------------------------ */

bool sim_expects_more(const struct sim_peer *peer)
{
    return peer->expects_more;
}

unsigned sim_sends(const struct sim_peer *peer)
{
    return peer->sends;
}

void sim_set_window(struct sim_peer *peer, size_t bytes)
{
    bool has_opened = peer->window == 0 && bytes > 0;
    peer->window = bytes;
    if (has_opened) {
        sim_edge(peer);
    }
}

void sim_set_max_read(struct sim_peer *peer, size_t bytes)
{
    peer->max_read = bytes;
}

void sim_set_max_write(struct sim_peer *peer, size_t bytes)
{
    peer->max_write = bytes;
}

void sim_fail_next(struct sim_peer *peer, enum loop_op_kind kind, int sys_errno)
{
    CHECK(kind > LOOP_OP_ACCEPT && kind < LOOP_OP_POLL);
    peer->failure[kind] = sys_errno;
    sim_edge(peer);
}

void sim_fail_accept(struct loop *loop, int sys_errno, unsigned times)
{
    sim_world_of(loop)->accept_errno = sys_errno;
    sim_world_of(loop)->accept_failures = times;
}

void sim_set_probe(struct loop *loop, int result)
{
    sim_world_of(loop)->probe_result = result;
}

unsigned sim_probes(const struct loop *loop)
{
    return sim_world_of(loop)->probes;
}

/* ---- beside other threads ----------------------------------------------------------------------
 */

bool sim_turn(struct loop *loop)
{
    while (sem_trywait(&loop->errands->woken) == 0) {
        /* heard: this turn, and the look of its caller, are behind it */
    }
    return loop_turn(loop, 0) || !list_is_empty(&sim_world_of(loop)->edges);
}

bool sim_is_quiet(struct loop *loop, unsigned allowed)
{
    /* First the count, then what those have posted. */
    return errands_under_way(loop->errands) <= allowed && mailbox_is_empty(&loop->mailbox);
}

unsigned sim_errands(const struct loop *loop)
{
    return errands_under_way(loop->errands);
}

static struct timespec time_in(int64_t ms)
{
    int64_t at_ms = clock_mono_ms() + ms;
    return (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = (long)(at_ms % 1000) * 1000000};
}

void sim_sleep(struct loop *loop, int64_t ms)
{
    if (mailbox_go_to_sleep(&loop->mailbox)) {
        struct timespec until = time_in(ms);
        (void)sem_clockwait(&loop->errands->woken, CLOCK_MONOTONIC, &until);
    }
    mailbox_wake_up(&loop->mailbox);
}

/* ---- time ------------------------------------------------------------------------------------ */

void sim_run(struct loop *loop)
{
    struct sim_world *world = sim_world_of(loop);
    while (loop_turn(loop, 0) || !list_is_empty(&world->edges)) {
        /* until a turn has nothing to do */
    }
}

void sim_advance(struct loop *loop, int64_t ms)
{
    struct sim_world *world = sim_world_of(loop);
    int64_t target_ms = world->now_ms + ms;
    sim_run(loop);
    while (sim_step(loop, target_ms)) {
        sim_run(loop);
    }
    sim_run(loop);
}

bool sim_step(struct loop *loop, int64_t until_ms)
{
    struct sim_world *world = sim_world_of(loop);
    int64_t next_ms = timer_wheel_next_ms(&loop->timers);
    if (next_ms > until_ms) {
        world->now_ms = until_ms;
        return false;
    }
    world->now_ms = next_ms > world->now_ms ? next_ms : world->now_ms;
    return true;
}

int64_t sim_wall_minus_mono_ms(void)
{
    return INT64_C(1767225600000) - SIM_START_MS; /* it begins at 2026-01-01 00:00:00 UTC */
}

unsigned sim_open_count(const struct loop *loop)
{
    return sim_world_of(loop)->open_count;
}
