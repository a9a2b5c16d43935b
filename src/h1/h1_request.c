/* h1/h1_request.c — from the bytes of a head to a dispatched exchange. On the loop.
 * Order of judgement: syntax (wire), framing (http/framing.h), target, and only then method and
 * route, which are the dispatcher's. Whatever is refused here ends the connection, because where
 * the next request begins is not sure. */
#include "base/check.h"
#include "http/target.h"

#include "h1/h1_session.h"

static void fill_connection(struct h1_session *session, struct request *request)
{
    request->peer = &session->conn->peer;
    request->tls.transport = session->conn->is_tls ? &session->conn->transport : NULL;
}

static struct exchange *create_exchange(struct h1_session *session)
{
    struct h1_driver *driver = session->driver;
    struct exchange *exchange =
        exchange_create(driver->exchanges, &driver->exchange_driver, session);
    if (!exchange) {
        counter_add(&driver->counters.out_of_memory, 1);
        conn_close(session->conn, CLOSE_OUT_OF_MEMORY, true);
        return NULL;
    }
    session->exchange = exchange;
    session->has_answered = false;
    session->answer_ended = false;
    session->end_reason = CLOSE_NONE;
    fill_connection(session, &exchange->request);
    return exchange;
}

/* A request whose head could not be read: the log still gets a line. */
static struct exchange *create_headless(struct h1_session *session)
{
    struct exchange *exchange = create_exchange(session);
    if (exchange) {
        fields_clear(&session->driver->fields);
        exchange->request.fields = &session->driver->fields;
        exchange->request.version = 11;
        session->body = H1_BODY_DONE;
        session->client_keeps_alive = false;
    }
    return exchange;
}

void h1_reject(struct h1_session *session, int status, enum close_reason reason)
{
    DEBUG_CHECK(!session->exchange || !session->has_answered);
    struct exchange *exchange = session->exchange ? session->exchange : create_headless(session);
    if (exchange) {
        session->end_reason = (uint8_t)reason;
        exchange_reject(exchange, status);
    }
}

static void refuse(struct h1_session *session, enum h1_error error)
{
    counter_add(&session->driver->counters.refused[error], 1);
    h1_reject(session, h1_error_status(error), CLOSE_BAD_REQUEST);
}

static void fill_request(struct h1_session *session, struct request *request, char *data,
                         const struct h1_head *head)
{
    request->head = span_make(data, head->len);
    request->method = head->method;
    request->method_name = head->method_name;
    request->raw_target = head->target;
    request->fields = &session->driver->fields;
    request->version = (uint8_t)head->version;
}

static void take_framing(struct h1_session *session, struct request *request,
                         const struct framing *framing)
{
    /* RFC 9110 §9.3.6: behind CONNECT may come what belongs into the tunnel that nobody opens. */
    session->client_keeps_alive = framing->wants_keep_alive && request->method != METHOD_CONNECT;
    session->waits_for_continue = framing->wants_continue;
    session->body = framing->body == FRAMING_NO_BODY ? H1_BODY_DONE : H1_BODY_UNREAD;
    session->body_is_chunked = framing->body == FRAMING_CHUNKED;
    session->body_left = framing->body == FRAMING_LENGTH ? framing->length : 0;
    session->drained_bytes = 0;
    session->body_is_paused = false;
    request->expects_continue = framing->wants_continue;
    request->content_length =
        session->body_is_chunked ? -1 : (int64_t)session->body_left; /* at most 18 digits */
    if (session->body_is_chunked) {
        /* Trailers are judged and dropped: nobody can take them for fields (RFC 9110 §6.5.1). */
        chunked_decoder_init(&session->chunked, NULL);
    }
}

/* The Host of the last request that had another one is remembered, if it is of the usual length. */
static struct framing judge_framing(struct h1_driver *driver, const struct request *request)
{
    struct span known = span_make(driver->known_host, driver->known_host_len);
    struct framing framing =
        framing_judge_again(request->version, request->method, request->fields, known);
    struct span host = fields_get(request->fields, FIELD_HOST);
    bool is_good = framing.reason == FRAMING_REASON_NONE && host.len > 0;
    if (is_good && host.len <= sizeof driver->known_host && !span_equal(host, known)) {
        memcpy(driver->known_host, host.ptr, host.len);
        driver->known_host_len = host.len;
    }
    return framing;
}

/* 0, or the status to answer with. */
static int judge(struct h1_session *session, struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct h1_counters *counters = &session->driver->counters;
    struct framing framing = judge_framing(session->driver, request);
    if (framing.reason != FRAMING_REASON_NONE) {
        counter_add(&counters->misframed[framing.reason], 1);
        session->client_keeps_alive = false;
        session->body = H1_BODY_DONE; /* its end is unknown: never read */
        return framing_reason_status(framing.reason);
    }
    take_framing(session, request, &framing);
    int rc = target_parse(request->raw_target, request->method, &exchange->arena, &request->target);
    if (rc == GALLEY_ENOMEM) {
        counter_add(&counters->out_of_memory, 1);
        return 503;
    }
    if (rc != GALLEY_OK) {
        counter_add(&counters->bad_targets, 1);
        return 400;
    }
    return 0;
}

static void terminate_views(struct request *request, char *data, const struct h1_head *head)
{
    h1_head_terminate(data, head);
    request->terminated = REQUEST_VIEW_METHOD | REQUEST_VIEW_TARGET;
    const struct span *path = &request->target.path;
    if (path->ptr && path->ptr + path->len == head->target.ptr + head->target.len) {
        request->terminated |= REQUEST_VIEW_PATH;
    }
}

static void begin(struct h1_session *session, char *data, const struct h1_head *head)
{
    struct exchange *exchange = create_exchange(session);
    if (!exchange) {
        return;
    }
    counter_add(&session->driver->counters.requests, 1);
    session->conn->requests++;
    fill_request(session, &exchange->request, data, head);
    exchange_show_head(exchange);
    int status = judge(session, exchange);
    terminate_views(&exchange->request, data, head);
    if (status != 0) {
        h1_reject(session, status, status == 503 ? CLOSE_OUT_OF_MEMORY : CLOSE_BAD_REQUEST);
    } else {
        exchange_dispatch(exchange);
    }
}

static void note_beginning(struct h1_session *session, bool had_begun)
{
    if (!had_begun && session->parser.has_begun) {
        session->head_began_ms = loop_now_ms(conn_loop(session->conn));
    }
}

size_t h1_request_read(struct h1_session *session, char *data, size_t len)
{
    struct h1_driver *driver = session->driver;
    struct h1_head head = {.fields = &driver->fields};
    bool had_begun = session->parser.has_begun;
    switch (h1_parser_feed(&session->parser, data, len, driver->limits, &head)) {
    case H1_MORE:
        note_beginning(session, had_begun);
        return 0;
    case H1_DONE:
        h1_parser_init(&session->parser);
        session->input_left = len - head.len;
        begin(session, data, &head);
        return head.len;
    default:
        session->input_left = 0;
        refuse(session, h1_parser_error(&session->parser));
        return len;
    }
}
