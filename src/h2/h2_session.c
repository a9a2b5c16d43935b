/* h2/h2_session.c — a connection that speaks HTTP/2: bytes in, bytes out, and its state. On the loop.
 *
 * received() gives everything to nghttp2, whose callbacks do the work; what they leave to be sent, and
 * what answers have left since the last time, h2_settle() turns into frames, as far as conn->out has
 * room: so that all that is ready leaves in one send, and priorities decide as late as possible. */
#include "base/alloc.h"
#include "base/check.h"

#include "h2/h2_head.h"
#include "h2/h2_session.h"

/* ---- the end --------------------------------------------------------------------------------- */

void h2_out_of_memory(struct h2_session *session)
{
    counter_add(&session->driver->counters.out_of_memory, 1);
    conn_close(session->conn, CLOSE_OUT_OF_MEMORY, true);
}

/* Frames into conn->out, up to so many bytes. False: nghttp2 has failed. */
static bool write_frames(struct h2_session *session, uint64_t max_bytes)
{
    struct conn *conn = session->conn;
    while (conn->out.bytes < max_bytes && conn->state != CONN_CLOSED) {
        const uint8_t *data = NULL;
        ssize_t n = nghttp2_session_mem_send(session->ng, &data);
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            return true;
        }
        if (chain_add_copy(&conn->out, data, (size_t)n) != GALLEY_OK) {
            h2_out_of_memory(session);
        }
    }
    return true;
}

static enum close_reason last_reason(const struct h2_session *session)
{
    return session->end_reason != CLOSE_NONE ? (enum close_reason)session->end_reason
                                             : CLOSE_CLIENT_CLOSED;
}

void h2_end(struct h2_session *session, uint32_t code, enum close_reason reason)
{
    struct conn *conn = session->conn;
    if (conn_is_ending(conn)) {
        return;
    }
    bool is_cut = session->open_streams > 0;
    session->end_reason = (uint8_t)reason;
    if (nghttp2_session_terminate_session(session->ng, code) != 0 ||
        !write_frames(session, UINT64_MAX)) {
        conn_close(conn, reason, is_cut);
        return;
    }
    session->end_reason = (uint8_t)reason;
    conn_close_gracefully(conn, reason);
}

static void end_by_guard(struct h2_session *session)
{
    h2_end(session, NGHTTP2_ENHANCE_YOUR_CALM, CLOSE_FLOOD);
}

/* nghttp2 has given up: `rv` says why, if no guard has. */
static void end_by_error(struct h2_session *session, ssize_t rv)
{
    if (session->conn->state == CONN_CLOSED) {
        return;
    }
    switch (rv) {
    case NGHTTP2_ERR_FLOODED:
        (void)h2_guard_charge(session, H2_GUARD_ACKS);
        break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        (void)h2_guard_charge(session, H2_GUARD_CONTINUATIONS);
        break;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
    case NGHTTP2_ERR_SETTINGS_EXPECTED:
        h2_end(session, NGHTTP2_PROTOCOL_ERROR, CLOSE_PROTOCOL_ERROR);
        return;
    default:
        break;
    }
    if (session->flood != 0) {
        end_by_guard(session);
    } else {
        h2_out_of_memory(session);
    }
}

/* ---- what is to be done ---------------------------------------------------------------------- */

void h2_later(struct h2_session *session)
{
    struct h2_driver *driver = session->driver;
    if (session->is_working || !list_is_empty(&session->link)) {
        return;
    }
    list_push_back(&driver->dirty, &session->link);
    if (!driver->is_posted) {
        driver->is_posted = true;
        loop_later(driver->services->loop, &driver->go_on);
    }
}

static bool has_room(const struct h2_session *session)
{
    return session->conn->out.bytes < session->driver->options.max_out_bytes;
}

/* However much waits to be sent: what these hold is not needed any more. */
static void let_go(struct h2_session *session)
{
    struct list *link;
    while ((link = list_pop_front(&session->over)) != NULL) {
        h2_stream_go_on(CONTAINER_OF(link, struct h2_stream, ready));
    }
}

/* Streams that have something to do, each once. False: none, or there is no room for what it brings. */
static bool run_ready(struct h2_session *session)
{
    struct list now;
    list_init(&now);
    if (!has_room(session)) {
        return false;
    }
    while (!list_is_empty(&session->ready)) {
        list_push_back(&now, list_pop_front(&session->ready));
    }
    bool has_any = !list_is_empty(&now);
    struct list *link;
    while ((link = list_pop_front(&now)) != NULL) {
        h2_stream_go_on(CONTAINER_OF(link, struct h2_stream, ready));
    }
    return has_any;
}

/* ---- states ---------------------------------------------------------------------------------- */

static enum conn_state state_of(const struct h2_session *session)
{
    const struct conn *conn = session->conn;
    if (conn_has_output(conn)) {
        return CONN_SENDING;
    }
    if (session->open_streams > 0) {
        return CONN_BUSY; /* each has its own rate: h2_drain.c */
    }
    /* Our SETTINGS are out; until the client's are in, the time of a head runs. */
    return session->head || !session->has_settings ? CONN_HEAD : CONN_IDLE;
}

