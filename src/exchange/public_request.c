/* exchange/public_request.c — galley_req_*, galley_alloc and friends: what a handler reads. On the
 * handler's thread.
 *
 * Views must end in a NUL. Those that lie in the head get it written over the separator behind
 * them, once the parser is through with it; a path before its query, and parameters inside a path,
 * are copied when they are first asked for. */
#include "http/fields.h"

#include "exchange/exchange.h"
#include "exchange/exchange_steps.h"
#include "exchange/public_str.h"

#include <stdarg.h>

static const galley_str nothing = {NULL, 0};

/* In builds with checks: not for threads that the exchange does not belong to. */
static bool may_use(const galley_request *rq, const char *call)
{
    return rq && (!DEBUG_BUILD || owner_is_caller(exchange_of_request(rq), call));
}

static bool is_in_head(const struct request *request, struct span view)
{
    uintptr_t start = (uintptr_t)request->head.ptr;
    uintptr_t end = (uintptr_t)view.ptr + view.len; /* where the NUL goes: inside, too */
    return request->head.ptr && (uintptr_t)view.ptr >= start && end < start + request->head.len;
}

/* Put a NUL behind a view; behind it stands a separator that nobody reads again, or it is
 * copied. */
static struct span end_in_nul(struct exchange *exchange, struct span view)
{
    if (!view.ptr || !is_in_head(&exchange->request, view)) {
        return view.ptr ? arena_copy(&exchange->arena, view) : view;
    }
    char *end = (char *)(uintptr_t)view.ptr + view.len; /* the driver's buffer is writable */
    if (*end != '\0') {
        *end = '\0';
    }
    return view;
}

/* The same for a view that is kept: the work is done once. */
static galley_str keep_terminated(struct exchange *exchange, struct span *view, unsigned bit)
{
    struct request *request = &exchange->request;
    if (!(request->terminated & bit)) {
        struct span ended = end_in_nul(exchange, *view);
        if (view->ptr && !ended.ptr) {
            return nothing;
        }
        *view = ended;
        request->terminated = (uint8_t)(request->terminated | bit);
    }
    return str_of(*view);
}

galley_method galley_req_method(const galley_request *rq)
{
    return may_use(rq, __func__) ? (galley_method)exchange_of_request(rq)->request.method
                                 : GALLEY_OTHER;
}

galley_str galley_req_method_name(const galley_request *rq)
{
    if (!may_use(rq, __func__)) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    return keep_terminated(exchange, &exchange->request.method_name, REQUEST_VIEW_METHOD);
}

galley_str galley_req_path(const galley_request *rq)
{
    if (!may_use(rq, __func__)) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct request *request = &exchange->request;
    /* The '?' behind a path belongs to the target, whose bytes are promised as they came. */
    if (!(request->terminated & REQUEST_VIEW_PATH) && request->target.query.ptr) {
        struct span copy = arena_copy(&exchange->arena, request->target.path);
        if (!copy.ptr) {
            return nothing;
        }
        request->target.path = copy;
        request->terminated |= REQUEST_VIEW_PATH;
    }
    return keep_terminated(exchange, &request->target.path, REQUEST_VIEW_PATH);
}

galley_str galley_req_target(const galley_request *rq)
{
    if (!may_use(rq, __func__)) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    return keep_terminated(exchange, &exchange->request.raw_target, REQUEST_VIEW_TARGET);
}

galley_str galley_req_query(const galley_request *rq)
{
    if (!may_use(rq, __func__)) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    return keep_terminated(exchange, &exchange->request.target.query, REQUEST_VIEW_QUERY);
}

galley_str galley_req_param(const galley_request *rq, const char *name)
{
    if (!may_use(rq, __func__) || !name) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct request *request = &exchange->request;
    unsigned i = 0;
    while (i < request->param_count && !span_equal(request->params[i].name, span_of(name))) {
        i++;
    }
    if (i == request->param_count) {
        return nothing;
    }
    struct request_param *param = &request->params[i];
    if (!(request->params_terminated & (1u << i))) {
        struct span copy = arena_copy(&exchange->arena, param->value);
        if (!copy.ptr) {
            return nothing;
        }
        param->value = copy;
        request->params_terminated = (uint8_t)(request->params_terminated | (1u << i));
    }
    return str_of(param->value);
}

