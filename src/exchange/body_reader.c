/* exchange/body_reader.c — the bounded way of a request body from the loop to whoever reads it; see
 * body_reader.h. */
#include "exchange/body_reader.h"

#include "base/check.h"
#include "loop/errand.h"

#include "exchange/exchange.h"

/* On the loop: the reader has called for the first bytes, or for more. */
static void posted(struct loop_post *post)
{
    struct body_reader *reader = CONTAINER_OF(post, struct body_reader, post);
    struct exchange *exchange = reader->exchange;
    pthread_mutex_lock(&reader->lock);
    reader->is_posted = false;
    bool is_open = !reader->is_closed;
    bool goes_on = reader->is_paused && reader->pending.bytes <= (uint64_t)BODY_READER_LOW;
    reader->is_paused = reader->is_paused && !goes_on;
    pthread_mutex_unlock(&reader->lock);
    if (!is_open) {
        return;
    }
    if (goes_on) {
        exchange->driver->resume_body(exchange);
    } else {
        body_reader_begin(reader);
    }
}

struct body_reader *body_reader_create(struct exchange *exchange)
{
    struct body_reader *reader = arena_alloc(&exchange->arena, sizeof *reader);
    if (!reader) {
        return NULL;
    }
    *reader = (struct body_reader){
        .post = {.run = posted}, .exchange = exchange, .end = BODY_READER_OPEN};
    chain_init(&reader->pending, NULL); /* a loop's pool belongs to its thread */
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->news, NULL);
    return reader;
}

void body_reader_destroy(struct body_reader *reader)
{
    if (!reader) {
        return;
    }
    chain_clear(&reader->pending);
    pthread_cond_destroy(&reader->news);
    pthread_mutex_destroy(&reader->lock);
}

/* ---- on the loop ----------------------------------------------------------------------------- */

void body_reader_begin(struct body_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    bool is_first = !reader->has_begun && !reader->is_closed;
    reader->has_begun = true;
    pthread_mutex_unlock(&reader->lock);
    if (is_first) {
        reader->exchange->driver->read_body(reader->exchange);
    }
}

/* Lock held. */
static void wake(struct body_reader *reader)
{
    errand_resume(&reader->paused);
    pthread_cond_broadcast(&reader->news);
}

int body_reader_put(struct body_reader *reader, struct span piece)
{
    pthread_mutex_lock(&reader->lock);
    DEBUG_CHECK(reader->end == BODY_READER_OPEN || reader->is_closed);
    int rc = reader->is_closed ? GALLEY_OK : chain_add_copy(&reader->pending, piece.ptr, piece.len);
    if (rc == GALLEY_OK) {
        reader->received_bytes += piece.len;
        reader->is_paused = reader->pending.bytes >= (uint64_t)BODY_READER_HIGH;
        rc = reader->is_paused ? EXCHANGE_BODY_PAUSE : GALLEY_OK;
        wake(reader);
    }
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

/* Lock held. What came first stays: the reader has been told, or will be. */
static void set_end(struct body_reader *reader, int code)
{
    if (reader->end == BODY_READER_OPEN) {
        reader->end = code;
        reader->is_paused = false; /* nothing is left to go on with */
        wake(reader);
    }
}

void body_reader_end(struct body_reader *reader, int code)
{
    pthread_mutex_lock(&reader->lock);
    set_end(reader, code);
    pthread_mutex_unlock(&reader->lock);
}

void body_reader_close(struct body_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->is_closed = true;
    if (reader->end == BODY_READER_OPEN) {
        chain_clear(&reader->pending); /* of no use to anybody, and the news is not to wait */
        set_end(reader, GALLEY_ECLOSED);
    }
    pthread_mutex_unlock(&reader->lock);
}

/* ---- on the thread that reads ---------------------------------------------------------------- */

/* Under the lock, so that nothing is posted once the reader is closed. */
static void post_if_needed(struct body_reader *reader)
{
    if (!reader->is_posted && !reader->is_closed) {
        reader->is_posted = true;
        loop_post(reader->exchange->services->loop, &reader->post);
    }
}

/* Lock held; it is given up while waiting. */
static void wait_for_news(struct body_reader *reader)
{
    if (!reader->has_begun) {
        post_if_needed(reader);
    }
    while (chain_is_empty(&reader->pending) && reader->end == BODY_READER_OPEN) {
        errand_pause(&reader->paused);
        pthread_cond_wait(&reader->news, &reader->lock);
        errand_resume(&reader->paused);
    }
}

/* Lock held. */
static size_t take(struct body_reader *reader, char *buf, size_t len)
{
    size_t used = 0;
    while (used < len && !chain_is_empty(&reader->pending)) {
        const struct chain_part *part = chain_front(&reader->pending);
        size_t n = part->len < len - used ? part->len : len - used;
        memcpy(buf + used, part->ptr, n);
        chain_consume(&reader->pending, n);
        used += n;
    }
    if (reader->is_paused && reader->pending.bytes <= (uint64_t)BODY_READER_LOW) {
        post_if_needed(reader);
    }
    return used;
}

ssize_t body_reader_read(struct body_reader *reader, void *buf, size_t len)
{
    pthread_mutex_lock(&reader->lock);
    wait_for_news(reader);
    bool has_bytes = !chain_is_empty(&reader->pending);
    ssize_t rc = has_bytes ? (ssize_t)take(reader, buf, len) : reader->end;
    pthread_mutex_unlock(&reader->lock);
    return rc;
}

uint64_t body_reader_received(struct body_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    uint64_t bytes = reader->received_bytes;
    pthread_mutex_unlock(&reader->lock);
    return bytes;
}
