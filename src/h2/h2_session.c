/* h2/h2_session.c — a connection that speaks HTTP/2: bytes in, bytes out, and its state. On the loop.
 *
 * received() gives everything to the room frames, whose events (h2_events.c) do the work; what they leave
 * to be sent, and what answers have left since the last time, h2_settle() turns into frames, as far as
 * conn->out has room: so that all that is ready leaves in one send, and priorities decide as late as
 * possible. */
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

static enum close_reason last_reason(const struct h2_session *session)
{
    return session->end_reason != CLOSE_NONE ? (enum close_reason)session->end_reason
                                             : CLOSE_CLIENT_CLOSED;
}

/* Once: frames may have said one already, for a rule of theirs. */
static bool say_goaway(struct h2_session *session, uint32_t code)
{
    if (!session->has_failed && frames_end(&session->frames, code) != GALLEY_OK) {
        return false;
    }
    if (!session->has_failed && code != FRAMES_NO_ERROR) {
        session->has_failed = true;
        counter_add(&session->driver->counters.goaways_sent, 1);
    }
    return frames_write(&session->frames, &session->conn->out, UINT64_MAX) == FRAMES_OK;
}

void h2_end(struct h2_session *session, uint32_t code, enum close_reason reason)
{
    struct conn *conn = session->conn;
    if (conn_is_ending(conn)) {
        return;
    }
    bool is_cut = session->open_streams > 0;
    session->end_reason = (uint8_t)reason;
    if (!say_goaway(session, code)) {
        conn_close(conn, reason, is_cut);
        return;
    }
    conn_close_gracefully(conn, reason);
}

static void end_by_guard(struct h2_session *session)
{
    h2_end(session, FRAMES_ENHANCE_YOUR_CALM, CLOSE_FLOOD);
}

/* The frames do not go on: `result` says why, if no guard has. */
static void end_by_error(struct h2_session *session, enum frames_result result)
{
    if (session->conn->state == CONN_CLOSED) {
        return;
    }
    if (result == FRAMES_FLOODED) {
        (void)h2_guard_charge(session, H2_GUARD_ACKS);
    } else if (result == FRAMES_NOT_HTTP2) {
        h2_end(session, FRAMES_PROTOCOL_ERROR, CLOSE_PROTOCOL_ERROR);
        return;
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

/* What waits for room must not grow because we go on reading. */
static void read_if_room(struct h2_session *session)
{
    conn_read(session->conn, frames_waiting_bytes(&session->frames) < H2_MAX_WAITING);
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
    if (frames_has_ended(&session->frames) || is_left_alone(session)) {
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
        enum frames_result result =
            frames_write(&session->frames, &conn->out, session->driver->options.max_out_bytes);
        if (result != FRAMES_OK) {
            end_by_error(session, result);
        }
    } while (run_ready(session));
    if (session->flood != 0) {
        end_by_guard(session);
    }
    give_state(session);
    session->is_working = false;
}

/* ---- what the connection tells --------------------------------------------------------------- */

static int init_frames(struct h2_session *session)
{
    struct h2_driver *driver = session->driver;
    const struct h2_options *own = &driver->options;
    const struct frames_options options = {
        .max_streams = own->max_streams,
        .stream_window_bytes = own->unread_window_bytes,
        .conn_window_bytes = h2_all_windows(own),
        .max_list_bytes = own->limits->max_head_bytes,
        .max_string_bytes = h2_head_string_bytes(own->limits),
    };
    return frames_init(&session->frames, &options, &h2_events, session, &driver->scratch);
}

static struct h2_session *create(struct conn *conn)
{
    struct h2_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session) {
        return NULL;
    }
    session->conn = conn;
    session->driver = h2_driver_of(conn);
    session->opened_ms = loop_now_ms(conn_loop(conn));
    session->head_began_ms = session->idle_since_ms = session->opened_ms;
    list_init(&session->streams);
    list_init(&session->ready);
    list_init(&session->over);
    list_init(&session->link);
    if (init_frames(session) != GALLEY_OK) {
        mem_free(session);
        return NULL;
    }
    return session;
}

int h2_session_open(struct conn *conn)
{
    struct h2_session *session = create(conn);
    if (!session) {
        counter_add(&h2_driver_of(conn)->counters.out_of_memory, 1);
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
    enum frames_result result = frames_receive(&session->frames, data, len);
    if (result != FRAMES_OK) {
        end_by_error(session, result);
    }
    h2_settle(session);
}

/* ---- the connection has gone ----------------------------------------------------------------- */

/* Its frames have ended already. */
static void lose_stream(struct h2_stream *stream)
{
    h2_stream_ref(stream);
    list_remove(&stream->link);
    list_remove(&stream->ready);
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
    frames_finish(&session->frames);
    while (!list_is_empty(&session->streams)) {
        lose_stream(CONTAINER_OF(session->streams.next, struct h2_stream, link));
    }
    if (session->head) {
        h2_head_give_back(session->driver, session->head);
    }
    list_remove(&session->link);
    mem_free(session);
}
