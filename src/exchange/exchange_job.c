/* exchange/exchange_job.c — an exchange in other hands than its loop's: given to the pool with its
 * deadline, or deferred; brought back by a post.
 *
 * It has at most two holders, the handler and the deferral; the last one to let go sends it back.
 * job.state decides who ends it then: that one moves it RUNNING -> RETURNED and posts; or finds
 * ORPHANED, set by a server that could not wait, and frees the exchange itself without touching the
 * loop. While it is held, the response's chain has no pool, because a loop's pools belong to the
 * loop's thread. */
#include "base/check.h"
#include "base/clock.h"
#include "loop/errand.h"

#include "exchange/admission.h"
#include "exchange/body_writer.h"
#include "exchange/deferred.h"
#include "exchange/exchange_steps.h"
#include "exchange/queue_shedder.h"
#include "exchange/request_tls.h"

galley_pool *exchange_handler_pool(const struct exchange *exchange)
{
    if (exchange->route->pool) {
        return exchange->route->pool;
    }
    return exchange->response.writer ? exchange->job.pool : exchange->services->pool;
}

static void go_back(struct exchange *exchange)
{
    uint8_t expected = EXCHANGE_JOB_RUNNING;
    /* Release: what the holders wrote; acquire: what the loop wrote before it orphaned. Pairs with
     * orphan(). */
    if (!atomic_compare_exchange_strong_explicit(&exchange->job.state, &expected,
                                                 EXCHANGE_JOB_RETURNED, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        exchange_free_orphan(exchange);
        return;
    }
    struct exchange_pool *pool = exchange->pool;
    atomic_fetch_add_explicit(&pool->posting, 1, memory_order_relaxed);
    loop_post(exchange->services->loop, &exchange->job.post);
    /* Release pairs with exchange_pool_finish(): the loop may be freed after this. */
    atomic_fetch_sub_explicit(&pool->posting, 1, memory_order_release);
}

void exchange_let_go(struct exchange *exchange)
{
    /* Release: what this holder wrote; acquire, by the last one: what the other wrote. */
    if (atomic_fetch_sub_explicit(&exchange->job.holders, 1, memory_order_acq_rel) == 1) {
        go_back(exchange);
    }
}

void exchange_end_job(struct exchange *exchange)
{
    struct errands *errand = exchange->job.errand;
    exchange_let_go(exchange);
    errand_end(errand); /* behind the post, if there was one: a deferral's may come at any time */
}

static void call_handler(struct exchange *exchange)
{
    struct errands *outer_errand = errand_carry(exchange->job.errand);
    const galley_stop_flag *outer = galley_stop_flag_watch(&exchange->should_stop);
    int result = exchange_call_handler(exchange);
    (void)galley_stop_flag_watch(outer);
    (void)errand_carry(outer_errand);
    if (!exchange->is_deferred) { /* else the deferral's result counts */
        exchange->job.result = result;
    }
}

/* Not to be started: it waited so long that others, who are served in time, go before. */
static bool is_late(const struct exchange *exchange)
{
    const struct exchange_job *job = &exchange->job;
    if (!job->shedder) {
        return false;
    }
    int64_t now_ms = clock_mono_ms();
    return !queue_shedder_start(job->shedder, now_ms - job->queued_ms, now_ms);
}

static void run_on_worker(void *arg)
{
    struct exchange *exchange = arg;
    if (is_late(exchange)) {
        exchange->job.dropped = GALLEY_DROP_EXPIRED;
    } else if (atomic_load_explicit(&exchange->is_abandoned, memory_order_relaxed)) {
        exchange->job.result = GALLEY_ECLOSED;
    } else {
        call_handler(exchange);
    }
    exchange_end_job(exchange);
}

static void drop_on_worker(void *arg, int why)
{
    struct exchange *exchange = arg;
    if (exchange->job.shedder) {
        queue_shedder_remove(exchange->job.shedder);
    }
    exchange->job.dropped = why;
    exchange_end_job(exchange);
}

static void came_back(struct loop_post *post)
{
    struct exchange *exchange = CONTAINER_OF(post, struct exchange, job.post);
    exchange->response.body.pool = exchange->services->chains;
    exchange->state = EXCHANGE_HANDLING;
    deferred_uncount(exchange);
    if (exchange->job.dropped == GALLEY_DROP_EXPIRED && !exchange->client_is_gone) {
        exchange_refuse_late(exchange);
    } else if (exchange->job.dropped && !exchange->client_is_gone) {
        exchange_refuse(exchange);
    } else {
        exchange_finish(exchange, exchange->job.result);
    }
}

int exchange_submit(struct exchange *exchange, const galley_job *job)
{
    struct errands *errand = errand_begin(exchange->services->loop);
    exchange->job.errand = errand;
    ptrdiff_t accepted = galley_pool_submit(exchange_handler_pool(exchange), job, 1, 0);
    if (accepted != 1) {
        errand_end(errand);
    }
    return accepted < 0 ? (int)accepted : accepted == 1 ? GALLEY_OK : GALLEY_EFULL;
}

static int submit(struct exchange *exchange)
{
    int64_t timeout_ms = exchange_queue_ms(exchange);
    struct queue_shedder *shedder = exchange_shedder(exchange);
    exchange->job.shedder = shedder;
    exchange->job.queued_ms = shedder || timeout_ms ? clock_mono_ms() : 0;
    galley_job job = {
        .run = run_on_worker,
        .arg = exchange,
        .drop = drop_on_worker,
        .label = exchange->route->label,
        .expires_ms = timeout_ms ? exchange->job.queued_ms + timeout_ms : 0,
    };
    if (shedder) {
        queue_shedder_add(shedder); /* before: a worker may be quicker than we */
    }
    int rc = exchange_submit(exchange, &job);
    if (rc != GALLEY_OK && shedder) {
        queue_shedder_remove(shedder);
    }
    return rc;
}

void exchange_hold(struct exchange *exchange, void (*back)(struct loop_post *post))
{
    exchange->job.post.run = back;
    atomic_store_explicit(&exchange->job.holders, 1, memory_order_relaxed);
    atomic_store_explicit(&exchange->job.state, EXCHANGE_JOB_RUNNING, memory_order_relaxed);
}

int exchange_prepare_to_leave(struct exchange *exchange)
{
    int rc = exchange_retain(exchange);
    rc = rc == GALLEY_OK ? request_keep_tls(&exchange->request.tls) : rc;
    if (rc != GALLEY_OK) {
        return rc;
    }
    struct body_writer *writer = body_writer_create(exchange);
    if (!writer) {
        return GALLEY_ENOMEM;
    }
    chain_clear(&exchange->response.body);
    exchange->job.pool = exchange->services->pool;
    exchange->response.writer = writer;
    exchange->response.body.pool = NULL;
    if (atomic_load_explicit(&exchange->is_abandoned, memory_order_relaxed)) {
        body_writer_close(writer);
    }
    exchange_hold(exchange, came_back);
    return GALLEY_OK;
}

void exchange_leave_deferred(struct exchange *exchange)
{
    exchange->state = EXCHANGE_QUEUED;
    exchange_let_go(exchange);
}

void exchange_start_job(struct exchange *exchange)
{
    int rc = exchange_prepare_to_leave(exchange);
    if (rc == GALLEY_OK) {
        exchange->state = EXCHANGE_QUEUED;
        rc = submit(exchange);
    }
    if (rc == GALLEY_OK) {
        exchange_body_begin(exchange); /* the rest is the worker's now */
        return;
    }
    exchange->response.body.pool = exchange->services->chains;
    exchange->state = EXCHANGE_HANDLING;
    if (rc == GALLEY_ENOMEM) {
        exchange_finish(exchange, rc);
        return;
    }
    exchange_refuse(exchange);
}

/* True: the worker frees it. False: its post is in the mailbox or on the way. */
static bool orphan(struct exchange *exchange, struct exchange_keeper *keeper)
{
    uint8_t expected = EXCHANGE_JOB_RUNNING;
    exchange_timeout_stop(exchange);
    exchange->job.keeper = keeper;
    deferred_uncount(exchange);
    exchange_uncount_stream(exchange);
    atomic_fetch_add_explicit(&keeper->refs, 1, memory_order_relaxed);
    bool is_orphan = atomic_compare_exchange_strong_explicit(
        &exchange->job.state, &expected, EXCHANGE_JOB_ORPHANED, memory_order_acq_rel,
        memory_order_acquire);
    if (!is_orphan) {
        exchange_keeper_unref(keeper);
    }
    return is_orphan;
}

unsigned exchange_pool_orphan(struct exchange_pool *pool, struct exchange_keeper *keeper)
{
    unsigned count = 0;
    struct list *next = NULL;
    for (struct list *at = pool->live_list.next; at != &pool->live_list; at = next) {
        next = at->next;
        struct exchange *exchange = CONTAINER_OF(at, struct exchange, live);
        if (exchange->state != EXCHANGE_QUEUED) {
            continue;
        }
        /* Off the list first: a worker that finds itself orphaned frees the memory at once. */
        list_remove(at);
        void (*released)(void *driver_ctx) = exchange->released;
        void *driver_ctx = exchange->driver_ctx;
        if (orphan(exchange, keeper)) {
            pool->live--;
            count++;
            if (released) {
                released(driver_ctx);
            }
        } else {
            list_insert_before(next, at);
        }
    }
    return count;
}
