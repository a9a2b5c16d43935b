/* bench/load/client_h2.c — closed loop over HTTP/2: on each connection `depth` streams, each followed
 * by the next when its answer is complete. Status and length of every answer are checked, a stream or
 * a connection that ends otherwise ends the program. (A server may allow less streams at once: then
 * the rest wait here.) Windows are as large as a browser's. See client.h. */
#include "client.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

enum {
    MAX_EVENTS = 64,
    MAX_FIELDS = 32,
    NAME_BYTES = 64,
    BUFFER_BYTES = 256 * 1024,
    STALL_MS = 10000,
    STREAM_WINDOW = 6 << 20,
    CONNECTION_WINDOW = 15 << 20
};

struct fields {
    nghttp2_nv list[MAX_FIELDS];
    size_t count;
};

struct h2_load;
struct stream;

struct h2_conn {
    struct h2_load *load;
    struct stream *streams; /* `depth` of them */
    bool has_asked;
    struct link link;
    nghttp2_session *session;
    size_t out_len, out_sent;
    bool is_waiting; /* for room in the socket */
    char out[BUFFER_BYTES];
};

struct stream {
    struct h2_conn *conn;
    const struct request *due;
    unsigned index; /* of the request */
    int status;
    int64_t body_bytes;
    uint64_t since;
};

struct h2_load {
    const struct options *options;
    int epoll;
    struct h2_conn *conns;
    struct fields fields[MAX_REQUESTS];
    bool is_measuring, has_kept;
    uint64_t requests, bytes; /* measured */
    uint64_t sent, answered;  /* in all   */
    struct histogram latency;
};

static void need_ok(int64_t result, const char *what)
{
    if (result < 0) {
        fail_with("%s: %s", what, nghttp2_strerror((int)result));
    }
}

/* ---- requests ---- */

static void add_field(struct fields *fields, const char *name, size_t name_len, const char *value,
                      size_t value_len)
{
    char *lower = need(calloc(1, NAME_BYTES));
    if (fields->count == MAX_FIELDS || name_len >= NAME_BYTES) {
        fail_with("a request with many or long fields");
    }
    for (size_t i = 0; i < name_len; i++) {
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    }
    char *copy = need(strndup(value, value_len));
    fields->list[fields->count++] =
        (nghttp2_nv){(uint8_t *)lower, (uint8_t *)copy, name_len, value_len, NGHTTP2_NV_FLAG_NONE};
}

