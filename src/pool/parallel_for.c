/* pool/parallel_for.c — a loop cut in halves until the pieces are small enough: each cut leaves the
 * upper half as a task and goes on with the lower, so an idle worker finds the largest part that is
 * left. Any thread. The state of each cut is in its stack frame; the depth is the logarithm of the
 * number of pieces. */
#include "pool/pool_state.h"

#include <galley/pool.h>

enum { PIECES_PER_WORKER = 32 };

struct loop {
    galley_pool *pool;
    size_t grain;
    galley_range_fn *fn;
    void *arg;
    _Atomic bool was_stopped; /* relaxed: read after the wait */
};

struct range {
    struct loop *loop;
    size_t begin, end;
};

static void run_piece(const struct range *range)
{
    struct loop *loop = range->loop;
    if (galley_should_stop()) {
        atomic_store_explicit(&loop->was_stopped, true, memory_order_relaxed);
    } else {
        loop->fn(range->begin, range->end, loop->arg);
    }
}

static void cover(void *arg)
{
    struct range *range = arg;
    size_t grain = range->loop->grain;
    size_t count = range->end - range->begin;
    if (count <= grain) {
        run_piece(range);
        return;
    }
    size_t pieces = (count - 1) / grain + 1;
    size_t middle = range->begin + pieces / 2 * grain; /* all pieces but the last are whole */
    struct range lower = {range->loop, range->begin, middle};
    struct range upper = {range->loop, middle, range->end};
    galley_group group;
    galley_task task;
    galley_group_init(&group, range->loop->pool);
    galley_group_spawn(&group, &task, cover, &upper);
    cover(&lower);
    (void)galley_group_wait(&group, GALLEY_FOREVER); /* nobody cancels this group: 0 */
}

int galley_parallel_for(galley_pool *pool, size_t begin, size_t end, size_t grain,
                        galley_range_fn *fn, void *arg)
{
    int rc = pool_check(pool);
    if (rc == 0 && (!fn || end < begin)) {
        rc = GALLEY_EINVAL;
    }
    if (rc || begin == end) {
        return rc;
    }
    if (grain == 0) {
        grain = (end - begin) / ((size_t)pool->config.threads * PIECES_PER_WORKER);
    }
    struct loop loop = {.pool = pool, .grain = grain ? grain : 1, .fn = fn, .arg = arg};
    struct range range = {&loop, begin, end};
    cover(&range);
    return atomic_load_explicit(&loop.was_stopped, memory_order_relaxed) ? GALLEY_ECANCELED : 0;
}
