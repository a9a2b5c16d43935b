/* bench/pool/row_overload.c — twice as many jobs as the workers can do: who refuses, who keeps how
 * much, and how long an accepted job waits. */
#include "measure.h"
#include "rows.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { JOB_US = 250, DURATION_MS = 400, CAPACITY = 128 };

struct loaded_job {
    struct bench_job job;
    uint64_t due_ns, started_ns; /* not started: 0 */
};

struct run {
    struct bench *bench;
    struct loaded_job *jobs;
    size_t count;
    uint64_t gap_ns, accepted, rejected, memory_before, memory_peak;
};

static void run_loaded(struct bench_job *job)
{
    struct loaded_job *mine = (struct loaded_job *)job;
    mine->started_ns = now_ns();
    spin_for(JOB_US * NS_PER_US);
    count_one(1);
}

static void offer(struct run *run, struct bench_job *job)
{
    int refused = bench_peer.try_submit ? bench_peer.try_submit(run->bench->pool, job)
                                        : bench_peer.submit(run->bench->pool, job);
    if (refused) {
        run->rejected++;
    } else {
        run->accepted++;
    }
}

static void produce(void *arg, unsigned index)
{
    (void)index;
    struct run *run = arg;
    uint64_t begin = now_ns() + NS_PER_MS;
    for (size_t i = 0; i < run->count; i++) {
        run->jobs[i].due_ns = begin + i * run->gap_ns;
        sleep_until(run->jobs[i].due_ns);
        offer(run, &run->jobs[i].job);
    }
    run->memory_peak = resident_bytes();
    bench_leave(run->bench);
}

static double worst_wait_ms(const struct run *run, double part)
{
    double *waits = must_alloc(run->count, sizeof *waits);
    size_t n = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->jobs[i].started_ns) {
            waits[n++] = (double)(run->jobs[i].started_ns - run->jobs[i].due_ns) / NS_PER_MS;
        }
    }
    double found = percentile(waits, n, part);
    free(waits);
    return found;
}

void row_overload(struct bench *bench)
{
    struct run run = {.bench = bench, .gap_ns = JOB_US * NS_PER_US / 2 / bench->workers};
    run.count = (uint64_t)DURATION_MS * NS_PER_MS / run.gap_ns / bench->divisor;
    run.jobs = must_alloc(run.count, sizeof *run.jobs);
    for (size_t i = 0; i < run.count; i++) {
        run.jobs[i].job.run = run_loaded;
    }
    bench_open(bench, CAPACITY);
    uint64_t cpu = cpu_ns();
    run.memory_before = resident_bytes();
    bench_producers(bench, 1, produce, &run);
    count_wait(run.accepted);
    cpu = cpu_ns() - cpu;
    bench_close(bench);
    out_check("accepted and rejected", run.count, run.accepted + run.rejected);
    out_check("jobs run", run.accepted, count_sum());
    out_figure("rejected_percent", 100.0 * (double)run.rejected / (double)run.count);
    out_figure("wait_p99_ms", worst_wait_ms(&run, 0.99));
    out_figure("memory_kb", (double)(run.memory_peak - run.memory_before) / 1024);
    out_figure("cpu_over_us",
               ((double)cpu / (double)run.accepted - JOB_US * NS_PER_US) / NS_PER_US);
}
