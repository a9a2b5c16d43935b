/* h1/h1_keepalive.c — what happens next on a connection: use up input, then give the connection its
 * state. On the loop; called from the connection's callbacks and when an answer comes later from
 * elsewhere.
 *
 * Pipelined requests are parsed one after the other as long as their answers are ready at once, and
 * all answers leave in one send. What cannot be used now is kept, in order: behind a request in
 * progress, behind too much output, or behind the share of this turn. Reading stops when too much
 * is kept. */
#include "base/check.h"
#include "conn/conn_set.h"

#include "h1/h1_session.h"

enum { REQUESTS_PER_TURN = 128 };

bool h1_has_input(const struct h1_session *session)
{
    return session->driver->working == session ? session->input_left > 0 : session->pending.len > 0;
}

/* Is there a request whose answer or body is not finished? */
static bool is_request_open(const struct h1_session *session)
{
    return session->exchange || session->body != H1_BODY_DONE;
}

static bool may_begin(struct h1_session *session, unsigned begun)
{
    if (session->conn->out.bytes < session->driver->max_out_bytes && begun < REQUESTS_PER_TURN) {
        return true;
    }
    counter_add(&session->driver->counters.held_back, 1);
    return false;
}

/* Returns the bytes used up; 0: nothing goes on for now. */
static size_t use(struct h1_session *session, char *data, size_t len, unsigned *begun)
{
    if (h1_body_is_wanted(session)) {
        return h1_body_feed(session, data, len);
    }
    if (is_request_open(session) || !may_begin(session, *begun)) {
        return 0;
    }
    ++*begun;
    return h1_request_read(session, data, len);
}

size_t h1_work(struct h1_session *session, char *data, size_t len)
{
    struct h1_driver *driver = session->driver;
    CHECK(!driver->working);
    driver->working = session;
    size_t used = 0;
    unsigned begun = 0;
    while (used < len && !conn_is_ending(session->conn)) {
        size_t n = use(session, data + used, len - used, &begun);
        if (n == 0) {
            break;
        }
        used += n;
    }
    driver->working = NULL;
    return used;
}

/* What is in progress loses the bytes of its head and the scratch now. The log will want them also
 * when it is answered. */
static void retain(struct h1_session *session)
{
    struct exchange *exchange = session->exchange;
    if (!exchange || exchange->is_retained || exchange_retain(exchange) == GALLEY_OK) {
        return;
    }
    counter_add(&session->driver->counters.out_of_memory, 1);
    if (session->has_answered) {
        conn_close(session->conn, CLOSE_OUT_OF_MEMORY, true);
    } else {
        h1_reject(session, 503, CLOSE_OUT_OF_MEMORY);
    }
    if (session
            ->exchange) { /* until the connection has closed: others' bytes will stand in its place */
        exchange_forget_head(session->exchange);
    }
}

static enum conn_state state_of(const struct conn *conn)
{
    const struct h1_session *session = conn->session;
    if (session && session->body != H1_BODY_TUNNEL && h1_body_is_wanted(session)) {
        return CONN_BODY; /* the client's turn; while we pause it is not */
    }
    if (session && session->exchange && !(session->has_answered && conn_has_output(conn))) {
        return CONN_BUSY;
    }
    if (conn_has_output(conn)) {
        return CONN_SENDING;
    }
    if (session && session->parser.has_begun) {
        return CONN_HEAD;
    }
    return CONN_IDLE;
}

/* Nothing is in progress and nothing waits to be sent. True if the connection goes on. */
static bool may_stay(struct conn *conn, enum conn_state state)
{
    if (conn->input_ended) {
        conn_close(conn, state == CONN_HEAD ? CLOSE_CLIENT_VANISHED : CLOSE_CLIENT_CLOSED, false);
        return false;
    }
    if (conn->is_draining && state == CONN_IDLE) {
        conn_close(conn, CLOSE_DRAIN, false);
        return false;
    }
    return true;
}

static void enter(struct conn *conn, enum conn_state state)
{
    const struct h1_session *session = conn->session;
    if (conn->state == state || (state == CONN_IDLE && conn->state == CONN_FIRST)) {
        return;
    }
    if (state == CONN_HEAD && conn->state != CONN_FIRST) {
        conn_enter_since(conn, CONN_HEAD, session->head_began_ms);
    } else {
        conn_enter(conn, state);
    }
}

static void read_if_room(struct conn *conn)
{
    const struct h1_session *session = conn->session;
    uint32_t room = conn->set->limits->max_pending_in;
    uint32_t max_head = h1_driver_of(conn)->limits->max_head_bytes;
    room = room > max_head ? room : max_head + 1;
    conn_read(conn, !session || session->pending.len < room);
}

static void release_if_idle(struct conn *conn)
{
    struct h1_session *session = conn->session;
    if (session && !is_request_open(session) && session->pending.len == 0) {
        h1_session_release(session);
    }
}

void h1_settle(struct conn *conn)
{
    if (conn->session) {
        retain(conn->session);
    }
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_flush(conn);
    if (conn_is_ending(conn)) {
        return;
    }
    enum conn_state state = state_of(conn);
    if ((state == CONN_HEAD || state == CONN_IDLE) && !may_stay(conn, state)) {
        return;
    }
    enter(conn, state);
    release_if_idle(conn);
    read_if_room(conn);
}

/* The scratch belongs to a request of another connection, whose handler has made us go on. */
static void wait_for_scratch(struct h1_session *session)
{
    struct h1_driver *driver = session->driver;
    list_remove(&session->link);
    list_push_back(&driver->waiting, &session->link);
    if (!driver->is_posted) {
        driver->is_posted = true;
        loop_later(driver->services->loop, &driver->go_on);
    }
}

void h1_go_on(struct h1_session *session)
{
    struct h1_driver *driver = session->driver;
    struct conn *conn = session->conn;
    if (driver->working == session) {
        return; /* h1_work() goes on by itself */
    }
    if (driver->working) {
        conn_flush(conn);
        wait_for_scratch(session);
        return;
    }
    if (session->pending.len > 0 && !conn_is_ending(conn)) {
        size_t used = h1_work(session, session->pending.data, session->pending.len);
        retain(session); /* while the bytes are where they were */
        buf_consume(&session->pending, used);
    }
    if (!conn_is_ending(conn)) {
        h1_body_input_ended(session);
    }
    h1_settle(conn);
}
