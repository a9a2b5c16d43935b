/* conn/conn_set.h — the connections of one loop: counting, the limit, draining, closing all. On the
 * loop. */
#ifndef CONN_CONN_SET_H
#define CONN_CONN_SET_H

#include "conn/conn.h"

struct conn_set {
    struct loop *loop;
    const struct conn_limits *limits;
    const struct log_sink *log;
    struct log_limit log_limits[CLOSE_REASON_COUNT];
    struct conn_counters counters;
    struct chain_pool chains; /* shared by the loop's connections */
    struct list by_state[CONN_STATE_COUNT];
    struct conn_send *free_sends; /* for conn_io.c: a few are kept for the next send */
    unsigned free_send_count;
    unsigned count;
    bool is_draining;
    void (*emptied)(struct conn_set *set, void *ctx); /* the last connection has gone */
    void (*removed)(struct conn_set *set, void *ctx); /* a connection has gone: room for another */
    void *ctx;
};

void conn_set_init(struct conn_set *set, struct loop *loop, const struct conn_limits *limits,
                   const struct log_sink *log);
/** What a set keeps for its connections, at most. */
uint64_t conn_set_kept_bytes(void);
/** All connections must be gone. */
void conn_set_finish(struct conn_set *set);
/** Close the connection that has been idle longest; false if none is idle. */
bool conn_set_close_oldest_idle(struct conn_set *set);
/** Idle and silent new connections close at once, the rest when their answer is out. */
void conn_set_drain(struct conn_set *set);
/** Close every connection now, by RST. */
void conn_set_close_all(struct conn_set *set, enum close_reason reason);

#endif
