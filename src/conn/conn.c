/* conn/conn.c — birth and end of a connection. On its loop.
 * The end has one way: conn_close() -> the transport calls back for the last time -> the protocol
 * is told -> memory is freed. So no callback can meet a connection that has gone, in whatever order
 * closing, resets and deadlines come. */
#include "conn/conn.h"

#include "base/alloc.h"
#include "base/check.h"
#include "conn/conn_internal.h"
#include "conn/conn_set.h"
#include "conn/protocol.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- the end --------------------------------------------------------------------------------- */

static void leave_set(struct conn *conn)
{
    struct conn_set *set = conn->set;
    list_remove(&conn->link);
    set->count--;
    mem_free(conn);
    if (set->removed) {
        set->removed(set, set->ctx);
    }
    if (set->count == 0 && set->emptied) {
        set->emptied(set, set->ctx);
    }
}

static void on_transport_closed(struct transport *transport)
{
    struct conn *conn = conn_of_transport(transport);
    conn->protocol->closed(conn);
    chain_clear(&conn->out);
    conn_send_release(conn); /* only if the transport has dropped a send without a call */
    leave_set(conn);
}

/* The first reason wins; but an answer that was to be followed by a quiet close and could not be
 * sent is no quiet close. */
static void set_reason(struct conn *conn, enum close_reason reason)
{
    enum close_reason old = (enum close_reason)conn->close_reason;
    bool was_cut = conn_has_output(conn) && !close_reason_is_error(old);
    if (old == CLOSE_NONE || was_cut) {
        conn->close_reason = (uint8_t)reason;
    }
}

/* What the server is to blame for is a warning; what clients can cause at will is for the
 * curious. */
static enum log_level level_of(enum close_reason reason)
{
    switch (reason) {
    case CLOSE_FILE_CHANGED:
    case CLOSE_HANDLER_FAILED:
    case CLOSE_OUT_OF_MEMORY:
    case CLOSE_SYSTEM_ERROR:
        return LOG_WARNING;
    default:
        return LOG_DEBUG;
    }
}

static void log_close(const struct conn *conn)
{
    struct conn_set *set = conn->set;
    enum close_reason reason = (enum close_reason)conn->close_reason;
    if (!close_reason_is_error(reason) || !log_wants(set->log, level_of(reason))) {
        return;
    }
    char peer[ADDRESS_TEXT_MAX];
    peer_address_format(peer, &conn->peer);
    const char *why = transport_why(&conn->transport);
    log_write_limited(set->log, &set->log_limits[reason], level_of(reason),
                      "connection of %s closed while %s: %s%s%s%s", peer,
                      conn_state_name((enum conn_state)conn->state), close_reason_sentence(reason),
                      why ? " (" : "", why ? why : "", why ? ")" : "");
}

void conn_close(struct conn *conn, enum close_reason reason, bool is_reset)
{
    CHECK(reason != CLOSE_NONE);
    if (conn->state == CONN_CLOSED) {
        return;
    }
    set_reason(conn, reason);
    counter_add(&conn->set->counters.closed[conn->close_reason], 1);
    log_close(conn);
    conn_enter(conn, CONN_CLOSED);
    conn->wants_read = false;
    conn->wants_flush = false;
    transport_close(&conn->transport, is_reset);
}

/* RFC 9112 §9.6: close in two steps. Closing with bytes unread would send RST, which may take the
 * answer away from a client that is still sending. */
static void start_lingering(struct conn *conn)
{
    if (transport_shutdown_write(&conn->transport) < 0) {
        conn_close(conn, (enum close_reason)conn->close_reason, true);
        return;
    }
    conn_enter(conn, CONN_LINGER);
    conn_read(conn, true);
}

void conn_finish_output(struct conn *conn)
{
    if (conn->wants_linger && !conn->input_ended) {
        start_lingering(conn);
    } else {
        conn_close(conn, (enum close_reason)conn->close_reason, false);
    }
}

