/* ws/ws_inbox.c — messages on their way to the program: one call at a time, in order, the end behind
 * all of them; on the loop, or by jobs of the pool. While they are behind, the loop is told to read
 * no more. */
#include "ws/ws.h"

#include "base/alloc.h"
#include "loop/errand.h"

void ws_inbox_clear(struct ws *ws)
{
    struct list *link;
    while ((link = list_pop_front(&ws->inbox)) != NULL) {
        mem_free(CONTAINER_OF(link, struct ws_message, link));
    }
    ws->inbox_bytes = 0;
}

/* ---- calling the program --------------------------------------------------------------------- */

static void tell_message(struct ws *ws, const struct ws_message *message)
{
    if (ws->options.message) {
        galley_str data = {message->data, message->len};
        ws->options.message(handle_name(&ws->handle), message->kind, data, ws->options.arg);
    }
}

static void tell_end(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    struct ws_end end = ws_codec_end(ws->codec); /* nobody feeds it any more */
    pthread_mutex_unlock(&ws->lock);
    if (ws->options.closed) {
        char reason[128]; /* RFC 6455 §5.5: at most 123 bytes */
        memcpy(reason, end.reason.ptr, end.reason.len);
        reason[end.reason.len] = '\0';
        galley_str view = {reason, end.reason.len};
        ws->options.closed(handle_name(&ws->handle), end.code, view, ws->options.arg);
    }
}

/* Lock held: the program is through with so many bytes. */
static void note_done(struct ws *ws, size_t len)
{
    ws->inbox_bytes -= len;
    if (ws->is_paused && ws->inbox_bytes <= WS_INBOX_BYTES / 2) {
        ws->is_paused = false;
        ws_want(ws, WS_WANTS_RESUME);
    }
}

/* Takes the next one; NULL: there is none, and nobody delivers any more; *ret_is_end: but the
 * end. */
static struct ws_message *next_message(struct ws *ws, size_t done, bool *ret_is_end)
{
    pthread_mutex_lock(&ws->lock);
    note_done(ws, done);
    struct list *link = list_pop_front(&ws->inbox);
    *ret_is_end = !link && ws->has_ended && !ws->has_told_end;
    ws->has_told_end |= *ret_is_end;
    ws->is_delivering = link != NULL;
    pthread_mutex_unlock(&ws->lock);
    return link ? CONTAINER_OF(link, struct ws_message, link) : NULL;
}

static void deliver_all(struct ws *ws)
{
    bool is_end = false;
    size_t done = 0;
    struct ws_message *message;
    while ((message = next_message(ws, done, &is_end)) != NULL) {
        tell_message(ws, message);
        done = message->len;
        mem_free(message);
    }
    if (is_end) {
        tell_end(ws);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void run_job(void *arg)
{
    struct ws *ws = arg;
    struct errands *errand = ws->errand; /* once it has delivered, the next job may be there */
    struct errands *outer = errand_carry(errand);
    deliver_all(ws);
    (void)errand_carry(outer);
    errand_end(errand);
    handle_unpin(&ws->handle);
}

/* The pool is being shut down without running what is queued: the end is told all the same. */
static void drop_job(void *arg, int why)
{
    struct ws *ws = arg;
    (void)why;
    pthread_mutex_lock(&ws->lock);
    ws_inbox_clear(ws);
    pthread_mutex_unlock(&ws->lock);
    run_job(ws);
}

static int submit(struct ws *ws, galley_pool *pool)
{
    galley_job job = {.run = run_job, .arg = ws, .drop = drop_job, .label = "websocket"};
    /* Of an orphan the loop is not there any more, and nobody waits for its errands. */
    ws->errand = loop_is_on_thread() ? errand_begin(ws->loop) : NULL;
    handle_pin(&ws->handle);
    if (pool && galley_pool_submit(pool, &job, 1, 0) == 1) {
        return GALLEY_OK;
    }
    errand_end(ws->errand);
    handle_unpin(&ws->handle);
    return GALLEY_EFULL;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Is there something to deliver that nobody delivers? Then it is the caller's. */
static bool claim(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    bool has_work = !list_is_empty(&ws->inbox) || (ws->has_ended && !ws->has_told_end);
    bool is_mine = has_work && !ws->is_delivering;
    ws->is_delivering |= is_mine;
    pthread_mutex_unlock(&ws->lock);
    return is_mine;
}

static void put_back(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    ws->is_delivering = false;
    pthread_mutex_unlock(&ws->lock);
}

void ws_deliver(struct ws *ws)
{
    if (!claim(ws)) {
        return;
    }
    if (!ws->pool) {
        deliver_all(ws);
        return;
    }
    ws->retry_ms = 0;
    if (submit(ws, ws->pool) == GALLEY_OK) {
        return;
    }
    if (!ws->exchange) {
        /* It has ended, and there may be no later turn of this loop: the end cannot wait. */
        if (submit(ws, ws->spare_pool) != GALLEY_OK) {
            deliver_all(ws);
        }
        return;
    }
    put_back(ws);
    ws->retry_ms = loop_now_ms(ws->loop) + WS_RETRY_MS;
    ws_keep_time(ws);
}
