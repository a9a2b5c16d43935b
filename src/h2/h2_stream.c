/* h2/h2_stream.c — the life of a stream object. On the loop.
 *
 * Three may end in any order: the frames' stream (h2_stream_closed), the exchange (h2_stream_released) and
 * the pieces of the answer in conn->out. The exchange is given up once: exchange_end() when all of the
 * answer has been handed over, exchange_client_gone() when it never will. */
#include "base/alloc.h"
#include "base/check.h"

#include "h2/h2_session.h"

enum { MAX_FREE_STREAMS = 128 };

struct h2_stream *h2_stream_create(struct h2_session *session)
{
    struct h2_driver *driver = session->driver;
    struct list *link = list_pop_front(&driver->free_streams);
    struct h2_stream *stream = NULL;
    if (link) {
        driver->free_stream_count--;
        stream = CONTAINER_OF(link, struct h2_stream, link);
    } else {
        stream = mem_alloc(sizeof *stream);
    }
    if (!stream) {
        return NULL;
    }
    *stream = (struct h2_stream){.driver = driver, .session = session, .refs = 1, .is_open = true};
    list_init(&stream->link);
    list_init(&stream->ready);
    chain_init(&stream->body, &session->conn->set->chains);
    buf_init(&stream->pending, 0); /* the client's window bounds it */
    list_push_back(&session->streams, &stream->link);
    session->open_streams++;
    driver->streams++;
    return stream;
}

static void destroy(struct h2_stream *stream)
{
    struct h2_driver *driver = stream->driver;
    DEBUG_CHECK(!stream->is_open && !stream->has_exchange && stream->pieces == 0);
    list_remove(&stream->link);
    list_remove(&stream->ready);
    chain_clear(&stream->body);
    buf_finish(&stream->pending);
    driver->streams--;
    if (driver->free_stream_count >= MAX_FREE_STREAMS) {
        mem_free(stream);
        return;
    }
    list_push_front(&driver->free_streams, &stream->link);
    driver->free_stream_count++;
}

void h2_stream_unref(struct h2_stream *stream)
{
    DEBUG_CHECK(stream->refs > 0);
    if (--stream->refs == 0) {
        destroy(stream);
    }
}

void h2_stream_wake(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (session) {
        bool is_over = !stream->is_open || stream->is_sent;
        list_remove(&stream->ready);
        list_push_back(is_over ? &session->over : &session->ready, &stream->ready);
        h2_later(session);
    }
}

static struct h2_stream *hold_at(struct h2_session *session, struct list *link)
{
    if (link == &session->streams) {
        return NULL;
    }
    struct h2_stream *stream = CONTAINER_OF(link, struct h2_stream, link);
    h2_stream_ref(stream); /* so that it stays in the list */
    return stream;
}

void h2_streams_each(struct h2_session *session, void (*fn)(struct h2_stream *stream))
{
    struct h2_stream *next = NULL;
    for (struct h2_stream *at = hold_at(session, session->streams.next); at; at = next) {
        fn(at);
        next = hold_at(session, at->link.next);
        h2_stream_unref(at);
    }
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static void end_exchange(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    stream->exchange = NULL;
    exchange_end(exchange, stream->driver->exchanges);
}

static void lose_exchange(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    stream->exchange = NULL;
    exchange_client_gone(exchange);
}

/* Pieces in conn->out may lie in its memory. */
static bool may_let_go(const struct h2_stream *stream)
{
    return stream->exchange && stream->pieces == 0;
}

void h2_stream_sent(struct h2_stream *stream)
{
    stream->is_sent = true;
    if (!stream->is_muted && may_let_go(stream)) {
        end_exchange(stream);
    }
}

void h2_stream_released(void *driver_ctx)
{
    struct h2_stream *stream = driver_ctx;
    stream->has_exchange = false;
    stream->exchange = NULL;
    if (stream->is_abandoned && stream->session) {
        stream->session->abandoned--;
    }
    h2_stream_unref(stream);
}

/* ---- the stream ------------------------------------------------------------------------------ */

void h2_stream_reset(struct h2_stream *stream, uint32_t code)
{
    if (!stream->is_open || !stream->session || stream->was_reset) {
        return;
    }
    stream->was_reset = true;
    h2_body_drop(stream);
    if (frames_reset(&stream->frames, code) != GALLEY_OK) {
        h2_out_of_memory(stream->session);
    }
    h2_later(stream->session);
}

/* An exchange that only waits for its bytes to leave is nobody's work: what is in conn->out is bounded,
 * and a client that has read it may ask for more before we know. */
static bool waits_for_output_only(const struct h2_stream *stream)
{
    return stream->exchange && stream->answer_ended && (stream->is_sent || !stream->in_pieces);
}

/* What it waited for does not come any more. */
static void stop(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    stream->is_open = false;
    h2_body_drop(stream);
    session->open_streams--;
    session->idle_since_ms = loop_now_ms(stream->driver->services->loop);
    stream->is_abandoned = stream->has_exchange && !waits_for_output_only(stream);
    session->abandoned += stream->is_abandoned;
}

static void settle_exchange(struct h2_stream *stream)
{
    /* HEAD in pieces: the client has all, the handler has not. */
    bool goes_on = stream->is_muted && !stream->answer_ended && !stream->was_reset;
    if (!may_let_go(stream) || (goes_on && stream->session)) {
        return;
    }
    if (stream->is_sent && stream->answer_ended) {
        end_exchange(stream);
    } else {
        lose_exchange(stream);
    }
}

/* A handler that still runs must know at once; one that has given its answer whole has nothing to
 * know, and its memory may be in conn->out. */
static bool is_in_other_hands(const struct h2_stream *stream)
{
    return stream->exchange && (!stream->has_answered || stream->in_pieces);
}

void h2_stream_closed(struct h2_stream *stream)
{
    CHECK(stream->is_open);
    h2_stream_ref(stream);
    stop(stream);
    if (is_in_other_hands(stream) && !stream->is_sent) {
        lose_exchange(stream);
    } else {
        settle_exchange(stream);
    }
    if (stream->pieces == 0) {
        chain_clear(&stream->body);
    }
    h2_stream_unref(stream); /* that of the frames */
    h2_stream_unref(stream);
}

void h2_stream_go_on(struct h2_stream *stream)
{
    h2_stream_ref(stream);
    if (!stream->is_open || stream->is_sent) {
        settle_exchange(stream);
    }
    if (!stream->is_open && stream->pieces == 0) {
        chain_clear(&stream->body);
    }
    if (stream->is_open) {
        h2_body_go_on(stream);
    }
    if (stream->wants_pieces && stream->exchange && stream->is_open) {
        stream->wants_pieces = false;
        exchange_pieces_wanted(stream->exchange);
    }
    h2_stream_unref(stream);
}
