/* tls/tls_recv.c — from ciphertext to plaintext. What a recv of the loop has brought is decrypted
 * where OpenSSL has put it, and given to the owner in the loop's scratch memory, for the time of its
 * callback. Nothing is read from the network while something received is left: so what one peer can
 * make us keep is bounded by one recv. On the loop's thread. */
#include "tls/tls_link.h"

#include "base/alloc.h"
#include "base/check.h"

/* ---- the owner's side ------------------------------------------------------------------------ */

void tls_recv_start(struct transport *transport, struct loop_op *op, size_t max_bytes,
                    loop_done_fn *done)
{
    struct tls_link *link = transport->state;
    DEBUG_CHECK(!op->is_pending && !link->recv.op && max_bytes > 0);
    op->kind = LOOP_OP_RECV;
    op->socket = &transport->socket;
    op->is_pending = true;
    op->result = 0;
    op->more = false;
    op->data = NULL;
    op->max_bytes = max_bytes;
    link->recv.op = op;
    link->recv.done = done;
    if (link->is_running) {
        return;
    }
    bool has_something = link->input.len > 0 || link->recv.end != TLS_NOT_ENDED ||
                         link->is_closing || (!link->away && SSL_has_pending(link->ssl));
    if (has_something) {
        tls_run_later(link);
    } else {
        tls_recv_want(link);
    }
}

void tls_recv_finish(struct tls_link *link, ssize_t result)
{
    struct loop_op *op = link->recv.op;
    link->recv.op = NULL;
    op->is_pending = false;
    op->result = result;
    op->more = link->input.len > 0;
    link->recv.done(op);
    if (DEBUG_BUILD && result > 0) {
        memset(link->shared->plain, 0xdd, (size_t)result); /* shows who keeps a pointer into it */
    }
}

/* ---- decrypting ------------------------------------------------------------------------------ */

static bool has_work(const struct tls_link *link)
{
    return link->input.len > 0 || link->recv.wish == TLS_WISH_WRITE || SSL_has_pending(link->ssl);
}

/* A record that carries nothing for the owner has been read: key updates, tickets, warnings, empty
 * ones. OpenSSL would go on for ever; a peer that sends nothing else wants our time. */
static bool is_flood(struct tls_link *link)
{
    return ++link->recv.empty_records > TLS_MAX_EMPTY;
}

/* One call of OpenSSL: bytes, -EAGAIN when it waits for something, or the end: 0 or -errno. */
static ssize_t decrypt_some(struct tls_link *link, char *data, size_t room)
{
    do {
        size_t got = 0;
        tls_bio_prepare();
        link->recv.wish = TLS_WISH_NONE;
        int rc = SSL_read_ex(link->ssl, data, room, &got);
        if (rc > 0) {
            link->recv.empty_records = 0;
            return (ssize_t)got;
        }
        ssize_t result = tls_bio_result(link, rc, &link->recv.wish);
        if (result != -EAGAIN || link->recv.wish != TLS_WISH_READ || link->input.len == 0) {
            return result;
        }
    } while (!is_flood(link));
    link->is_broken = true;
    return TRANSPORT_BROKEN;
}

/* The first bytes of input that come raw. */
static ssize_t take_raw(struct tls_link *link, char *data, size_t room)
{
    size_t n = link->input.len < room ? link->input.len : room;
    if (n == 0) {
        return -EAGAIN;
    }
    memcpy(data, link->input.data, n);
    link->input.data += n;
    link->input.len -= n;
    return (ssize_t)n;
}

static ssize_t decrypt(struct tls_link *link, char *data, size_t room)
{
    size_t filled = 0;
    while (filled < room && link->recv.end == TLS_NOT_ENDED && has_work(link)) {
        ssize_t got = decrypt_some(link, data + filled, room - filled);
        if (got == -EAGAIN) {
            break;
        }
        if (got <= 0) {
            link->recv.end = got;
            link->input.len = 0; /* behind the end nothing counts: RFC 8446 §6.1 */
            break;
        }
        filled += (size_t)got;
    }
    if (filled == 0) {
        return -EAGAIN;
    }
    tls_warm_read(link);
    return (ssize_t)filled;
}

static ssize_t next_bytes(struct tls_link *link)
{
    size_t room = link->recv.op->max_bytes;
    room = room < TLS_PLAIN_BYTES ? room : TLS_PLAIN_BYTES;
    char *data = link->shared->plain;
    link->recv.op->data = data;
    ssize_t got = link->phase == TLS_RAW ? take_raw(link, data, room) : decrypt(link, data, room);
    return got == -EAGAIN && link->recv.end != TLS_NOT_ENDED ? link->recv.end : got;
}

void tls_recv_run(struct tls_link *link)
{
    while (link->recv.op && link->phase != TLS_SHAKING && !link->is_closing) {
        ssize_t got = next_bytes(link);
        if (got == -EAGAIN) {
            return;
        }
        tls_recv_finish(link, got);
    }
}

/* ---- ciphertext ------------------------------------------------------------------------------ */

static void drop_kept(struct tls_link *link)
{
    if (link->kept && link->input.len == 0) {
        mem_free(link->kept);
        link->kept = NULL;
    }
}

/* RFC 8446 §6.1: an end of the connection without close_notify may be an attacker's. After a
 * farewell of our own nobody misses the peer's. */
static ssize_t meaning_of_end(const struct tls_link *link)
{
    switch (link->phase) {
    case TLS_SHAKING:
        return link->has_input ? -ECONNRESET : TRANSPORT_TRUNCATED;
    case TLS_OPEN:
        return TRANSPORT_TRUNCATED;
    default:
        return 0;
    }
}

void tls_recv_given(struct tls_link *link, const char *data, size_t len)
{
    link->input = (struct tls_input){data, len};
    if (!link->has_input && len > 0) {
        link->has_input = true;
        link->first_byte = (unsigned char)data[0];
    }
}

static void on_received(struct loop_op *op)
{
    struct tls_link *link = CONTAINER_OF(op, struct tls_link, in_op);
    if (link->is_socket_closed) {
        return; /* on_socket_closed() tells the owner */
    }
    if (op->result > 0) {
        tls_recv_given(link, op->data, (size_t)op->result);
    } else {
        link->recv.end = op->result < 0 ? op->result : meaning_of_end(link);
    }
    tls_run(link);
    tls_recv_keep(link);
}

void tls_recv_want(struct tls_link *link)
{
    drop_kept(link);
    bool is_wanted =
        link->phase == TLS_SHAKING || link->recv.op || link->send.wish == TLS_WISH_READ;
    bool has_enough = link->input.len > 0 || link->recv.wish == TLS_WISH_WRITE;
    if (!is_wanted || has_enough || link->in_op.is_pending || link->is_closing || link->away ||
        link->recv.end != TLS_NOT_ENDED) {
        return;
    }
    size_t max_bytes = link->recv.op ? link->recv.op->max_bytes : TLS_INPUT_BYTES;
    loop_recv(link->shared->loop, &link->transport->socket, &link->in_op, max_bytes, on_received);
}

void tls_recv_keep(struct tls_link *link)
{
    if (link->is_closing || link->input.len == 0) {
        link->input.len = 0;
        drop_kept(link);
        return;
    }
    DEBUG_CHECK(!link->kept);
    char *block = mem_alloc(link->input.len);
    if (block) {
        memcpy(block, link->input.data, link->input.len);
    } else {
        link->input.len = 0;
        link->recv.end = -ENOMEM;
        link->is_broken = true;
        if (link->transport) {
            tls_run_later(link);
        }
    }
    link->input.data = block;
    link->kept = block;
}
