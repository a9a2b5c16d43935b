/* h1/h1_driver.c — the driver, its sessions, and the table of functions that connections call; see
 * h1_driver.h. On the loop. */
#include "h1/h1_driver.h"

#include "base/alloc.h"
#include "base/check.h"

#include "h1/h1_session.h"

enum { MAX_OUT_BYTES = 256 * 1024, MAX_FREE_SESSIONS = 64 };

/* ---- sessions -------------------------------------------------------------------------------- */

static struct h1_session *take_session(struct h1_driver *driver)
{
    struct list *link = list_pop_front(&driver->free_sessions);
    if (!link) {
        return mem_alloc(sizeof(struct h1_session));
    }
    driver->free_count--;
    return CONTAINER_OF(link, struct h1_session, link);
}

struct h1_session *h1_session_get(struct conn *conn)
{
    struct h1_driver *driver = h1_driver_of(conn);
    struct h1_session *session = conn->session;
    if (session) {
        return session;
    }
    session = take_session(driver);
    if (!session) {
        counter_add(&driver->counters.out_of_memory, 1);
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        return NULL;
    }
    mem_clear(session, sizeof *session);
    session->conn = conn;
    session->driver = driver;
    list_init(&session->link);
    buf_init(&session->pending, 0);
    h1_parser_init(&session->parser);
    conn->session = session;
    return session;
}

void h1_session_release(struct h1_session *session)
{
    struct h1_driver *driver = session->driver;
    DEBUG_CHECK(!session->exchange);
    session->conn->session = NULL;
    buf_finish(&session->pending);
    list_remove(&session->link);
    if (driver->free_count >= MAX_FREE_SESSIONS) {
        mem_free(session);
        return;
    }
    list_push_front(&driver->free_sessions, &session->link);
    driver->free_count++;
}

/* ---- what connections call (conn/protocol.h) ------------------------------------------------- */

static int open_conn(struct conn *conn)
{
    conn->session = NULL; /* nothing to remember before the first byte */
    return GALLEY_OK;
}

static void received(struct conn *conn, char *data, size_t len)
{
    struct h1_session *session = h1_session_get(conn);
    if (!session) {
        return;
    }
    bool is_in_place = session->pending.len == 0;
    size_t used = is_in_place ? h1_work(session, data, len) : 0;
    if (used < len && !conn_is_ending(conn)) {
        buf_append(&session->pending, data + used, len - used);
    }
    if (session->pending.failed) {
        counter_add(&h1_driver_of(conn)->counters.out_of_memory, 1);
        conn_close(conn, CLOSE_OUT_OF_MEMORY, true);
        h1_settle(conn);
    } else if (is_in_place) {
        h1_settle(conn);
    } else {
        h1_go_on(session);
    }
}

/* RFC 9112 §9.6: a client may close its side and still wait for answers. */
static void input_ended(struct conn *conn)
{
    struct h1_session *session = conn->session;
    if (session) {
        h1_body_input_ended(session);
    }
    h1_settle(conn);
}

static void sent(struct conn *conn)
{
    struct h1_session *session = conn->session;
    bool was_sending = conn->state == CONN_SENDING;
    if (session && session->exchange && session->has_answered) {
        h1_answer_sent(session);
        session = conn->session;
    }
    if (conn_is_ending(conn)) {
        return;
    }
    if (session) {
        h1_go_on(session);
    } else {
        h1_settle(conn);
    }
    if (was_sending && conn->state == CONN_SENDING && !conn->close_after_send) {
        conn_enter(conn, CONN_SENDING); /* new output: its time begins now */
    }
}

static void deadline(struct conn *conn)
{
    struct h1_session *session = NULL;
    switch (conn->state) {
    case CONN_FIRST:
    case CONN_HEAD:
        session = h1_session_get(conn);
        if (session) {
            h1_reject(session, 408, CLOSE_HEAD_TIMEOUT);
        }
        break;
    case CONN_BODY:
        session = conn->session;
        if (session && session->body == H1_BODY_READING) {
            h1_body_fail(session, 408, CLOSE_BODY_TIMEOUT);
            h1_settle(conn); /* its reader may need time to answer */
        } else {
            bool is_cut = conn_has_output(conn) || (session && h1_is_answering(session));
            conn_close(conn, CLOSE_BODY_TIMEOUT, is_cut);
        }
        break;
    case CONN_SENDING:
        conn_close(conn, CLOSE_SEND_TIMEOUT, true); /* a cut answer must not look whole */
        break;
    default:
        conn_close(conn, CLOSE_IDLE_TIMEOUT, false);
        break;
    }
}

static void drain(struct conn *conn)
{
    h1_settle(
        conn); /* answers from now on say close; without one in the making it ends when all is sent */
}

