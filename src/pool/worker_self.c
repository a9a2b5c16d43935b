/* pool/worker_self.c — what the calling thread is told about itself. The two thread-local pointers are the room's. */
#include "pool/worker_self.h"

#include "pool/pool_state.h"
#include "pool/stop_flag.h"

static _Thread_local struct worker *self;
static _Thread_local const atomic_int *stop_flag;

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

const atomic_int *stop_flag_set(const atomic_int *flag)
{
    const atomic_int *before = stop_flag;
    stop_flag = flag;
    return before;
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
    /* relaxed: a wish, it hands over no data */
    if (stop_flag && atomic_load_explicit(stop_flag, memory_order_relaxed)) {
        return true;
    }
    return self && atomic_load_explicit(&self->pool->is_discarding, memory_order_relaxed);
}
