/* loop/offload.h — "run there, finish here": a job on the pool whose end is told to the loop.
 * The struct is embedded in its user and stays until `done` has been called, exactly once for each
 * successful start, on the loop: after `run` returned (dropped 0) or in its place (dropped:
 * GALLEY_DROP_…). The pool knows no loop. */
#ifndef LOOP_OFFLOAD_H
#define LOOP_OFFLOAD_H

#include "loop/loop.h"

#include <galley/pool.h>

struct offload;
typedef void offload_fn(struct offload *offload);

struct offload {
    struct loop_post post;
    struct loop *loop;
    offload_fn *run;  /* on a worker */
    offload_fn *done; /* on the loop */
    int dropped;      /* 0, or why run was not called */
    struct errands *errand;
};

struct offload_options {
    const char *label;  /* for the pool's live view; must outlive the job */
    int64_t expires_ms; /* drop it if not started by this galley_now_ms(); 0: no */
};

/** Never waits. 0, GALLEY_EFULL, GALLEY_ECLOSED: on failure nothing happened and done will not be
 *  called. With pool NULL (tests) run is called at once, on the loop, and done in the same turn.
 *  options may be NULL. */
int offload_start(struct offload *offload, struct loop *loop, galley_pool *pool, offload_fn *run,
                  offload_fn *done, const struct offload_options *options);

#endif
