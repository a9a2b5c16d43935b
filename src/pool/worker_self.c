/* pool/worker_self.c — what the calling thread is told about itself. The two thread-local pointers
 * are the room's. */
#include "pool/worker_self.h"

#include "pool/pool_state.h"

static _Thread_local struct worker *self;
static _Thread_local const galley_stop_flag *watched;

struct worker *worker_self(void)
{
    return self;
}

void worker_self_set(struct worker *worker)
{
    self = worker;
}

bool worker_self_is_of(const galley_pool *pool)
{
    return self && self->pool == pool;
}

const galley_stop_flag *galley_stop_flag_watch(const galley_stop_flag *flag)
{
    const galley_stop_flag *before = watched;
    watched = flag;
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
    return self ? (int)self->index : -1;
}

galley_pool *galley_worker_pool(void)
{
    return self ? self->pool : NULL;
}

bool galley_should_stop(void)
{
    if (watched && __atomic_load_n(&watched->raised, __ATOMIC_RELAXED)) {
        return true;
    }
    return self && atomic_load_explicit(&self->pool->is_discarding, memory_order_relaxed);
}
