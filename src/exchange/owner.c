/* exchange/owner.c — see owner.h. Any thread, but owner_report(): the loop at the exchange's end.
 * Threads are told apart by the address of a thread-local byte, which is never that of another
 * thread that lives. */
#include "exchange/owner.h"

#include "exchange/exchange.h"

static struct log_limit stranger_limit;

static _Thread_local char thread_mark; /* its address tells threads apart */

void owner_enter(struct exchange *exchange)
{
    if (DEBUG_BUILD) {
        atomic_store_explicit(&exchange->owner.thread, (uintptr_t)&thread_mark,
                              memory_order_relaxed);
    }
}

void owner_leave(struct exchange *exchange)
{
    if (DEBUG_BUILD) {
        atomic_store_explicit(&exchange->owner.thread, 0, memory_order_relaxed);
    }
}

bool owner_is_caller(const struct exchange *exchange, const char *call)
{
    /* The request's side of the API is const, but a note of misuse is not the request. */
    struct owner *owner = (struct owner *)(uintptr_t)&exchange->owner;
    uintptr_t thread = atomic_load_explicit(&owner->thread, memory_order_relaxed);
    if (thread == 0 || thread == (uintptr_t)&thread_mark) {
        return true;
    }
    const char *none = NULL;
    (void)atomic_compare_exchange_strong_explicit(&owner->misused_call, &none, call,
                                                  memory_order_relaxed, memory_order_relaxed);
    return false;
}

void owner_report(const struct exchange *exchange)
{
    const char *call = atomic_load_explicit(&exchange->owner.misused_call, memory_order_relaxed);
    if (!DEBUG_BUILD || !call) {
        return;
    }
    const struct exchange_services *services = exchange->services;
    if (services->counters) {
        counter_add(&services->counters->mistakes, 1);
    }
    log_write_limited(services->log, &stranger_limit, LOG_ERROR,
                      "%s() was refused: another thread runs the handler of %s", call,
                      exchange->route && exchange->route->label ? exchange->route->label
                                                                : "a route");
}
