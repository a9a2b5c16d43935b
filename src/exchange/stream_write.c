/* exchange/stream_write.c — what writers of a stream do, on any thread, with a reference: put bytes
 * in, look, close. Nothing waits, and the lock is held for a copy at most. What becomes of it is in
 * stream.c. Invariant: pending and in_flight together never pass buffer_bytes by a write. */
#include "base/alloc.h"
#include "base/check.h"

#include "exchange/stream_inside.h"

void stream_ref(struct stream *stream)
{
    atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
}

void stream_unref(struct stream *stream)
{
    /* Release: what this user wrote; acquire, by the last one: what all of them wrote. */
    if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    DEBUG_CHECK(!stream->exchange && !timer_is_armed(&stream->heartbeat));
    chain_clear(&stream->pending);
    pthread_mutex_destroy(&stream->lock);
    mem_free(stream);
}

/* While a batch is with the client its end makes the loop look for more, unless this is the end. */
void stream_post_if_needed(struct stream *stream)
{
    bool is_news = stream->is_closed || stream->in_flight == 0;
    if (is_news && !stream->is_posted && stream->loop) {
        stream->is_posted = true;
        stream_ref(stream);
        loop_post(stream->loop, &stream->post);
    }
}

/* Lock held: 0 if so many bytes may come. */
static int room_for(const struct stream *stream, size_t len)
{
    if (stream->is_closed) {
        return GALLEY_ECLOSED;
    }
    uint64_t waiting = stream_waiting_bytes(stream);
    uint64_t most = stream->options.buffer_bytes;
    return waiting <= most && len <= most - waiting ? GALLEY_OK : GALLEY_EFULL;
}

/* Lock held: they are in. */
static void note_written(struct stream *stream, char last)
{
    stream->is_mid_line = last != '\n';
    stream_post_if_needed(stream);
}

int stream_write(struct stream *stream, const void *data, size_t len)
{
    pthread_mutex_lock(&stream->lock);
    int rc = room_for(stream, len);
    if (rc == GALLEY_OK && len > 0) {
        rc = chain_add_copy(&stream->pending, data, len);
        if (rc == GALLEY_OK) {
            note_written(stream, ((const char *)data)[len - 1]);
        }
    }
    pthread_mutex_unlock(&stream->lock);
    return rc;
}

size_t stream_waiting(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    uint64_t waiting = stream->loop ? stream_waiting_bytes(stream) : 0;
    pthread_mutex_unlock(&stream->lock);
    return (size_t)waiting;
}

bool stream_is_open(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool is_open = !stream->is_closed;
    pthread_mutex_unlock(&stream->lock);
    return is_open;
}

void stream_close(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->is_closed = true;
    stream_post_if_needed(stream);
    pthread_mutex_unlock(&stream->lock);
}

struct loop *stream_loop(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct loop *loop = stream->loop;
    pthread_mutex_unlock(&stream->lock);
    return loop;
}

bool stream_post(struct stream *stream, struct loop_post *post)
{
    pthread_mutex_lock(&stream->lock);
    bool is_attached = stream->loop != NULL;
    if (is_attached) {
        loop_post(stream->loop, post);
    }
    pthread_mutex_unlock(&stream->lock);
    return is_attached;
}
