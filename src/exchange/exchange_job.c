/* exchange/exchange_job.c — the handler on a worker: given to the pool with its deadline, brought
 * back by a post.
 *
 * job_state decides who ends the exchange. The worker moves it RUNNING -> RETURNED and posts; or
 * finds ORPHANED, set by a server that could not wait, and frees the exchange itself without
 * touching the loop. While a worker has it, the response's chain has no pool, because a loop's
 * pools belong to the loop's thread. */
#include "base/check.h"
#include "base/clock.h"
#include "loop/errand.h"

#include "exchange/body_writer.h"
#include "exchange/exchange_steps.h"

galley_pool *exchange_handler_pool(const struct exchange *exchange)
{
    return exchange->route->pool ? exchange->route->pool : exchange->services->pool;
}

/* On the worker (or whoever drops the job): the last touch. */
static void let_go(struct exchange *exchange)
{
    uint8_t expected = EXCHANGE_JOB_RUNNING;
    /* Release: what the handler wrote; acquire: what the loop wrote before it orphaned. Pairs with
     * orphan(). */
    if (!atomic_compare_exchange_strong_explicit(&exchange->job.state, &expected,
                                                 EXCHANGE_JOB_RETURNED, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        exchange_free_orphan(exchange);
        return;
    }
    struct exchange_pool *pool = exchange->pool;
    struct loop *loop = exchange->services->loop;
    atomic_fetch_add_explicit(&pool->posting, 1, memory_order_relaxed);
    loop_post(loop, &exchange->job.post);
    errand_end(loop);
    /* Release pairs with exchange_pool_finish(): the loop may be freed after this. */
    atomic_fetch_sub_explicit(&pool->posting, 1, memory_order_release);
}

static void run_on_worker(void *arg)
{
    struct exchange *exchange = arg;
    if (atomic_load_explicit(&exchange->is_abandoned, memory_order_relaxed)) {
        exchange->job.result = GALLEY_ECLOSED;
    } else {
        struct loop *outer_loop = errand_carry(exchange->services->loop);
        const galley_stop_flag *outer = galley_stop_flag_watch(&exchange->should_stop);
        exchange->job.result = exchange_call_handler(exchange);
        (void)galley_stop_flag_watch(outer);
        (void)errand_carry(outer_loop);
    }
    let_go(exchange);
}

static void drop_on_worker(void *arg, int why)
{
    struct exchange *exchange = arg;
    exchange->job.dropped = why;
    let_go(exchange);
}

static void count_shed(const struct exchange *exchange, bool is_late)
{
    struct exchange_counters *counters = exchange->services->counters;
    if (counters) {
        counter_add(is_late ? &counters->shed_late : &counters->shed_full, 1);
    }
}

static void came_back(struct loop_post *post)
{
    struct exchange *exchange = CONTAINER_OF(post, struct exchange, job.post);
    exchange->response.body.pool = exchange->services->chains;
    exchange->state = EXCHANGE_HANDLING;
    if (exchange->job.dropped && !exchange->client_is_gone) {
        count_shed(exchange, exchange->job.dropped == GALLEY_DROP_EXPIRED);
        exchange_shed(exchange);
        return;
    }
    exchange_finish(exchange, exchange->job.result);
}

static int submit(struct exchange *exchange)
{
    uint32_t timeout_ms = exchange->services->queue_timeout_ms;
    galley_job job = {
        .run = run_on_worker,
        .arg = exchange,
        .drop = drop_on_worker,
        .label = exchange->route->label,
        .expires_ms = timeout_ms ? clock_mono_ms() + timeout_ms : 0,
    };
    struct loop *loop = exchange->services->loop;
    errand_begin(loop);
    ptrdiff_t accepted = galley_pool_submit(exchange_handler_pool(exchange), &job, 1, 0);
    if (accepted != 1) {
        errand_end(loop);
    }
    return accepted < 0 ? (int)accepted : accepted == 1 ? GALLEY_OK : GALLEY_EFULL;
}

static int prepare(struct exchange *exchange)
{
    int rc = exchange_retain(exchange);
    if (rc == GALLEY_OK) {
        exchange->response.writer = body_writer_create(exchange);
        rc = exchange->response.writer ? GALLEY_OK : GALLEY_ENOMEM;
    }
    return rc;
}

void exchange_start_job(struct exchange *exchange)
{
    int rc = prepare(exchange);
    if (rc == GALLEY_OK) {
        chain_clear(&exchange->response.body);
        exchange->response.body.pool = NULL;
        exchange->job.post.run = came_back;
        exchange->state = EXCHANGE_QUEUED;
        atomic_store_explicit(&exchange->job.state, EXCHANGE_JOB_RUNNING, memory_order_relaxed);
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
    count_shed(exchange, false);
    exchange_shed(exchange);
}

/* True: the worker frees it. False: its post is in the mailbox or on the way. */
static bool orphan(struct exchange *exchange, struct exchange_keeper *keeper)
{
    uint8_t expected = EXCHANGE_JOB_RUNNING;
    exchange->job.keeper = keeper;
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
        if (orphan(exchange, keeper)) {
            pool->live--;
            count++;
        } else {
            list_insert_before(next, at);
        }
    }
    return count;
}
