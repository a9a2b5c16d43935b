/* exchange/body_writer.c — the bounded way of a streamed body from a worker to its loop; see
 * body_writer.h. */
#include "exchange/body_writer.h"

#include "loop/errand.h"

#include "exchange/deferred.h"
#include "exchange/early_hints.h"
#include "exchange/exchange.h"
#include "exchange/stream.h"

enum { SLICE_BYTES = 64 * 1024 };

/* Lock held. */
static void wake_worker(struct body_writer *writer)
{
    errand_resume(&writer->paused);
    pthread_cond_broadcast(&writer->room);
}

/* On the loop: move what is pending behind response.body. Lock held. True when something was
 * moved. */
static bool take_pending(struct body_writer *writer)
{
    uint64_t bytes = writer->pending.bytes;
    if (bytes == 0 || writer->has_failed) {
        return false;
    }
    if (chain_move(&writer->exchange->response.body, &writer->pending) != GALLEY_OK) {
        writer->has_failed = true;
        writer->is_closed = true; /* the handler need not go on: the response is lost */
        wake_worker(writer);
        return false;
    }
    writer->in_flight += bytes;
    return true;
}

/* On the loop. One that finds no memory is left out: it is only a hint. */
static void send_hints(struct exchange *exchange, const struct early_hints *hints)
{
    for (; hints && !exchange->has_responded; hints = hints->next) {
        (void)early_hints_send(exchange, hints->fields);
    }
}

/* On the loop. */
static void posted(struct loop_post *post)
{
    struct body_writer *writer = CONTAINER_OF(post, struct body_writer, post);
    struct exchange *exchange = writer->exchange;
    pthread_mutex_lock(&writer->lock);
    writer->is_posted = false;
    bool has_more = !exchange->client_is_gone && take_pending(writer);
    bool has_failed = writer->has_failed;
    bool is_begun = writer->is_begun;
    const struct early_hints *hints = writer->hints;
    writer->hints = NULL;
    pthread_mutex_unlock(&writer->lock);
    if (exchange->client_is_gone || has_failed) {
        return;
    }
    send_hints(exchange, hints);
    if (!is_begun) {
        return;
    }
    if (!exchange->has_responded) {
        exchange->has_responded = true;
        exchange->driver->respond(exchange);
    } else if (has_more) {
        exchange->driver->pieces(exchange);
    }
}

struct body_writer *body_writer_create(struct exchange *exchange)
{
    struct body_writer *writer = arena_alloc(&exchange->arena, sizeof *writer);
    if (!writer) {
        return NULL;
    }
    *writer = (struct body_writer){.post = {.run = posted},
                                   .exchange = exchange,
                                   .takes_hints = early_hints_are_wanted(exchange)};
    chain_init(&writer->pending, NULL);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->room, NULL);
    return writer;
}

void body_writer_destroy(struct body_writer *writer)
{
    if (!writer) {
        return;
    }
    chain_clear(&writer->pending);
    pthread_cond_destroy(&writer->room);
    pthread_mutex_destroy(&writer->lock);
}

/* Under the lock, so that nothing is posted once the writer is closed. */
static void post_if_needed(struct body_writer *writer)
{
    if (!writer->is_posted) {
        writer->is_posted = true;
        loop_post(writer->exchange->services->loop, &writer->post);
    }
}