static galley_str single_header(struct exchange *exchange, struct span value)
{
    return str_of(end_in_nul(exchange, value));
}

galley_str galley_req_header(galley_request *rq, const char *name)
{
    if (!may_use(rq, __func__) || !name || !exchange_of_request(rq)->request.fields) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct span value = SPAN_NONE;
    if (fields_join(exchange->request.fields, span_of(name), &exchange->arena, &value) !=
        GALLEY_OK) {
        return nothing;
    }
    return single_header(exchange, value);
}

bool galley_req_next_header(const galley_request *rq, size_t *it, galley_str *name,
                            galley_str *value)
{
    if (!may_use(rq, __func__) || !it || !name || !value || *it > UINT32_MAX) {
        return false;
    }
    struct exchange *exchange = exchange_of_request(rq);
    uint32_t at = (uint32_t)*it;
    const struct fields *fields = exchange->request.fields;
    const struct field *field = fields ? fields_next_any(fields, &at) : NULL;
    if (!field) {
        return false;
    }
    *it = at;
    *name = single_header(exchange, field->name); /* behind it stands the colon */
    *value = single_header(exchange, field->value);
    return true;
}

int galley_req_version(const galley_request *rq)
{
    return may_use(rq, __func__) ? exchange_of_request(rq)->request.version : 0;
}

bool galley_req_is_tls(const galley_request *rq)
{
    return may_use(rq, __func__) && exchange_of_request(rq)->request.tls.transport != NULL;
}

galley_str galley_req_peer(const galley_request *rq)
{
    if (!may_use(rq, __func__) || !exchange_of_request(rq)->request.peer) {
        return nothing;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct request *request = &exchange->request;
    if (!request->peer_text.ptr) {
        char text[ADDRESS_TEXT_MAX];
        size_t len = peer_address_format(text, request->peer);
        request->peer_text = arena_copy(&exchange->arena, span_make(text, len));
    }
    return str_of(request->peer_text);
}

int galley_req_peer_addr(const galley_request *rq, struct sockaddr_storage *addr, socklen_t *len)
{
    if (!rq || !addr || !len || !exchange_of_request(rq)->request.peer) {
        return GALLEY_EINVAL;
    }
    if (!may_use(rq, __func__)) {
        return GALLEY_ESTATE;
    }
    *len = peer_address_to(exchange_of_request(rq)->request.peer, addr);
    return GALLEY_OK;
}

int64_t galley_req_content_length(const galley_request *rq)
{
    return may_use(rq, __func__) ? exchange_of_request(rq)->request.content_length : 0;
}

galley_str galley_req_body(galley_request *rq)
{
    static const char empty[1] = "";
    if (!may_use(rq, __func__)) {
        return nothing;
    }
    struct buf *body = &exchange_of_request(rq)->request.body;
    if (body->len == 0) {
        return (galley_str){empty, 0};
    }
    body->data[body->len] = '\0'; /* buf.c keeps a byte of room for it */
    return str_of(buf_span(body));
}

/* ---- memory and lifetime ---- */

void *galley_alloc(galley_request *rq, size_t size)
{
    return may_use(rq, __func__) ? arena_alloc(&exchange_of_request(rq)->arena, size) : NULL;
}

char *galley_sprintf(galley_request *rq, const char *fmt, ...)
{
    if (!may_use(rq, __func__) || !fmt) {
        return NULL;
    }
    va_list args;
    va_start(args, fmt);
    struct span text = arena_vprintf(&exchange_of_request(rq)->arena, fmt, args);
    va_end(args);
    return (char *)(uintptr_t)text.ptr; /* the arena's memory is writable */
}

int galley_on_end(galley_request *rq, void (*fn)(void *arg), void *arg)
{
    if (!rq || !fn) {
        return GALLEY_EINVAL;
    }
    if (!may_use(rq, __func__)) {
        return GALLEY_ESTATE;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct exchange_end_hook *hook = arena_alloc(&exchange->arena, sizeof *hook);
    if (!hook) {
        return GALLEY_ENOMEM;
    }
    *hook = (struct exchange_end_hook){.next = exchange->end_hooks, .fn = fn, .arg = arg};
    exchange->end_hooks = hook;
    return GALLEY_OK;
}
