/* h2/h2_request.c — from a whole header block to a dispatched exchange. On the loop, inside of
 * frames_receive(). The room frames has judged what RFC 9113 §8.3 says of pseudo-fields, §8.2 of names,
 * and §8.1.1 of lengths: such streams never come here. What is judged here ends in a status, because where the next
 * request begins is never in doubt. */
#include "base/check.h"
#include "http/connection_options.h"
#include "http/status.h"

#include "h2/h2_head.h"
#include "h2/h2_session.h"

enum { VERSION = 20, SETTINGS_MS = 10 * 1000 };

/* ---- filling in ------------------------------------------------------------------------------ */

static void fill_request(struct h2_stream *stream, const struct h2_head *head,
                         struct request *request)
{
    const struct conn *conn = stream->session->conn;
    request->head = span_make(head->bytes, head->len);
    request->method_name = head->method.ptr ? head->method : SPAN("");
    request->method = method_of(request->method_name);
    request->raw_target = head->path.ptr ? head->path : head->authority;
    request->fields = (struct fields *)(uintptr_t)&head->fields;
    request->version = VERSION;
    request->peer = &conn->peer;
    request->tls.transport = conn->is_tls ? &conn->transport : NULL;
    request->terminated = REQUEST_VIEW_METHOD | REQUEST_VIEW_TARGET;
    if (!request->raw_target.ptr) {
        request->raw_target = SPAN("");
    }
    if (head->protocol.ptr) {
        /* RFC 8441 §4: the same handshake as HTTP/1.1's GET with Upgrade, and so handlers see it. */
        request->method = METHOD_GET;
        request->method_name = method_name(METHOD_GET);
        request->connect_protocol = head->protocol;
        stream->is_tunnel = true;
    }
}

/* Where the body ends is the frames' affair (RFC 9113 §8.1), which are held to Content-Length. */
static void take_framing(struct h2_stream *stream, struct request *request,
                         const struct framing *framing, bool end_stream)
{
    bool is_empty = request->fields && fields_has(request->fields, FIELD_CONTENT_LENGTH) &&
                    framing->body == FRAMING_NO_BODY;
    bool has_body = !end_stream && !is_empty && request->method != METHOD_CONNECT;
    stream->input_ended = end_stream;
    if (stream->is_tunnel) {
        stream->body_state = H2_BODY_UNREAD;
        return;
    }
    stream->body_state = has_body ? H2_BODY_UNREAD : H2_BODY_DONE;
    if (has_body) {
        request->content_length = framing->body == FRAMING_LENGTH ? (int64_t)framing->length : -1;
        request->expects_continue = expectation_of(VERSION, request->fields) == EXPECT_CONTINUE;
        stream->waits_for_continue = request->expects_continue;
    }
}

static void terminate_path(struct request *request)
{
    const struct span *path = &request->target.path;
    const struct span *raw = &request->raw_target;
    if (path->ptr && path->ptr + path->len == raw->ptr + raw->len) {
        request->terminated |= REQUEST_VIEW_PATH;
    }
}

/* ---- judging: 0, or the status to answer with ------------------------------------------------ */

static int judge_sizes(struct h2_driver *driver, const struct h2_head *head)
{
    int status = 0;
    if (head->is_too_large) {
        status = STATUS_FIELDS_TOO_LARGE;
    } else if (head->path.len > driver->options.limits->max_target_bytes) {
        status = STATUS_URI_TOO_LONG;
    }
    if (status != 0) {
        counter_add(&driver->counters.heads_too_large, 1);
    }
    return status;
}

/* RFC 9110 §4.2, §4.3.1: only http and https have paths of ours, and of these the room frames has found that
 * :path is a path, or "*" of OPTIONS. */
static bool is_our_target(const struct h2_head *head, const struct request *request)
{
    return request->method == METHOD_CONNECT || span_equal_nocase(head->scheme, SPAN("http")) ||
           span_equal_nocase(head->scheme, SPAN("https"));
}

static int judge_target(struct h2_driver *driver, const struct h2_head *head,
                        struct exchange *exchange)
{
    struct request *request = &exchange->request;
    int rc = GALLEY_EPROTO;
    if (is_our_target(head, request)) {
        rc = target_parse(request->raw_target, request->method, &exchange->arena, &request->target);
    }
    if (rc == GALLEY_ENOMEM) {
        counter_add(&driver->counters.out_of_memory, 1);
        return STATUS_SERVICE_UNAVAILABLE;
    }
    if (rc != GALLEY_OK) {
        counter_add(&driver->counters.bad_targets, 1);
        return STATUS_BAD_REQUEST;
    }
    DEBUG_CHECK(request->target.form != TARGET_ABSOLUTE); /* which is HTTP/1's */
    terminate_path(request);
    return 0;
}

