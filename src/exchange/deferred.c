/* exchange/deferred.c — deferrals: made on the handler's thread, finished on any, see deferred.h.
 * A call looks its handle up first, and only who takes it out of the registry touches the exchange's
 * job: so of two that finish one wins. */
#include "exchange/deferred.h"

#include "base/alloc.h"

#include "exchange/body_writer.h"
#include "exchange/exchange_steps.h"

static struct deferred *of_handle(struct handle *handle)
{
    return CONTAINER_OF(handle, struct deferred, handle);
}

static void free_deferred(struct handle *handle)
{
    mem_free(of_handle(handle));
}

static const struct handle_kind kind = {.free = free_deferred};

void deferred_unwanted(struct deferred *deferred)
{
    atomic_store_explicit(&deferred->is_wanted, false, memory_order_relaxed);
}

void deferred_count(struct exchange *exchange)
{
    exchange->job.counts_deferred = true;
    atomic_fetch_add_explicit(&exchange->pool->deferred, 1, memory_order_relaxed);
}

void deferred_uncount(struct exchange *exchange)
{
    if (exchange->job.counts_deferred) {
        exchange->job.counts_deferred = false;
        atomic_fetch_sub_explicit(&exchange->pool->deferred, 1, memory_order_relaxed);
    }
}

void deferred_release(struct exchange *exchange)
{
    if (exchange->job.deferred) {
        handle_unpin(&exchange->job.deferred->handle);
        exchange->job.deferred = NULL;
    }
}

/* ---- galley_res_defer() ---------------------------------------------------------------------- */

/* In a handler that has not answered: with a writer it is, or was, on a worker, without on the
 * loop. */
static bool may_defer(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    return (response->writer || exchange->in_handler) && !exchange->is_deferred &&
           !response_has_body(response);
}

static struct deferred *make(struct exchange *exchange)
{
    struct deferred *deferred = mem_alloc(sizeof *deferred);
    if (!deferred) {
        return NULL;
    }
    handle_init(&deferred->handle, &kind);
    deferred->exchange = exchange;
    if (!exchange->response.writer && exchange_prepare_to_leave(exchange) != GALLEY_OK) {
        mem_free(deferred);
        return NULL;
    }
    return deferred;
}

galley_deferred *galley_res_defer(galley_response *rs)
{
    struct exchange *exchange = rs ? exchange_of_response(rs) : NULL;
    if (!exchange || !OWNER_OK(exchange) || !may_defer(exchange)) {
        return NULL;
    }
    struct deferred *deferred = make(exchange);
    if (!deferred) {
        return NULL;
    }
    exchange->job.deferred = deferred;
    exchange->is_deferred = true;
    atomic_init(&deferred->is_wanted, true);
    if (!body_writer_attach_deferred(exchange->response.writer, deferred)) {
        deferred_unwanted(deferred);
    }
    /* Relaxed: the handler still holds it, so nobody can be the last before it lets go. */
    atomic_fetch_add_explicit(&exchange->job.holders, 1, memory_order_relaxed);
    owner_leave(exchange);
    return handle_publish(&deferred->handle);
}

/* ---- by its holder, or anybody --------------------------------------------------------------- */

/* NULL: finished. */
static struct exchange *exchange_of(galley_deferred *d)
{
    struct handle *handle = handle_find(d, &kind);
    if (!handle) {
        return NULL;
    }
    struct exchange *exchange = of_handle(handle)->exchange;
    handle_unpin(handle);
    return exchange;
}

galley_request *galley_deferred_request(galley_deferred *d)
{
    struct exchange *exchange = exchange_of(d);
    return exchange ? exchange_rq(exchange) : NULL;
}

galley_response *galley_deferred_response(galley_deferred *d)
{
    struct exchange *exchange = exchange_of(d);
    return exchange ? exchange_rs(exchange) : NULL;
}

static bool is_wanted(const struct deferred *deferred)
{
    return atomic_load_explicit(&deferred->is_wanted, memory_order_relaxed);
}

bool galley_deferred_is_wanted(galley_deferred *d)
{
    struct handle *handle = handle_find(d, &kind);
    if (!handle) {
        return false;
    }
    bool wanted = is_wanted(of_handle(handle));
    handle_unpin(handle);
    return wanted;
}

int galley_deferred_finish(galley_deferred *d, int result)
{
    struct handle *handle = NULL;
    if (!d) {
        return GALLEY_EINVAL;
    }
    if (!handle_drop(d, &kind, &handle)) {
        return GALLEY_ESTATE;
    }
    struct deferred *deferred = of_handle(handle);
    int rc = is_wanted(deferred) ? GALLEY_OK : GALLEY_ECLOSED;
    deferred->exchange->job.result = result;
    exchange_let_go(deferred->exchange);
    handle_unpin(handle);
    return rc;
}
