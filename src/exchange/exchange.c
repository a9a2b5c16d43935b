/* exchange/exchange.c — objects and their life: made, dispatched, told that the client has gone,
 * ended, used again. Everything here runs on the exchange's loop, but exchange_free_orphan(), which
 * runs where the last owner is. The handler's side is in exchange_run.c and exchange_job.c, results
 * become responses in exchange_result.c. */
#include "exchange/exchange.h"

#include "base/alloc.h"
#include "base/check.h"

#include "exchange/admission.h"
#include "exchange/body_writer.h"
#include "exchange/coded_answer.h"
#include "exchange/deferred.h"
#include "exchange/exchange_steps.h"
#include "exchange/request_tls.h"
#include "exchange/source.h"
#include "exchange/stream.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

enum { POOL_MAX_FREE = 64 /* objects kept by one loop, each with one arena block */ };

void exchange_pool_init(struct exchange_pool *pool, const struct exchange_services *services)
{
    *pool = (struct exchange_pool){.services = services};
    list_init(&pool->live_list);
}

static void destroy(struct exchange *exchange)
{
    arena_finish(&exchange->arena);
    mem_free(exchange);
}

void exchange_pool_finish(struct exchange_pool *pool)
{
    CHECK(pool->live == 0);
    /* A worker's post may have been run before its loop_post() returned: wait until it has let go
     * of the loop. */
    while (atomic_load_explicit(&pool->posting, memory_order_acquire) != 0) {
        sched_yield();
    }
    while (pool->free) {
        struct exchange *next = pool->free->next_free;
        destroy(pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

uint64_t exchange_object_bytes(void)
{
    return mem_cost(sizeof(struct exchange));
}

uint64_t exchange_pool_kept_bytes(void)
{
    return POOL_MAX_FREE * (exchange_object_bytes() + arena_kept_bytes());
}

static struct exchange *take_object(struct exchange_pool *pool)
{
    struct exchange *exchange = pool->free;
    if (exchange) {
        pool->free = exchange->next_free;
        pool->free_count--;
        return exchange;
    }
    exchange = mem_alloc_zero(1, sizeof *exchange);
    if (exchange) {
        arena_init(&exchange->arena, pool->services->max_memory_bytes);
    }
    return exchange;
}

/* The arena is kept, the response has a beginning of its own, and the parameters are filled before
 * they are counted. */
static void clear(struct exchange *exchange)
{
    size_t begin = offsetof(struct exchange, driver);
    mem_clear((char *)exchange + begin, offsetof(struct exchange, request.params) - begin);
}

struct exchange *exchange_create(struct exchange_pool *pool, const struct exchange_driver *driver,
                                 void *driver_ctx)
{
    struct exchange *exchange = take_object(pool);
    if (!exchange) {
        return NULL;
    }
    clear(exchange);
    exchange->driver = driver;
    exchange->driver_ctx = driver_ctx;
    exchange->services = pool->services;
    exchange->pool = pool;
    exchange->state = EXCHANGE_NEW;
    exchange->began_ms = pool->services->loop ? loop_now_ms(pool->services->loop) : 0;
    response_init(&exchange->response, pool->services->chains);
    list_push_back(&pool->live_list, &exchange->live);
    pool->live++;
    if (pool->is_stopping) {
        galley_stop_flag_raise(&exchange->should_stop);
    }
    return exchange;
}

static void run_end_hooks(struct exchange *exchange)
{
    while (exchange->end_hooks) {
        struct exchange_end_hook *hook = exchange->end_hooks;
        exchange->end_hooks = hook->next;
        hook->fn(hook->arg);
    }
}

/* Everything that is not memory of the arena. */
static void release_parts(struct exchange *exchange)
{
    chain_clear(&exchange->response.body);
    exchange_leave_gate(exchange);
    stream_detach(exchange);
    source_detach(exchange);
    coded_answer_release(exchange);
    body_writer_destroy(exchange->response.writer);
    exchange->response.writer = NULL;
    exchange_body_release(exchange);
    deferred_release(exchange);
    run_end_hooks(exchange);
    if (exchange->request.tls.facts) {
        request_release_tls(&exchange->request.tls);
    }
}

void exchange_keeper_unref(struct exchange_keeper *keeper)
{
    if (atomic_fetch_sub_explicit(&keeper->refs, 1, memory_order_acq_rel) == 1) {
        keeper->release(keeper);
    }
}

void exchange_free_orphan(struct exchange *exchange)
{
    struct exchange_keeper *keeper = exchange->job.keeper;
    release_parts(exchange);
    destroy(exchange);
    exchange_keeper_unref(keeper);
}

static void put_object(struct exchange_pool *pool, struct exchange *exchange)
{
    if (pool->free_count >= POOL_MAX_FREE) {
        destroy(exchange);
        return;
    }
    arena_reset(&exchange->arena);
    exchange->state = EXCHANGE_FREE;
    exchange->next_free = pool->free;
    pool->free = exchange;
    pool->free_count++;
}

void exchange_forget(struct exchange *exchange)
{
    list_remove(&exchange->live);
    exchange->pool->live--;
    exchange_uncount_stream(exchange);
}

void exchange_end(struct exchange *exchange, struct exchange_pool *pool)
{
    /* L4: each object has one owner, and ends once. */
    CHECK(exchange->state == EXCHANGE_RESPONDING && exchange->pool == pool);
    exchange->state = EXCHANGE_ENDED;
    exchange_timeout_stop(exchange);
    if (exchange->given_up) {
        exchange->response.status = exchange->given_up; /* what its client got */
        exchange->has_responded = true;
    }
    owner_report(exchange);
    const struct exchange_services *services = exchange->services;
    if (services->ended) {
        services->ended(services->ctx, exchange);
    }
    void (*released)(void *driver_ctx) = exchange->released;
    void *driver_ctx = exchange->driver_ctx;
    release_parts(exchange);
    exchange_forget(exchange);
    put_object(pool, exchange);
    if (released) {
        released(driver_ctx);
    }
    if (pool->live == 0 && pool->emptied) {
        pool->emptied(pool, pool->emptied_ctx);
    }
}

void exchange_dispatch(struct exchange *exchange)
{
    DEBUG_CHECK(exchange->state == EXCHANGE_NEW);
    exchange->was_dispatched = true;
    exchange->services->dispatch(exchange->services->ctx, exchange);
}

void exchange_reject(struct exchange *exchange, int status)
{
    CHECK(exchange->state == EXCHANGE_NEW || exchange->state == EXCHANGE_BODY);
    response_be_page(exchange, status);
    exchange_respond(exchange);
}

static void abandon(struct exchange *exchange)
{
    galley_stop_flag_raise(&exchange->should_stop);
    atomic_store_explicit(&exchange->is_abandoned, true, memory_order_relaxed);
    exchange_body_close(exchange);
    if (exchange->response.writer) {
        body_writer_close(exchange->response.writer); /* and what is attached to it */
    } else if (exchange->response.stream) {
        stream_hang_up(exchange->response.stream);
    }
}

void exchange_client_gone(struct exchange *exchange)
{
    CHECK(exchange->state != EXCHANGE_FREE && exchange->state != EXCHANGE_ENDED);
    exchange->client_is_gone = true;
    request_tls_goes(&exchange->request.tls);
    exchange_timeout_stop(exchange);
    abandon(exchange);
    switch ((enum exchange_state)exchange->state) {
    case EXCHANGE_QUEUED:
    case EXCHANGE_SUSPENDED:
    case EXCHANGE_HANDLING:
        return; /* the owner ends it when it lets go */
    case EXCHANGE_WAITING:
        if (!exchange_leave_line(exchange)) {
            return; /* its place is on the way: admission.c */
        }
        exchange->state = EXCHANGE_RESPONDING;
        exchange_end(exchange, exchange->pool);
        return;
    default:
        if (exchange_body_goes_on(exchange)) {
            return;
        }
        exchange->state = EXCHANGE_RESPONDING;
        exchange_end(exchange, exchange->pool);
    }
}

void exchange_pieces_wanted(struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    if (!exchange->has_responded) {
        return; /* its owner may be choosing the way just now */
    }
    if (response->stream) {
        stream_sent(exchange);
    } else if (response->source) {
        source_sent(exchange);
    } else if (exchange->state == EXCHANGE_QUEUED && body_writer_sent(response->writer)) {
        exchange->driver->pieces(exchange);
    }
}

bool exchange_may_end_early(const struct exchange *exchange)
{
    return !exchange->response.borrows_memory;
}

void exchange_pool_hint_stop(struct exchange_pool *pool)
{
    pool->is_stopping = true;
    for (struct list *at = pool->live_list.next; at != &pool->live_list; at = at->next) {
        struct exchange *exchange = CONTAINER_OF(at, struct exchange, live);
        galley_stop_flag_raise(&exchange->should_stop);
        struct stream *stream = stream_of(exchange);
        if (stream) {
            stream_stop(stream);
        }
    }
}

void exchange_pool_abandon(struct exchange_pool *pool)
{
    for (struct list *at = pool->live_list.next; at != &pool->live_list; at = at->next) {
        abandon(CONTAINER_OF(at, struct exchange, live));
    }
}
