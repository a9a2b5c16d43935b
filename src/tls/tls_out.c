/* tls/tls_out.c — ciphertext on its way out: one buffer for a connection, only while it has
 * something to send, taken from the loop's few spare ones. What is appended while a part of it is
 * being sent goes with the next send; its memory never moves. When the next chunk of a file follows,
 * the kernel is told so, and keeps the end that fills no packet for it. On the loop's thread. */
#include "tls/tls_link.h"

#include "base/alloc.h"
#include "base/list.h"

static const size_t rooms[TLS_OUT_EXACT] = {
    [TLS_OUT_SMALL] = TLS_OUT_SMALL_BYTES,
    [TLS_OUT_LARGE] = TLS_OUT_BYTES,
};

static struct tls_out *take_spare(struct tls_shared *shared, enum tls_out_size size)
{
    struct tls_spare_outs *spare = &shared->spare_outs[size];
    struct tls_out *out = spare->first;
    if (out) {
        spare->first = out->next_free;
        spare->count--;
    }
    return out;
}

/* NULL: no memory. */
static struct tls_out *make(struct tls_link *link, enum tls_out_size size, size_t room)
{
    struct tls_out *out = size == TLS_OUT_EXACT ? NULL : take_spare(link->shared, size);
    out = out ? out : mem_alloc(sizeof *out + room);
    if (out) {
        out->op = (struct loop_op){0};
        out->farewell = (struct timer){0};
        out->link = link;
        out->size = size;
        out->room = room;
        out->begin = out->end = 0;
    }
    return out;
}

static struct tls_out *take(struct tls_link *link, enum tls_out_size size)
{
    struct tls_out *out = make(link, size, rooms[size]);
    link->is_out_of_memory = link->is_out_of_memory || !out;
    return out;
}

void tls_out_release(struct tls_link *link)
{
    struct tls_out *out = link->out;
    if (!out) {
        return;
    }
    link->out = NULL;
    loop_timer_stop(link->shared->loop, &out->farewell);
    if (out->size == TLS_OUT_EXACT) {
        mem_free(out);
        return;
    }
    struct tls_spare_outs *spare = &link->shared->spare_outs[out->size];
    if (spare->count >= TLS_SPARE_OUTS) {
        mem_free(out);
        return;
    }
    out->next_free = spare->first;
    spare->first = out;
    spare->count++;
}

void tls_outs_finish(struct tls_shared *shared)
{
    for (int size = 0; size < TLS_OUT_EXACT; size++) {
        while (shared->spare_outs[size].first) {
            struct tls_out *out = shared->spare_outs[size].first;
            shared->spare_outs[size].first = out->next_free;
            mem_free(out);
        }
    }
}

void tls_out_expect(struct tls_link *link, size_t plain_bytes)
{
    if (!link->out) {
        link->out = take(link, plain_bytes <= TLS_KNOCK_BYTES ? TLS_OUT_SMALL : TLS_OUT_LARGE);
    }
}

struct tls_out *tls_out_for(struct tls_link *link, size_t len)
{
    if (!link->out) {
        link->out = take(link, TLS_OUT_LARGE);
    }
    struct tls_out *out = link->out;
    size_t wanted = len > 0 ? len : 1;
    return out && out->room - out->end >= wanted ? out : NULL;
}

void tls_out_add(struct tls_link *link, const void *data, size_t len)
{
    struct tls_out *out = tls_out_for(link, len);
    if (out) {
        memcpy(out->data + out->end, data, len);
        out->end += len;
    }
}

/* The client does not read: only what is left is kept for him, and the buffer serves others. */
static void shrink(struct tls_link *link)
{
    struct tls_out *out = link->out;
    size_t left = out->end - out->begin;
    bool has_deadline = timer_is_armed(&out->farewell);
    if (out->size != TLS_OUT_LARGE || left == 0 || left > TLS_OUT_BYTES / 2 || has_deadline) {
        return;
    }
    struct tls_out *few = make(link, TLS_OUT_EXACT, left);
    if (few) {
        memcpy(few->data, out->data + out->begin, left);
        few->end = left;
        tls_out_release(link);
        link->out = few;
    }
}

static void on_sent(struct loop_op *op)
{
    struct tls_out *out = CONTAINER_OF(op, struct tls_out, op);
    struct tls_link *link = out->link;
    if (link->is_socket_closed) {
        return; /* the rest is done when the socket says so */
    }
    if (op->result > 0) {
        out->begin += (size_t)op->result;
    }
    if (op->result != (ssize_t)out->piece.iov_len) {
        link->send.room = 0; /* we were wrong about it */
    }
    tls_send_moved(link, op->result);
    if (!tls_out_has_bytes(link)) {
        tls_out_release(link);
    } else if (!link->transport->socket.may_write) {
        shrink(link);
    }
    tls_run(link);
}

void tls_out_flush(struct tls_link *link)
{
    struct tls_out *out = link->out;
    bool is_idle = !out || link->away; /* a worker writes into what is away */
    if (is_idle || out->op.is_pending || link->is_socket_closed || link->send.is_awaiting) {
        return;
    }
    if (out->begin == out->end) {
        tls_out_release(link); /* taken for nothing */
        return;
    }
    out->piece = (struct iovec){out->data + out->begin, out->end - out->begin};
    out->op.more_follows = tls_send_goes_on(link);
    loop_send(link->shared->loop, &link->transport->socket, &out->op, &out->piece, 1, on_sent);
}

static void on_farewell(struct timer *timer)
{
    tls_socket_close(CONTAINER_OF(timer, struct tls_out, farewell)->link);
}

void tls_out_hurry(struct tls_link *link)
{
    struct loop *loop = link->shared->loop;
    if (!timer_is_armed(&link->out->farewell)) {
        loop_timer_start(loop, &link->out->farewell, loop_now_ms(loop) + TLS_FAREWELL_MS,
                         on_farewell);
    }
}
