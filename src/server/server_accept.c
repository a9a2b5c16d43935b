/* server/server_accept.c — taking connections, up to the limit of this loop. On the loop.
 * At the limit a newcomer takes the place of the connection that has been idle longest; where none
 * is idle, accepting pauses, clients wait in the kernel's queue, and it goes on when a connection
 * ends or becomes idle. */
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
    for (unsigned i = 0; i < loop->door_count; i++) {
        if (loop->doors[i].acceptor) {
            acceptor_resume(loop->doors[i].acceptor);
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
    for (unsigned i = 0; i < loop->door_count; i++) {
        if (loop->doors[i].acceptor) {
            acceptor_pause(loop->doors[i].acceptor);
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

void server_take_connection(struct server_loop *loop, unsigned door, int fd)
{
    if (loop->conns.count >= loop->max_connections) {
        (void)conn_set_close_oldest_idle(
            &loop->conns); /* none: the newcomer is one too many, once */
    }
    (void)conn_create_by(&loop->conns, fd, &loop->doors[door].entry); /* failure is counted there */
    server_balance_count(loop);
    if (loop->conns.count >= loop->max_connections && !has_idle(loop)) {
        pause_until_room(loop);
    }
}

static void accepted(void *ctx, struct acceptor *acceptor, int fd)
{
    struct server_door *door = ctx;
    unsigned index = (unsigned)(door - door->loop->doors);
    (void)acceptor;
    if (!server_hand_over(door->loop, index, fd)) {
        server_take_connection(door->loop, index, fd);
    }
}

static void acceptor_closed(void *ctx, struct acceptor *acceptor)
{
    struct server_door *door = ctx;
    struct server_loop *loop = door->loop;
    (void)acceptor;
    loop->open_acceptors--;
    if (loop->open_acceptors == 0 &&
        atomic_fetch_sub_explicit(&loop->server->accepting_loops, 1, memory_order_acq_rel) == 1) {
        server_listeners_close(loop->server);
    }
    server_loop_report_if_idle(loop);
}

/* Who is out of descriptors has no words for a client of TLS: it learns of it by the close. */
static struct acceptor *make_acceptor(struct server_door *door, const struct listener *listener,
                                      galley_error *err)
{
    struct server_loop *loop = door->loop;
    const struct acceptor_owner owner = {
        .accepted = accepted,
        .closed = acceptor_closed,
        .ctx = door,
        .refusal = door->entry.opener ? SPAN("") : SPAN_NONE,
    };
    return acceptor_create(loop->loop, listener, &owner, &loop->acceptor_counters,
                           &loop->server->log, err);
}

int server_acceptors_make(struct server_loop *loop, galley_error *err)
{
    struct galley_server *srv = loop->server;
    const struct listener *test = srv->test ? test_client_listener(srv->test, loop->loop) : NULL;
    unsigned count = srv->test ? 1 : srv->addresses.count;
    if (srv->test && !test) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    int rc = server_doors_make(loop, count, err);
    for (unsigned i = 0; i < count && rc == GALLEY_OK; i++) {
        struct server_door *door = &loop->doors[i];
        door->acceptor = make_acceptor(door, test ? test : &srv->addresses.list[i].socket, err);
        if (!door->acceptor) {
            return err->code;
        }
        loop->open_acceptors++;
        if (i == 0) {
            atomic_fetch_add_explicit(&srv->accepting_loops, 1, memory_order_relaxed);
        }
    }
    return rc;
}

void server_acceptors_close(struct server_loop *loop)
{
    loop_timer_stop(loop->loop, &loop->room_timer);
    for (unsigned i = 0; i < loop->door_count; i++) {
        struct acceptor *acceptor = loop->doors[i].acceptor;
        loop->doors[i].acceptor = NULL;
        if (acceptor) {
            acceptor_close(acceptor);
        }
    }
}
