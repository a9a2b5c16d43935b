/* net/acceptor.c — one loop's accepting on one listener. On its loop only.
 * An accept is pending while the acceptor is neither paused, nor backing off, nor closing:
 * accept_more() is the only place that starts one, and everything that changes those three calls
 * it. Out of descriptors, the reserve is spent on a few refusals and accepting rests for a while:
 * clients wait in the kernel's queue meanwhile, and nothing spins. */
#include "net/listener.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BACKOFF_MS = 100, REFUSALS_A_BACKOFF = 4 };

static const char refusal_503[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                  "Content-Length: 0\r\n"
                                  "Retry-After: 1\r\n"
                                  "Connection: close\r\n"
                                  "\r\n";

struct acceptor {
    struct loop_socket socket;
    struct loop_op accepting;
    struct timer backoff;
    struct loop *loop;
    struct acceptor_owner owner;
    struct acceptor_counters *counters;
    const struct log_sink *log;
    struct log_limit log_limit;
    char name[ADDRESS_TEXT_MAX];
    int reserved_fd;
    bool is_paused;
};

static void accept_done(struct loop_op *op);

static void accept_more(struct acceptor *acceptor)
{
    if (!acceptor->is_paused && !acceptor->socket.is_closing && !acceptor->accepting.is_pending &&
        !timer_is_armed(&acceptor->backoff)) {
        loop_accept(acceptor->loop, &acceptor->socket, &acceptor->accepting, accept_done);
    }
}

static void backoff_over(struct timer *timer)
{
    accept_more(CONTAINER_OF(timer, struct acceptor, backoff));
}

static void back_off(struct acceptor *acceptor)
{
    loop_timer_start(acceptor->loop, &acceptor->backoff, loop_now_ms(acceptor->loop) + BACKOFF_MS,
                     backoff_over);
}

static void reserve(struct acceptor *acceptor)
{
    if (acceptor->reserved_fd < 0) {
        acceptor->reserved_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

/* Another thread may snatch the descriptor that we release: then we just try again after the
 * pause. */
static bool refuse_one(struct acceptor *acceptor)
{
    struct span text = acceptor->owner.refusal;
    reserve(acceptor);
    fd_close(&acceptor->reserved_fd);
    int result = loop_refuse(acceptor->loop, &acceptor->socket, text.ptr, text.len);
    reserve(acceptor);
    if (result == 0) {
        counter_add(&acceptor->counters->refused, 1);
    }
    return result == 0;
}

static void out_of_fds(struct acceptor *acceptor, int error)
{
    counter_add(&acceptor->counters->out_of_fds, 1);
    log_write_limited(acceptor->log, &acceptor->log_limit, LOG_WARNING,
                      "accept on %s: %s; refusing clients until descriptors are free",
                      acceptor->name, strerror(error));
    for (int i = 0; i < REFUSALS_A_BACKOFF && refuse_one(acceptor); i++) {
        /* a few, so that clients learn of it; the rest wait */
    }
    back_off(acceptor);
}

static void accept_failed(struct acceptor *acceptor, int error)
{
    switch (error) {
    case ECANCELED: /* paused or closing */
        break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        out_of_fds(acceptor, error);
        break;
    default: /* nothing is known to cause it; whatever it is must not make us spin */
        log_write_limited(acceptor->log, &acceptor->log_limit, LOG_ERROR, "accept on %s: %s",
                          acceptor->name, strerror(error));
        back_off(acceptor);
    }
}

static void accept_done(struct loop_op *op)
{
    struct acceptor *acceptor = CONTAINER_OF(op, struct acceptor, accepting);
    if (op->result >= 0) {
        counter_add(&acceptor->counters->accepted, 1);
        acceptor->owner.accepted(acceptor->owner.ctx, acceptor, (int)op->result);
    } else {
        accept_failed(acceptor, (int)-op->result);
    }
    accept_more(acceptor);
}

static void socket_closed(struct loop_socket *socket)
{
    struct acceptor *acceptor = CONTAINER_OF(socket, struct acceptor, socket);
    if (acceptor->owner.closed) {
        acceptor->owner.closed(acceptor->owner.ctx, acceptor);
    }
    mem_free(acceptor);
}

static int open_acceptor(struct acceptor *acceptor, const struct listener *listener)
{
    reserve(acceptor);
    if (acceptor->reserved_fd < 0) {
        return -errno;
    }
    return loop_socket_open(acceptor->loop, &acceptor->socket, listener->fd, LOOP_SOCKET_LISTENER,
                            socket_closed);
}

struct acceptor *acceptor_create(struct loop *loop, const struct listener *listener,
                                 const struct acceptor_owner *owner,
                                 struct acceptor_counters *counters, const struct log_sink *log,
                                 galley_error *err)
{
    DEBUG_CHECK(owner->accepted != NULL);
    struct acceptor *acceptor = mem_alloc_zero(1, sizeof(*acceptor));
    if (!acceptor) {
        error_set_sys(err, ENOMEM, "accept on %s", listener->name);
        return NULL;
    }
    acceptor->loop = loop;
    acceptor->owner = *owner;
    acceptor->counters = counters;
    acceptor->log = log;
    acceptor->reserved_fd = -1;
    if (!owner->refusal.ptr) {
        acceptor->owner.refusal = span_of(refusal_503);
    }
    memcpy(acceptor->name, listener->name, sizeof(acceptor->name));
    int result = open_acceptor(acceptor, listener);
    if (result < 0) {
        error_set_sys(err, -result, "accept on %s", listener->name);
        fd_close(&acceptor->reserved_fd);
        mem_free(acceptor);
        return NULL;
    }
    accept_more(acceptor);
    return acceptor;
}

void acceptor_pause(struct acceptor *acceptor)
{
    acceptor->is_paused = true;
    loop_cancel(acceptor->loop, &acceptor->accepting);
}

void acceptor_resume(struct acceptor *acceptor)
{
    acceptor->is_paused = false;
    accept_more(acceptor);
}

void acceptor_close(struct acceptor *acceptor)
{
    loop_timer_stop(acceptor->loop, &acceptor->backoff);
    fd_close(&acceptor->reserved_fd);
    loop_socket_close(acceptor->loop, &acceptor->socket, false);
}
