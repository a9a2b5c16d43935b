/* loop/backend_uring_stream.c — receiving and sending over io_uring.
 *
 * Receiving: one multishot recv goes on for as long as the connection lives, whether somebody reads
 * or not; what comes is parked at the socket, and reading takes it from there. So a cancelled recv
 * loses nothing and needs no word to the kernel. If nobody reads, it ends after a few buffers (older
 * kernels: after what has come by then), and the rest stays in the kernel, as it should. Where multishot does not do (no
 * buffer free, or a large body that comes in full buffers) the socket is read by recv(2) until it is
 * empty: so clients who fill all buffers cannot keep others from being read.
 *
 * The rule that keeps anything from being forgotten: when uring_recv() has emptied the socket, a
 * request is in flight that will tell what comes next, or the end is known.
 *
 * Sending: one request for each operation, handed in with all others of this turn. What is large is
 * sent at once, while its bytes are in the cache, and so is a file, by sendfile(2): io_uring's splice
 * always goes to a kernel thread. For both a poll waits for room. */
#include "loop/backend_uring.h"

#include "base/check.h"
#include "loop/direct.h"

#include <errno.h>
#include <poll.h>

enum {
    MAX_UNREAD = 4, /* buffers parked for nobody before the kernel is told to stop */
    MAX_BYTES = MAX_UNREAD * URING_BUFFER_BYTES, /* after which a multishot ends by itself */
    BULK_BUFFERS = 2,                            /* full ones in a row are a large body */
    LARGE_SEND_BYTES = 32 * 1024,                /* sent at once */
};