/* RFC 9113 §8.3.1: from what HTTP/1.1 would send, a request line and fields. */
static void read_fields(struct fields *fields, const struct request *request, bool is_tls)
{
    char *text = need(strndup(request->bytes, request->len));
    size_t method_len = strcspn(text, " ");
    const char *path = text + method_len + 1;
    add_field(fields, ":method", 7, text, method_len);
    add_field(fields, ":scheme", 7, is_tls ? "https" : "http", is_tls ? 5 : 4);
    add_field(fields, ":path", 5, path, strcspn(path, " "));
    for (char *line = strstr(text, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
        size_t name_len = strcspn(line, ":");
        const char *value = line + name_len + 2;
        bool is_host = strncasecmp(line, "host", name_len) == 0;
        add_field(fields, is_host ? ":authority" : line, is_host ? 10 : name_len, value,
                  strcspn(value, "\r"));
    }
    free(text);
}

static void ask(struct stream *stream)
{
    struct h2_conn *conn = stream->conn;
    struct h2_load *load = conn->load;
    const struct fields *fields = &load->fields[stream->index];
    stream->due = &load->options->requests[stream->index];
    stream->index = (stream->index + 1) % load->options->request_count;
    stream->status = 0;
    stream->body_bytes = 0;
    stream->since = now_ns();
    load->sent++;
    need_ok(nghttp2_submit_request(conn->session, NULL, fields->list, fields->count, NULL, stream),
            "a request");
}

/* ---- answers ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    (void)flags, (void)arg, (void)value_len;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream && name_len == 7 && memcmp(name, ":status", 7) == 0) {
        stream->status = (int)strtol((const char *)value, NULL, 10);
    }
    return 0;
}

static bool is_kept(const struct h2_load *load, const struct stream *stream)
{
    return load->options->kept && !load->has_kept && stream == &load->conns[0].streams[0];
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    (void)flags;
    struct h2_load *load = ((struct h2_conn *)arg)->load;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    stream->body_bytes += (int64_t)len;
    if (is_kept(load, stream) && fwrite(data, 1, len, load->options->kept) != len) {
        fail("what is kept");
    }
    return 0;
}

static void check_answer(const struct stream *stream, uint32_t error)
{
    const struct request *due = stream->due;
    if (error != 0) {
        fail_with("a stream ended with %s", nghttp2_http2_strerror(error));
    }
    if (stream->status == 0 || (due->status != 0 && stream->status != due->status)) {
        fail_with("status %d, expected %d", stream->status, due->status);
    }
    if (due->body_bytes >= 0 && stream->body_bytes != due->body_bytes) {
        fail_with("a body of %lld bytes, expected %lld", (long long)stream->body_bytes,
                  (long long)due->body_bytes);
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    struct h2_load *load = ((struct h2_conn *)arg)->load;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    check_answer(stream, error);
    load->has_kept = load->has_kept || is_kept(load, stream);
    load->answered++;
    if (load->is_measuring) {
        load->requests++;
        histogram_add(&load->latency, now_ns() - stream->since);
    }
    ask(stream);
    return 0;
}

/* The first requests wait for the server's SETTINGS, which say how many may be open at once. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct h2_conn *conn = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        fail_with("the server closed a connection early");
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && !conn->has_asked) {
        conn->has_asked = true;
        for (unsigned i = 0; i < conn->load->options->depth; i++) {
            ask(&conn->streams[i]);
        }
    }
    return 0;
}

/* ---- connections ---- */

static void watch(const struct h2_conn *conn, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (conn->is_waiting ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = (void *)conn};
    if (epoll_ctl(conn->load->epoll, operation, conn->link.fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

/* Frames that are ready, side by side; false when there are none. */
static bool fill(struct h2_conn *conn)
{
    conn->out_len = conn->out_sent = 0;
    while (conn->out_len < BUFFER_BYTES / 2) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(conn->session, &bytes);
        need_ok(len, "HTTP/2, sending");
        if (len == 0) {
            break;
        }
        if ((size_t)len > BUFFER_BYTES - conn->out_len) {
            fail_with("a frame of %zd bytes", len);
        }
        memcpy(conn->out + conn->out_len, bytes, (size_t)len);
        conn->out_len += (size_t)len;
    }
    return conn->out_len > 0;
}

static void flush(struct h2_conn *conn)
{
    bool was_waiting = conn->is_waiting;
    conn->is_waiting = false;
    while (conn->out_sent < conn->out_len || fill(conn)) {
        ssize_t put =
            link_send(&conn->link, conn->out + conn->out_sent, conn->out_len - conn->out_sent);
        if (put < 0 && errno != EAGAIN) {
            fail("send");
        }
        if (put < 0) {
            conn->is_waiting = true;
            break;
        }
        conn->out_sent += (size_t)put;
    }
    if (conn->is_waiting != was_waiting) {
        watch(conn, EPOLL_CTL_MOD);
    }
}

static void on_readable(struct h2_conn *conn)
{
    static char buffer[BUFFER_BYTES];
    do {
        ssize_t got = link_recv(&conn->link, buffer, sizeof buffer);
        if (got == 0) {
            fail_with("the server closed a connection early");
        }
        if (got < 0 && errno != EAGAIN) {
            fail("recv");
        }
        if (got < 0) {
            break;
        }
        conn->load->bytes += conn->load->is_measuring ? (uint64_t)got : 0;
        need_ok(nghttp2_session_mem_recv(conn->session, (const uint8_t *)buffer, (size_t)got),
                "HTTP/2, receiving");
    } while (link_has_more(&conn->link));
    flush(conn);
}

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *made;
    need_ok(nghttp2_session_callbacks_new(&made), "HTTP/2");
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    return made;
}

static void open_conn(struct h2_load *load, struct h2_conn *conn,
                      const nghttp2_session_callbacks *made)
{
    const struct options *options = load->options;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };
    conn->load = load;
    link_connect(&conn->link, options);
    link_shake_all(&conn->link);
    need_ok(nghttp2_session_client_new(&conn->session, made, conn), "HTTP/2");
    need_ok(nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
                                    sizeof settings / sizeof *settings),
            "SETTINGS");
    need_ok(nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                                  CONNECTION_WINDOW),
            "WINDOW_UPDATE");
    conn->streams = need(calloc(options->depth, sizeof *conn->streams));
    for (unsigned i = 0; i < options->depth; i++) {
        conn->streams[i] = (struct stream){.conn = conn, .index = i % options->request_count};
    }
    watch(conn, EPOLL_CTL_ADD);
    flush(conn);
    if (link_has_more(&conn->link)) { /* read with the handshake's last bytes */
        on_readable(conn);
    }
}

/* ---- the loop ---- */

static void turn(struct h2_load *load)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(load->epoll, events, MAX_EVENTS, STALL_MS);
    if (count == 0) {
        fail_with("no answer for %d s", STALL_MS / 1000);
    }
    for (int i = 0; i < count; i++) {
        struct h2_conn *conn = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            flush(conn);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            on_readable(conn);
        }
    }
}

static void run_for(struct h2_load *load, double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t enough = load->answered + load->options->connections * load->options->depth;
    while (now_ns() < until || load->answered < enough) {
        turn(load);
    }
}

void run_h2(const struct options *options)
{
    static struct h2_load load; /* large */
    load.options = options;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.conns = need(calloc(options->connections, sizeof *load.conns));
    for (unsigned i = 0; i < options->request_count; i++) {
        read_fields(&load.fields[i], &options->requests[i], options->tls != 0);
    }
    nghttp2_session_callbacks *made = callbacks();
    for (unsigned i = 0; i < options->connections; i++) {
        open_conn(&load, &load.conns[i], made);
    }
    nghttp2_session_callbacks_del(made);
    run_for(&load, warm_up_of(options));

    load.is_measuring = true;
    uint64_t begin = now_ns(), cpu_begin = cpu_ns_of(options);
    run_for(&load, options->seconds);
    uint64_t cpu = cpu_ns_of(options) - cpu_begin, took = now_ns() - begin;
    print_measured(&(struct measured){.requests = load.requests,
                                      .sent = load.sent,
                                      .bytes = load.bytes,
                                      .took_ns = took,
                                      .cpu_ns = cpu},
                   &load.latency);
}
