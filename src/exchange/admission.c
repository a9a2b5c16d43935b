/* exchange/admission.c — see admission.h. Nobody who waits here holds a worker, and who is refused
 * is refused at once: with 503 and Retry-After, RFC 9110 §15.6.4. */
#include "exchange/admission.h"

#include "base/check.h"
#include "base/clock.h"

#include "exchange/exchange_steps.h"
#include "exchange/queue_shedder.h"

static void count(struct exchange *exchange, bool is_late)
{
    struct exchange_counters *counters = exchange->services->counters;
    if (counters) {
        counter_add(is_late ? &counters->shed_late : &counters->shed_full, 1);
    }
}

void exchange_refuse(struct exchange *exchange)
{
    count(exchange, false);
    exchange_shed(exchange);
}

void exchange_refuse_late(struct exchange *exchange)
{
    count(exchange, true);
    exchange_shed(exchange);
}

static bool has_too_much_to_do(const struct exchange *exchange)
{
    struct queue_shedder *shedder = exchange_shedder(exchange);
    return shedder && queue_shedder_is_shedding(shedder) &&
           queue_shedder_refuses(shedder, clock_mono_ms());
}

bool exchange_admit(struct exchange *exchange)
{
    const struct route_gate *gate = exchange->route->gate;
    if ((gate && route_gate_is_full(gate)) || has_too_much_to_do(exchange)) {
        /* What follows on the connection is a body that nobody wants. */
        exchange->response.must_close |= exchange->request.content_length != 0;
        exchange_refuse(exchange);
        return false;
    }
    if (exchange->route->timeout_ms) {
        exchange_timeout_start(exchange);
    }
    return true;
}

/* ---- the gate -------------------------------------------------------------------------------- */

/* Somebody left and handed it his place. */
static void place_came(struct loop_post *post)
{
    struct exchange *exchange = CONTAINER_OF(post, struct exchange, turn.place.post);
    exchange->turn.place.state = PLACE_HELD;
    if (exchange->client_is_gone) {
        exchange->state = EXCHANGE_RESPONDING;
        exchange_end(exchange, exchange->pool);
        return;
    }
    exchange->state = EXCHANGE_NEW;
    exchange_timeout_adjust(exchange);
    exchange_start(exchange);
}

/* For a line on which other threads may find it: what it says of itself comes first. */
static enum gate_answer ask(struct exchange *exchange)
{
    const struct exchange_services *services = exchange->services;
    uint32_t patience_ms = services->queue_timeout_ms;
    exchange->turn.place = (struct gate_place){
        .gate = exchange->route->gate,
        .post.run = place_came,
        .loop = services->loop,
        .posting = &exchange->pool->posting,
    };
    exchange->turn.wait_ends_ms = patience_ms ? loop_now_ms(services->loop) + patience_ms : 0;
    return route_gate_enter(&exchange->turn.place);
}

bool exchange_enter_gate(struct exchange *exchange)
{
    if (!exchange->route->gate) {
        return true;
    }
    int rc = exchange_retain(exchange);
    if (rc != GALLEY_OK) {
        exchange_finish(exchange, rc);
        return false;
    }
    enum gate_answer answer = ask(exchange);
    if (answer == GATE_ENTERED) {
        return true;
    }
    if (answer == GATE_IS_FULL) {
        exchange_refuse(exchange);
        return false;
    }
    exchange->state = EXCHANGE_WAITING;
    exchange_timeout_adjust(exchange);
    return false;
}

bool exchange_leave_line(struct exchange *exchange)
{
    DEBUG_CHECK(exchange->state == EXCHANGE_WAITING);
    return route_gate_give_up(&exchange->turn.place);
}

int64_t exchange_queue_ms(const struct exchange *exchange)
{
    int64_t whole_ms = exchange->services->queue_timeout_ms;
    if (!exchange->turn.place.gate || whole_ms == 0) {
        return whole_ms;
    }
    int64_t left_ms = exchange->turn.wait_ends_ms - loop_now_ms(exchange->services->loop);
    return left_ms > 0 ? left_ms : 1;
}
