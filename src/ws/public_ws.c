/* ws/public_ws.c — galley_ws_*: the handshake in a handler, and what any thread may ask of a
 * socket. */
#include "base/alloc.h"
#include "base/options.h"
#include "base/utf8.h"
#include "exchange/stream.h"

#include "ws/ws.h"
#include "ws/ws_handshake.h"

#include <galley/route.h>

enum {
    DEFAULT_MESSAGE_BYTES = 1024 * 1024,
    DEFAULT_BUFFER_BYTES = 256 * 1024,
    DEFAULT_PING_MS = 30 * 1000,
    DEFAULT_CLOSE_MS = 5 * 1000,
    MAX_REASON_BYTES = 123 /* RFC 6455 §5.5 */
};

/* ---- options --------------------------------------------------------------------------------- */

static const struct options_kind options_kind = {sizeof(galley_ws_options), "WebSocket options",
                                                 "GALLEY_WS_OPTIONS_INIT"};

static int copy_options(galley_ws_options *own, const galley_ws_options *opt)
{
    int rc = options_copy(own, &options_kind, opt, NULL);
    bool is_known = rc == GALLEY_OK && (own->run == GALLEY_ON_POOL || own->run == GALLEY_ON_LOOP);
    return is_known ? GALLEY_OK : GALLEY_EINVAL;
}

static void put_defaults(galley_ws_options *own)
{
    own->max_message_bytes =
        own->max_message_bytes ? own->max_message_bytes : (size_t)DEFAULT_MESSAGE_BYTES;
    own->buffer_bytes = own->buffer_bytes ? own->buffer_bytes : (size_t)DEFAULT_BUFFER_BYTES;
    if (own->buffer_bytes > SIZE_MAX - WS_CONTROL_BYTES) { /* the stream's room is a sum */
        own->buffer_bytes = SIZE_MAX - WS_CONTROL_BYTES;
    }
    own->ping_ms = own->ping_ms ? own->ping_ms : (uint32_t)DEFAULT_PING_MS;
    own->close_timeout_ms =
        own->close_timeout_ms ? own->close_timeout_ms : (uint32_t)DEFAULT_CLOSE_MS;
}

/* ---- the handshake --------------------------------------------------------------------------- */

static struct span header(galley_request *rq, const char *name)
{
    galley_str value = galley_req_header(rq, name);
    return span_make(value.ptr, value.len);
}

static struct ws_offer offer_of(galley_request *rq)
{
    return (struct ws_offer){
        .upgrade = header(rq, "Upgrade"),
        .connection = header(rq, "Connection"),
        .version = header(rq, "Sec-WebSocket-Version"),
        .key = header(rq, "Sec-WebSocket-Key"),
        .protocols = header(rq, "Sec-WebSocket-Protocol"),
        .origin = header(rq, "Origin"),
        .host = header(rq, "Host"),
        .is_http11 = galley_req_version(rq) == 11 && galley_req_method(rq) == GALLEY_GET,
        .is_connect = exchange_of_request(rq)->request.connect_protocol.ptr != NULL,
        .is_tls = galley_req_is_tls(rq),
    };
}

/* RFC 9110 §15.5.22: 426 names what to upgrade to; RFC 6455 §4.4: and the version. */
static int refuse(struct exchange *exchange, int status)
{
    if (status == 426) {
        exchange->response.upgrade = SPAN("websocket");
        int rc = response_set_field(exchange, SPAN("Sec-WebSocket-Version"), SPAN("13"));
        return rc == GALLEY_OK ? status : rc;
    }
    return status;
}

static int prepare_answer(struct exchange *exchange, const struct ws_offer *offer,
                          struct span protocol, struct response_field *fields[2])
{
    int rc = GALLEY_OK;
    if (!offer->is_connect) { /* RFC 8441 §5: the 200 says it all */
        char accept[WS_ACCEPT_BYTES + 1];
        ws_accept_value(offer->key, accept);
        rc = response_prepare_field(exchange, SPAN("Sec-WebSocket-Accept"),
                                    span_make(accept, WS_ACCEPT_BYTES), &fields[0]);
    }
    if (rc == GALLEY_OK && protocol.ptr) {
        rc = response_prepare_field(exchange, SPAN("Sec-WebSocket-Protocol"), protocol, &fields[1]);
    }
    return rc;
}

static int open_stream(struct ws *ws, struct exchange *exchange,
                       struct response_field *const fields[2])
{
    struct stream_options options = {
        .buffer_bytes = ws->options.buffer_bytes + WS_CONTROL_BYTES,
        .hung_up = ws_stream_hung_up,
        .ended = ws_stream_ended,
        .stopping = ws_stream_stopping,
        .arg = ws,
        .fields = {fields[0], fields[1]},
    };
    int rc = exchange_upgrade(exchange, SPAN("websocket"), &options, &ws->stream);
    if (rc == GALLEY_OK) {
        ws_attach(ws, exchange);
    }
    return rc;
}

static int accept_offer(struct exchange *exchange, const struct ws_offer *offer,
                        const galley_ws_options *options, galley_ws **ret)
{
    struct ws_policy policy = {.protocols = span_of(options->protocols)};
    struct span protocol = ws_offer_protocol(offer, &policy);
    struct response_field *fields[2] = {NULL, NULL};
    int rc = prepare_answer(exchange, offer, protocol, fields);
    struct ws *ws = rc == GALLEY_OK ? ws_create(options, protocol) : NULL;
    if (!ws) {
        return rc == GALLEY_OK ? GALLEY_ENOMEM : rc;
    }
    if (options->run == GALLEY_ON_POOL) {
        ws->pool = exchange_handler_pool(exchange);
    }
    galley_ws *name = handle_publish(&ws->handle);
    rc = open_stream(ws, exchange, fields);
    if (rc == GALLEY_OK) {
        *ret = name;
    } else {
        struct handle *last = NULL;
        (void)handle_drop(name, &ws_kind, &last);
        handle_unpin(last);
    }
    handle_unpin(&ws->handle);
    return rc;
}