static void give_up_exchange(struct h1_session *session, uint64_t unsent_bytes)
{
    struct exchange *exchange = session->exchange;
    session->exchange = NULL;
    uint64_t sent_bytes = exchange->bytes_sent;
    exchange->bytes_sent = sent_bytes > unsent_bytes ? sent_bytes - unsent_bytes : 0;
    if (session->answer_ended) {
        exchange_end(exchange, session->driver->exchanges);
    } else {
        exchange_client_gone(exchange);
    }
}

static void closed(struct conn *conn)
{
    struct h1_session *session = conn->session;
    if (!session) {
        return;
    }
    uint64_t unsent_bytes = conn->out.bytes;
    chain_clear(&conn->out);
    if (session->exchange) {
        give_up_exchange(session, unsent_bytes);
    }
    h1_session_release(session);
}

/* ---- the driver ------------------------------------------------------------------------------ */

static void go_on_waiting(struct loop_post *post)
{
    struct h1_driver *driver = CONTAINER_OF(post, struct h1_driver, go_on);
    driver->is_posted = false;
    struct list *link;
    while ((link = list_pop_front(&driver->waiting)) != NULL) {
        h1_go_on(CONTAINER_OF(link, struct h1_session, link));
    }
}

static void make_server_line(struct h1_driver *driver)
{
    struct span name = span_of(driver->services->server_name);
    struct h1_writer writer;
    h1_writer_init(&writer, driver->server_line, sizeof driver->server_line);
    if (name.ptr) {
        h1_write_field(&writer, SPAN("Server"), name);
    }
    driver->server_line_len = writer.fault == H1_WRITE_OK ? writer.len : 0;
}

static void fill_tables(struct h1_driver *driver)
{
    driver->protocol = (struct protocol){
        .name = "http/1.1",
        .ctx = driver,
        .open = open_conn,
        .received = received,
        .input_ended = input_ended,
        .sent = sent,
        .deadline = deadline,
        .drain = drain,
        .closed = closed,
    };
    driver->exchange_driver = (struct exchange_driver){
        .respond = h1_respond,
        .read_body = h1_read_body,
        .resume_body = h1_resume_body,
        .pieces = h1_pieces,
        .abort = h1_abort,
        .give_up = h1_give_up,
        .interim = h1_interim,
    };
}

struct h1_driver *h1_driver_create(struct exchange_pool *exchanges,
                                   const struct h1_options *options)
{
    uint32_t max_fields = options->limits->max_fields;
    struct h1_driver *driver =
        mem_alloc_zero(1, sizeof *driver + max_fields * sizeof driver->entries[0]);
    if (!driver) {
        return NULL;
    }
    driver->exchanges = exchanges;
    driver->services = exchanges->services;
    driver->limits = options->limits;
    driver->max_requests = options->max_requests ? options->max_requests : UINT32_MAX;
    driver->max_out_bytes = options->max_out_bytes ? options->max_out_bytes : MAX_OUT_BYTES;
    driver->go_on.run = go_on_waiting;
    list_init(&driver->waiting);
    list_init(&driver->free_sessions);
    fields_init(&driver->fields, driver->entries, max_fields);
    make_server_line(driver);
    fill_tables(driver);
    return driver;
}

/* What is received grows by doubling, and reading goes on while there is less than a whole head. */
void h1_driver_memory(const struct h1_options *options, uint32_t max_pending_in,
                      struct h1_memory *memory)
{
    uint64_t session = mem_cost(sizeof(struct h1_session));
    uint64_t fields = (uint64_t)options->limits->max_fields * sizeof(struct field);
    uint64_t room = options->limits->max_head_bytes + UINT64_C(1);
    uint64_t out = options->max_out_bytes ? options->max_out_bytes : MAX_OUT_BYTES;
    room = room > max_pending_in ? room : max_pending_in;
    *memory = (struct h1_memory){
        .driver_bytes = mem_cost(sizeof(struct h1_driver) + fields) + MAX_FREE_SESSIONS * session,
        .input_bytes = session + mem_cost(2 * (room + max_pending_in)),
        .output_bytes = chain_most_bytes(out),
    };
}

void h1_driver_destroy(struct h1_driver *driver)
{
    if (!driver) {
        return;
    }
    CHECK(!driver->is_posted && !driver->working);
    struct list *link;
    while ((link = list_pop_front(&driver->free_sessions)) != NULL) {
        mem_free(CONTAINER_OF(link, struct h1_session, link));
    }
    mem_free(driver);
}

const struct protocol *h1_driver_protocol(const struct h1_driver *driver)
{
    return &driver->protocol;
}

const struct h1_counters *h1_driver_counters(const struct h1_driver *driver)
{
    return &driver->counters;
}
