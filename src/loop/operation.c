/* loop/operation.c — the life of operations: started, tried, called back, cancelled; and the last
 * call of a socket.
 *
 * A backend only marks readiness while it waits; user code runs afterwards from the lists of struct
 * loop, so that no event can meet a socket that a callback has released. What a callback starts is
 * tried right after it (`started`), so that an answer leaves while it is hot. Fairness: in one turn
 * a socket is read once and sends a bounded share; what wants more is put off to the next turn,
 * after everybody else. */
#include "loop/backend.h"

#include "base/check.h"
#include "loop/warm_file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
    SEND_SHARE_BYTES = 512 * 1024,
    SEND_COST_BYTES = 4096, /* what a send costs besides its bytes: bounds a stream of tiny ones */
    ACCEPTS_PER_TURN = 16,
    MAX_IOV = 64
};

static bool is_writing(const struct loop_op *op)
{
    return op->kind == LOOP_OP_SEND || op->kind == LOOP_OP_SEND_FILE ||
           op->kind == LOOP_OP_AWAIT_FILE;
}

static struct loop_op **place_of(struct loop_op *op)
{
    return is_writing(op) ? &op->socket->writing : &op->socket->reading;
}

void operation_decide(struct loop *loop, struct loop_op *op, ssize_t result)
{
    if (!op->is_decided) {
        op->is_decided = true;
        op->result = result;
        list_remove(&op->link);
        list_push_back(&loop->started, &op->link);
        if (op->is_cold) {
            warm_file_forget(loop, op);
        }
    }
}

static void make_ready(struct loop *loop, struct loop_op *op)
{
    if (op && list_is_empty(&op->link)) {
        list_push_back(&loop->ready, &op->link);
    }
}

void operation_ready(struct loop *loop, struct loop_socket *socket, unsigned ready)
{
    if (socket->is_closing) {
        return;
    }
    if (ready & READY_HANGUP) {
        socket->has_hangup = true;
    }
    if (ready & READY_READ) {
        socket->may_read = true;
        make_ready(loop, socket->reading);
    }
    if (ready & READY_WRITE) {
        socket->may_write = true;
        make_ready(loop, socket->writing);
    }
}

/* ---- trying ---------------------------------------------------------------------------------- */

static void begin_share(struct loop *loop, struct loop_socket *socket)
{
    if (socket->turn != loop->turn) {
        socket->turn = loop->turn;
        socket->sent_bytes = 0;
        socket->reads = 0;
    }
}

static bool has_share(const struct loop_op *op)
{
    const struct loop_socket *socket = op->socket;
    if (is_writing(op)) {
        return socket->sent_bytes + SEND_COST_BYTES <= SEND_SHARE_BYTES;
    }
    return socket->reads < (op->kind == LOOP_OP_ACCEPT ? ACCEPTS_PER_TURN : 1);
}

static void use_send_share(struct loop_socket *socket, ssize_t sent)
{
    if (sent >= 0) {
        socket->sent_bytes += (uint32_t)sent + SEND_COST_BYTES;
    }
}

static size_t share_left(const struct loop_socket *socket)
{
    return SEND_SHARE_BYTES - socket->sent_bytes;
}

static ssize_t try_accept(struct loop *loop, struct loop_op *op)
{
    struct loop_socket *socket = op->socket;
    int fd = loop->backend->accept(loop, socket);
    socket->reads++;
    if (fd == -EAGAIN) {
        socket->may_read = false;
    }
    return fd;
}

/* A recv that brings less than was asked has emptied the socket: what comes later is a new event.
 * Only the peer's end may have been told already, so after a hangup we go on reading until the
 * 0. */
static ssize_t try_recv(struct loop *loop, struct loop_op *op)
{
    struct loop_socket *socket = op->socket;
    size_t max_bytes = op->max_bytes < loop->recv_bytes ? op->max_bytes : loop->recv_bytes;
    ssize_t got = loop->backend->recv(loop, socket, loop->recv_buffer, max_bytes);
    socket->reads++;
    op->data = loop->received;
    if (got == -EAGAIN) {
        socket->may_read = false;
    } else if (got <= 0) {
        socket->has_hangup = true;
    } else if ((size_t)got < max_bytes && !socket->has_hangup) {
        socket->may_read = false;
    }
    if (socket->has_parked) {
        socket->may_read = true;
    }
    op->more = got > 0 && socket->may_read;
    return got;
}

