/* bench/pool/row_latency.c — from submission to the start of the job: when the pool is idle, under
 * open-loop load, and for short jobs among long ones. Under load each job has a due time drawn
 * beforehand, the same for every pool; its wait counts from then, also when the submitter was late,
 * so a pool that holds up its submitter does not look good for it (no coordinated omission). */
#include "measure.h"
#include "rows.h"

#include <math.h>
#include <stdlib.h>

enum {
    IDLE_JOBS = 800,
    IDLE_PAUSE_US = 300,
    LOADED_JOB_US = 500,
    LOADED_MS = 500,
    MIXED_MS = 500,
    SHORT_US = 20,
    SHORT_EVERY_US = 250,
    LONG_US = 5000,
    LONG_EVERY = 80 /* one long job after this many short ones: a quarter of one worker */
};

struct timed_job {
    struct bench_job job;
    uint64_t due_ns, started_ns, length_ns;
    uint64_t number;
};

struct run {
    struct bench *bench;
    struct timed_job *jobs;
    size_t count;
};

static void run_timed(struct bench_job *job)
{
    struct timed_job *timed = (struct timed_job *)job;
    timed->started_ns = now_ns();
    if (timed->length_ns) {
        spin_for(timed->length_ns);
    }
    count_one(timed->number);
}

static void make_jobs(struct run *run, struct bench *bench, size_t count)
{
    run->bench = bench;
    run->count = count;
    run->jobs = must_alloc(count, sizeof *run->jobs);
    for (size_t i = 0; i < count; i++) {
        run->jobs[i].job.run = run_timed;
        run->jobs[i].number = i + 1;
    }
}

static void check_jobs(const struct run *run)
{
    out_check("jobs run", run->count, count_sum());
    out_check("checksum", (uint64_t)run->count * (run->count + 1) / 2, count_checksum());
}

/* Waits of the jobs of at most max_length_ns. */
static void report_waits(const struct run *run, uint64_t max_length_ns, uint64_t cpu)
{
    double *waits = must_alloc(run->count, sizeof *waits);
    size_t n = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct timed_job *job = &run->jobs[i];
        if (job->length_ns <= max_length_ns) {
            waits[n++] = (double)(job->started_ns - job->due_ns) / NS_PER_US;
        }
    }
    out_figure("p50_us", percentile(waits, n, 0.50));
    out_figure("p99_us", percentile(waits, n, 0.99));
    out_figure("cpu_us", (double)cpu / (double)run->count / NS_PER_US);
    free(waits);
}

static void produce_idle(void *arg, unsigned index)
{
    (void)index;
    struct run *run = arg;
    for (size_t i = 0; i < run->count; i++) {
        sleep_for(IDLE_PAUSE_US * NS_PER_US);
        count_wait(i); /* a late one first */
        run->jobs[i].due_ns = now_ns();
        bench_submit(run->bench, &run->jobs[i].job);
    }
    bench_leave(run->bench);
}

void row_idle_latency(struct bench *bench)
{
    struct run run;
    make_jobs(&run, bench, IDLE_JOBS / bench->divisor);
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t cpu = cpu_ns();
    bench_producers(bench, 1, produce_idle, &run);
    count_wait(run.count);
    report_waits(&run, 0, cpu_ns() - cpu);
    check_jobs(&run);
    bench_close(bench);
}

static void produce_paced(void *arg, unsigned index)
{
    (void)index;
    struct run *run = arg;
    uint64_t begin = now_ns() + NS_PER_MS;
    for (size_t i = 0; i < run->count; i++) {
        struct timed_job *job = &run->jobs[i];
        job->due_ns += begin;
        sleep_until(job->due_ns);
        bench_submit(run->bench, &job->job);
    }
    bench_leave(run->bench);
}

static void run_paced(struct run *run, uint64_t max_length_ns)
{
    struct bench *bench = run->bench;
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t cpu = cpu_ns();
    bench_producers(bench, 1, produce_paced, run);
    count_wait(run->count);
    report_waits(run, max_length_ns, cpu_ns() - cpu);
    check_jobs(run);
    bench_close(bench);
}

/* Gaps of a Poisson process: the same numbers in every run and for every pool. */
static double random_gap(uint64_t *state, double mean)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    double uniform = ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
    return -mean * log(uniform);
}

void row_loaded_latency(struct bench *bench)
{
    struct run run;
    double gap_ns = (double)LOADED_JOB_US * NS_PER_US * 100 / bench->variant / bench->workers;
    double length_ns = (double)LOADED_MS * NS_PER_MS / bench->divisor;
    make_jobs(&run, bench, (size_t)(length_ns / gap_ns));
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    double due = 0;
    for (size_t i = 0; i < run.count; i++) {
        due += random_gap(&state, gap_ns);
        run.jobs[i].due_ns = (uint64_t)due;
        run.jobs[i].length_ns = LOADED_JOB_US * NS_PER_US;
    }
    run_paced(&run, UINT64_MAX);
}

void row_mixed(struct bench *bench)
{
    struct run run;
    make_jobs(&run, bench, (size_t)MIXED_MS * NS_PER_US / SHORT_EVERY_US / bench->divisor);
    for (size_t i = 0; i < run.count; i++) {
        unsigned length_us = i % LONG_EVERY == LONG_EVERY / 2 ? LONG_US : SHORT_US;
        run.jobs[i].due_ns = (uint64_t)i * SHORT_EVERY_US * NS_PER_US;
        run.jobs[i].length_ns = (uint64_t)length_us * NS_PER_US;
    }
    run_paced(&run, SHORT_US * NS_PER_US);
}
