/* h2/h2_driver.c — the driver and the tables of functions that connections and exchanges call; see
 * h2_driver.h. On the loop. */
#include "h2/h2_driver.h"

#include "base/alloc.h"
#include "base/check.h"

#include "h2/h2_block.h"
#include "h2/h2_head.h"
#include "h2/h2_lines.h"
#include "h2/h2_session.h"

enum {
    MAX_STREAMS = 100,
    MAX_OUT_BYTES = 128 * 1024,
    STREAM_WINDOW_BYTES = 256 * 1024,
    UNREAD_WINDOW_BYTES = 16 * 1024,
    CONN_WINDOW_BYTES = 1024 * 1024
};

/* ---- what connections call (conn/protocol.h) ------------------------------------------------- */

static void received(struct conn *conn, char *data, size_t len)
{
    h2_session_received(conn->session, data, len);
}

static void cancel_unfinished(struct h2_stream *stream)
{
    if (stream->is_open && !stream->input_ended) {
        h2_stream_reset(stream, FRAMES_CANCEL);
    }
}

/* A client that says nothing more cannot finish what it has begun to send; answers still go to it. */
static void input_ended(struct conn *conn)
{
    struct h2_session *session = conn->session;
    session->is_working = true;
    h2_streams_each(session, cancel_unfinished);
    h2_settle(session);
}

static void sent(struct conn *conn)
{
    bool was_sending = conn->state == CONN_SENDING;
    if (conn_is_ending(conn) || !conn->session) {
        return;
    }
    h2_settle(conn->session);
    if (was_sending && conn->state == CONN_SENDING && !conn->close_after_send) {
        conn_enter(conn, CONN_SENDING); /* new output: its time begins now */
    }
}

static void deadline(struct conn *conn)
{
    struct h2_session *session = conn->session;
    session->is_working = true;
    switch (conn->state) {
    case CONN_FIRST:
    case CONN_HEAD:
        h2_end(session, FRAMES_NO_ERROR, CLOSE_HEAD_TIMEOUT);
        break;
    case CONN_SENDING:
        conn_close(conn, CLOSE_SEND_TIMEOUT, true); /* a cut answer must not look whole */
        break;
    default:
        h2_end(session, FRAMES_NO_ERROR, CLOSE_IDLE_TIMEOUT);
        break;
    }
    h2_settle(session);
}

static void drain(struct conn *conn)
{
    struct h2_session *session = conn->session;
    session->is_working = true;
    h2_drain_begin(session, CLOSE_DRAIN);
    h2_settle(session);
}

static void closed(struct conn *conn)
{
    if (conn->session) {
        h2_session_close(conn->session);
    }
}

/* ---- the driver ------------------------------------------------------------------------------ */

static void go_on(struct loop_post *post)
{
    struct h2_driver *driver = CONTAINER_OF(post, struct h2_driver, go_on);
    driver->is_posted = false;
    struct list now;
    list_init(&now);
    while (!list_is_empty(&driver->dirty)) { /* what becomes dirty meanwhile has the next turn */
        list_push_back(&now, list_pop_front(&driver->dirty));
    }
    struct list *link;
    while ((link = list_pop_front(&now)) != NULL) {
        h2_settle(CONTAINER_OF(link, struct h2_session, link));
    }
}

static void fill_tables(struct h2_driver *driver)
{
    driver->protocol = (struct protocol){
        .name = "h2",
        .ctx = driver,
        .says_goodbye = true,
        .open = h2_session_open,
        .received = received,
        .input_ended = input_ended,
        .sent = sent,
        .deadline = deadline,
        .drain = drain,
        .closed = closed,
    };
    driver->exchange_driver = (struct exchange_driver){
        .respond = h2_respond,
        .read_body = h2_read_body,
        .resume_body = h2_resume_body,
        .pieces = h2_pieces,
        .abort = h2_abort,
        .give_up = h2_give_up,
        .interim = h2_interim,
    };
}

static uint32_t or_default(uint32_t value, uint32_t usual)
{
    return value ? value : usual;
}

static struct h2_options with_defaults(const struct h2_options *options)
{
    struct h2_options own = *options;
    own.max_streams = or_default(own.max_streams, MAX_STREAMS);
    own.max_out_bytes = or_default(own.max_out_bytes, MAX_OUT_BYTES);
    own.stream_window_bytes = or_default(own.stream_window_bytes, STREAM_WINDOW_BYTES);
    own.conn_window_bytes = or_default(own.conn_window_bytes, CONN_WINDOW_BYTES);
    own.unread_window_bytes = or_default(own.unread_window_bytes, UNREAD_WINDOW_BYTES);
    if (own.unread_window_bytes > own.stream_window_bytes) {
        own.unread_window_bytes = own.stream_window_bytes;
    }
    return own;
}