static void enter(struct h2_session *session, enum conn_state state)
{
    struct conn *conn = session->conn;
    bool has_left = conn->state != CONN_FIRST;
    if (conn->state == state) {
        return;
    }
    if (state == CONN_HEAD && has_left) {
        conn_enter_since(conn, CONN_HEAD, session->head_began_ms);
    } else if (state == CONN_IDLE) {
        conn_enter_since(conn, CONN_IDLE, session->idle_since_ms);
    } else {
        conn_enter(conn, state);
    }
}

/* What waits in nghttp2 for room must not grow because we go on reading. */
static void read_if_room(struct h2_session *session)
{
    enum { MAX_QUEUED_FRAMES = 1000 };
    size_t queued = nghttp2_session_get_outbound_queue_size(session->ng);
    conn_read(session->conn, queued < MAX_QUEUED_FRAMES);
}

static bool has_ended(const struct h2_session *session)
{
    return !nghttp2_session_want_read(session->ng) && !nghttp2_session_want_write(session->ng);
}

/* A client that has closed its side gets the answers that it can still be given. */
static bool is_left_alone(const struct h2_session *session)
{
    return session->conn->input_ended && session->open_streams == 0;
}

static void give_state(struct h2_session *session)
{
    struct conn *conn = session->conn;
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_flush(conn);
    if (conn_is_ending(conn)) {
        return;
    }
    if (has_ended(session) || is_left_alone(session)) {
        conn_close_gracefully(conn, last_reason(session));
        return;
    }
    enter(session, state_of(session));
    read_if_room(session);
    h2_tick_if_needed(session);
}

void h2_settle(struct h2_session *session)
{
    struct conn *conn = session->conn;
    session->is_working = true;
    list_remove(&session->link);
    do {
        let_go(session);
        if (conn_is_ending(conn)) {
            break;
        }
        if (!write_frames(session, session->driver->options.max_out_bytes)) {
            end_by_error(session, NGHTTP2_ERR_CALLBACK_FAILURE);
        }
    } while (run_ready(session));
    if (session->reserve.used > 0 && conn->state != CONN_CLOSED) {
        h2_out_of_memory(session);
    } else if (session->flood != 0) {
        end_by_guard(session);
    }
    give_state(session);
    session->is_working = false;
}

/* ---- what the connection tells --------------------------------------------------------------- */

static int submit_settings(struct h2_session *session)
{
    const struct h2_options *options = &session->driver->options;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->unread_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->limits->max_head_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* RFC 8441 §3 */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},   /* RFC 9218 §2.1 */
    };
    int rv = nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, entries,
                                     sizeof entries / sizeof *entries);
    if (rv == 0) {
        rv = nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, H2_ID_NONE,
                                                   (int32_t)h2_all_windows(options));
    }
    return rv == 0 ? GALLEY_OK : GALLEY_ENOMEM;
}

static struct h2_session *create(struct conn *conn)
{
    struct h2_driver *driver = h2_driver_of(conn);
    struct h2_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session) {
        return NULL;
    }
    session->conn = conn;
    session->driver = driver;
    session->head_began_ms = session->idle_since_ms = loop_now_ms(conn_loop(conn));
    list_init(&session->streams);
    list_init(&session->ready);
    list_init(&session->over);
    list_init(&session->link);
    nghttp2_mem memory = h2_memory(session);
    if (nghttp2_session_server_new3(&session->ng, driver->callbacks, session,
                                    driver->nghttp2_options, &memory) != 0) {
        mem_free(session);
        return NULL;
    }
    return session;
}

int h2_session_open(struct conn *conn)
{
    struct h2_session *session = create(conn);
    if (!session || submit_settings(session) != GALLEY_OK) {
        counter_add(&h2_driver_of(conn)->counters.out_of_memory, 1);
        if (session) {
            nghttp2_session_del(session->ng);
            mem_free(session);
        }
        return GALLEY_ENOMEM;
    }
    conn->session = session;
    counter_add(&session->driver->counters.connections, 1);
    if (conn->is_draining) {
        h2_drain_begin(session, CLOSE_DRAIN);
    }
    h2_later(session); /* RFC 9113 §3.4: our SETTINGS are the first that we send */
    return GALLEY_OK;
}

void h2_session_received(struct h2_session *session, const char *data, size_t len)
{
    session->is_working = true;
    ssize_t n = nghttp2_session_mem_recv(session->ng, (const uint8_t *)data, len);
    if (n < 0) {
        end_by_error(session, n);
    }
    h2_settle(session);
}

/* ---- the connection has gone ----------------------------------------------------------------- */

static void lose_stream(struct h2_stream *stream)
{
    h2_stream_ref(stream);
    list_remove(&stream->link);
    list_remove(&stream->ready);
    if (stream->is_open) {
        h2_stream_closed(stream);
    }
    stream->session = NULL;
    if (stream->exchange) {
        h2_stream_go_on(stream);
    }
    h2_stream_unref(stream);
}

void h2_session_close(struct h2_session *session)
{
    struct conn *conn = session->conn;
    session->is_working = true; /* nothing is done later */
    conn->session = NULL;
    chain_clear(&conn->out); /* before the memory that it borrows goes */
    loop_timer_stop(conn_loop(conn), &session->tick);
    while (!list_is_empty(&session->streams)) {
        lose_stream(CONTAINER_OF(session->streams.next, struct h2_stream, link));
    }
    if (session->head) {
        h2_head_give_back(session->driver, session->head);
    }
    list_remove(&session->link);
    nghttp2_session_del(session->ng);
    mem_free(session);
}
