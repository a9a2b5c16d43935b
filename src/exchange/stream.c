/* exchange/stream.c — see stream.h: what the loop makes of what was written (stream_write.c), and how
 * a stream begins and ends. On the loop, but stream_begin() and stream_detach(), which are the
 * exchange's owner's. Invariant: what driver->pieces() or respond() was called with is the last thing
 * that is touched, for the exchange, and with it the stream, may be gone behind it. */
#include "exchange/stream.h"

#include "base/alloc.h"
#include "http/status.h"

#include "exchange/body_writer.h"
#include "exchange/exchange_steps.h"
#include "exchange/stream_inside.h"

/* ---- the loop -------------------------------------------------------------------------------- */

/* Lock held: move what is pending behind response.body, a batch at a time, so that `in_flight` is
 * exact when the client has taken one. The last batch need not wait for the one before it. */
static bool take_pending(struct stream *stream, bool is_last)
{
    uint64_t bytes = stream->pending.bytes;
    if (bytes == 0 || stream->has_failed || (stream->in_flight > 0 && !is_last)) {
        return false;
    }
    if (chain_move(&stream->exchange->response.body, &stream->pending) != GALLEY_OK) {
        stream->has_failed = true;
        stream->is_closed = true; /* nothing can follow a hole */
        return false;
    }
    stream->in_flight += bytes;
    return true;
}

static void beat(struct timer *timer);

/* There was output, or will be: silence counts from now. */
static void arm_heartbeat(struct stream *stream)
{
    struct loop *loop = stream->loop; /* written by this thread since it has begun */
    if (loop && stream->options.heartbeat_ms > 0) {
        loop_timer_start(loop, &stream->heartbeat, loop_now_ms(loop) + stream->options.heartbeat_ms,
                         beat);
    }
}

static bool is_silent(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool silent = !stream->is_closed && !stream->is_mid_line && stream_waiting_bytes(stream) == 0;
    pthread_mutex_unlock(&stream->lock);
    return silent;
}

static void count_in_flight(struct stream *stream, uint64_t bytes)
{
    pthread_mutex_lock(&stream->lock);
    stream->in_flight += bytes;
    pthread_mutex_unlock(&stream->lock);
}

/* A comment line keeps proxies from taking the connection for dead, and finds out whether the
 * client is still there (WHATWG HTML, "Server-sent events", authoring notes). Without an empty line
 * behind it: that would end an event of which a part has been written. */
static void beat(struct timer *timer)
{
    struct stream *stream = CONTAINER_OF(timer, struct stream, heartbeat);
    struct exchange *exchange = stream->exchange;
    static const struct span comment = {":\n", 2};
    arm_heartbeat(stream);
    if (!is_silent(stream)) {
        return;
    }
    if (chain_add(&exchange->response.body, comment.ptr, comment.len, NULL, NULL) == GALLEY_OK) {
        count_in_flight(stream, comment.len);
        exchange->driver->pieces(exchange);
    } /* without memory: the next time */
}

struct progress {
    bool has_more;
    bool has_failed;
    bool is_over; /* closed, and all of it taken */
};

static struct progress take(struct stream *stream, bool may_end)
{
    pthread_mutex_lock(&stream->lock);
    struct progress progress = {0};
    progress.has_more = take_pending(stream, may_end && stream->is_closed);
    progress.has_failed = stream->has_failed;
    progress.is_over = stream->is_closed && stream->pending.bytes == 0;
    pthread_mutex_unlock(&stream->lock);
    return progress;
}

/* The head, and what there is already. Afterwards the exchange may be gone. */
static void respond(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;
    exchange_count_stream(exchange);
    arm_heartbeat(stream);
    exchange->has_responded = true;
    exchange->driver->respond(exchange);
}

static void end_pieces(struct exchange *exchange)
{
    exchange->response.pieces_ended = true;
    exchange->state = EXCHANGE_RESPONDING;
    exchange->driver->pieces(exchange);
}

/* The head has been sent. The exchange may be gone afterwards. */
static void go_on(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;
    bool is_flowing = exchange->state == EXCHANGE_FLOWING;
    struct progress progress = take(stream, is_flowing);
    if (progress.has_failed) {
        if (is_flowing) {
            exchange_break_off(exchange, GALLEY_ENOMEM);
        }
    } else if (progress.is_over && is_flowing) {
        end_pieces(exchange);
    } else if (progress.has_more) {
        arm_heartbeat(stream);
        exchange->driver->pieces(exchange);
    }
}

/* Before the handler has returned: only if somebody else runs it, and not an upgrade, for which it
 * may still be sorry. */
static bool may_respond_now(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_QUEUED && !exchange->response.is_upgrade;
}

static bool is_going_on(const struct exchange *exchange)
{
    return !exchange->client_is_gone &&
           (exchange->state == EXCHANGE_QUEUED || exchange->state == EXCHANGE_FLOWING);
}

