// bench/pool/peer_tbb.cpp — oneTBB: jobs by enqueue() into an arena of `workers` slots, as tasks of one
// group so that they can be waited for and cancelled; fork/join by task_group inside the arena.
#include "adapter.h"

#include <cstdio>
#include <new>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

namespace tbb = oneapi::tbb;

struct peer_pool {
    tbb::global_control control;
    tbb::task_arena arena;
    tbb::task_group group;

    explicit peer_pool(unsigned workers)
        : control(tbb::global_control::max_allowed_parallelism, workers + 1), arena((int)workers, 0)
    {
        arena.initialize();
    }
};

static void version(char *out, size_t size)
{
    snprintf(out, size, "%s", TBB_runtime_version());
}

static peer_pool *create(unsigned workers, size_t)
{
    try {
        return new peer_pool(workers);
    } catch (...) {
        return nullptr;
    }
}

// The threads stay: tbb::finalize() would end them, but of version 2021.8 it never returns on one CPU.
static void destroy(peer_pool *pool)
{
    pool->arena.execute([pool] { pool->group.wait(); });
    delete pool;
}

static void discard(peer_pool *pool)
{
    pool->group.cancel();
    destroy(pool);
}

static int submit(peer_pool *pool, bench_job *job)
{
    pool->arena.enqueue(pool->group.defer([job] { job->run(job); }));
    return 0;
}

static void fan(peer_pool *pool, bench_job *const *jobs, size_t count)
{
    pool->arena.execute([=] {
        for (size_t i = 0; i < count; i++) {
            bench_job *job = jobs[i];
            pool->group.run([job] { job->run(job); });
        }
        pool->group.wait();
    });
}

static void root(peer_pool *pool, peer_task_fn *fn, void *arg)
{
    pool->arena.execute([=] { fn(arg); });
}

static void fork_all(peer_pool *, peer_task_fn *fn, void *args, size_t stride, size_t count)
{
    tbb::task_group group;
    for (size_t i = count; i > 1; i--) {
        void *arg = static_cast<char *>(args) + (i - 1) * stride;
        group.run([=] { fn(arg); });
    }
    if (count > 0) {
        fn(args);
    }
    group.wait();
}

static void parallel_for(peer_pool *, size_t begin, size_t end, size_t grain, peer_range_fn *fn,
                         void *arg)
{
    tbb::parallel_for(
        tbb::blocked_range<size_t>(begin, end, grain),
        [=](const tbb::blocked_range<size_t> &range) { fn(range.begin(), range.end(), arg); });
}

static peer make_peer()
{
    peer made{};
    made.name = "oneTBB";
    made.version = version;
    made.create = create;
    made.destroy = destroy;
    made.drain = destroy;
    made.discard = discard;
    made.submit = submit;
    made.submit_nested = submit;
    made.fan = fan;
    made.root = root;
    made.fork = fork_all;
    made.parallel_for = parallel_for;
    return made;
}

extern "C" {
extern const peer bench_peer;
const peer bench_peer = make_peer();
}
