/* conn/conn.h — a connection's life: states with deadlines, reading, an output queue, one reason to close.
 *
 * Knows nothing of HTTP: the protocol (conn/protocol.h) does. conn_enter() is the only function that changes the state;
 * it asserts the edge, re-arms the timer and counts. Everything here is called on the connection's loop.
 * A conn is freed by itself after its transport has called back for the last time. */
#ifndef CONN_CONN_H
#define CONN_CONN_H

#include "base/chain.h"
#include "base/counter.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/transport.h"

#include "conn/close_reason_list.h"

struct conn;
struct conn_set;
struct protocol;

enum close_reason {
#define X(name, is_error, sentence) CLOSE_##name,
    CLOSE_REASON_LIST(X)
#undef X
        CLOSE_REASON_COUNT
};
const char *close_reason_name(enum close_reason reason);
const char *close_reason_sentence(enum close_reason reason);
bool close_reason_is_error(enum close_reason reason);

/** The table of rows (name, timeout, edges) is in conn_states.c. */
enum conn_state {
    CONN_HANDSHAKE, /* TLS; plain connections pass through it at once */
    CONN_FIRST,     /* accepted, no byte of the first request yet; head deadline runs */
    CONN_IDLE,      /* between requests; keep-alive deadline */
    CONN_HEAD, /* some bytes of a head; absolute deadline since its first byte (or since accept) */
    CONN_BODY, /* reading a request body; minimum rate */
    CONN_BUSY, /* a handler works; no deadline of the connection's */
    CONN_SENDING, /* output waits for the client; minimum rate */
    CONN_LINGER, /* answered and shut down for writing; read and drop what comes, up to a limit and a deadline */
    CONN_CLOSED,
    CONN_STATE_COUNT
};
const char *conn_state_name(enum conn_state state);

/** Deadlines and rates; all times in ms. Filled by server/, never zero (0 is not "default" here). */
struct conn_limits {
    uint32_t handshake_ms;
    uint32_t head_ms;       /* first byte after connect, and whole head: 10 s, absolute */
    uint32_t idle_ms;       /* keep-alive: 60 s */
    uint32_t body_grace_ms; /* 5 s, then … */
    uint32_t body_min_rate; /* … 1024 bytes/s averaged since the body began */
    uint32_t send_grace_ms; /* 10 s, then … */
    uint32_t send_min_rate; /* … 1024 bytes/s averaged since output began to wait */
    uint32_t linger_ms;     /* 2 s */
    uint32_t linger_bytes;  /* 256 KiB */
    uint32_t
        max_pending_in; /* received bytes a busy connection keeps before it stops reading: 64 KiB */
};

/** One per loop; single writer. */
struct conn_counters {
    struct counter opened;
    struct counter closed[CLOSE_REASON_COUNT];
    struct counter entered[CONN_STATE_COUNT];
    struct counter bytes_in;
    struct counter bytes_out;
};

struct conn {
    struct transport transport;
    struct loop_op recv_op;
    struct loop_op send_op;
    struct timer timer;
    struct list link; /* in the set, by state: idle ones oldest first */
    struct chain out;
    struct conn_set *set;
    const struct protocol *protocol;
    void *session; /* the protocol's */
    int64_t state_began_ms;
    uint64_t rate_bytes; /* moved since the rate's window began */
    struct peer_address peer;
    uint8_t state;        /* enum conn_state */
    uint8_t close_reason; /* enum close_reason: the first one wins */
    bool wants_read;
    bool is_draining;
    bool input_ended; /* the peer has closed its side */
    bool close_after_send;
    bool is_tls;
};

/** Take fd over: fills the conn, opens the protocol, starts reading. On failure (memory) the fd is closed, counted, and
 *  NULL returned. */
struct conn *conn_create(struct conn_set *set, int fd, const struct protocol *protocol);

/** The only writer of state. Edges are asserted; the timer is re-armed from the state's row. */
void conn_enter(struct conn *conn, enum conn_state state);

/** Reading on or off (back pressure). While on, protocol->received is called with what comes. */
void conn_read(struct conn *conn, bool on);

/** Output is appended to conn->out by the protocol (chain_add…); this sends it: at the end of the current callback, all at
 *  once. protocol->sent is called when the chain has become empty. */
void conn_flush(struct conn *conn);

/** After the last byte in `out` has been sent: shut down writing, linger, close. Nothing more is given to the
 *  protocol's `received`. */
void conn_close_gracefully(struct conn *conn, enum close_reason reason);
/** Close now; is_reset sends RST (the client must not take a cut answer for a whole one). protocol->closed follows, never inside this
 *  call. */
void conn_close(struct conn *conn, enum close_reason reason, bool is_reset);

static inline struct loop *conn_loop(const struct conn *conn)
{
    return conn->transport.loop;
}

#endif