static void look_at(struct stream *stream)
{
    struct exchange *exchange = stream->exchange;
    if (!exchange || !is_going_on(exchange)) {
        return;
    }
    if (exchange->has_responded) {
        go_on(stream);
    } else if (may_respond_now(exchange) && !take(stream, false).has_failed) {
        if (exchange->pool->is_stopping) {
            stream_stop(stream); /* begun since the others were told */
        }
        respond(stream);
    }
}

static void posted(struct loop_post *post)
{
    struct stream *stream = CONTAINER_OF(post, struct stream, post);
    pthread_mutex_lock(&stream->lock);
    stream->is_posted = false;
    pthread_mutex_unlock(&stream->lock);
    look_at(stream);
    stream_unref(stream);
}

void stream_sent(struct exchange *exchange)
{
    struct stream *stream = exchange->response.stream;
    pthread_mutex_lock(&stream->lock);
    stream->in_flight = 0;
    pthread_mutex_unlock(&stream->lock);
    look_at(stream);
}

void stream_flow(struct exchange *exchange, bool is_end)
{
    struct stream *stream = exchange->response.stream;
    exchange->state = EXCHANGE_FLOWING;
    if (is_end) {
        stream_close(stream);
    } else if (exchange->pool->is_stopping) {
        stream_stop(stream);
    }
    if (exchange->has_responded) {
        go_on(stream);
        return;
    }
    if (take(stream, false).has_failed) {
        response_be_page(exchange, 503);
        exchange_respond(exchange);
        return;
    }
    pthread_mutex_lock(&stream->lock);
    if (stream->is_closed) {
        stream_post_if_needed(
            stream); /* the head alone first: behind it the exchange may be gone */
    }
    pthread_mutex_unlock(&stream->lock);
    respond(stream);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* RFC 9110 §9.3.2: to HEAD the head is all. */
static bool has_content(const struct exchange *exchange)
{
    return exchange->response.is_upgrade ||
           status_may_have_body(exchange->response.status, exchange->request.method);
}

/* With a writer the exchange is in other hands than its loop's, which may be gone, and the server
 * with it. */
static bool attach(struct exchange *exchange, struct stream *stream)
{
    struct body_writer *writer = exchange->response.writer;
    return !writer || body_writer_attach_stream(writer, stream);
}

struct stream *stream_begin(struct exchange *exchange, const struct stream_options *options)
{
    struct stream *stream = mem_alloc_zero(1, sizeof *stream);
    if (!stream) {
        return NULL;
    }
    *stream = (struct stream){.options = *options, .exchange = exchange, .post = {.run = posted}};
    atomic_init(&stream->refs, 2);
    pthread_mutex_init(&stream->lock, NULL);
    chain_init(&stream->pending, NULL);
    stream->is_closed = !has_content(exchange);
    struct response *response = &exchange->response;
    response_put_field(response, options->fields[0]);
    response_put_field(response, options->fields[1]);
    response->is_begun = true;
    response->length = -1;
    response->stream = stream;
    if (!response->is_upgrade) {
        response_add_nosniff(response);
    }
    pthread_mutex_lock(&stream->lock);
    if (attach(exchange, stream)) {
        stream->loop = exchange->services->loop;
        stream_post_if_needed(stream);
    } else {
        stream->is_closed = true;
    }
    pthread_mutex_unlock(&stream->lock);
    return stream;
}

struct stream *stream_of(const struct exchange *exchange)
{
    struct body_writer *writer = exchange->response.writer;
    return writer ? body_writer_stream(writer) : exchange->response.stream;
}

void stream_stop(struct stream *stream)
{
    if (stream->options.stopping) {
        stream->options.stopping(stream->options.arg);
    } else {
        stream_close(stream);
    }
}

void stream_hang_up(struct stream *stream)
{
    struct chain rest;
    pthread_mutex_lock(&stream->lock);
    stream->is_closed = true;
    rest = stream->pending;
    chain_init(&stream->pending, NULL);
    struct loop *loop = stream->loop;
    stream->loop = NULL;
    pthread_mutex_unlock(&stream->lock);
    chain_clear(&rest);
    if (loop) {
        loop_timer_stop(loop, &stream->heartbeat);
        if (stream->options.hung_up) {
            stream->options.hung_up(stream->options.arg);
        }
    }
}

void stream_detach(struct exchange *exchange)
{
    struct response *response = &exchange->response;
    struct stream *stream = response->stream;
    if (!stream) {
        return;
    }
    if (response->writer) {
        (void)body_writer_attach_stream(response->writer, NULL);
    }
    response->stream = NULL;
    stream_hang_up(stream);
    stream->exchange = NULL;
    if (stream->options.ended) {
        stream->options.ended(stream->options.arg);
    }
    stream_unref(stream);
}
