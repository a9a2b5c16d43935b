/* loop/errand.c — the count of errands; see errand.h. Callers: offload.c on the loop, the handlers'
 * jobs and what blocks in them on workers, sim.c as the reader. */
#include "loop/errand.h"

#include "base/check.h"
#include "loop/backend.h"

static _Thread_local struct loop *carried;

void errand_begin(struct loop *loop)
{
    if (loop->counts_errands) {
        atomic_fetch_add_explicit(&loop->errands, 1, memory_order_relaxed);
    }
}

void errand_end(struct loop *loop)
{
    if (!loop->counts_errands) {
        return;
    }
    /* Release: the post that came before is seen by who reads 0 (sim_is_quiet). */
    unsigned before = atomic_fetch_sub_explicit(&loop->errands, 1, memory_order_release);
    CHECK(before > 0);
    loop->backend->wake(loop);
}

struct loop *errand_carry(struct loop *loop)
{
    struct loop *before = carried;
    carried = loop;
    return before;
}

void errand_pause(struct loop *loop, bool *is_paused)
{
    if (loop->counts_errands && carried == loop && !*is_paused) {
        *is_paused = true;
        errand_end(loop);
    }
}

void errand_resume(struct loop *loop, bool *is_paused)
{
    if (*is_paused) {
        *is_paused = false;
        errand_begin(loop);
    }
}
