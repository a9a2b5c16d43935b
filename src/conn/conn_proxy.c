/* conn/conn_proxy.c — a connection of a proxy that says first for whom it speaks
 * (net/proxy_protocol.h): the header is read before anything else, the peer is who it names from
 * then on, and what stands behind it goes to the protocol, or to the handshake of TLS. On the loop,
 * in CONN_HANDSHAKE, whose deadline runs. Only for peers that are known to be proxies: they must send
 * a header, and nobody else can. */
#include "conn/conn.h"

#include "base/alloc.h"
#include "conn/conn_internal.h"
#include "conn/protocol.h"
#include "net/proxy_protocol.h"

#include <errno.h>

/* In the place of the session, until the header is whole. */
struct waiting {
    const struct conn_entry *entry;
    size_t len;
    char bytes[PROXY_MAX_BYTES];
};

static void begin_plain(struct conn *conn, const struct conn_entry *entry, char *rest, size_t len)
{
    conn->protocol = entry->protocols[0];
    conn_enter(conn, CONN_FIRST);
    if (conn->protocol->open(conn) != GALLEY_OK) {
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
    } else if (len > 0) {
        conn->protocol->received(conn, rest, len);
    }
}

static void begin_handshake(struct conn *conn, const struct conn_entry *entry, struct span rest)
{
    const struct transport_told told = conn_transport_told();
    conn_read(conn, false); /* the transport reads for itself until it is done */
    conn->is_tls = true;
    conn_handshake_begin(conn, entry);
    int result = entry->opener->wrap(entry->opener, &conn->transport, rest, &told);
    if (result < 0) {
        conn_close(conn, result == -ENOMEM ? CLOSE_OUT_OF_MEMORY : CLOSE_SYSTEM_ERROR, true);
    }
}

/* The header is whole, `rest` came behind it. */
static void go_on(struct conn *conn, const struct proxy_header *header, char *rest, size_t len)
{
    struct waiting *waiting = conn->session;
    const struct conn_entry *entry = waiting->entry;
    if (header->source.family != 0) {
        conn->peer = header->source;
    }
    conn->session = NULL;
    mem_free(waiting);
    if (entry->opener) {
        begin_handshake(conn, entry, span_make(rest, len));
    } else {
        begin_plain(conn, entry, rest, len);
    }
}

/* No more is kept than a header may be long. What was kept before is a part of one, so a whole one
 * ends in `data`. */
static void received(struct conn *conn, char *data, size_t len)
{
    struct waiting *waiting = conn->session;
    size_t before = waiting->len;
    size_t room = sizeof waiting->bytes - before;
    size_t taken = len < room ? len : room;
    struct proxy_header header;
    memcpy(waiting->bytes + before, data, taken);
    waiting->len += taken;
    switch (proxy_header_parse(span_make(waiting->bytes, waiting->len), &header)) {
    case PROXY_MORE:
        break;
    case PROXY_BAD:
        conn_close(conn, CLOSE_BAD_PROXY_HEADER, false);
        break;
    case PROXY_WHOLE:
        go_on(conn, &header, data + (header.bytes - before), len - (header.bytes - before));
        break;
    }
}

static int no_open(struct conn *conn)
{
    (void)conn;
    return GALLEY_OK;
}

static void nothing(struct conn *conn)
{
    (void)conn;
}

static void input_ended(struct conn *conn)
{
    conn_close(conn, CLOSE_CLIENT_CLOSED, false);
}

static void closed(struct conn *conn)
{
    mem_free(conn->session);
    conn->session = NULL;
}

static const struct protocol proxy_protocol = {
    .name = "PROXY",
    .open = no_open,
    .received = received,
    .input_ended = input_ended,
    .sent = nothing,
    .deadline = nothing,
    .drain = nothing,
    .closed = closed,
};

bool conn_is_of_proxy(const struct conn *conn, const struct conn_entry *entry)
{
    return entry->proxies && networks_contain(entry->proxies, &conn->peer);
}

bool conn_proxy_begin(struct conn *conn, const struct conn_entry *entry)
{
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    conn->protocol = &proxy_protocol;
    conn->session = waiting;
    if (!waiting) {
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        return false;
    }
    waiting->entry = entry;
    waiting->len = 0;
    conn_read(conn, true);
    return true;
}
