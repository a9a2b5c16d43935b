/* exchange/exchange_run.c — the handler is called once, on the loop here or on a worker
 * (exchange_job.c), after the body was read if the route wants it (exchange_body.c). All on the
 * loop. */
#include "base/check.h"
#include "base/clock.h"

#include "exchange/admission.h"
#include "exchange/exchange_steps.h"
#include "exchange/stall_watch.h"

static struct log_limit stall_limit;

static void report_stall(const struct exchange *exchange, int64_t took_ms)
{
    const struct exchange_services *services = exchange->services;
    if (services->counters) {
        counter_add(&services->counters->stalls, 1);
    }
    log_write_limited(
        services->log, &stall_limit, LOG_WARNING, "handler of %s held the event loop for %lld ms",
        exchange->route->label ? exchange->route->label : "a route", (long long)took_ms);
}

static int call_watched(struct exchange *exchange, uint32_t warn_ms, exchange_call_fn *call,
                        void *arg)
{
    struct stall_spot *spot = exchange->services->stall_spot;
    int64_t start_ms = clock_mono_ms();
    if (spot) {
        stall_spot_enter(spot, exchange->route->label, start_ms);
    }
    int result = call(exchange, arg);
    if (spot) {
        stall_spot_leave(spot);
    }
    int64_t took_ms = clock_mono_ms() - start_ms;
    if (took_ms > (int64_t)warn_ms) {
        report_stall(exchange, took_ms);
    }
    return result;
}

int exchange_call_on_loop(struct exchange *exchange, exchange_call_fn *call, void *arg)
{
    uint32_t warn_ms = exchange->route->never_stalls ? 0 : exchange->services->stall_warn_ms;
    /* Only a stop of the server that came before can be seen by who holds its loop. */
    bool shall_stop = exchange->should_stop.raised;
    const galley_stop_flag *outer =
        shall_stop ? galley_stop_flag_watch(&exchange->should_stop) : NULL;
    exchange->state = EXCHANGE_HANDLING;
    exchange->in_handler = true;
    int result = warn_ms ? call_watched(exchange, warn_ms, call, arg) : call(exchange, arg);
    exchange->in_handler = false;
    if (shall_stop) {
        (void)galley_stop_flag_watch(outer);
    }
    return result;
}

void exchange_returned(struct exchange *exchange, int result)
{
    if (exchange->is_deferred) {
        exchange_leave_deferred(exchange); /* the result is the deferral's */
        return;
    }
    if (exchange->state == EXCHANGE_SUSPENDED) {
        if (exchange->has_early_result) {
            exchange_finish(exchange, exchange->early_result);
        }
    } else if (result != 0 || !exchange_sink_begin(exchange)) {
        exchange_finish(exchange, result);
    }
}

static int call_handler(struct exchange *exchange, void *arg)
{
    (void)arg;
    return exchange_call_handler(exchange);
}

static void run_on_loop(struct exchange *exchange)
{
    exchange_returned(exchange, exchange_call_on_loop(exchange, call_handler, NULL));
}

void exchange_run(struct exchange *exchange)
{
    if (exchange_enter_gate(exchange)) {
        exchange_start(exchange);
    }
}

void exchange_start(struct exchange *exchange)
{
    if (exchange->route->on_loop || !exchange_handler_pool(exchange)) {
        run_on_loop(exchange);
    } else {
        exchange_start_job(exchange);
    }
}

int exchange_suspend(struct exchange *exchange)
{
    CHECK(exchange->state == EXCHANGE_HANDLING || exchange->state == EXCHANGE_SUSPENDED);
    int rc = exchange_retain(exchange);
    if (rc == GALLEY_OK) {
        exchange->state = EXCHANGE_SUSPENDED;
    }
    return rc;
}

void exchange_resume(struct exchange *exchange, int result)
{
    CHECK(exchange->state == EXCHANGE_SUSPENDED && !exchange->has_early_result);
    if (exchange->in_handler) {
        exchange->early_result = result;
        exchange->has_early_result = true;
        return;
    }
    exchange_finish(exchange, result);
}
