/* bench/pool/row_empty.c — empty jobs from 1, 2 and 4 producers: what the pool itself costs. For a
 * set time the producers submit as fast as they can; the clock stops when the last job has run. */
#include "measure.h"
#include "rows.h"

#include <pthread.h>
#include <stdlib.h>

enum { DURATION_MS = 250, SUBMITS_PER_LOOK = 64, MAX_PRODUCERS = 16 };

struct produced {
    _Alignas(64) uint64_t count;
    uint64_t ran_here; /* by the submitter itself, before it was done */
};

struct run {
    struct bench *bench;
    pthread_barrier_t start;
    struct bench_job job; /* the same for all: nobody writes it */
    uint64_t duration_ns;
    struct produced produced[MAX_PRODUCERS];
};

static void count_job(struct bench_job *job)
{
    (void)job;
    count_one(1);
}

static void produce(void *arg, unsigned index)
{
    struct run *run = arg;
    pthread_barrier_wait(&run->start);
    uint64_t until = now_ns() + run->duration_ns;
    uint64_t count = 0;
    do {
        for (int i = 0; i < SUBMITS_PER_LOOK; i++) {
            bench_submit(run->bench, &run->job);
        }
        count += SUBMITS_PER_LOOK;
    } while (now_ns() < until);
    run->produced[index].count = count;
    run->produced[index].ran_here = count_mine();
    bench_leave(run->bench);
}

static void report(const struct run *run, unsigned producers, uint64_t wall_ns, uint64_t cpu)
{
    uint64_t total = 0, least = UINT64_MAX, most = 0, ran_here = 0;
    for (unsigned i = 0; i < producers; i++) {
        uint64_t count = run->produced[i].count;
        total += count;
        ran_here += run->produced[i].ran_here;
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    out_check("jobs run", total, count_sum());
    out_figure("jobs_per_s", (double)total * NS_PER_S / (double)wall_ns);
    out_figure("cpu_ns", (double)cpu / (double)total);
    out_figure("fairness", (double)least / (double)most);
    out_figure("inline_percent", 100.0 * (double)ran_here / (double)total);
}

void row_empty(struct bench *bench)
{
    static struct run run;
    unsigned producers = bench->variant;
    run.bench = bench;
    run.job.run = count_job;
    run.duration_ns = (uint64_t)DURATION_MS * NS_PER_MS / bench->divisor;
    pthread_barrier_init(&run.start, NULL, producers);
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_producers(bench, producers, produce, &run);
    uint64_t total = 0;
    for (unsigned i = 0; i < producers; i++) {
        total += run.produced[i].count;
    }
    count_wait(total);
    uint64_t wall_ns = now_ns() - begin;
    report(&run, producers, wall_ns, cpu_ns() - cpu);
    bench_close(bench);
    out_check("jobs run by the end", total, count_sum());
}