int galley_ws_accept(galley_request *rq, galley_response *rs, const galley_ws_options *opt,
                     galley_ws **ws)
{
    galley_ws_options options;
    if (!rq || !rs || !opt || !ws || copy_options(&options, opt) != GALLEY_OK) {
        return GALLEY_EINVAL;
    }
    put_defaults(&options);
    struct exchange *exchange = exchange_of_response(rs);
    if (!OWNER_OK(exchange)) {
        return GALLEY_ESTATE;
    }
    struct ws_offer offer = offer_of(rq);
    if (!offer.origin.ptr && request_field(&exchange->request, FIELD_ORIGIN).ptr) {
        return GALLEY_ENOMEM; /* several, not joined: it must not look as if there were none */
    }
    struct ws_policy policy = {.origins = span_of(options.origins)};
    int status = ws_offer_judge(&offer, &policy);
    if (status == 0 && exchange->request.reader) {
        status = 400; /* a body that still comes: what of it would be frames? */
    }
    return status == 0 ? accept_offer(exchange, &offer, &options, ws) : refuse(exchange, status);
}

/* ---- any thread ------------------------------------------------------------------------------ */

static struct ws *find(const galley_ws *name)
{
    struct handle *handle = handle_find(name, &ws_kind);
    return handle ? ws_of(handle) : NULL;
}

static bool is_sendable(int kind, const void *data, size_t len)
{
    if ((kind != GALLEY_WS_TEXT && kind != GALLEY_WS_BINARY) || (!data && len > 0)) {
        return false;
    }
    return kind == GALLEY_WS_BINARY || utf8_is_valid(span_make(data, len));
}

/* Lock held. */
static int send_message(struct ws *ws, int kind, struct span data)
{
    if (ws_codec_is_closing(ws->codec) || ws->failure != 0 || !stream_is_open(ws->stream)) {
        return GALLEY_ECLOSED;
    }
    size_t waiting = stream_waiting(ws->stream);
    size_t most = ws->options.buffer_bytes;
    if (waiting > most || ws_codec_frame_bytes(data.len) > most - waiting) {
        return GALLEY_EFULL;
    }
    int rc = ws_codec_send(ws->codec, kind, data);
    return rc == GALLEY_OK ? ws_flush(ws) : rc;
}

int galley_ws_send(galley_ws *name, int kind, const void *data, size_t len)
{
    if (!name || !is_sendable(kind, data, len)) {
        return GALLEY_EINVAL;
    }
    struct ws *ws = find(name);
    if (!ws) {
        return GALLEY_ESTATE;
    }
    pthread_mutex_lock(&ws->lock);
    int rc = send_message(ws, kind, span_make(data ? data : "", len));
    pthread_mutex_unlock(&ws->lock);
    handle_unpin(&ws->handle);
    return rc;
}

/* RFC 6455 §7.4: codes that an endpoint may send; 1002 is the codec's own. */
static bool is_close_code(int code)
{
    bool is_reserved = code == 1004 || code == 1005 || code == 1006;
    return (code >= 3000 && code <= 4999) ||
           (code >= 1000 && code <= 1011 && !is_reserved && code != 1002);
}

static void close_ws(struct ws *ws, int code, struct span reason)
{
    pthread_mutex_lock(&ws->lock);
    (void)ws_codec_close(ws->codec, code, reason); /* one that is lost needs none */
    (void)ws_flush(ws);
    ws_want(ws, WS_WANTS_TIMER);
    pthread_mutex_unlock(&ws->lock);
}

int galley_ws_close(galley_ws *name, int code, const char *reason)
{
    struct span words = reason ? span_of(reason) : SPAN("");
    if (!name || !is_close_code(code) || words.len > MAX_REASON_BYTES || !utf8_is_valid(words)) {
        return GALLEY_EINVAL;
    }
    struct ws *ws = find(name);
    if (!ws) {
        return GALLEY_ESTATE;
    }
    close_ws(ws, code, words);
    handle_unpin(&ws->handle);
    return GALLEY_OK;
}

galley_str galley_ws_protocol(const galley_ws *name)
{
    struct ws *ws = find(name);
    if (!ws) {
        return (galley_str){NULL, 0};
    }
    galley_str protocol = {ws->protocol.ptr, ws->protocol.len};
    handle_unpin(&ws->handle);
    return protocol;
}

size_t galley_ws_waiting(const galley_ws *name)
{
    struct ws *ws = find(name);
    if (!ws) {
        return 0;
    }
    size_t waiting = stream_waiting(ws->stream);
    handle_unpin(&ws->handle);
    return waiting;
}

galley_ws *galley_ws_ref(galley_ws *name)
{
    return handle_hold(name, &ws_kind) ? name : NULL;
}

void galley_ws_unref(galley_ws *name)
{
    struct handle *last = NULL;
    if (handle_drop(name, &ws_kind, &last) && last) {
        close_ws(ws_of(last), GALLEY_WS_NORMAL, SPAN(""));
        handle_unpin(last);
    }
}
