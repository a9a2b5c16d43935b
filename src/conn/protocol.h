/* conn/protocol.h — what a connection asks of the protocol spoken on it (h1, h2): a table of
 * functions that cuts the circle between connections and protocols. The set of protocols is handed
 * in by server/. All on the connection's loop. */
#ifndef CONN_PROTOCOL_H
#define CONN_PROTOCOL_H

#include "conn/conn.h"

struct protocol {
    const char *name; /* ALPN: "http/1.1", "h2" */
    void *ctx;        /* the driver's per-loop state */
    /** When the server drains idle connections are told, too, instead of being closed: the peer has to
     *  be heard out (HTTP/2's GOAWAY). */
    bool says_goodbye;
    /** Make conn->session (or leave it NULL until the first byte). 0 or GALLEY_ENOMEM. */
    int (*open)(struct conn *conn);
    /** Bytes came; valid and writable during the call only: keep a copy of what is not used up. */
    void (*received)(struct conn *conn, char *data, size_t len);
    /** The peer has closed its side; it may still read. */
    void (*input_ended)(struct conn *conn);
    /** conn->out has become empty: continue what waited for room. Also called once when the
     *  connection is to end after its output: then only to let go of what the output borrowed. */
    void (*sent)(struct conn *conn);
    /** The state's deadline or rate was missed: answer 408 or close. */
    void (*deadline)(struct conn *conn);
    /** The server drains: finish what runs, say Connection: close, close when idle. */
    void (*drain)(struct conn *conn);
    /** The connection is over (conn->close_reason says why): give everything up. Last call.
     *  conn->out still holds what was not sent: chain_clear() it before memory that it borrows
     *  goes. */
    void (*closed)(struct conn *conn);
};

#endif
