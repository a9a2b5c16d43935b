/* exchange/admission.h — may an exchange come in, when is it its turn, and when is its time up? On
 * the loop, but where it is said. Inside this room.
 *
 * Asked at the head, before a byte of the body is read (exchange_admit), again when the body is
 * there and a place at the route's gate is wanted (exchange_enter_gate), and while it waits or is
 * being answered by a timer, which only routes with a timeout and waits have. */
#ifndef EXCHANGE_ADMISSION_H
#define EXCHANGE_ADMISSION_H

#include "exchange/exchange.h"

/** The route is known: its time begins. False: there is too much to do already; it was answered. */
bool exchange_admit(struct exchange *exchange);
/** It is to be handled. False: it waits in EXCHANGE_WAITING and exchange_start() will be called, or
 *  it was answered. */
bool exchange_enter_gate(struct exchange *exchange);
/** In EXCHANGE_WAITING: it does not want to any more. False: its place is on the way, and when that
 *  has come an exchange whose client has gone ends. */
bool exchange_leave_line(struct exchange *exchange);
/** Its turn has come: the handler, on the loop or the pool. In exchange_run.c. */
void exchange_start(struct exchange *exchange);
/** 503, counted: there is no room for it; or it waited too long for its turn. */
void exchange_refuse(struct exchange *exchange);
void exchange_refuse_late(struct exchange *exchange);
/** What is left of queue_timeout_ms, for the pool's queue; 0: no limit. */
int64_t exchange_queue_ms(const struct exchange *exchange);

/** Its handler, or its deferral, has ended: the place is free. Whoever owns the exchange, any thread;
 *  without a place nothing happens. */
static inline void exchange_leave_gate(struct exchange *exchange)
{
    if (exchange->turn.place.state != PLACE_NONE) {
        route_gate_leave(&exchange->turn.place);
    }
}

/* exchange_timeout.c */

/** Begin to count timeout_ms of the route, from the head's arrival on. */
void exchange_timeout_start(struct exchange *exchange);
/** As long as it is WAITING the timer is also for wait_ends_ms; afterwards not. */
void exchange_timeout_adjust(struct exchange *exchange);

static inline void exchange_timeout_stop(struct exchange *exchange)
{
    if (timer_is_armed(&exchange->turn.timer)) {
        loop_timer_stop(exchange->services->loop, &exchange->turn.timer);
    }
}

/** The pool that its handler would run on has a shedder, or NULL. */
static inline struct queue_shedder *exchange_shedder(const struct exchange *exchange)
{
    const struct route_target *route = exchange->route;
    if (route->on_loop) {
        return NULL;
    }
    return route->pool ? route->shedder : exchange->services->shedder;
}

#endif