int uring_poll(struct loop *loop, struct loop_socket *socket, enum uring_request kind)
{
    if (uring_is_early(loop, socket)) {
        return 0;
    }
    struct io_uring_sqe *sqe = uring_sqe(loop);
    if (!sqe) {
        return -ENOMEM;
    }
    io_uring_prep_poll_add(sqe, socket->fd, kind == URING_POLL_OUT ? POLLOUT : POLLIN);
    uring_tag(loop, sqe, socket, kind);
    return 0;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static int receive(struct loop *loop, struct loop_socket *socket)
{
    if (uring_is_early(loop, socket)) {
        return 0;
    }
    struct io_uring_sqe *sqe = uring_sqe(loop);
    if (!sqe) {
        return -ENOMEM;
    }
    io_uring_prep_recv_multishot(sqe, socket->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUFFER_GROUP;
    sqe->file_index = uring_world_of(loop)->has_no_cap ? 0 : MAX_BYTES; /* here: its optlen */
    uring_tag(loop, sqe, socket, URING_RECV);
    socket->uring.flags &= (uint8_t) ~(URING_IS_DIRECT | URING_IS_STOPPING);
    return 0;
}

int uring_stream_add(struct loop *loop, struct loop_socket *socket)
{
    socket->uring.end = URING_NOT_ENDED;
    return receive(loop, socket);
}

/* The socket has been emptied: see the rule above. */
static int wait_for_more(struct loop *loop, struct loop_socket *socket)
{
    bool is_told = socket->in_flight & (1 << URING_RECV | 1 << URING_POLL_IN);
    if (is_told || socket->has_parked || socket->uring.end != URING_NOT_ENDED) {
        return 0;
    }
    bool is_bulk = socket->uring.flags & URING_IS_BULK;
    int result = is_bulk ? uring_poll(loop, socket, URING_POLL_IN) : receive(loop, socket);
    if (result < 0) {
        socket->uring.end = (int16_t)result;
        socket->has_hangup = true; /* a recv finds out */
    }
    return result;
}

/* Somebody may have read, or found the end, since it was asked for. */
void uring_stream_begin(struct loop *loop, struct loop_socket *socket)
{
    if (wait_for_more(loop, socket) < 0) {
        operation_ready(loop, socket, READY_READ | READY_HANGUP);
    }
    operation_ready(loop, socket, READY_WRITE); /* a file's send may have wanted a poll */
}

static ssize_t recv_direct(struct loop_socket *socket, char *data, size_t max_bytes)
{
    ssize_t got = direct_recv(socket->fd, data, max_bytes);
    if (got >= URING_BUFFER_BYTES) {
        socket->uring.flags |= URING_IS_BULK;
    } else if (got > 0) {
        socket->uring.flags &= (uint8_t)~URING_IS_BULK;
    } else if (got != -EAGAIN) {
        socket->uring.end = (int16_t)got;
    }
    return got;
}

ssize_t uring_recv(struct loop *loop, struct loop_socket *socket, char *data, size_t max_bytes)
{
    struct uring_buffers *buffers = &uring_world_of(loop)->buffers;
    bool is_told = socket->in_flight & (1 << URING_RECV | 1 << URING_POLL_IN);
    ssize_t got = -EAGAIN;
    uring_buffers_return_lent(buffers);
    loop->received = data;
    if (socket->has_parked) {
        got = (ssize_t)uring_buffers_take(buffers, socket, &loop->received, max_bytes);
    } else if (socket->uring.end != URING_NOT_ENDED) {
        return socket->uring.end;
    } else if (!is_told && (socket->uring.flags & URING_IS_DIRECT)) {
        got = recv_direct(socket, data, max_bytes);
    }
    if (got == -EAGAIN || (got > 0 && (size_t)got < max_bytes)) {
        int result = wait_for_more(loop, socket);
        return result < 0 && got < 0 ? result : got;
    }
    return got;
}

static void stop_receiving(struct loop *loop, struct loop_socket *socket)
{
    if (!(socket->uring.flags & URING_IS_STOPPING) && uring_cancel(loop, socket, URING_RECV)) {
        socket->uring.flags |= URING_IS_STOPPING;
    }
}

static void park(struct loop *loop, struct loop_socket *socket, unsigned id, size_t len)
{
    uring_buffers_park(&uring_world_of(loop)->buffers, socket, id, len);
    unsigned parked = socket->uring.parked.count;
    bool is_bulk = len == URING_BUFFER_BYTES && parked >= BULK_BUFFERS;
    if (is_bulk) {
        socket->uring.flags |= URING_IS_BULK | URING_IS_DIRECT;
    }
    bool is_unread = !socket->reading && parked >= MAX_UNREAD;
    if ((is_bulk || is_unread) && (socket->in_flight & 1 << URING_RECV)) {
        stop_receiving(loop, socket);
    }
}

void uring_received(struct loop *loop, struct loop_socket *socket, const struct io_uring_cqe *cqe)
{
    int result = cqe->res;
    bool has_buffer = cqe->flags & IORING_CQE_F_BUFFER;
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (has_buffer && (result <= 0 || socket->is_closing)) {
        uring_buffers_return(&uring_world_of(loop)->buffers, id);
    } else if (has_buffer) {
        park(loop, socket, id, (size_t)result);
    }
    unsigned ready = READY_READ;
    if (result == -ENOBUFS) {
        socket->uring.flags |= URING_IS_DIRECT;
        uring_buffers_grow(&uring_world_of(loop)->buffers);
    } else if (result == -EINVAL && !uring_world_of(loop)->has_no_cap) {
        uring_world_of(loop)->has_no_cap = true; /* and again, without */
    } else if (result <= 0 && result != -ECANCELED && result != -EINTR) {
        socket->uring.end = (int16_t)result;
        ready |= READY_HANGUP;
    }
    operation_ready(loop, socket, ready);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void prepare_send(struct uring_world *world, struct io_uring_sqe *sqe, int fd,
                         const struct iovec *iov, int iov_count)
{
    /* One piece may be a copy on our caller's stack, several are the operation's own and stay. */
    if (iov_count == 1) {
        io_uring_prep_send(sqe, fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        return;
    }
    struct msghdr *message = &world->messages[sqe - world->ring.sq.sqes];
    *message =
        (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)iov_count};
    io_uring_prep_sendmsg(sqe, fd, message, MSG_NOSIGNAL);
}

static size_t bytes_of(const struct iovec *iov, int iov_count)
{
    size_t total = 0;
    for (int i = 0; i < iov_count; i++) {
        total += iov[i].iov_len;
    }
    return total;
}

/* A short send has filled the socket: our caller waits for an event then. If the poll cannot be asked
 * for, that is the send's error: nobody would tell of room. */
static ssize_t send_at_once(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                            int iov_count, bool more_follows)
{
    ssize_t sent = direct_send(socket->fd, iov, iov_count, more_follows);
    if (sent == -EAGAIN || (sent >= 0 && (size_t)sent < bytes_of(iov, iov_count))) {
        int result = uring_poll(loop, socket, URING_POLL_OUT);
        return result < 0 ? result : sent;
    }
    return sent;
}

ssize_t uring_send(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                   int iov_count, bool more_follows)
{
    DEBUG_CHECK(!(socket->in_flight & (1 << URING_SEND | 1 << URING_POLL_OUT)));
    if (bytes_of(iov, iov_count) >= LARGE_SEND_BYTES) {
        return send_at_once(loop, socket, iov, iov_count, more_follows);
    }
    struct io_uring_sqe *sqe = uring_sqe(loop);
    if (!sqe) {
        return -ENOMEM;
    }
    prepare_send(uring_world_of(loop), sqe, socket->fd, iov, iov_count);
    if (more_follows) {
        sqe->msg_flags |= MSG_MORE;
    }
    uring_tag(loop, sqe, socket, URING_SEND);
    socket->uring.flags &= (uint8_t)~URING_IS_CANCELLED;
    return -EAGAIN;
}

void uring_sent(struct loop *loop, struct loop_socket *socket, int result)
{
    struct loop_op *op = socket->writing;
    bool is_wanted = !socket->is_closing && !(socket->uring.flags & URING_IS_CANCELLED);
    socket->may_write = true;
    if (is_wanted && (result == -ECANCELED || result == -EINTR)) {
        operation_ready(loop, socket, READY_WRITE); /* the thread has changed: once more */
    } else if (is_wanted && result == -EAGAIN && uring_poll(loop, socket, URING_POLL_OUT) == 0) {
        socket->may_write = false;
    } else {
        operation_decide(loop, op, socket->is_closing ? -ECANCELED : result);
    }
}

void uring_cancel_send(struct loop *loop, struct loop_socket *socket)
{
    socket->uring.flags |= URING_IS_CANCELLED;
    (void)uring_cancel(loop, socket, URING_SEND); /* if that fails it ends as it ends */
}

ssize_t uring_send_file(struct loop *loop, struct loop_socket *socket, const struct loop_file *file)
{
    DEBUG_CHECK(!(socket->in_flight & (1 << URING_SEND | 1 << URING_POLL_OUT)));
    ssize_t sent = direct_send_file(socket->fd, file);
    if (sent == -EAGAIN) {
        int result = uring_poll(loop, socket, URING_POLL_OUT);
        return result < 0 ? result : -EAGAIN;
    }
    return sent;
}
