/* server/server_drain.c — how a server stops. galley_server_stop() only raises a number and writes
 * to an eventfd, so that a signal handler may call it; the rest happens on the first loop, step by
 * step:
 *
 *   stop      every loop closes its acceptors and idle connections, the rest finish; the deadline
 *   is set
 *   now       (second stop, or the deadline) every connection is cut, handlers are told that nobody
 *   waits
 *   + grace   handlers that have not returned are let go of: they free their exchange when they do
 *   all idle  no loop has anything left: the first loop ends, server_run.c takes the server apart
 *
 * A file system that hangs can keep an exchange for longer: after a last grace the loops end all
 * the same, and what the file threads may still touch is not freed. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "exchange/held_report.h"

#include "server/server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { HANDLER_GRACE_MS = 200, FILE_GRACE_MS = 3000 };

void galley_server_stop(galley_server *srv, int how)
{
    if (!srv || server_is_forked(srv)) {
        return; /* in a child: stop_fd is the parent's, too */
    }
    int wanted = how == GALLEY_STOP_NOW ? SERVER_STOPS_NOW : SERVER_DRAINS;
    int now = atomic_load_explicit(&srv->stop_wanted, memory_order_relaxed);
    while (now < wanted &&
           !atomic_compare_exchange_weak_explicit(&srv->stop_wanted, &now, wanted,
                                                  memory_order_release, memory_order_relaxed)) {
        /* somebody else raised it; look again */
    }
    int saved_errno = errno;
    uint64_t one = 1;
    /* A full counter wakes the loop as well as we could. */
    ssize_t written = write(srv->stop_fd, &one, sizeof one);
    (void)written;
    errno = saved_errno;
}

static struct loop *first_loop(struct galley_server *srv)
{
    return srv->loops[0].loop;
}

static void start_timer(struct galley_server *srv, int64_t in_ms, timer_fn *fn)
{
    loop_timer_start(first_loop(srv), &srv->drain.timer, loop_now_ms(first_loop(srv)) + in_ms, fn);
}

/* The last way out: a thread that hangs in the kernel must not keep the program from ending. */
static void leave_behind(struct timer *timer)
{
    struct galley_server *srv = CONTAINER_OF(timer, struct galley_server, drain.timer);
    log_write(&srv->log, LOG_ERROR, "a file system does not answer: its requests are left behind");
    srv->file_system_hangs = true;
    server_drain_all_idle(srv);
}

static void let_go_of_handlers(struct timer *timer)
{
    struct galley_server *srv = CONTAINER_OF(timer, struct galley_server, drain.timer);
    server_pools_detach(srv);
    server_order_all(srv, ORDER_ORPHAN);
    start_timer(srv, FILE_GRACE_MS, leave_behind);
}

static void cut_all(struct galley_server *srv)
{
    if (srv->drain.done >= SERVER_STOPS_NOW) {
        return;
    }
    srv->drain.done = SERVER_STOPS_NOW;
    server_order_all(srv, ORDER_DRAIN | ORDER_CUT);
    start_timer(srv, HANDLER_GRACE_MS, let_go_of_handlers);
}

static void drain_deadline(struct timer *timer)
{
    struct galley_server *srv = CONTAINER_OF(timer, struct galley_server, drain.timer);
    srv->drain.deadline_passed = true;
    cut_all(srv);
}

static void begin_drain(struct galley_server *srv)
{
    if (srv->drain.done >= SERVER_DRAINS) {
        return;
    }
    srv->drain.done = SERVER_DRAINS;
    server_order_all(srv, ORDER_DRAIN);
    if (srv->config.drain_ms >= 0) {
        srv->drain.deadline_ms = clock_mono_ms() + srv->config.drain_ms;
        start_timer(srv, srv->config.drain_ms, drain_deadline);
    }
}

static void stop_asked(struct loop_op *op)
{
    struct galley_server *srv = CONTAINER_OF(op, struct galley_server, drain.op);
    if (op->result < 0) {
        return; /* closed: the loop ends */
    }
    uint64_t count = 0;
    ssize_t got = read(srv->stop_fd, &count, sizeof count);
    (void)got; /* nothing there: somebody woke us twice */
    int wanted = atomic_load_explicit(&srv->stop_wanted, memory_order_acquire);
    if (wanted == SERVER_STOPS_NOW) {
        cut_all(srv);
    } else if (wanted == SERVER_DRAINS) {
        begin_drain(srv);
    }
    loop_poll(first_loop(srv), &srv->drain.socket, &srv->drain.op, stop_asked);
}

static void stop_socket_closed(struct loop_socket *socket)
{
    (void)socket;
}

int server_drain_watch(struct galley_server *srv, galley_error *err)
{
    /* A descriptor of its own for the loop: stop_fd itself stays, because stop may be called after
     * the end. */
    int fd = fcntl(srv->stop_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return error_set_sys(err, errno, "server: descriptor of the stop event");
    }
    int rc = loop_socket_open(first_loop(srv), &srv->drain.socket, fd, LOOP_SOCKET_FOREIGN,
                              stop_socket_closed);
    if (rc < 0) {
        fd_close(&fd);
        return error_set_sys(err, -rc, "server: stop event");
    }
    srv->drain.is_watching = true;
    loop_poll(first_loop(srv), &srv->drain.socket, &srv->drain.op, stop_asked);
    return GALLEY_OK;
}

void server_drain_unwatch(struct galley_server *srv)
{
    if (srv->drain.is_watching) {
        srv->drain.is_watching = false;
        loop_timer_stop(first_loop(srv), &srv->drain.timer);
        loop_socket_close(first_loop(srv), &srv->drain.socket, false);
    }
}

void server_drain_all_idle(struct galley_server *srv)
{
    if (!srv->drain.is_watching) {
        return;
    }
    server_sites_stop(srv);
    server_tls_unwatch(srv);
    server_drain_unwatch(srv);
    loop_stop(first_loop(srv));
}

void server_drain_report_held(struct server_loop *loop)
{
    galley_server *srv = loop->server;
    char text[512];
    unsigned count = exchange_pool_held(&loop->exchanges, text, sizeof text);
    if (count == 0) {
        return;
    }
    log_write(&srv->log, LOG_ERROR, "%u %s left behind, which did not return: %s", count,
              count == 1 ? "handler is" : "handlers are", text);
    /* Relaxed: both are read when the loops have ended. */
    if (atomic_fetch_add_explicit(&srv->drain.held, count, memory_order_relaxed) == 0) {
        (void)snprintf(srv->drain.held_by, sizeof srv->drain.held_by, "%.95s", text);
    }
}

int server_drain_result(const struct galley_server *srv, galley_error *err)
{
    unsigned cut = atomic_load_explicit(&srv->drain.cut, memory_order_relaxed);
    if (cut == 0) {
        return GALLEY_OK;
    }
    const struct server_drain *drain = &srv->drain;
    const char *why = drain->deadline_passed ? "drain deadline passed" : "stopped at once";
    int code = drain->deadline_passed ? GALLEY_ETIMEDOUT : GALLEY_ECANCELED;
    const char *requests = cut == 1 ? "request was" : "requests were";
    unsigned held = atomic_load_explicit(&drain->held, memory_order_relaxed);
    if (held == 0) {
        return error_set(err, code, "%s: %u %s cut", why, cut, requests);
    }
    return error_set(err, code, "%s: %u %s cut, %u %s left behind (%s)", why, cut, requests, held,
                     held == 1 ? "handler is" : "handlers are", drain->held_by);
}
