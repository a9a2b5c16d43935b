/* conn/conn_set.c — the connections of one loop, standing in a list for each state; see conn_set.h.
 * On the loop. Closing a connection moves it to the list of CONN_CLOSED and frees it later, so that
 * the lists may be walked while their members are being closed, if the next one is remembered
 * first. */
#include "conn/conn_set.h"

#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/protocol.h"

static struct conn *conn_of_link(struct list *link)
{
    return CONTAINER_OF(link, struct conn, link);
}

void conn_set_init(struct conn_set *set, struct loop *loop, const struct conn_limits *limits,
                   const struct log_sink *log)
{
    *set = (struct conn_set){.loop = loop, .limits = limits, .log = log};
    chain_pool_init(&set->chains);
    for (int state = 0; state < CONN_STATE_COUNT; state++) {
        list_init(&set->by_state[state]);
    }
}

void conn_set_finish(struct conn_set *set)
{
    CHECK(set->count == 0);
    conn_sends_finish(set);
    chain_pool_finish(&set->chains);
}

bool conn_set_close_oldest_idle(struct conn_set *set)
{
    struct list *idle = &set->by_state[CONN_IDLE];
    if (list_is_empty(idle)) {
        return false;
    }
    conn_close(conn_of_link(idle->next), CLOSE_CONNECTION_LIMIT, false);
    return true;
}

static void close_state(struct conn_set *set, enum conn_state state, enum close_reason reason,
                        bool is_reset)
{
    while (!list_is_empty(&set->by_state[state])) {
        conn_close(conn_of_link(set->by_state[state].next), reason, is_reset);
    }
}

static void drain_one(struct conn *conn)
{
    if (conn->is_draining) {
        return;
    }
    conn->is_draining = true;
    if (!conn->close_after_send) {
        conn_begin_call(conn);
        conn->protocol->drain(conn);
        conn_end_call(conn);
    }
}

/* Idle ones have nothing to finish; but some protocols end with a word. */
static void drain_idle(struct conn_set *set)
{
    struct list *next;
    struct list *head = &set->by_state[CONN_IDLE];
    for (struct list *link = head->next; link != head; link = next) {
        struct conn *conn = conn_of_link(link);
        next = link->next;
        if (conn->protocol->says_goodbye) {
            drain_one(conn);
        } else {
            conn_close(conn, CLOSE_DRAIN, false);
        }
    }
}

/* A drained connection may move to another list, even to one that is walked later: is_draining says
 * it had its turn. */
static void drain_state(struct conn_set *set, enum conn_state state)
{
    struct list *next;
    struct list *head = &set->by_state[state];
    for (struct list *link = head->next; link != head; link = next) {
        next = link->next;
        drain_one(conn_of_link(link));
    }
}

void conn_set_drain(struct conn_set *set)
{
    set->is_draining = true;
    close_state(set, CONN_HANDSHAKE, CLOSE_DRAIN, false);
    close_state(set, CONN_FIRST, CLOSE_DRAIN, false);
    drain_idle(set);
    static const enum conn_state working[] = {CONN_HEAD, CONN_BODY, CONN_BUSY, CONN_SENDING};
    for (unsigned i = 0; i < sizeof working / sizeof *working; i++) {
        drain_state(set, working[i]);
    }
}

void conn_set_close_all(struct conn_set *set, enum close_reason reason)
{
    for (int state = 0; state < CONN_CLOSED; state++) {
        close_state(set, (enum conn_state)state, reason, true);
    }
}
