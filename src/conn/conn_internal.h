/* conn/conn_internal.h — what the files of conn/ need of each other; nobody else includes this. On
 * the loop. */
#ifndef CONN_CONN_INTERNAL_H
#define CONN_CONN_INTERNAL_H

#include "conn/conn.h"

/** The kinds of deadline a state can have (the table's column). */
enum conn_timeout {
    CONN_TIMEOUT_NONE,
    CONN_TIMEOUT_HANDSHAKE,
    CONN_TIMEOUT_HEAD,
    CONN_TIMEOUT_IDLE,
    CONN_TIMEOUT_BODY,
    CONN_TIMEOUT_SENDING,
    CONN_TIMEOUT_LINGER,
};

/* conn_states.c */
enum conn_timeout conn_timeout_of(const struct conn *conn);
/** The first state of a new connection. */
void conn_begin_states(struct conn *conn, enum conn_state state);

/* conn_timeouts.c */
/** Let the timer fire no later than the state's deadline. */
void conn_arm_timer(struct conn *conn);

/* conn_io.c */
/** Everything that calls the protocol stands between these two: sends and reads asked for meanwhile
 *  are started by the second, once. */
void conn_begin_call(struct conn *conn);
void conn_end_call(struct conn *conn);
/** Give the kept send blocks of the set back. */
void conn_sends_finish(struct conn_set *set);
/** The send's block goes back; the transport has called back for the last time. */
void conn_send_release(struct conn *conn);

/** The send under way is of a file that is being read from the disk: nothing that the client could
 *  do. */
bool conn_waits_for_disk(const struct conn *conn);
/** For how long that send has waited so, of the time in CONN_SENDING: the rate is the client's. */
int64_t conn_disk_ms(const struct conn *conn);

/* conn_handshake.c */
/** Until the handshake is done the conn knows only of its entry. */
void conn_handshake_begin(struct conn *conn, const struct conn_entry *entry);
/** The transport's word: the protocol begins, or the end. */
void conn_handshake_done(struct transport *transport, int result);

/* conn_proxy.c */
/** Does the peer speak for others, and say so first? */
bool conn_is_of_proxy(const struct conn *conn, const struct conn_entry *entry);
/** On a plain transport: what comes first is a header. False: out of memory, and the connection
 * ends. */
bool conn_proxy_begin(struct conn *conn, const struct conn_entry *entry);

/* conn.c */
/** What a transport with a handshake tells its connection. */
struct transport_told conn_transport_told(void);
static inline struct conn *conn_of_transport(struct transport *transport)
{
    return CONTAINER_OF(transport, struct conn, transport);
}
/** conn->protocol begins. False: it could not, and the connection ends. */
bool conn_open_protocol(struct conn *conn);
/** All of `out` has gone and the connection is to end. */
void conn_finish_output(struct conn *conn);

#endif
