/* exchange/public_stream.c — galley_res_stream() and galley_stream_*: handles (exchange/handles.h)
 * of streams (exchange/stream.h). Any thread. The object behind a handle has a pin for its `closed`
 * callback until that has been called. */
#include "exchange/public_stream.h"

#include "base/alloc.h"
#include "base/options.h"

#include "exchange/exchange_steps.h"
#include "exchange/handles.h"
#include "exchange/stream.h"

#include <string.h>

enum { BUFFER_BYTES = 256 * 1024, HEARTBEAT_MS = 15000 };

struct public_stream {
    struct handle handle;
    struct stream *stream; /* a reference */
    void (*closed)(galley_stream *st, void *arg);
    void *arg;
};

static struct public_stream *of_handle(struct handle *handle)
{
    return CONTAINER_OF(handle, struct public_stream, handle);
}

static void free_object(struct handle *handle)
{
    struct public_stream *object = of_handle(handle);
    stream_unref(object->stream);
    mem_free(object);
}

static const struct handle_kind kind = {.free = free_object};

/* ---- beginning ------------------------------------------------------------------------------- */

static void stream_ended(void *arg)
{
    struct public_stream *object = arg;
    if (object->closed) {
        object->closed(handle_name(&object->handle), object->arg);
    }
    handle_unpin(&object->handle);
}

static const struct options_kind options_kind = {sizeof(galley_stream_options), "stream options",
                                                 "GALLEY_STREAM_OPTIONS_INIT"};

/* False: they make no sense. */
static bool read_options(const galley_stream_options *given, galley_stream_options *options)
{
    if (options_copy(options, &options_kind, given, NULL) != GALLEY_OK) {
        return false;
    }
    if (options->buffer_bytes == 0) {
        options->buffer_bytes = BUFFER_BYTES;
    }
    return true;
}

static const struct span event_stream = {"text/event-stream", 17};

static bool is_event_stream(struct span type)
{
    bool begins_so = type.len >= event_stream.len &&
                     span_equal_nocase(span_make(type.ptr, event_stream.len), event_stream);
    return begins_so &&
           (type.len == event_stream.len || strchr("; \t", type.ptr[event_stream.len]));
}

static uint32_t heartbeat_of(struct span type, uint32_t wanted_ms)
{
    if (wanted_ms == GALLEY_NO_LIMIT || !is_event_stream(type)) {
        return 0;
    }
    return wanted_ms ? wanted_ms : (uint32_t)HEARTBEAT_MS;
}

/* RFC 9111 §5.2.2.5: what is said to one client now is nothing for others later. */
static int prepare_fields(struct exchange *exchange, const char *type,
                          struct response_field *fields[2])
{
    int rc = response_prepare_field(exchange, SPAN("Content-Type"),
                                    type ? span_of(type) : event_stream, &fields[0]);
    if (rc == GALLEY_OK && !type && !response_field(&exchange->response, "Cache-Control").ptr) {
        rc = response_prepare_field(exchange, SPAN("Cache-Control"), SPAN("no-store"), &fields[1]);
    }
    return rc;
}

/* `closed` is not called before the exchange's owner, who is the caller, lets go: the handle need
 * not have its name before. */
static galley_stream *begin(struct exchange *exchange, const galley_stream_options *options,
                            struct response_field *const fields[2])
{
    struct public_stream *object = mem_alloc(sizeof *object);
    if (!object) {
        return NULL;
    }
    *object = (struct public_stream){.closed = options->closed, .arg = options->arg};
    handle_init(&object->handle, &kind); /* the callback's pin */
    const struct stream_options inner = {
        .buffer_bytes = options->buffer_bytes,
        .heartbeat_ms = heartbeat_of(fields[0]->value, options->heartbeat_ms),
        .ended = stream_ended,
        .arg = object,
        .fields = {fields[0], fields[1]},
    };
    object->stream = stream_begin(exchange, &inner);
    if (!object->stream) {
        mem_free(object);
        return NULL;
    }
    return handle_publish(&object->handle);
}

galley_stream *galley_res_stream(galley_response *rs, int status, const char *type,
                                 const galley_stream_options *opt)
{
    galley_stream_options options;
    struct response_field *fields[2] = {NULL, NULL};
    struct exchange *exchange = rs ? exchange_of_response(rs) : NULL;
    if (!exchange || !read_options(opt, &options) ||
        response_claim_body(exchange, status) != GALLEY_OK ||
        prepare_fields(exchange, type, fields) != GALLEY_OK) {
        return NULL;
    }
    int before = exchange->response.status;
    exchange->response.status = status;
    galley_stream *st = begin(exchange, &options, fields);
    if (!st) {
        exchange->response.status = before;
    }
    return st;
}

/* ---- use ------------------------------------------------------------------------------------- */

/* NULL: given up. */
static struct public_stream *find(galley_stream *st)
{
    struct handle *handle = handle_find(st, &kind);
    return handle ? of_handle(handle) : NULL;
}

int public_stream_write(galley_stream *st, const void *data, size_t len)
{
    struct public_stream *object = find(st);
    if (!object) {
        return GALLEY_ESTATE;
    }
    int rc = stream_write(object->stream, data, len);
    handle_unpin(&object->handle);
    return rc;
}

int galley_stream_write(galley_stream *st, const void *data, size_t len)
{
    if (!st || (!data && len > 0)) {
        return GALLEY_EINVAL;
    }
    return public_stream_write(st, data, len);
}

size_t galley_stream_waiting(galley_stream *st)
{
    struct public_stream *object = find(st);
    if (!object) {
        return 0;
    }
    size_t waiting = stream_waiting(object->stream);
    handle_unpin(&object->handle);
    return waiting;
}

bool galley_stream_is_open(galley_stream *st)
{
    struct public_stream *object = find(st);
    if (!object) {
        return false;
    }
    bool is_open = stream_is_open(object->stream);
    handle_unpin(&object->handle);
    return is_open;
}

void galley_stream_close(galley_stream *st)
{
    struct public_stream *object = find(st);
    if (object) {
        stream_close(object->stream);
        handle_unpin(&object->handle);
    }
}

galley_stream *galley_stream_ref(galley_stream *st)
{
    return handle_hold(st, &kind) ? st : NULL;
}

void galley_stream_unref(galley_stream *st)
{
    struct handle *last = NULL;
    if (handle_drop(st, &kind, &last) && last) {
        stream_close(of_handle(last)->stream);
        handle_unpin(last);
    }
}
