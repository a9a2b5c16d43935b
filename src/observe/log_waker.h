/* observe/log_waker.h — how the writer thread sleeps, and how loops wake it without a system call
 * for each record.
 *
 * The writer is awake (it will look at every ring again before it sleeps), napping (it comes back
 * by itself after LOG_NAP_MS; only a ring that is half full wakes it earlier) or asleep (nothing
 * came for a whole nap; the next record wakes it). A loop stores its ring's head, then loads the
 * state; the writer stores its state, then loads the heads. All four are seq_cst, so at least one
 * of them sees the other: no wake-up is lost. Whoever changes the state back to awake writes the
 * eventfd, so there is at most one write for each time that the writer lies down. */
#ifndef OBSERVE_LOG_WAKER_H
#define OBSERVE_LOG_WAKER_H

#include <galley/base.h>

#include <stdatomic.h>

enum { LOG_NAP_MS = 50 };

enum log_waker_state { LOG_AWAKE, LOG_NAPPING, LOG_ASLEEP };

struct log_waker {
    _Atomic int state; /* enum log_waker_state; partner: the heads of the rings, see above */
    int event_fd;
};

/** 0, or -errno. */
int log_waker_init(struct log_waker *waker);
void log_waker_finish(struct log_waker *waker);

/** On a loop, after it published a record. */
void log_waker_tell(struct log_waker *waker, bool is_half_full);
/** Any thread, async-signal-safe: wake it whatever it does, also while it waits for a slow reader
 * of the log. */
void log_waker_call(struct log_waker *waker);

/** The writer says that it is about to lie down; afterwards it looks at the rings, and then waits
 * or gets up. */
void log_waker_lie_down(struct log_waker *waker, enum log_waker_state state);
void log_waker_get_up(struct log_waker *waker);
/** Wait until woken, or for LOG_NAP_MS when napping; gets up. */
void log_waker_wait(struct log_waker *waker);
/** After the eventfd was seen readable: take the wake-ups away. */
void log_waker_clear(struct log_waker *waker);

#endif
