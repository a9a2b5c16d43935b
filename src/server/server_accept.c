/* server/server_accept.c — taking connections, up to the limit of this loop. On the loop.
 * At the limit a newcomer takes the place of the connection that has been idle longest; where none
 * is idle, accepting pauses, clients wait in the kernel's queue, and it goes on when a connection
 * ends or becomes idle. */
#include "base/alloc.h"
#include "base/error.h"

#include "server/server_state.h"

enum { LOOK_AGAIN_MS = 100 };

static bool has_idle(const struct server_loop *loop)
{
    return !list_is_empty(&loop->conns.by_state[CONN_IDLE]);
}

static void resume(struct server_loop *loop)
{
    loop->is_paused = false;
    loop_timer_stop(loop->loop, &loop->room_timer);
    for (unsigned i = 0; i < loop->acceptor_count; i++) {
        if (loop->acceptors[i]) {
            acceptor_resume(loop->acceptors[i]);
        }
    }
}

static void look_for_idle(struct timer *timer)
{
    struct server_loop *loop = CONTAINER_OF(timer, struct server_loop, room_timer);
    if (has_idle(loop)) {
        resume(loop);
    } else {
        loop_timer_start(loop->loop, timer, loop_now_ms(loop->loop) + LOOK_AGAIN_MS, look_for_idle);
    }
}

void server_acceptors_pause(struct server_loop *loop)
{
    for (unsigned i = 0; i < loop->acceptor_count; i++) {
        if (loop->acceptors[i]) {
            acceptor_pause(loop->acceptors[i]);
        }
    }
}

static void pause_until_room(struct server_loop *loop)
{
    if (loop->is_paused || loop->is_draining) {
        return;
    }
    loop->is_paused = true;
    counter_add(&loop->counters.paused, 1);
    server_acceptors_pause(loop);
    loop_timer_start(loop->loop, &loop->room_timer, loop_now_ms(loop->loop) + LOOK_AGAIN_MS,
                     look_for_idle);
}

void server_conn_removed(struct conn_set *set, void *ctx)
{
    struct server_loop *loop = ctx;
    server_balance_count(loop);
    if (loop->is_paused && !loop->is_draining && set->count < loop->max_connections) {
        resume(loop);
    }
}

void server_take_connection(struct server_loop *loop, int fd)
{
    if (loop->conns.count >= loop->max_connections) {
        (void)conn_set_close_oldest_idle(
            &loop->conns); /* none: the newcomer is one too many, once */
    }
    (void)conn_create(&loop->conns, fd, &loop->plain.protocol); /* failure is counted there */
    server_balance_count(loop);
    if (loop->conns.count >= loop->max_connections && !has_idle(loop)) {
        pause_until_room(loop);
    }
}

static void accepted(void *ctx, struct acceptor *acceptor, int fd)
{
    struct server_loop *loop = ctx;
    (void)acceptor;
    if (!server_hand_over(loop, fd)) {
        server_take_connection(loop, fd);
    }
}

static void acceptor_closed(void *ctx, struct acceptor *acceptor)
{
    struct server_loop *loop = ctx;
    (void)acceptor;
    loop->open_acceptors--;
    if (loop->open_acceptors == 0 &&
        atomic_fetch_sub_explicit(&loop->server->accepting_loops, 1, memory_order_acq_rel) == 1) {
        server_listeners_close(loop->server);
    }
    server_loop_report_if_idle(loop);
}

int server_acceptors_make(struct server_loop *loop, galley_error *err)
{
    struct galley_server *srv = loop->server;
    struct acceptor_owner owner = {.accepted = accepted, .closed = acceptor_closed, .ctx = loop};
    const struct listener *listeners = srv->listeners;
    unsigned count = srv->listener_count;
    if (srv->test) {
        listeners = test_client_listener(srv->test, loop->loop);
        count = 1;
    }
    loop->acceptors = mem_alloc_zero(count, sizeof(*loop->acceptors));
    if (!listeners || !loop->acceptors) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    loop->acceptor_count = count;
    for (unsigned i = 0; i < count; i++) {
        loop->acceptors[i] = acceptor_create(loop->loop, &listeners[i], &owner,
                                             &loop->acceptor_counters, &srv->log, err);
        if (!loop->acceptors[i]) {
            return err->code;
        }
        loop->open_acceptors++;
        if (i == 0) {
            atomic_fetch_add_explicit(&srv->accepting_loops, 1, memory_order_relaxed);
        }
    }
    return GALLEY_OK;
}

void server_acceptors_close(struct server_loop *loop)
{
    loop_timer_stop(loop->loop, &loop->room_timer);
    for (unsigned i = 0; loop->acceptors && i < loop->acceptor_count; i++) {
        struct acceptor *acceptor = loop->acceptors[i];
        loop->acceptors[i] = NULL;
        if (acceptor) {
            acceptor_close(acceptor);
        }
    }
}
