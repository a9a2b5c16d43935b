/* conn/conn_handshake.c — a connection whose transport begins with a handshake: which protocol
 * follows, or why none does. Called by the transport, on the loop. Until the handshake is done the
 * place of the protocol is held by one that does nothing, and the place of its session by the
 * entry: so nobody else has to ask whether there is a protocol. */
#include "conn/conn.h"

#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/protocol.h"

#include <errno.h>

static int no_open(struct conn *conn)
{
    (void)conn;
    return GALLEY_OK;
}

static void no_bytes(struct conn *conn, char *data, size_t len)
{
    (void)conn, (void)data, (void)len;
}

static void nothing(struct conn *conn)
{
    (void)conn;
}

static const struct protocol no_protocol = {
    .name = "handshake",
    .open = no_open,
    .received = no_bytes,
    .input_ended = nothing,
    .sent = nothing,
    .deadline = nothing,
    .drain = nothing,
    .closed = nothing,
};

void conn_handshake_begin(struct conn *conn, const struct conn_entry *entry)
{
    conn->protocol = &no_protocol;
    conn->session = (void *)(uintptr_t)entry;
}

static const struct protocol *protocol_for(const struct conn_entry *entry, struct span agreed)
{
    if (!agreed.ptr) {
        return entry->protocols[0];
    }
    for (unsigned i = 0; i < entry->protocol_count; i++) {
        if (span_equal(agreed, span_of(entry->protocols[i]->name))) {
            return entry->protocols[i];
        }
    }
    return NULL;
}

static enum close_reason reason_of(int result)
{
    switch (result) {
    case TRANSPORT_TRUNCATED: /* not a byte came: somebody has looked whether we are there */
        return CLOSE_CLIENT_CLOSED;
    case TRANSPORT_PLAIN_HTTP:
        return CLOSE_PLAIN_ON_TLS;
    case TRANSPORT_GARBAGE:
        return CLOSE_NOT_TLS;
    case TRANSPORT_BROKEN:
        return CLOSE_HANDSHAKE_FAILED;
    case TRANSPORT_REFUSED:
        return CLOSE_HANDSHAKE_REFUSED;
    case -ENOMEM:
        return CLOSE_OUT_OF_MEMORY;
    default:
        return CLOSE_HANDSHAKE_GIVEN_UP;
    }
}

/* Whoever is told something must be able to read it: closing with bytes unread would reset. */
static bool has_last_word(int result)
{
    return result == TRANSPORT_PLAIN_HTTP || result == TRANSPORT_GARBAGE ||
           result == TRANSPORT_BROKEN;
}

static void fail(struct conn *conn, int result)
{
    conn_begin_call(conn);
    if (has_last_word(result)) {
        conn_close_gracefully(conn, reason_of(result));
    } else {
        conn_close(conn, reason_of(result), false);
    }
    conn_end_call(conn);
}

void conn_handshake_done(struct transport *transport, int result)
{
    struct conn *conn = conn_of_transport(transport);
    const struct conn_entry *entry = conn->session;
    DEBUG_CHECK(conn->state == CONN_HANDSHAKE);
    conn->session = NULL;
    const struct protocol *protocol =
        result == 0 ? protocol_for(entry, transport_agreed(transport)) : NULL;
    if (protocol) {
        conn->protocol = protocol;
        (void)conn_open_protocol(conn);
    } else {
        fail(conn, result < 0 ? result : TRANSPORT_BROKEN);
    }
}
