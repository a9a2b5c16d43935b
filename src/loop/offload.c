/* loop/offload.c — a job for the pool and a post for the loop in one struct. offload_start() on the
 * loop, run or drop on a worker (or whoever closes the pool), finish on the loop. The post
 * publishes what the worker wrote. */
#include "loop/offload.h"

#include "loop/errand.h"

static void finish(struct loop_post *post)
{
    struct offload *offload = CONTAINER_OF(post, struct offload, post);
    errand_end(offload->errand);
    offload->done(offload);
}

static void run_job(void *arg)
{
    struct offload *offload = arg;
    offload->run(offload);
    loop_post(offload->loop, &offload->post);
}

static void drop_job(void *arg, int why)
{
    struct offload *offload = arg;
    offload->dropped = why;
    loop_post(offload->loop, &offload->post);
}

int offload_start(struct offload *offload, struct loop *loop, galley_pool *pool, offload_fn *run,
                  offload_fn *done, const struct offload_options *options)
{
    offload->post.run = finish;
    offload->loop = loop;
    offload->run = run;
    offload->done = done;
    offload->dropped = 0;
    offload->errand = pool ? errand_begin(loop) : NULL;
    if (!pool) {
        run(offload);
        loop_later(loop, &offload->post);
        return 0;
    }
    const galley_job job = {
        .run = run_job,
        .arg = offload,
        .drop = drop_job,
        .label = options ? options->label : NULL,
        .expires_ms = options ? options->expires_ms : 0,
    };
    ptrdiff_t accepted = galley_pool_submit(pool, &job, 1, 0);
    if (accepted == 1) {
        return 0;
    }
    errand_end(offload->errand);
    return accepted < 0 ? (int)accepted : GALLEY_EFULL;
}
