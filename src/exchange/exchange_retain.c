/* exchange/exchange_retain.c — the head moves from the driver's receive buffer into the arena, so
 * that the exchange may outlive the loop's turn. Called on the loop by the owner, at most once to
 * effect. Everything that pointed into the head points to the same place in the copy afterwards; on
 * failure nothing has changed. */
#include "exchange/exchange.h"

struct move {
    struct span from;
    const char *to;
};

static void rebase(struct span *view, const struct move *move)
{
    uintptr_t at = (uintptr_t)view->ptr;
    uintptr_t start = (uintptr_t)move->from.ptr;
    if (view->ptr && move->from.ptr && at >= start && at <= start + move->from.len) {
        view->ptr = move->to + (at - start);
    }
}

/* Array and struct in one piece. */
static struct fields *copy_fields(struct arena *arena, const struct fields *old)
{
    uint32_t count = old->count;
    struct fields *fields = arena_alloc(arena, sizeof *fields + count * sizeof *fields->entries);
    if (fields) {
        *fields = *old;
        fields->entries = (struct field *)(void *)(fields + 1);
        fields->capacity = count;
        for (uint32_t i = 0; i < count; i++) {
            fields->entries[i] = old->entries[i];
        }
    }
    return fields;
}

static void rebase_all(struct request *request, const struct move *move)
{
    rebase(&request->method_name, move);
    rebase(&request->raw_target, move);
    rebase(&request->connect_protocol, move);
    rebase(&request->target.host, move);
    rebase(&request->target.raw_path, move);
    rebase(&request->target.path, move);
    rebase(&request->target.query, move);
    for (uint32_t i = 0; request->fields && i < request->fields->count; i++) {
        rebase(&request->fields->entries[i].name, move);
        rebase(&request->fields->entries[i].value, move);
    }
    for (unsigned i = 0; i < request->param_count; i++) {
        rebase(&request->params[i].value, move);
    }
    request->head.ptr = move->to;
}

void exchange_forget_head(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    if (exchange->is_retained) {
        return;
    }
    request->head = SPAN_NONE;
    request->method_name = SPAN_NONE;
    request->raw_target = SPAN_NONE;
    request->target = (struct target){0};
    request->fields = NULL;
    request->param_count = 0;
}

int exchange_retain(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    if (exchange->is_retained) {
        return GALLEY_OK;
    }
    struct span head = request->head;
    struct span copy = head.ptr ? arena_copy(&exchange->arena, head) : SPAN("");
    struct fields *fields = request->fields ? copy_fields(&exchange->arena, request->fields) : NULL;
    if (!copy.ptr || (request->fields && !fields)) {
        return GALLEY_ENOMEM;
    }
    request->fields = fields;
    if (head.ptr) {
        struct move move = {head, copy.ptr};
        rebase_all(request, &move);
    }
    if (request->peer) {
        request->peer_copy = *request->peer;
        request->peer = &request->peer_copy;
    }
    /* Whom to believe stands with the loop, which may be gone when a worker asks. */
    (void)exchange_client(exchange);
    exchange->is_retained = true;
    return GALLEY_OK;
}
