/* tls/tls_out.c — ciphertext on its way out: one buffer for a connection, only while it has
 * something to send, taken from the loop's few spare ones. What is appended while a part of it is
 * being sent goes with the next send; its memory never moves. On the loop's thread. */
#include "tls/tls_link.h"

#include "base/alloc.h"
#include "base/list.h"

static struct tls_out *take(struct tls_link *link)
{
    struct tls_shared *shared = link->shared;
    struct tls_out *out = shared->free_outs;
    if (out) {
        shared->free_outs = out->next_free;
        shared->free_out_count--;
    } else {
        out = mem_alloc(sizeof *out);
    }
    if (!out) {
        link->is_out_of_memory = true;
        return NULL;
    }
    out->op = (struct loop_op){0};
    out->farewell = (struct timer){0};
    out->link = link;
    out->begin = out->end = 0;
    return out;
}

void tls_out_release(struct tls_link *link)
{
    struct tls_shared *shared = link->shared;
    struct tls_out *out = link->out;
    if (!out) {
        return;
    }
    link->out = NULL;
    loop_timer_stop(shared->loop, &out->farewell);
    if (shared->free_out_count >= TLS_SPARE_OUTS) {
        mem_free(out);
        return;
    }
    out->next_free = shared->free_outs;
    shared->free_outs = out;
    shared->free_out_count++;
}

void tls_outs_finish(struct tls_shared *shared)
{
    while (shared->free_outs) {
        struct tls_out *out = shared->free_outs;
        shared->free_outs = out->next_free;
        mem_free(out);
    }
}

struct tls_out *tls_out_for(struct tls_link *link, size_t len)
{
    if (!link->out) {
        link->out = take(link);
    }
    struct tls_out *out = link->out;
    size_t wanted = len > 0 ? len : 1;
    return out && TLS_OUT_BYTES - out->end >= wanted ? out : NULL;
}

void tls_out_add(struct tls_link *link, const void *data, size_t len)
{
    struct tls_out *out = tls_out_for(link, len);
    if (out) {
        memcpy(out->data + out->end, data, len);
        out->end += len;
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
    tls_send_moved(link, op->result);
    if (!tls_out_has_bytes(link)) {
        tls_out_release(link);
    }
    tls_run(link);
}

void tls_out_flush(struct tls_link *link)
{
    struct tls_out *out = link->out;
    if (!out || out->op.is_pending || link->is_socket_closed || link->send.is_awaiting) {
        return;
    }
    if (out->begin == out->end) {
        tls_out_release(link); /* taken for nothing */
        return;
    }
    out->piece = (struct iovec){out->data + out->begin, out->end - out->begin};
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
