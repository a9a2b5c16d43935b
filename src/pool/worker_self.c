/* pool/worker_self.c — what the calling thread is told about itself. The thread-local struct is the
 * room's only state besides the count of forks. */
#include "pool/worker_self.h"

#include "pool/group.h"

_Thread_local struct thread_self thread_self;

struct worker *worker_self(void)
{
    return thread_self.worker;
}

void worker_self_set(struct worker *worker)
{
    thread_self.worker = worker;
    thread_self.seat = worker ? worker->seat : NULL;
    thread_self.current = NULL;
}

bool worker_self_is_of(const galley_pool *pool)
{
    return thread_self.worker && thread_self.worker->pool == pool;
}

const galley_stop_flag *galley_stop_flag_watch(const galley_stop_flag *flag)
{
    const galley_stop_flag *before = thread_self.watched;
    thread_self.watched = flag;
    return before;
}

/* Relaxed, here and in the look below: a wish, it hands over no data. The compiler's builtins,
 * because a header that C++ reads cannot hold _Atomic. */
void galley_stop_flag_raise(galley_stop_flag *flag)
{
    if (flag) {
        __atomic_store_n(&flag->raised, 1, __ATOMIC_RELAXED);
    }
}

int galley_worker_index(void)
{
    return thread_self.worker ? (int)thread_self.worker->index : -1;
}

galley_pool *galley_worker_pool(void)
{
    return thread_self.worker ? thread_self.worker->pool : NULL;
}

static bool is_discarding(const struct galley_pool *pool)
{
    return atomic_load_explicit(&pool->is_discarding, memory_order_relaxed);
}

bool galley_should_stop(void)
{
    const struct thread_self *self = &thread_self;
    if (self->watched && __atomic_load_n(&self->watched->raised, __ATOMIC_RELAXED)) {
        return true;
    }
    if (self->worker && is_discarding(self->worker->pool)) {
        return true;
    }
    for (const struct group *group = self->current; group; group = group->parent) {
        if (!group_is_live(group) || is_discarding(group->pool)) {
            return true;
        }
    }
    return false;
}
