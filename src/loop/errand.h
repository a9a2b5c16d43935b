/* loop/errand.h — who is under way for a loop on other threads: handlers and other jobs that will
 * come back by a post. Only a simulated loop counts them (elsewhere all of this is a test of a
 * constant): its driver has to know when nothing can happen any more before the test's next word.
 *
 * An errand begins before its job is submitted, and ends after its post, or when the job has
 * nothing to post. While it waits for the client it is paused: whoever lets it go on begins it
 * again, before it wakes, so that the count never says "quiet" between the two. Any thread. */
#ifndef LOOP_ERRAND_H
#define LOOP_ERRAND_H

#include "loop/loop.h"

void errand_begin(struct loop *loop);
/** Wakes a driver that waits. The loop must outlive the call, as with loop_post(). */
void errand_end(struct loop *loop);

/** The calling thread runs an errand of this loop from now on (NULL: of none). Returns whose it ran
 *  before, to be put back. */
struct loop *errand_carry(struct loop *loop);
/** If the calling thread runs an errand of the loop it is about to wait, and *is_paused becomes
 *  true. Under the lock that guards *is_paused; may be repeated. */
void errand_pause(struct loop *loop, bool *is_paused);
/** Under the same lock, by whoever wakes the waiter, and by the waiter when it goes on. */
void errand_resume(struct loop *loop, bool *is_paused);

#endif
