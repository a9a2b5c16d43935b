/* ws/ws_loop.c — what a socket's loop does: takes what comes, keeps time (pings, the closing
 * handshake), and ends the stream. Everything on the loop. */
#include "ws/ws.h"

#include "base/check.h"
#include "exchange/exchange_body.h"
#include "exchange/stream.h"

/* ---- time ------------------------------------------------------------------------------------ */

static bool has_pings(const struct ws *ws)
{
    return ws->options.ping_ms != GALLEY_NO_LIMIT;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the peer's silence is to be looked at again. */
static int64_t silence_ends_ms(const struct ws *ws)
{
    int64_t patience_ms = ws->options.ping_ms;
    return ws->heard_ms + (ws->has_pinged ? 2 * patience_ms : patience_ms);
}

static void tick(struct timer *timer);

void ws_keep_time(struct ws *ws)
{
    int64_t due_ms = INT64_MAX;
    if (ws->closing_ms != 0) {
        due_ms = ws->closing_ms + ws->options.close_timeout_ms;
    } else if (has_pings(ws)) {
        due_ms = silence_ends_ms(ws);
    }
    if (ws->retry_ms != 0) {
        due_ms = earlier(due_ms, ws->retry_ms);
    }
    if (due_ms != INT64_MAX && !ws->is_hung_up) {
        loop_timer_start(ws->loop, &ws->timer, due_ms, tick);
    }
}

/* Nothing more goes out behind what has been written; the connection ends behind that. */
static void end_stream(struct ws *ws)
{
    stream_close(ws->stream);
}

static void ping(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    if (ws_codec_ping(ws->codec) == GALLEY_OK) {
        (void)ws_flush(ws);
    }
    pthread_mutex_unlock(&ws->lock);
    ws->has_pinged = true;
}

/* RFC 6455 §5.5.2: a ping finds out whether the peer is still there. */
static void look_at_silence(struct ws *ws, int64_t now_ms)
{
    if (now_ms < silence_ends_ms(ws)) {
        return;
    }
    if (ws->has_pinged) {
        end_stream(ws);
    } else {
        ping(ws);
    }
}

static void tick(struct timer *timer)
{
    struct ws *ws = CONTAINER_OF(timer, struct ws, timer);
    int64_t now_ms = loop_now_ms(ws->loop);
    handle_pin(&ws->handle);
    if (ws->retry_ms != 0 && now_ms >= ws->retry_ms) {
        ws->retry_ms = 0;
        ws_deliver(ws);
    }
    if (ws->exchange && ws->closing_ms != 0) {
        if (now_ms >= ws->closing_ms + ws->options.close_timeout_ms) {
            end_stream(ws); /* RFC 6455 §7.1.1: the peer does not answer our Close */
        }
    } else if (ws->exchange && has_pings(ws)) {
        look_at_silence(ws, now_ms);
    }
    if (ws->exchange && stream_is_open(ws->stream)) {
        ws_keep_time(ws);
    }
    handle_unpin(&ws->handle);
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* After the codec was fed or asked: is it closing, is it over? */
static void look_at_state(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    bool is_closing = ws_codec_is_closing(ws->codec);
    bool is_over = ws_codec_is_over(ws->codec) || ws->failure != 0;
    pthread_mutex_unlock(&ws->lock);
    if (is_over) {
        end_stream(ws);
    } else if (is_closing && ws->closing_ms == 0) {
        ws->closing_ms = loop_now_ms(ws->loop);
        ws_keep_time(ws);
    }
}

static void feed(struct ws *ws, struct span piece)
{
    ws->heard_ms = loop_now_ms(ws->loop);
    ws->has_pinged = false;
    pthread_mutex_lock(&ws->lock);
    ws_codec_feed(ws->codec, piece.ptr, piece.len);
    (void)ws_flush(ws);
    pthread_mutex_unlock(&ws->lock);
}

/* Is the program so far behind that nothing more is to be read? */
static bool must_pause(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    ws->is_paused = ws->inbox_bytes > (size_t)WS_INBOX_BYTES;
    bool is_paused = ws->is_paused;
    pthread_mutex_unlock(&ws->lock);
    return is_paused;
}

int ws_input(struct exchange *exchange, struct span piece, void *arg)
{
    struct ws *ws = arg;
    (void)exchange;
    if (piece.len == 0) {
        end_stream(ws); /* RFC 6455 §7.1.5: lost, unless it had said Close */
        return 0;
    }
    handle_pin(&ws->handle); /* the program may give it up in a message */
    feed(ws, piece);
    ws_deliver(ws);
    look_at_state(ws);
    bool pause = must_pause(ws);
    handle_unpin(&ws->handle);
    return pause ? EXCHANGE_BODY_PAUSE : 0;
}

/* ---- what others ask for --------------------------------------------------------------------- */

static unsigned take_wants(struct ws *ws)
{
    pthread_mutex_lock(&ws->lock);
    unsigned wants = ws->wants;
    ws->wants = 0;
    ws->is_posted = false;
    pthread_mutex_unlock(&ws->lock);
    return wants;
}

void ws_posted(struct loop_post *post)
{
    struct ws *ws = CONTAINER_OF(post, struct ws, post);
    unsigned wants = take_wants(ws);
    if (ws->exchange && (wants & WS_WANTS_TIMER) && ws->heard_ms == 0) {
        ws->heard_ms = loop_now_ms(ws->loop);
        ws_keep_time(ws);
    }
    if (ws->exchange) {
        look_at_state(ws);
    }
    if (ws->exchange && (wants & WS_WANTS_RESUME)) {
        ws->exchange->driver->resume_body(ws->exchange);
    }
    handle_unpin(&ws->handle);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* Lock held. RFC 6455 §7.4.1: 1001, a server going down. */
static void say_good_bye(struct ws *ws)
{
    (void)ws_codec_close(ws->codec, GALLEY_WS_GOING_AWAY, SPAN("the server stops"));
    (void)ws_flush(ws);
}

void ws_attach(struct ws *ws, struct exchange *exchange)
{
    ws->exchange = exchange;
    ws->loop = stream_loop(ws->stream); /* not the services': an orphan has none */
    handle_pin(&ws->handle);            /* the exchange's */
    exchange_tunnel_input(exchange, ws_input, ws);
    pthread_mutex_lock(&ws->lock);
    ws->is_attached = true;
    if (ws->must_stop) {
        say_good_bye(ws);
    }
    ws_want(ws, WS_WANTS_TIMER);
    pthread_mutex_unlock(&ws->lock);
}

/* May come while the handler that makes the socket still runs on a worker. */
void ws_stream_stopping(void *arg)
{
    struct ws *ws = arg;
    pthread_mutex_lock(&ws->lock);
    ws->must_stop = true;
    if (ws->is_attached) {
        say_good_bye(ws);
        ws_want(ws, WS_WANTS_TIMER);
    }
    pthread_mutex_unlock(&ws->lock);
}

/* The handler that makes the socket may run still, and longer than the loop. */
void ws_stream_hung_up(void *arg)
{
    struct ws *ws = arg;
    ws->is_hung_up = true;
    if (timer_is_armed(&ws->timer)) {
        loop_timer_stop(ws->loop, &ws->timer);
    }
}

void ws_stream_ended(void *arg)
{
    struct ws *ws = arg;
    if (exchange_is_orphan(ws->exchange)) {
        ws->pool = NULL; /* it may have gone; and this thread may wait */
    } else {
        ws->loop = ws->exchange->services->loop; /* as it is, if it was made too late to know it */
        ws->spare_pool = ws->exchange->services->file_pool;
    }
    ws->exchange = NULL;
    pthread_mutex_lock(&ws->lock);
    ws->has_ended = true;
    pthread_mutex_unlock(&ws->lock);
    ws_deliver(ws);
    handle_unpin(&ws->handle); /* the exchange's */
}