int body_writer_begin(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    int rc = writer->is_closed ? GALLEY_ECLOSED : GALLEY_OK;
    if (rc == GALLEY_OK) {
        writer->is_begun = true;
        post_if_needed(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return rc;
}

int body_writer_hint(struct body_writer *writer, struct early_hints *hints)
{
    pthread_mutex_lock(&writer->lock);
    int rc = writer->is_closed ? GALLEY_ECLOSED : GALLEY_OK;
    if (rc == GALLEY_OK) {
        struct early_hints **end = &writer->hints;
        while (*end) { /* EARLY_HINTS_MAX at most */
            end = &(*end)->next;
        }
        *end = hints;
        post_if_needed(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return rc;
}

/* Lock held; it is given up while waiting. */
static void wait_for_room(struct body_writer *writer)
{
    while (!writer->is_closed &&
           writer->pending.bytes + writer->in_flight >= (uint64_t)BODY_WRITER_HIGH) {
        errand_pause(&writer->paused);
        pthread_cond_wait(&writer->room, &writer->lock);
        errand_resume(&writer->paused);
    }
}

static int write_slice(struct body_writer *writer, const char *data, size_t len)
{
    pthread_mutex_lock(&writer->lock);
    wait_for_room(writer);
    int rc = writer->is_closed ? GALLEY_ECLOSED : chain_add_copy(&writer->pending, data, len);
    if (rc == GALLEY_OK) {
        post_if_needed(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return rc;
}

/* On a loop, whose thread may not wait, least of all for itself: all of it or nothing. */
static int write_now(struct body_writer *writer, const void *data, size_t len)
{
    pthread_mutex_lock(&writer->lock);
    uint64_t waiting = writer->pending.bytes + writer->in_flight;
    int rc = GALLEY_EFULL;
    if (writer->is_closed) {
        rc = GALLEY_ECLOSED;
    } else if (waiting <= (uint64_t)BODY_WRITER_HIGH &&
               len <= (uint64_t)BODY_WRITER_HIGH - waiting) {
        rc = chain_add_copy(&writer->pending, data, len);
    }
    if (rc == GALLEY_OK) {
        post_if_needed(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return rc;
}

/* A part of a piece has been taken: nothing may follow it. */
static void leave_hole(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->has_failed = true;
    writer->is_closed = true;
    pthread_mutex_unlock(&writer->lock);
}

int body_writer_write(struct body_writer *writer, const void *data, size_t len)
{
    if (loop_is_on_thread()) {
        return write_now(writer, data, len);
    }
    const char *next = data;
    int rc = GALLEY_OK;
    while (len > 0 && rc == GALLEY_OK) {
        size_t slice = len < (size_t)SLICE_BYTES ? len : (size_t)SLICE_BYTES;
        rc = write_slice(writer, next, slice);
        next += slice;
        len -= slice;
    }
    if (rc == GALLEY_ENOMEM && next - (const char *)data > SLICE_BYTES) {
        leave_hole(writer);
    }
    return rc;
}

bool body_writer_attach_stream(struct body_writer *writer, struct stream *stream)
{
    pthread_mutex_lock(&writer->lock);
    bool is_open = !writer->is_closed;
    writer->stream = is_open ? stream : NULL;
    pthread_mutex_unlock(&writer->lock);
    return is_open;
}

bool body_writer_attach_deferred(struct body_writer *writer, struct deferred *deferred)
{
    pthread_mutex_lock(&writer->lock);
    bool is_open = !writer->is_closed;
    writer->deferred = is_open ? deferred : NULL;
    if (is_open) { /* under the lock, because the loop's things stay only while it is open */
        deferred_count(writer->exchange);
    }
    pthread_mutex_unlock(&writer->lock);
    return is_open;
}

struct stream *body_writer_stream(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    struct stream *stream = writer->stream;
    pthread_mutex_unlock(&writer->lock);
    return stream;
}

void body_writer_close(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_closed = true;
    wake_worker(writer);
    struct stream *stream = writer->stream;
    if (writer->deferred) {
        deferred_unwanted(writer->deferred);
    }
    pthread_mutex_unlock(&writer->lock);
    if (stream) {
        stream_hang_up(stream);
    }
}

bool body_writer_sent(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->in_flight = 0;
    bool has_more = take_pending(writer);
    wake_worker(writer);
    pthread_mutex_unlock(&writer->lock);
    return has_more;
}

bool body_writer_finish(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    take_pending(writer);
    bool is_whole = !writer->has_failed;
    pthread_mutex_unlock(&writer->lock);
    return is_whole;
}
