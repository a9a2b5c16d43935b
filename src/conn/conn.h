/* conn/conn.h — a connection's life: states with deadlines, reading, an output queue, one reason to
 * close.
 *
 * Knows nothing of HTTP: the protocol (conn/protocol.h) does. conn_enter() is the only function
 * that changes the state; it asserts the edge, re-arms the timer and counts. Everything here is
 * called on the connection's loop. A conn is freed by itself after its transport has called back
 * for the last time. */
#ifndef CONN_CONN_H
#define CONN_CONN_H

#include "base/chain.h"
#include "base/counter.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/networks.h"
#include "net/transport.h"

#include "conn/close_reason_list.h"

struct conn;
struct conn_send;
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

/** Deadlines and rates; all times in ms. Filled by server/, never zero (0 is not "default" here).
 * A rate is an average since the state was entered. What a peer was faster in the past counts for
 * it, but at most for another idle_ms: who stalls for ever after a fast start is cut too. */
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
    struct counter missed[CONN_STATE_COUNT]; /* deadlines and rates, by the state they belong to */
    struct counter bytes_in;
    struct counter bytes_out;
};

/* Small on purpose: an idle connection is this and nothing else. */
struct conn {
    struct transport transport;
    struct loop_op recv_op;
    struct timer timer;
    struct list link; /* in the set, by state: idle ones oldest first */
    struct chain out;
    struct conn_send *sending; /* the send that is under way; NULL: none */
    struct conn_set *set;
    const struct protocol *protocol;
    void *session; /* the protocol's */
    int64_t state_began_ms;
    uint64_t rate_bytes; /* moved since the rate's window began; CONN_LINGER: dropped */
    struct peer_address peer;
    uint32_t requests;    /* begun on this connection: the protocol's */
    uint8_t state;        /* enum conn_state */
    uint8_t close_reason; /* enum close_reason: the first one wins */
    bool is_tls : 1;
    bool is_draining : 1;
    bool input_ended : 1;      /* the peer has closed its side */
    bool close_after_send : 1; /* nothing more is given to the protocol's `received` */
    bool wants_read : 1;
    bool wants_flush : 1;
    bool wants_linger : 1;
    bool is_in_call : 1; /* a callback runs: sends and reads are started at its end */
};

/** Take fd over: fills the conn, opens the protocol, starts reading. On failure (memory) the fd is
 *  closed, counted, and NULL returned. */
struct conn *conn_create(struct conn_set *set, int fd, const struct protocol *protocol);

/** How the connections of a listener begin, when that is not plain. Made by the server; must stay as
 *  long as one of them is in its handshake. */
struct conn_entry {
    const struct transport_opener *opener;   /* NULL: plain */
    const struct networks *proxies;          /* who sends a PROXY header first; NULL: nobody */
    const struct protocol *const *protocols; /* by ALPN name; the first also when none was agreed */
    unsigned protocol_count;
};

/** As conn_create(), with a transport of the entry's and the protocol that its handshake finds
 *  (CONN_HANDSHAKE until then). */
struct conn *conn_create_by(struct conn_set *set, int fd, const struct conn_entry *entry);

/** What a connection takes of the heap while it is idle, and more while a send is under way. */
uint64_t conn_idle_bytes(void);
uint64_t conn_send_bytes(void);

/** The only writer of state (conn_enter_since is its longer form). Edges are asserted; the timer is
 *  re-armed from the state's row. A head that follows CONN_FIRST keeps the time of the accept. */
void conn_enter(struct conn *conn, enum conn_state state);
/** The same when the state's clock began earlier: the first bytes of a head came while an answer
 * was being sent. */
void conn_enter_since(struct conn *conn, enum conn_state state, int64_t began_ms);
/** May conn_enter() be called with this state now? For tests of the table. */
bool conn_may_enter(enum conn_state from, enum conn_state to);

/** Reading on or off (back pressure). While on, protocol->received is called with what comes; one
 *  read that is under way when it is turned off still ends in a call. */
void conn_read(struct conn *conn, bool on);

/** Output is appended to conn->out by the protocol (chain_add…); this sends it: at the end of the
 *  current callback, all at once. protocol->sent is called when the chain has become empty. */
void conn_flush(struct conn *conn);

/** Does output wait to be sent? */
static inline bool conn_has_output(const struct conn *conn)
{
    return !chain_is_empty(&conn->out);
}

/** After the last byte in `out` has been sent: shut down writing, linger, close. Nothing more is
 *  given to the protocol's `received`. */
void conn_close_gracefully(struct conn *conn, enum close_reason reason);
/** After the last byte in `out` has been sent: close, without lingering. For a peer that has
 *  announced that it sends nothing more. */
void conn_close_when_sent(struct conn *conn, enum close_reason reason);
/** Close now; is_reset sends RST (the client must not take a cut answer for a whole one).
 *  protocol->closed follows, never inside this call. */
void conn_close(struct conn *conn, enum close_reason reason, bool is_reset);
/** Closed, or on the way there: no request may begin and nothing may be added to `out`. */
static inline bool conn_is_ending(const struct conn *conn)
{
    return conn->close_after_send || conn->state == CONN_CLOSED || conn->state == CONN_LINGER;
}

static inline struct loop *conn_loop(const struct conn *conn)
{
    return conn->transport.loop;
}

#endif