/* How many of the pieces, and how much of the first, this turn's share allows. */
static int fit_share(const struct loop_op *op, struct iovec *ret_first, size_t *ret_bytes)
{
    size_t left = share_left(op->socket);
    int count = 0;
    *ret_first = op->iov[0];
    if (ret_first->iov_len > left) {
        ret_first->iov_len = left;
    }
    *ret_bytes = 0;
    while (count < op->iov_count && count < MAX_IOV) {
        size_t len = count == 0 ? ret_first->iov_len : op->iov[count].iov_len;
        if (count > 0 && (*ret_bytes + len > left || ret_first->iov_len < op->iov[0].iov_len)) {
            break;
        }
        *ret_bytes += len;
        count++;
    }
    return count;
}

static ssize_t try_send(struct loop *loop, struct loop_op *op)
{
    struct loop_socket *socket = op->socket;
    struct iovec first;
    size_t asked;
    int count = fit_share(op, &first, &asked);
    bool is_cut = count < op->iov_count || first.iov_len < op->iov[0].iov_len;
    const struct iovec *iov = count == 1 ? &first : op->iov;
    ssize_t sent = loop->backend->send(loop, socket, iov, count, op->more_follows || is_cut);
    use_send_share(socket, sent);
    if (sent == -EAGAIN || (sent >= 0 && (size_t)sent < asked)) {
        socket->may_write = false; /* full: room is a new event */
    }
    return sent;
}

/* Here a short count says nothing about the socket (the file may end), so only -EAGAIN does. */
static ssize_t try_send_file(struct loop *loop, struct loop_op *op)
{
    struct loop_socket *socket = op->socket;
    struct loop_file part = op->file;
    size_t left = share_left(socket);
    part.len = part.len < left ? part.len : left;
    if (!warm_file_may_send(loop, op, &part)) {
        return -EAGAIN;
    }
    ssize_t sent = loop->backend->send_file(loop, socket, &part);
    use_send_share(socket, sent);
    if (sent == -EAGAIN) {
        socket->may_write = false;
    }
    return sent;
}

static ssize_t try_await_file(struct loop *loop, struct loop_op *op)
{
    struct loop_file part = op->file;
    return warm_file_may_send(loop, op, &part) ? (ssize_t)part.len : -EAGAIN;
}

static ssize_t try_op(struct loop *loop, struct loop_op *op)
{
    switch (op->kind) {
    case LOOP_OP_ACCEPT:
        return try_accept(loop, op);
    case LOOP_OP_RECV:
        return try_recv(loop, op);
    case LOOP_OP_SEND:
        return try_send(loop, op);
    case LOOP_OP_SEND_FILE:
        return try_send_file(loop, op);
    case LOOP_OP_AWAIT_FILE:
        return try_await_file(loop, op);
    default:
        op->socket->may_read = false; /* a poll: the next one asks anew */
        return 0;
    }
}

/* ---- calling back ---------------------------------------------------------------------------- */

/* `done` may start anything, and release the op, but never the socket: that waits for `closed`. */
static void call_done(struct loop *loop, struct loop_op *op)
{
    struct loop_socket *socket = op->socket;
    bool is_recv = op->kind == LOOP_OP_RECV;
    ssize_t result = op->result;
    *place_of(op) = NULL;
    op->is_pending = false;
    op->is_decided = false;
    op->more_follows = false;
    op->done(op);
    if (DEBUG_BUILD && is_recv && result > 0) {
        memset(loop->received, 0xdd, (size_t)result); /* shows who keeps a pointer into it */
    }
    if (socket->is_armed && !socket->reading && !socket->is_closing) {
        loop->backend->disarm(loop, socket);
    }
}

/* A listener whose share is used up is simply told of again: it is level-triggered, unless the
 * backend keeps connections for it. */
static void put_off(struct loop *loop, struct loop_op *op)
{
    if (op->kind == LOOP_OP_ACCEPT && !op->socket->has_parked) {
        op->socket->may_read = false;
    } else {
        list_push_back(&loop->deferred, &op->link);
    }
}

/* Returns whether it was called back. */
static bool run_op(struct loop *loop, struct loop_op *op)
{
    if (!op->is_decided) {
        begin_share(loop, op->socket);
        if (!has_share(op)) {
            put_off(loop, op);
            return false;
        }
        ssize_t result = try_op(loop, op);
        if (result == -EAGAIN) {
            return false;
        }
        op->result = result;
    }
    call_done(loop, op);
    return true;
}

void operation_released(struct loop *loop, struct loop_socket *socket)
{
    loop->held_sockets--;
    socket->next = NULL;
    if (loop->closing_last) {
        loop->closing_last->next = socket;
    } else {
        loop->closing_first = socket;
    }
    loop->closing_last = socket;
}

