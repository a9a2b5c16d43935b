/* exchange/stall_watch.h — sees a handler that holds its event loop while it does: one that is
 * stuck for ever would never be told of when it returns. A thread for each server ("galley-watch"),
 * which sleeps as long as no handler is called.
 *
 * A loop leaves its handler's name and the time in its spot, two stores, and takes the time away when
 * the handler has returned. The thread looks at the spots now and then; when it has seen nobody at
 * work for a second it goes to sleep until a loop wakes it, which a loop does at most once a
 * second. */
#ifndef EXCHANGE_STALL_WATCH_H
#define EXCHANGE_STALL_WATCH_H

#include "base/log.h"

#include <galley/base.h>

struct stall_watch;

enum { STALL_SPOT_BYTES = 64 /* a cache line: loops write theirs for each handler call */ };

/** What a loop does just now. Written by the loop, but for the last two. */
struct stall_spot {
    _Alignas(STALL_SPOT_BYTES) struct stall_watch *watch;
    _Atomic(const char *) label; /* of the route; before since_ms, which hands it over */
    _Atomic int64_t since_ms; /* by clock_mono_ms(); 0: no handler runs. Release; acquire: look */
    /* the thread's */
    int64_t told_since_ms; /* the call that was told of last … */
    int64_t tell_ms;       /* … is to be told of again when it has lasted so long */
};

/** warn_ms > 0. NULL: out of memory. */
struct stall_watch *stall_watch_create(unsigned spots, uint32_t warn_ms,
                                       const struct log_sink *log);
/** NULL is allowed. The thread must have been stopped. */
void stall_watch_destroy(struct stall_watch *watch);
/** index: 0 .. spots-1 */
struct stall_spot *stall_watch_spot(struct stall_watch *watch, unsigned index);
/** 0 or -errno. */
int stall_watch_start(struct stall_watch *watch);
/** End the thread, if it was started. NULL is allowed. The log may still get a line during this. */
void stall_watch_stop(struct stall_watch *watch);

/** What the thread does: tell of what is to be told at now_ms. When to look again; INT64_MAX: when
 *  it was woken. */
int64_t stall_watch_look(struct stall_watch *watch, int64_t now_ms);
/** Does the next stall_spot_enter() wake it? */
bool stall_watch_is_asleep(const struct stall_watch *watch);
void stall_watch_wake(struct stall_watch *watch);

/** On the loop: its handler begins. */
static inline void stall_spot_enter(struct stall_spot *spot, const char *label, int64_t now_ms)
{
    atomic_store_explicit(&spot->label, label, memory_order_relaxed);
    atomic_store_explicit(&spot->since_ms, now_ms, memory_order_release);
    if (stall_watch_is_asleep(spot->watch)) {
        stall_watch_wake(spot->watch);
    }
}
/** It has returned. */
static inline void stall_spot_leave(struct stall_spot *spot)
{
    atomic_store_explicit(&spot->since_ms, 0, memory_order_relaxed);
}

#endif
