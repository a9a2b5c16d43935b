/* loop/mailbox.h — what other threads have to tell a loop: a lock-free stack of posts, taken whole
 * by the loop. Many threads push, the loop's thread takes. A push asks for a wake-up only if it
 * found the mailbox empty and the loop asleep (or about to be), so that a burst of posts, or posts
 * to a busy loop, cost no system call. */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct loop_post;

struct mailbox {
    _Atomic(struct loop_post *)
        newest; /* release by mailbox_push, acquire by mailbox_take; seq_cst against is_asleep */
    atomic_bool is_asleep; /* partner of `newest`: see mailbox.c */
};

void mailbox_init(struct mailbox *mailbox);
/** Any thread. True: the caller has to wake the loop. */
bool mailbox_push(struct mailbox *mailbox, struct loop_post *post);
/** The loop's thread. All posts, oldest first; NULL when there are none. */
struct loop_post *mailbox_take(struct mailbox *mailbox);
bool mailbox_is_empty(struct mailbox *mailbox);
/** The loop's thread, before it waits: from now on a push wakes. False: there is mail, do not
 * wait. */
bool mailbox_go_to_sleep(struct mailbox *mailbox);
/** The loop's thread, after it has waited. */
void mailbox_wake_up(struct mailbox *mailbox);

#endif