static struct loop_socket *take_closing(struct loop *loop)
{
    struct loop_socket *socket = loop->closing_first;
    if (socket) {
        loop->closing_first = socket->next;
        if (!loop->closing_first) {
            loop->closing_last = NULL;
        }
    }
    return socket;
}

static void call_closed(struct loop *loop, struct loop_socket *socket)
{
    loop->open_sockets--;
    if (socket->closed) {
        socket->closed(socket);
    }
}

static struct loop_op *take_op(struct list *list)
{
    struct list *link = list_pop_front(list);
    return link ? CONTAINER_OF(link, struct loop_op, link) : NULL;
}

unsigned operation_run_all(struct loop *loop)
{
    unsigned calls = 0;
    for (;;) {
        struct loop_op *op = take_op(&loop->started);
        struct loop_socket *closing = op ? NULL : take_closing(loop);
        if (closing) {
            call_closed(loop, closing); /* its ops were in `started` before it */
            calls++;
            continue;
        }
        if (!op) {
            op = take_op(&loop->ready);
        }
        if (!op) {
            return calls;
        }
        calls += run_op(loop, op);
    }
}

/* ---- starting (loop.h) ----------------------------------------------------------------------- */

static void start(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                  loop_done_fn *done)
{
    DEBUG_CHECK(loop_is_current(loop));
    DEBUG_CHECK(!op->is_pending);
    op->socket = socket;
    op->done = done;
    op->result = 0;
    op->more = false;
    op->is_pending = true;
    op->is_decided = false;
    list_init(&op->link);
    DEBUG_CHECK(*place_of(op) == NULL);
    *place_of(op) = op;
    if (socket->is_closing) {
        operation_decide(loop, op, -ECANCELED);
    } else if (is_writing(op) ? socket->may_write : socket->may_read) {
        list_push_back(&loop->started, &op->link);
    }
}

void loop_accept(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                 loop_done_fn *done)
{
    DEBUG_CHECK(socket->kind == LOOP_SOCKET_LISTENER);
    op->kind = LOOP_OP_ACCEPT;
    start(loop, socket, op, done);
    if (!socket->is_closing && !socket->is_armed) {
        int result = loop->backend->arm(loop, socket);
        if (result < 0) {
            operation_decide(loop, op, result);
        }
    }
}

void loop_recv(struct loop *loop, struct loop_socket *socket, struct loop_op *op, size_t max_bytes,
               loop_done_fn *done)
{
    DEBUG_CHECK(socket->kind == LOOP_SOCKET_STREAM && max_bytes > 0);
    op->kind = LOOP_OP_RECV;
    op->data = NULL;
    op->max_bytes = max_bytes;
    start(loop, socket, op, done);
}

void loop_send(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
               const struct iovec *iov, int iov_count, loop_done_fn *done)
{
    DEBUG_CHECK(socket->kind == LOOP_SOCKET_STREAM && iov_count > 0);
    op->kind = LOOP_OP_SEND;
    op->iov = iov;
    op->iov_count = iov_count;
    start(loop, socket, op, done);
}

static void start_file(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                       const struct loop_file *file, loop_done_fn *done)
{
    DEBUG_CHECK(socket->kind == LOOP_SOCKET_STREAM);
    op->is_warm = false;
    op->disk_ms = 0;
    op->file = *file;
    start(loop, socket, op, done);
}

void loop_send_file(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                    const struct loop_file *file, loop_done_fn *done)
{
    op->kind = LOOP_OP_SEND_FILE;
    start_file(loop, socket, op, file, done);
}

void loop_await_file(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                     const struct loop_file *file, loop_done_fn *done)
{
    op->kind = LOOP_OP_AWAIT_FILE;
    start_file(loop, socket, op, file, done);
}

void loop_poll(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
               loop_done_fn *done)
{
    DEBUG_CHECK(socket->kind == LOOP_SOCKET_FOREIGN);
    op->kind = LOOP_OP_POLL;
    socket->may_read = false;
    start(loop, socket, op, done);
    if (!socket->is_closing) {
        int result = loop->backend->arm(loop, socket);
        if (result < 0) {
            operation_decide(loop, op, result);
        }
    }
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
    DEBUG_CHECK(loop_is_current(loop));
    if (!op->is_pending) {
        return;
    }
    if (is_writing(op) && (op->socket->in_flight & IN_FLIGHT_SEND)) {
        loop->backend->cancel_send(loop, op->socket);
    } else {
        operation_decide(loop, op, -ECANCELED);
    }
}
