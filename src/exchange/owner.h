/* exchange/owner.h — builds with checks know which thread runs the handler of an exchange, and
 * refuse the calls of others: public functions begin with `if (!OWNER_OK(exchange)) return …`.
 *
 * Only while a handler runs and has not deferred: nobody else can be right then. A pointer kept
 * beyond the handler is not caught; the object may be another request's by then. What was caught is
 * noted here and told to the log by the loop when the exchange ends, for a stranger may come when
 * the log has gone. */
#ifndef EXCHANGE_OWNER_H
#define EXCHANGE_OWNER_H

#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct exchange;

/** One relaxed word each: they order nothing, a stranger's look may be late. */
struct owner {
    _Atomic uintptr_t thread;         /* 0: nobody in particular, no call is refused */
    const char *_Atomic misused_call; /* the first function that a stranger called */
};

/** The calling thread runs the handler, until owner_leave(). Around every call of a handler. */
void owner_enter(struct exchange *exchange);
/** The handler has returned, or deferred. */
void owner_leave(struct exchange *exchange);
/** May the caller use it? If not, `call` is noted. */
bool owner_is_caller(const struct exchange *exchange, const char *call);

/** On the loop, at the end: tell the log if a stranger has called. */
void owner_report(const struct exchange *exchange);

#define OWNER_OK(exchange) (!DEBUG_BUILD || owner_is_caller(exchange, __func__))

#endif
