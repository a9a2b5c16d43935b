/* conn/conn_timeouts.c — deadlines and minimum rates of connections. On the loop.
 * One timer a connection. It is only ever moved later cheaply (loop.h), so that entering a state
 * without a deadline leaves it armed: when it fires it is asked what the present state says, and
 * armed again if it was too early. */
#include "conn/conn.h"

#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/conn_set.h"
#include "conn/protocol.h"

enum { MS_PER_S = 1000, DISK_LOOK_MS = 1000 };

/* When the average since the state began falls below the minimum if nothing more is moved. */
static int64_t rate_deadline_ms(const struct conn *conn, uint32_t grace_ms, uint32_t min_rate)
{
    uint64_t paid_ms =
        conn->rate_bytes / min_rate * MS_PER_S + conn->rate_bytes % min_rate * MS_PER_S / min_rate;
    return conn->state_began_ms + (int64_t)(paid_ms > grace_ms ? paid_ms : grace_ms);
}

/* INT64_MAX: none. */
static int64_t deadline_ms(const struct conn *conn)
{
    const struct conn_limits *limits = conn->set->limits;
    switch (conn_timeout_of(conn)) {
    case CONN_TIMEOUT_HANDSHAKE:
        return conn->state_began_ms + limits->handshake_ms;
    case CONN_TIMEOUT_HEAD:
        return conn->state_began_ms + limits->head_ms;
    case CONN_TIMEOUT_IDLE:
        return conn->state_began_ms + limits->idle_ms;
    case CONN_TIMEOUT_BODY:
        return rate_deadline_ms(conn, limits->body_grace_ms, limits->body_min_rate);
    case CONN_TIMEOUT_SENDING:
        return rate_deadline_ms(conn, limits->send_grace_ms, limits->send_min_rate) +
               conn_disk_ms(conn);
    case CONN_TIMEOUT_LINGER:
        return conn->state_began_ms + limits->linger_ms;
    default:
        return INT64_MAX;
    }
}

static bool has_rate(const struct conn *conn)
{
    enum conn_timeout timeout = conn_timeout_of(conn);
    return timeout == CONN_TIMEOUT_BODY || timeout == CONN_TIMEOUT_SENDING;
}

/* Credit for a fast past is limited: the window begins anew with idle_ms of it. */
static void limit_credit(struct conn *conn, int64_t now_ms)
{
    const struct conn_limits *limits = conn->set->limits;
    if (!has_rate(conn) || deadline_ms(conn) <= now_ms + limits->idle_ms) {
        return;
    }
    bool is_body = conn_timeout_of(conn) == CONN_TIMEOUT_BODY;
    uint64_t min_rate = is_body ? limits->body_min_rate : limits->send_min_rate;
    conn->state_began_ms = now_ms;
    conn->rate_bytes = min_rate * limits->idle_ms / MS_PER_S;
}

static void miss_deadline(struct conn *conn)
{
    counter_add(&conn->set->counters.missed[conn->state], 1);
    if (conn->state == CONN_HANDSHAKE) {
        conn_close(conn, CLOSE_HANDSHAKE_TIMEOUT, false);
    } else if (conn->state == CONN_LINGER) {
        conn_close(conn, (enum close_reason)conn->close_reason, false);
    } else if (conn->close_after_send) {
        conn_close(conn, CLOSE_SEND_TIMEOUT, true);
    } else {
        conn->protocol->deadline(conn);
    }
}

static void on_timer(struct timer *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn, timer);
    int64_t now_ms = loop_now_ms(conn_loop(conn));
    if (conn->state == CONN_SENDING && conn_waits_for_disk(conn)) {
        /* The deadline moves with the clock until the disk has answered. */
        loop_timer_start(conn_loop(conn), &conn->timer, now_ms + DISK_LOOK_MS, on_timer);
        return;
    }
    if (now_ms < deadline_ms(conn)) {
        limit_credit(conn, now_ms);
        conn_arm_timer(conn);
        return;
    }
    conn_begin_call(conn);
    miss_deadline(conn);
    conn_end_call(conn);
}

void conn_arm_timer(struct conn *conn)
{
    int64_t deadline = deadline_ms(conn);
    if (conn->state == CONN_CLOSED) {
        loop_timer_stop(conn_loop(conn), &conn->timer);
    } else if (deadline != INT64_MAX) {
        loop_timer_start(conn_loop(conn), &conn->timer, deadline, on_timer);
    }
}
