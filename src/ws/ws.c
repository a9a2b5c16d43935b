/* ws/ws.c — a socket's memory, and what its threads share; see ws.h. */
#include "ws/ws.h"

#include "base/alloc.h"
#include "exchange/stream.h"

static void free_ws(struct handle *handle)
{
    struct ws *ws = ws_of(handle);
    ws_inbox_clear(ws);
    buf_finish(&ws->out);
    ws_codec_destroy(ws->codec);
    if (ws->stream) {
        stream_unref(ws->stream);
    }
    pthread_mutex_destroy(&ws->lock);
    mem_free(ws);
}

const struct handle_kind ws_kind = {.free = free_ws};

struct ws *ws_create(const galley_ws_options *options, struct span protocol)
{
    struct ws *ws = mem_alloc_zero(1, sizeof *ws + protocol.len + 1);
    if (!ws) {
        return NULL;
    }
    struct ws_codec_events events = {
        .message = ws_on_message,
        .output = ws_on_output,
        .ctx = ws,
    };
    ws->codec = ws_codec_create(&events, options->max_message_bytes);
    if (!ws->codec) {
        mem_free(ws);
        return NULL;
    }
    handle_init(&ws->handle, &ws_kind);
    ws->options = *options;
    ws->post.run = ws_posted;
    list_init(&ws->inbox);
    buf_init(&ws->out, 0);
    pthread_mutex_init(&ws->lock, NULL);
    if (protocol.ptr) {
        char *copy = (char *)(ws + 1);
        memcpy(copy, protocol.ptr, protocol.len);
        ws->protocol = span_make(copy, protocol.len);
    }
    return ws;
}

/* ---- the codec's events: under the lock ------------------------------------------------------ */

int ws_on_output(void *ctx, const void *data, size_t len)
{
    struct ws *ws = ctx;
    buf_append(&ws->out, data, len);
    return ws->out.failed ? GALLEY_ENOMEM : GALLEY_OK;
}

int ws_on_message(void *ctx, int kind, struct span data)
{
    struct ws *ws = ctx;
    struct ws_message *message = mem_alloc(sizeof *message + data.len + 1);
    if (!message) {
        return GALLEY_ENOMEM;
    }
    message->kind = kind;
    message->len = data.len;
    memcpy(message->data, data.ptr, data.len);
    message->data[data.len] = '\0';
    list_push_back(&ws->inbox, &message->link);
    ws->inbox_bytes += data.len;
    return GALLEY_OK;
}

int ws_flush(struct ws *ws)
{
    struct span out = buf_span(&ws->out);
    if (out.len == 0) {
        return GALLEY_OK;
    }
    int rc = stream_write(ws->stream, out.ptr, out.len);
    buf_finish(&ws->out); /* an idle socket keeps no buffer */
    if (rc != GALLEY_OK && ws->failure == 0) {
        ws->failure = rc;
        ws_want(ws, WS_WANTS_END);
    }
    return rc;
}

void ws_want(struct ws *ws, unsigned wants)
{
    ws->wants |= wants;
    if (ws->is_posted || ws->has_ended) {
        return;
    }
    handle_pin(&ws->handle); /* the post's */
    ws->is_posted = stream_post(ws->stream, &ws->post);
    if (!ws->is_posted) {
        handle_unpin(&ws->handle); /* it has ended, or is about to; never the last one */
    }
}
