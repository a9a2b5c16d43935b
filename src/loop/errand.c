/* loop/errand.c — the count of errands; see errand.h. Callers: offload.c on the loop, the handlers'
 * jobs and what blocks in them on workers, sim.c as the reader. */
#include "loop/errand.h"

#include "base/alloc.h"
#include "base/check.h"
#include "loop/backend.h"

static _Thread_local struct errands *carried;

struct errands *errands_create(void)
{
    struct errands *errands = mem_alloc(sizeof *errands);
    if (errands) {
        atomic_init(&errands->under_way, 0);
        atomic_init(&errands->refs, 1);
        sem_init(&errands->woken, 0, 0);
    }
    return errands;
}

void errands_unref(struct errands *errands)
{
    if (atomic_fetch_sub_explicit(&errands->refs, 1, memory_order_acq_rel) == 1) {
        sem_destroy(&errands->woken);
        mem_free(errands);
    }
}

unsigned errands_under_way(const struct errands *errands)
{
    return atomic_load_explicit(&errands->under_way, memory_order_acquire);
}

static void set_out(struct errands *errand)
{
    atomic_fetch_add_explicit(&errand->under_way, 1, memory_order_relaxed);
}

static void come_back(struct errands *errand)
{
    /* Release: the post that came before is seen by who reads the count. */
    unsigned before = atomic_fetch_sub_explicit(&errand->under_way, 1, memory_order_release);
    CHECK(before > 0);
    (void)sem_post(&errand->woken); /* fails only when it is awake 2^31 times over */
}

struct errands *errand_begin(const struct loop *loop)
{
    struct errands *errand = loop->errands;
    if (errand) {
        atomic_fetch_add_explicit(&errand->refs, 1, memory_order_relaxed);
        set_out(errand);
    }
    return errand;
}

void errand_end(struct errands *errand)
{
    if (errand) {
        come_back(errand);
        errands_unref(errand);
    }
}

struct errands *errand_carry(struct errands *errand)
{
    struct errands *before = carried;
    carried = errand;
    return before;
}

void errand_pause(struct errands **paused)
{
    if (carried && !*paused) {
        *paused = carried;
        come_back(carried);
    }
}

void errand_resume(struct errands **paused)
{
    if (*paused) {
        set_out(*paused);
        *paused = NULL;
    }
}
