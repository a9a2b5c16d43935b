/* exchange/exchange_timeout.c — the time of an exchange: timeout_ms of its route, from its head to
 * its last byte, and queue_timeout_ms of a wait at the gate. On the loop; one timer for both, and
 * none where there is neither.
 *
 * A handler is never stopped by force. When time is up its client is answered without it (or cut
 * off, if a part of the answer is out), and it is as if the client had gone: galley_should_stop()
 * is true, what comes from the handler is thrown away, and it ends when it lets go. */
#include "exchange/admission.h"

#include "base/check.h"

#include "exchange/body_spool.h"
#include "exchange/exchange_steps.h"

static struct log_limit timeout_limit;

static int64_t end_of(const struct exchange *exchange)
{
    uint32_t timeout_ms = exchange->route->timeout_ms;
    return timeout_ms ? exchange->began_ms + timeout_ms : INT64_MAX;
}

static void report(const struct exchange *exchange)
{
    const struct exchange_services *services = exchange->services;
    const struct route_target *route = exchange->route;
    if (services->counters) {
        counter_add(&services->counters->timeouts, 1);
    }
    log_write_limited(services->log, &timeout_limit, LOG_WARNING,
                      "an answer of %s was not out after the %u ms that its route allows",
                      route->label ? route->label : "a route", (unsigned)route->timeout_ms);
}

/* Its owner is somebody else, or the driver, which has a part of it on the way. */
static void take_away(struct exchange *exchange)
{
    exchange->given_up = exchange->has_responded ? 0 : 503;
    exchange->driver->give_up(exchange, 503);
    exchange_client_gone(exchange);
}

static void time_is_up(struct exchange *exchange)
{
    report(exchange);
    bool is_here = exchange->state == EXCHANGE_BODY && !body_spool_is_busy(exchange->request.spool);
    if (exchange->state == EXCHANGE_WAITING && exchange_leave_line(exchange)) {
        exchange->state = EXCHANGE_NEW;
        is_here = true;
    }
    if (is_here) {
        exchange->response.must_close |= exchange->request.content_length != 0;
        exchange_reject(exchange, 503);
    } else {
        take_away(exchange);
    }
}

static void rang(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, turn.timer);
    if (loop_now_ms(exchange->services->loop) >= end_of(exchange)) {
        time_is_up(exchange);
    } else if (exchange->state == EXCHANGE_WAITING && exchange_leave_line(exchange)) {
        exchange->state = EXCHANGE_NEW;
        exchange_refuse_late(exchange);
    }
}

void exchange_timeout_start(struct exchange *exchange)
{
    loop_timer_start(exchange->services->loop, &exchange->turn.timer, end_of(exchange), rang);
}

void exchange_timeout_adjust(struct exchange *exchange)
{
    int64_t at_ms = end_of(exchange);
    if (exchange->state == EXCHANGE_WAITING && exchange->turn.wait_ends_ms != 0 &&
        exchange->turn.wait_ends_ms < at_ms) {
        at_ms = exchange->turn.wait_ends_ms;
    }
    exchange_timeout_stop(exchange);
    if (at_ms != INT64_MAX) {
        loop_timer_start(exchange->services->loop, &exchange->turn.timer, at_ms, rang);
    }
}
