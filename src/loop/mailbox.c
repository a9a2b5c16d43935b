/* loop/mailbox.c — the stack of posts and the protocol of sleeping.
 * A poster first pushes, then looks whether the loop sleeps; the loop first says that it sleeps,
 * then looks whether there is mail. All four steps are sequentially consistent, so that at least
 * one of the two sees the other: no post is left lying before a sleeping loop. Only the poster that
 * found the stack empty looks: one wake-up per change. */
#include "loop/mailbox.h"

#include "loop/loop.h"

#include <stddef.h>

void mailbox_init(struct mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
    atomic_init(&mailbox->is_asleep, false);
}

bool mailbox_push(struct mailbox *mailbox, struct loop_post *post)
{
    struct loop_post *before = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        post->next = before;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &before, post,
                                                    memory_order_seq_cst, memory_order_relaxed));
    /* From here on `post` may have been run and released; only its address counted. */
    return before == NULL && atomic_load(&mailbox->is_asleep) &&
           atomic_exchange(&mailbox->is_asleep, false);
}

struct loop_post *mailbox_take(struct mailbox *mailbox)
{
    if (mailbox_is_empty(mailbox)) {
        return NULL; /* spares the common turn a locked instruction */
    }
    struct loop_post *newest =
        atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct loop_post *oldest = NULL;
    while (newest) { /* newest first turned into oldest first */
        struct loop_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool mailbox_is_empty(struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->newest, memory_order_relaxed) == NULL;
}

bool mailbox_go_to_sleep(struct mailbox *mailbox)
{
    atomic_store(&mailbox->is_asleep, true);
    if (atomic_load(&mailbox->newest) == NULL) {
        return true;
    }
    mailbox_wake_up(mailbox);
    return false;
}

void mailbox_wake_up(struct mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->is_asleep, false, memory_order_relaxed);
}
