/* conn/conn_states.c — the table of states and the one function that changes the state of a
 * connection. Called by the rest of conn/ and by protocols, on the connection's loop. Invariants: a
 * connection stands in the list of its state; whoever has a deadline has an armed timer that fires
 * no later than it. */
#include "conn/conn.h"

#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/conn_set.h"

#define EDGE(state) (1U << (state))
#define OPEN_EDGES                                                                                 \
    (EDGE(CONN_IDLE) | EDGE(CONN_HEAD) | EDGE(CONN_BODY) | EDGE(CONN_BUSY) | EDGE(CONN_SENDING) |  \
     EDGE(CONN_LINGER) | EDGE(CONN_CLOSED))

struct conn_state_row {
    const char *name;
    enum conn_timeout timeout;
    unsigned edges;
};

/* An answer may leave at once, so that BODY, BUSY and SENDING are passed over: hence the many edges
 * between the states of an open connection. BODY and SENDING may follow themselves: the rate of the
 * next body or answer counts anew. A handshake that has failed lingers, so that the alert arrives.
 * None leads back to HANDSHAKE or FIRST, none out of LINGER but the end. */
static const struct conn_state_row rows[CONN_STATE_COUNT] = {
    /*                  name         timeout                 may go to */
    [CONN_HANDSHAKE] = {"handshake", CONN_TIMEOUT_HANDSHAKE,
                        EDGE(CONN_FIRST) | EDGE(CONN_LINGER) | EDGE(CONN_CLOSED)},
    [CONN_FIRST] = {"first", CONN_TIMEOUT_HEAD, OPEN_EDGES},
    [CONN_IDLE] = {"idle", CONN_TIMEOUT_IDLE, OPEN_EDGES},
    [CONN_HEAD] = {"head", CONN_TIMEOUT_HEAD, OPEN_EDGES & ~EDGE(CONN_HEAD)},
    [CONN_BODY] = {"body", CONN_TIMEOUT_BODY, OPEN_EDGES},
    [CONN_BUSY] = {"busy", CONN_TIMEOUT_NONE, OPEN_EDGES & ~EDGE(CONN_BUSY)},
    [CONN_SENDING] = {"sending", CONN_TIMEOUT_SENDING, OPEN_EDGES},
    [CONN_LINGER] = {"linger", CONN_TIMEOUT_LINGER, EDGE(CONN_CLOSED)},
    [CONN_CLOSED] = {"closed", CONN_TIMEOUT_NONE, 0},
};

const char *conn_state_name(enum conn_state state)
{
    return rows[state].name;
}

bool conn_may_enter(enum conn_state from, enum conn_state to)
{
    return (rows[from].edges & EDGE(to)) != 0;
}

enum conn_timeout conn_timeout_of(const struct conn *conn)
{
    return rows[conn->state].timeout;
}

void conn_enter(struct conn *conn, enum conn_state state)
{
    bool keeps_time = conn->state == CONN_FIRST && state == CONN_HEAD;
    int64_t began_ms = keeps_time ? conn->state_began_ms : loop_now_ms(conn_loop(conn));
    conn_enter_since(conn, state, began_ms);
}

void conn_enter_since(struct conn *conn, enum conn_state state, int64_t began_ms)
{
    CHECK(conn_may_enter((enum conn_state)conn->state, state));
    conn->state = (uint8_t)state;
    conn->state_began_ms = began_ms;
    conn->rate_bytes = 0;
    counter_add(&conn->set->counters.entered[state], 1);
    list_remove(&conn->link);
    list_push_back(&conn->set->by_state[state], &conn->link);
    conn_arm_timer(conn);
}

void conn_begin_states(struct conn *conn, enum conn_state state)
{
    conn->state = (uint8_t)state;
    conn->state_began_ms = loop_now_ms(conn_loop(conn));
    counter_add(&conn->set->counters.entered[state], 1);
    list_push_back(&conn->set->by_state[state], &conn->link);
    conn_arm_timer(conn);
}

struct reason_row {
    const char *name;
    const char *sentence;
    bool is_error;
};

static const struct reason_row reasons[CLOSE_REASON_COUNT] = {
#define X(name, is_error, sentence) [CLOSE_##name] = {#name, sentence, is_error},
    CLOSE_REASON_LIST(X)
#undef X
};

const char *close_reason_name(enum close_reason reason)
{
    return reasons[reason].name;
}

const char *close_reason_sentence(enum close_reason reason)
{
    return reasons[reason].sentence;
}

bool close_reason_is_error(enum close_reason reason)
{
    return reasons[reason].is_error;
}
