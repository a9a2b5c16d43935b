/* conn/conn_io.c — reading and sending of a connection. On the loop.
 *
 * A send needs an operation and an array of pieces that stay until it is done: a block of its own
 * (struct conn_send) that is taken from the set while a send is under way, so that an idle
 * connection holds none. At most one recv and one send are under way. Sends start at the end of a
 * callback, so that all that the callback appended leaves in one. */
#include "conn/conn.h"

#include "base/alloc.h"
#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/conn_set.h"
#include "conn/protocol.h"

#include <errno.h>

enum {
    SEND_PIECES = 64,
    SEND_FILE_BYTES = 1024 * 1024, /* of a file in one operation */
    MAX_FREE_SENDS = 64
};

struct conn_send {
    struct loop_op op;
    struct conn *conn;
    struct conn_send *next_free;
    bool is_file;
    struct iovec pieces[SEND_PIECES];
};

static void start_send(struct conn *conn);
static void start_recv(struct conn *conn);

/* ---- the protocol is called between these two ------------------------------------------------ */

void conn_begin_call(struct conn *conn)
{
    conn->is_in_call = true;
}

void conn_end_call(struct conn *conn)
{
    conn->is_in_call = false;
    if (conn->wants_flush) {
        conn->wants_flush = false;
        start_send(conn);
    }
    start_recv(conn);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool is_peer_gone(ssize_t result)
{
    return result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT ||
           result == -ENOTCONN || result == -EHOSTUNREACH || result == -ENETUNREACH ||
           result == TRANSPORT_REFUSED;
}

/* RFC 9112 §9.8: between requests an incomplete close takes nothing away, and many clients do not
 * say goodbye. In the middle of something it may be an attacker's. */
static void end_truncated(struct conn *conn)
{
    if (conn->state == CONN_LINGER) {
        conn_close(conn, (enum close_reason)conn->close_reason, false);
    } else if (conn->state == CONN_IDLE || conn->state == CONN_FIRST) {
        conn_close(conn, CLOSE_CLIENT_CLOSED, false);
    } else {
        conn_close(conn, CLOSE_TLS_TRUNCATED, true);
    }
}

static void close_on_error(struct conn *conn, ssize_t result)
{
    if (result == -ECANCELED) {
        return; /* our own close */
    }
    if (result == TRANSPORT_TRUNCATED) {
        end_truncated(conn);
        return;
    }
    if (result == TRANSPORT_BROKEN) {
        conn_close(conn, CLOSE_TLS_FAILED, false); /* an alert says so to the client */
        return;
    }
    enum close_reason reason = is_peer_gone(result) ? CLOSE_CLIENT_RESET : CLOSE_SYSTEM_ERROR;
    if (result == -ENOMEM || result == -ENOBUFS) {
        reason = CLOSE_OUT_OF_MEMORY;
    }
    conn_close(conn, reason, true);
}

/* The answer is decided: what still comes is dropped, up to a limit. While it is being sent we only
 * stop to read. */
static void drop_input(struct conn *conn, size_t len)
{
    if (conn->state != CONN_LINGER) {
        conn_read(conn, false);
        return;
    }
    conn->rate_bytes += len;
    if (conn->rate_bytes > conn->set->limits->linger_bytes) {
        conn_close(conn, (enum close_reason)conn->close_reason, false);
    }
}

static void take_input(struct conn *conn, char *data, size_t len)
{
    counter_add(&conn->set->counters.bytes_in, len);
    if (conn->close_after_send) {
        drop_input(conn, len);
        return;
    }
    if (conn->state == CONN_BODY) {
        conn->rate_bytes += len;
    }
    conn->protocol->received(conn, data, len);
}

static void end_input(struct conn *conn)
{
    conn->input_ended = true;
    if (conn->state == CONN_LINGER) {
        conn_close(conn, (enum close_reason)conn->close_reason, false);
    } else if (!conn->close_after_send) {
        conn->protocol->input_ended(conn);
    }
}

static void on_received(struct loop_op *op)
{
    struct conn *conn = CONTAINER_OF(op, struct conn, recv_op);
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_begin_call(conn);
    if (op->result > 0) {
        take_input(conn, op->data, (size_t)op->result);
    } else if (op->result == 0) {
        end_input(conn);
    } else {
        close_on_error(conn, op->result);
    }
    conn_end_call(conn);
}

static void start_recv(struct conn *conn)
{
    if (conn->wants_read && !conn->input_ended && !conn->recv_op.is_pending &&
        conn->state != CONN_CLOSED) {
        transport_recv(&conn->transport, &conn->recv_op, conn->set->limits->max_pending_in,
                       on_received);
    }
}

void conn_read(struct conn *conn, bool on)
{
    conn->wants_read = on;
    if (!conn->is_in_call) {
        start_recv(conn);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static struct conn_send *take_send(struct conn *conn)
{
    struct conn_set *set = conn->set;
    struct conn_send *send = set->free_sends;
    if (send) {
        set->free_sends = send->next_free;
        set->free_send_count--;
    } else {
        send = mem_alloc(sizeof *send);
    }
    if (send) {
        send->op = (struct loop_op){0};
        send->conn = conn;
        conn->sending = send;
    }
    return send;
}

void conn_send_release(struct conn *conn)
{
    struct conn_set *set = conn->set;
    struct conn_send *send = conn->sending;
    conn->sending = NULL;
    if (!send || set->free_send_count >= MAX_FREE_SENDS) {
        mem_free(send);
        return;
    }
    send->next_free = set->free_sends;
    set->free_sends = send;
    set->free_send_count++;
}

uint64_t conn_send_bytes(void)
{
    return mem_cost(sizeof(struct conn_send));
}

uint64_t conn_set_kept_bytes(void)
{
    return MAX_FREE_SENDS * conn_send_bytes() + chain_pool_kept_bytes();
}

void conn_sends_finish(struct conn_set *set)
{
    while (set->free_sends) {
        struct conn_send *send = set->free_sends;
        set->free_sends = send->next_free;
        mem_free(send);
    }
    set->free_send_count = 0;
}

/* Nothing was sent and it is no error of the connection: a file has ended early or cannot be
 * read. */
static bool is_file_broken(const struct conn_send *send)
{
    ssize_t result = send->op.result;
    return send->is_file && (result == 0 || (result < 0 && result != -ECANCELED &&
                                             result != TRANSPORT_BROKEN && !is_peer_gone(result)));
}

static void end_output(struct conn *conn)
{
    conn->protocol->sent(conn);
    bool has_ended = conn->state == CONN_LINGER || conn->state == CONN_CLOSED; /* inside that */
    if (conn->close_after_send && !conn_has_output(conn) && !has_ended) {
        conn_finish_output(conn);
    }
}

static void finish_send(struct conn *conn, ssize_t result, bool file_is_broken)
{
    if (file_is_broken) {
        /* The length is promised and cannot be kept: only a reset tells the client so. */
        conn_close(conn, CLOSE_FILE_CHANGED, true);
    } else if (result < 0) {
        close_on_error(conn, result);
    } else {
        counter_add(&conn->set->counters.bytes_out, (uint64_t)result);
        conn->rate_bytes += conn->state == CONN_SENDING ? (uint64_t)result : 0;
        chain_consume(&conn->out, (uint64_t)result);
        if (conn_has_output(conn)) {
            conn->wants_flush = true;
        } else {
            end_output(conn);
        }
    }
}

bool conn_waits_for_disk(const struct conn *conn)
{
    return conn->sending && conn->sending->is_file && conn->sending->op.is_cold;
}

int64_t conn_disk_ms(const struct conn *conn)
{
    if (!conn->sending || !conn->sending->is_file || conn->state != CONN_SENDING) {
        return 0;
    }
    int64_t disk_ms = loop_disk_ms(conn_loop(conn), &conn->sending->op);
    int64_t state_ms = loop_now_ms(conn_loop(conn)) - conn->state_began_ms;
    return disk_ms < state_ms ? disk_ms : state_ms;
}

static void on_sent(struct loop_op *op)
{
    struct conn_send *send = CONTAINER_OF(op, struct conn_send, op);
    struct conn *conn = send->conn;
    ssize_t result = op->result;
    bool file_is_broken = is_file_broken(send);
    conn->state_began_ms += conn_disk_ms(conn);
    conn_send_release(conn);
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_begin_call(conn);
    finish_send(conn, result, file_is_broken);
    conn_end_call(conn);
}

static void start_send(struct conn *conn)
{
    if (conn->sending || !conn_has_output(conn) || conn->state == CONN_CLOSED) {
        return;
    }
    struct conn_send *send = take_send(conn);
    if (!send) {
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        return;
    }
    int count = chain_iov(&conn->out, send->pieces, SEND_PIECES);
    send->is_file = count == 0;
    if (send->is_file) {
        const struct chain_part *part = chain_front(&conn->out);
        size_t len = part->len < SEND_FILE_BYTES ? part->len : SEND_FILE_BYTES;
        send->op.is_last = conn->close_after_send && conn->out.bytes == len;
        transport_send_file(&conn->transport, &send->op, part->fd, part->offset, len, on_sent);
        return;
    }
    /* A file behind the pieces leaves in a send of its own: let the head wait for it, if it is all
     * we have. */
    bool is_all = (uint32_t)count == conn->out.count;
    send->op.more_follows = count < SEND_PIECES && !is_all;
    send->op.is_last = conn->close_after_send && is_all;
    transport_send(&conn->transport, &send->op, send->pieces, count, on_sent);
}

void conn_flush(struct conn *conn)
{
    if (conn->is_in_call) {
        conn->wants_flush = true;
    } else {
        start_send(conn);
    }
}