static void close_after_output(struct conn *conn, enum close_reason reason, bool wants_linger)
{
    CHECK(reason != CLOSE_NONE);
    if (conn_is_ending(conn)) {
        return;
    }
    set_reason(conn, reason);
    conn->close_after_send = true;
    conn->wants_linger = wants_linger;
    if (!conn_has_output(conn)) {
        conn_finish_output(conn);
        return;
    }
    if (conn->state != CONN_SENDING) {
        conn_enter(conn, CONN_SENDING);
    }
    conn_flush(conn);
}

void conn_close_gracefully(struct conn *conn, enum close_reason reason)
{
    close_after_output(conn, reason, true);
}

void conn_close_when_sent(struct conn *conn, enum close_reason reason)
{
    close_after_output(conn, reason, false);
}

/* ---- birth ----------------------------------------------------------------------------------- */

static void read_peer(struct conn *conn, int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    if (loop_peer_name(conn->set->loop, fd, (struct sockaddr *)&addr, &len) == 0) {
        peer_address_from(&conn->peer, (struct sockaddr *)&addr, len);
    }
}

static void join_set(struct conn *conn)
{
    struct conn_set *set = conn->set;
    set->count++;
    counter_add(&set->counters.opened, 1);
    conn->is_draining = set->is_draining;
    conn_begin_states(conn, CONN_HANDSHAKE);
}

/* The transport has no way back but closing, so a protocol that fails goes the usual way. */
bool conn_open_protocol(struct conn *conn)
{
    conn_begin_call(conn);
    conn_enter(conn, CONN_FIRST);
    bool is_open = conn->protocol->open(conn) == GALLEY_OK;
    if (is_open) {
        conn_read(conn, true);
    } else {
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
    }
    conn_end_call(conn);
    return is_open;
}

uint64_t conn_idle_bytes(void)
{
    return mem_cost(sizeof(struct conn));
}

static struct conn *make_conn(struct conn_set *set)
{
    struct conn *conn = mem_alloc_zero(1, sizeof *conn);
    if (conn) {
        conn->set = set;
        list_init(&conn->link);
        chain_init(&conn->out, &set->chains);
    }
    return conn;
}

/* conn is NULL or has no transport. */
static struct conn *refuse(struct conn_set *set, int fd, struct conn *conn,
                           enum close_reason reason)
{
    counter_add(&set->counters.closed[reason], 1);
    loop_close_fd(set->loop, fd);
    mem_free(conn);
    return NULL;
}

struct transport_told conn_transport_told(void)
{
    return (struct transport_told){conn_handshake_done, on_transport_closed};
}

/* A proxy's header stands before TLS, so its transport is a plain one at first. */
static int open_transport(struct conn *conn, int fd, const struct conn_entry *entry)
{
    if (!entry->opener || conn_is_of_proxy(conn, entry)) {
        return transport_plain_open(&conn->transport, conn->set->loop, fd, on_transport_closed);
    }
    const struct transport_told told = conn_transport_told();
    conn->is_tls = true;
    conn_handshake_begin(conn, entry);
    return entry->opener->open(entry->opener, &conn->transport, fd, &told);
}

/* False: the connection is ending. */
static bool begin(struct conn *conn, const struct conn_entry *entry)
{
    if (conn_is_of_proxy(conn, entry)) {
        return conn_proxy_begin(conn, entry);
    }
    if (!entry->opener) {
        conn->protocol = entry->protocols[0];
        return conn_open_protocol(conn);
    }
    return true; /* the transport will say when */
}

struct conn *conn_create_by(struct conn_set *set, int fd, const struct conn_entry *entry)
{
    struct conn *conn = make_conn(set);
    if (!conn) {
        return refuse(set, fd, NULL, CLOSE_OUT_OF_MEMORY);
    }
    read_peer(conn, fd);
    int result = open_transport(conn, fd, entry);
    if (result < 0) {
        bool is_memory = result == -ENOMEM;
        return refuse(set, fd, conn, is_memory ? CLOSE_OUT_OF_MEMORY : CLOSE_SYSTEM_ERROR);
    }
    join_set(conn);
    return begin(conn, entry) ? conn : NULL;
}

struct conn *conn_create(struct conn_set *set, int fd, const struct protocol *protocol)
{
    const struct conn_entry plain = {.protocols = &protocol, .protocol_count = 1};
    return conn_create_by(set, fd, &plain);
}
