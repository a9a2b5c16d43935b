/* bench/pool/peer_openmp.c — OpenMP tasks as gcc's libgomp runs them. There is no pool to hold: the
 * threads are those of a parallel region, so producers run inside one, beside `workers` others that
 * wait at its end and run tasks there. */
#include "adapter.h"

#include <gnu/libc-version.h>
#include <omp.h>
#include <stdio.h>

struct peer_pool {
    unsigned workers;
};

static void version(char *out, size_t size)
{
    snprintf(out, size, "gcc %d.%d, OpenMP %d", __GNUC__, __GNUC_MINOR__, _OPENMP);
}

/* The first region makes the threads. */
static struct peer_pool *create(unsigned workers, size_t capacity)
{
    (void)capacity;
    static struct peer_pool the_only_one;
    the_only_one.workers = workers;
    omp_set_dynamic(0);
    unsigned seen = 0;
#pragma omp parallel num_threads((int)workers) reduction(+ : seen)
    seen += 1;
    return seen == workers ? &the_only_one : NULL;
}

static void run_producers(struct peer_pool *pool, unsigned count, peer_produce_fn *produce,
                          void *arg)
{
#pragma omp parallel num_threads((int)(pool->workers + count))
    {
        unsigned index = (unsigned)omp_get_thread_num();
        if (index < count) {
            produce(arg, index);
        }
    }
}

static int submit(struct peer_pool *pool, struct bench_job *job)
{
    (void)pool;
#pragma omp task firstprivate(job)
    job->run(job);
    return 0;
}

static void fan(struct peer_pool *pool, struct bench_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)submit(pool, jobs[i]);
    }
#pragma omp taskwait
}

static void root(struct peer_pool *pool, peer_task_fn *fn, void *arg)
{
#pragma omp parallel num_threads((int)pool->workers)
#pragma omp single
    fn(arg);
}

static void fork_all(struct peer_pool *pool, peer_task_fn *fn, void *args, size_t stride,
                     size_t count)
{
    (void)pool;
    for (size_t i = count; i > 1; i--) {
        void *arg = (char *)args + (i - 1) * stride;
#pragma omp task firstprivate(fn, arg)
        fn(arg);
    }
    if (count > 0) {
        fn(args);
    }
#pragma omp taskwait
}

static void parallel_for(struct peer_pool *pool, size_t begin, size_t end, size_t grain,
                         peer_range_fn *fn, void *arg)
{
    (void)pool;
#pragma omp taskloop grainsize(1)
    for (size_t first = begin; first < end; first += grain) {
        fn(first, first + grain < end ? first + grain : end, arg);
    }
}

const struct peer bench_peer = {
    .name = "OpenMP",
    .version = version,
    .create = create,
    .why_no_end = "the threads belong to the run-time",
    .submit = submit,
    .submit_nested = submit,
    .why_no_queue = "a submitter runs jobs itself when 64 a thread wait",
    .producers = run_producers,
    .fan = fan,
    .root = root,
    .fork = fork_all,
    .parallel_for = parallel_for,
};
