/* exchange/body_writer.c — the bounded way of a streamed body from a worker to its loop; see
 * body_writer.h. */
#include "exchange/body_writer.h"

#include "exchange/exchange.h"

enum { SLICE_BYTES = 64 * 1024 };

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
        pthread_cond_broadcast(&writer->room);
        return false;
    }
    writer->in_flight += bytes;
    return true;
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
    pthread_mutex_unlock(&writer->lock);
    if (exchange->client_is_gone || has_failed) {
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
    *writer = (struct body_writer){.post = {.run = posted}, .exchange = exchange};
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
        pthread_cond_wait(&writer->room, &writer->lock);
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

int body_writer_write(struct body_writer *writer, const void *data, size_t len)
{
    const char *next = data;
    int rc = GALLEY_OK;
    while (len > 0 && rc == GALLEY_OK) {
        size_t slice = len < (size_t)SLICE_BYTES ? len : (size_t)SLICE_BYTES;
        rc = write_slice(writer, next, slice);
        next += slice;
        len -= slice;
    }
    return rc;
}

void body_writer_close(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_closed = true;
    pthread_cond_broadcast(&writer->room);
    pthread_mutex_unlock(&writer->lock);
}

bool body_writer_sent(struct body_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->in_flight = 0;
    bool has_more = take_pending(writer);
    pthread_cond_broadcast(&writer->room);
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