/* What is the same in each answer. */
static void make_lines(struct h2_driver *driver)
{
    struct span server = span_of(driver->services->server_name);
    driver->date_s = INT64_MIN;
    driver->ok_line = hpack_line_make(SPAN(":status"), SPAN("200"), HPACK_INDEX);
    driver->nosniff_line =
        hpack_line_make(SPAN("x-content-type-options"), SPAN("nosniff"), HPACK_INDEX);
    if (server.ptr) {
        driver->server_line = hpack_line_make(SPAN("server"), server, HPACK_INDEX);
    }
}

struct h2_driver *h2_driver_create(struct exchange_pool *exchanges,
                                   const struct h2_options *options)
{
    struct h2_driver *driver = mem_alloc_zero(1, sizeof *driver);
    if (!driver) {
        return NULL;
    }
    driver->exchanges = exchanges;
    driver->services = exchanges->services;
    driver->options = with_defaults(options);
    driver->go_on.run = go_on;
    make_lines(driver);
    list_init(&driver->dirty);
    list_init(&driver->free_heads);
    list_init(&driver->free_streams);
    list_init(&driver->free_blocks);
    fill_tables(driver);
    buf_init(&driver->scratch, 0); /* bounded by what a string may have */
    buf_init(&driver->name, 0);    /* … and by H2_MAX_ANSWER */
    return driver;
}

void h2_driver_destroy(struct h2_driver *driver)
{
    if (!driver) {
        return;
    }
    CHECK(!driver->is_posted && driver->streams == 0);
    h2_lines_finish(driver);
    h2_blocks_finish(driver);
    buf_finish(&driver->scratch);
    buf_finish(&driver->name);
    struct list *link;
    while ((link = list_pop_front(&driver->free_heads)) != NULL) {
        h2_head_free(CONTAINER_OF(link, struct h2_head, link));
    }
    while ((link = list_pop_front(&driver->free_streams)) != NULL) {
        mem_free(CONTAINER_OF(link, struct h2_stream, link));
    }
    mem_free(driver);
}

/* A test counts again: with both HPACK tables full of the smallest entries, and many heads that wait.
 * Buffers that grow may take twice what is in them. */
void h2_driver_memory(const struct h2_options *options, struct h2_memory *memory)
{
    enum { ANSWER_BYTES = 2 * 1024, KEPT_STREAMS = 128 };
    struct h2_options own = with_defaults(options);
    uint64_t stream = mem_cost(sizeof(struct h2_stream));
    uint64_t head = h2_head_bytes(own.limits);
    uint64_t field = 2 * mem_cost(2 * (uint64_t)h2_head_string_bytes(own.limits));
    *memory = (struct h2_memory){
        .driver_bytes = mem_cost(sizeof(struct h2_driver)) + KEPT_STREAMS * stream +
                        h2_heads_kept_bytes(own.limits) + h2_lines_kept_bytes() +
                        h2_blocks_kept_bytes() + field + 2 * mem_cost(H2_MAX_ANSWER),
        .idle_bytes = mem_cost(sizeof(struct h2_session)) + 2 * hpack_most_bytes() +
                      2 * mem_cost(FRAMES_KEPT_BYTES) + mem_cost(sizeof(struct frames_early_list)),
        .input_bytes = 2 * mem_cost(h2_all_windows(&own)) + head + field +
                       own.max_streams * (stream + ANSWER_BYTES),
        .head_bytes = head + field,
        .output_bytes = chain_most_bytes(own.max_out_bytes) + h2_blocks_most_bytes() +
                        2 * mem_cost(H2_MAX_WAITING),
    };
}

uint32_t h2_driver_max_streams(const struct h2_options *options)
{
    return with_defaults(options).max_streams;
}

uint32_t h2_all_windows(const struct h2_options *options)
{
    uint64_t all =
        options->conn_window_bytes + (uint64_t)options->max_streams * options->unread_window_bytes;
    return all < INT32_MAX ? (uint32_t)all : INT32_MAX; /* RFC 9113 §6.9.1 */
}

struct span h2_preface(void)
{
    return frames_preface();
}

const struct protocol *h2_driver_protocol(const struct h2_driver *driver)
{
    return &driver->protocol;
}

const struct h2_counters *h2_driver_counters(const struct h2_driver *driver)
{
    return &driver->counters;
}
