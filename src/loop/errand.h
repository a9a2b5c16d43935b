/* loop/errand.h — who is under way for a loop on other threads: handlers and other jobs that will
 * come back by a post. Only a simulated loop counts them (elsewhere there is no counter, and all of
 * this is a test for NULL): its driver has to know when nothing can happen any more before the
 * test's next word.
 *
 * An errand begins before its job is submitted, and ends after its post, or when the job has
 * nothing to post. While it waits for the client it is paused: whoever lets it go on begins it
 * again, before it wakes, so that the count never says "quiet" between the two. The counter lives
 * until the loop and the last errand have let go of it: a job may end later than its loop. */
#ifndef LOOP_ERRAND_H
#define LOOP_ERRAND_H

#include "loop/loop.h"

#include <semaphore.h>
#include <stdatomic.h>

struct errands {
    atomic_uint under_way; /* release when one ends, acquire in errands_under_way() */
    atomic_uint refs;      /* the loop's, and one for each errand; acq_rel: the last one frees */
    sem_t woken;           /* something may have changed */
};

/* ---- for those who give jobs to a pool ---- */

/** One more, on the loop. NULL: this loop does not count. */
struct errands *errand_begin(const struct loop *loop);
/** Any thread. NULL is allowed. */
void errand_end(struct errands *errand);

/** The calling thread runs this errand from now on (NULL: none). Returns which it ran before, to be
 *  put back. */
struct errands *errand_carry(struct errands *errand);
/** The calling thread is about to wait: if it runs an errand, that is paused and kept in *paused.
 *  Under the lock that guards *paused; may be repeated. */
void errand_pause(struct errands **paused);
/** Under the same lock, by whoever wakes the waiter, and by the waiter when it goes on. */
void errand_resume(struct errands **paused);

/* ---- for the simulated world ---- */

/** NULL: out of memory. */
struct errands *errands_create(void);
void errands_unref(struct errands *errands);
unsigned errands_under_way(const struct errands *errands);

#endif