static int judge(struct h2_stream *stream, const struct h2_head *head, struct exchange *exchange,
                 bool end_stream)
{
    struct h2_driver *driver = stream->driver;
    struct request *request = &exchange->request;
    int status = judge_sizes(driver, head);
    if (status != 0) {
        return status;
    }
    struct framing framing = framing_judge(VERSION, request->method, request->fields);
    if (framing.reason != FRAMING_REASON_NONE) {
        counter_add(&driver->counters.misframed[framing.reason], 1);
        return framing_reason_status(framing.reason);
    }
    take_framing(stream, request, &framing, end_stream);
    if (stream->is_tunnel && !span_equal(head->protocol, SPAN("websocket"))) {
        return STATUS_NOT_IMPLEMENTED; /* RFC 9220 §3: of a protocol that is not known */
    }
    return judge_target(driver, head, exchange);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static struct exchange *create_exchange(struct h2_stream *stream)
{
    struct h2_driver *driver = stream->driver;
    struct exchange *exchange =
        exchange_create(driver->exchanges, &driver->exchange_driver, stream);
    if (exchange) {
        exchange->released = h2_stream_released;
        stream->exchange = exchange;
        stream->has_exchange = true;
        h2_stream_ref(stream);
    }
    return exchange;
}

/* What is still in progress outlives the head it lies in. */
static void retain(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    if (!exchange || exchange->is_retained || exchange_retain(exchange) == GALLEY_OK) {
        return;
    }
    counter_add(&stream->driver->counters.out_of_memory, 1);
    exchange_forget_head(exchange);
    h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
}

static void begin(struct h2_stream *stream, struct h2_head *head, bool end_stream)
{
    struct exchange *exchange = create_exchange(stream);
    if (!exchange) {
        counter_add(&stream->driver->counters.out_of_memory, 1);
        h2_stream_reset(stream, FRAMES_INTERNAL_ERROR);
        return;
    }
    fill_request(stream, head, &exchange->request);
    exchange_show_head(exchange);
    int status = judge(stream, head, exchange, end_stream);
    if (status != 0) {
        stream->input_ended |= end_stream;
        exchange_reject(exchange, status);
    } else {
        exchange_dispatch(exchange);
    }
    retain(stream);
}

static void count_request(struct h2_session *session)
{
    struct h2_driver *driver = session->driver;
    counter_add(&driver->counters.requests, 1);
    h2_guard_request(session);
    session->conn->requests++;
    uint32_t max = driver->options.max_requests;
    if (max != 0 && session->conn->requests >= max && session->drain == H2_DRAIN_NONE) {
        counter_add(&driver->counters.request_limits, 1);
        h2_drain_begin(session, CLOSE_REQUEST_LIMIT);
    }
}

/* RFC 9113 §5.1.2; and L2: a handler whose stream was reset still runs, and counts. */
static bool is_one_too_many(const struct h2_session *session)
{
    return session->open_streams + session->abandoned >= session->driver->options.max_streams;
}

/* RFC 9113 §5.1.2, §6.5.3: the client has acknowledged our limit, or has had the time to, and its own
 * streams alone are too many; of handlers that still run without a stream it cannot know. */
static bool could_have_known(const struct h2_session *session)
{
    int64_t passed_ms = loop_now_ms(conn_loop(session->conn)) - session->opened_ms;
    bool knows_limit = session->frames.settings_acked || passed_ms >= SETTINGS_MS;
    return knows_limit && session->open_streams >= session->driver->options.max_streams;
}

static bool refuse(struct h2_session *session, int32_t id, uint32_t code)
{
    if (frames_refuse(&session->frames, id, code) == GALLEY_OK) {
        return true;
    }
    h2_out_of_memory(session);
    return false;
}

static bool refuse_more(struct h2_session *session, int32_t id)
{
    counter_add(&session->driver->counters.refused_streams, 1);
    return refuse(session, id, FRAMES_REFUSED_STREAM) &&
           (!could_have_known(session) || h2_guard_charge(session, H2_GUARD_REFUSED));
}

static bool take(struct h2_session *session, struct h2_head *head, int32_t id, bool end_stream)
{
    struct h2_stream *stream = h2_stream_create(session);
    if (!stream) {
        counter_add(&session->driver->counters.out_of_memory, 1);
        return refuse(session, id, FRAMES_INTERNAL_ERROR);
    }
    h2_stream_ref(stream);
    frames_stream_open(&session->frames, &stream->frames, id, end_stream);
    begin(stream, head, end_stream);
    h2_stream_unref(stream);
    return true;
}

bool h2_request_begin(struct h2_session *session, int32_t id, bool end_stream)
{
    struct h2_head *head = session->head;
    CHECK(head && session->head_id == id);
    session->head = NULL;
    bool goes_on = true;
    if (!h2_head_finish(head)) {
        counter_add(&session->driver->counters.malformed, 1);
        goes_on = refuse(session, id, FRAMES_PROTOCOL_ERROR);
    } else if (is_one_too_many(session)) {
        goes_on = refuse_more(session, id);
    } else {
        count_request(session);
        goes_on = take(session, head, id, end_stream);
    }
    h2_head_give_back(session->driver, head);
    return goes_on;
}
