/* bench/pool/row_work.c — jobs of a known length, many small rounds, and jobs that submit jobs. */
#include "measure.h"
#include "rows.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WORK_MS = 150 /* for each worker */, BATCHES = 16, FAN_ROUNDS = 3000, NESTED_DEPTH = 16 };

/* ---- jobs of 1, 10 and 100 us ---------------------------------------------------------------- */

struct work_job {
    struct bench_job job;
    uint64_t seed;
    unsigned rounds;
};

struct work_run {
    struct bench *bench;
    struct work_job *jobs;
    size_t count;
    uint64_t ran_here; /* by the submitter itself, before it was done */
};

static void run_work(struct bench_job *job)
{
    const struct work_job *mine = (const struct work_job *)job;
    count_one(work(mine->seed, mine->rounds));
}

static void produce_work(void *arg, unsigned index)
{
    (void)index;
    struct work_run *run = arg;
    for (size_t i = 0; i < run->count; i++) {
        bench_submit(run->bench, &run->jobs[i].job);
    }
    run->ran_here = count_mine();
    bench_leave(run->bench);
}

/* What the first jobs give when this thread runs them, and the ns that one takes undisturbed. */
static uint64_t run_serially(const struct work_run *run, size_t batches, double *ret_job_ns)
{
    size_t batch = run->count / BATCHES;
    uint64_t checksum = 0, best = UINT64_MAX;
    for (size_t first = 0; first < batches * batch; first += batch) {
        uint64_t begin = now_ns();
        for (size_t i = first; i < first + batch; i++) {
            checksum += work(run->jobs[i].seed, run->jobs[i].rounds);
        }
        uint64_t took = now_ns() - begin;
        best = took < best ? took : best;
    }
    *ret_job_ns = (double)best / (double)batch;
    return checksum;
}

void row_work(struct bench *bench)
{
    struct work_run run = {.bench = bench};
    run.count = (size_t)WORK_MS * NS_PER_US / bench->variant * bench->workers / bench->divisor;
    run.count = (run.count / BATCHES + 1) * BATCHES;
    run.jobs = must_alloc(run.count, sizeof *run.jobs);
    unsigned rounds = work_rounds((uint64_t)bench->variant * NS_PER_US);
    for (size_t i = 0; i < run.count; i++) {
        run.jobs[i] = (struct work_job){.job = {run_work}, .seed = i + 1, .rounds = rounds};
    }
    double job_ns, job_ns_after;
    uint64_t expected = run_serially(&run, BATCHES, &job_ns);
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_producers(bench, 1, produce_work, &run);
    count_wait(run.count);
    double wall = (double)(now_ns() - begin);
    cpu = cpu_ns() - cpu;
    out_check("jobs run", run.count, count_sum());
    out_check("checksum", expected, count_checksum());
    (void)run_serially(&run, BATCHES / 4,
                       &job_ns_after); /* the machine may have changed its pace */
    job_ns = job_ns < job_ns_after ? job_ns : job_ns_after;
    out_figure("efficiency", (double)run.count * job_ns / wall / bench->workers);
    out_figure("cpu_us", (double)cpu / (double)run.count / NS_PER_US);
    out_figure("inline_percent", 100.0 * (double)run.ran_here / (double)run.count);
    bench_close(bench);
}

/* ---- fan out, fan in ------------------------------------------------------------------------- */

struct fan_job {
    struct bench_job job;
    struct fan_run *run;
};

struct fan_run {
    struct bench *bench;
    struct fan_job jobs[PEER_FORK_MAX];
    struct bench_job *list[PEER_FORK_MAX];
    atomic_uint left;
    sem_t all_ran; /* for the pools that have nothing of their own to wait on */
    unsigned rounds;
};

static void run_fan(struct bench_job *job)
{
    struct fan_run *run = ((struct fan_job *)job)->run;
    count_one(1);
    if (atomic_fetch_sub(&run->left, 1) == 1 && !bench_peer.fan) {
        sem_post(&run->all_ran);
    }
}

static void fan_by_hand(struct fan_run *run)
{
    for (int i = 0; i < PEER_FORK_MAX; i++) {
        bench_submit(run->bench, run->list[i]);
    }
    while (sem_wait(&run->all_ran) != 0) {
    }
}

static void produce_fan(void *arg, unsigned index)
{
    (void)index;
    struct fan_run *run = arg;
    for (unsigned round = 0; round < run->rounds; round++) {
        atomic_store(&run->left, PEER_FORK_MAX);
        if (bench_peer.fan) {
            bench_peer.fan(run->bench->pool, run->list, PEER_FORK_MAX);
        } else {
            fan_by_hand(run);
        }
        out_check("jobs left after the wait", 0, atomic_load(&run->left));
    }
    bench_leave(run->bench);
}

void row_fan(struct bench *bench)
{
    static struct fan_run run;
    run.bench = bench;
    run.rounds = FAN_ROUNDS / bench->divisor;
    sem_init(&run.all_ran, 0, 0);
    for (int i = 0; i < PEER_FORK_MAX; i++) {
        run.jobs[i] = (struct fan_job){.job = {run_fan}, .run = &run};
        run.list[i] = &run.jobs[i].job;
    }
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_producers(bench, 1, produce_fan, &run);
    double wall = (double)(now_ns() - begin);
    cpu = cpu_ns() - cpu;
    out_check("jobs run", (uint64_t)run.rounds * PEER_FORK_MAX, count_sum());
    out_figure("round_us", wall / run.rounds / NS_PER_US);
    out_figure("cpu_us", (double)cpu / run.rounds / NS_PER_US);
    bench_close(bench);
}

/* ---- jobs that submit jobs ------------------------------------------------------------------- */

/* A binary tree in an array: node i submits 2i + 1 and 2i + 2. */
struct node {
    struct bench_job job;
    struct tree *tree;
};

struct tree {
    struct bench *bench;
    struct node *nodes;
    size_t count;
    _Atomic uint64_t ran_inside; /* a submit, instead of being handed over */
};

static _Thread_local bool is_in_node;

static void run_node(struct bench_job *job)
{
    struct node *node = (struct node *)job;
    struct tree *tree = node->tree;
    size_t index = (size_t)(node - tree->nodes);
    bool is_inside = is_in_node;
    is_in_node = true;
    if (is_inside) {
        atomic_fetch_add_explicit(&tree->ran_inside, 1, memory_order_relaxed);
    }
    count_one(index);
    for (size_t child = 2 * index + 1; child <= 2 * index + 2 && child < tree->count; child++) {
        if (bench_peer.submit_nested(tree->bench->pool, &tree->nodes[child].job) != 0) {
            out_wrong("jobs refused", 0, 1);
        }
    }
    is_in_node = is_inside;
}

static void produce_root(void *arg, unsigned index)
{
    (void)index;
    struct tree *tree = arg;
    bench_submit(tree->bench, &tree->nodes[0].job);
    bench_leave(tree->bench);
}

void row_nested(struct bench *bench)
{
    if (!bench_peer.submit_nested) {
        out_absent(bench_peer.why_no_nested);
        return;
    }
    struct tree tree = {.bench = bench, .count = ((size_t)1 << NESTED_DEPTH) / bench->divisor};
    tree.nodes = must_alloc(tree.count, sizeof *tree.nodes);
    for (size_t i = 0; i < tree.count; i++) {
        tree.nodes[i] = (struct node){.job = {run_node}, .tree = &tree};
    }
    bench_open(bench, tree.count); /* all of them fit */
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_producers(bench, 1, produce_root, &tree);
    count_wait(tree.count);
    double wall = (double)(now_ns() - begin);
    cpu = cpu_ns() - cpu;
    out_check("jobs run", tree.count, count_sum());
    out_check("checksum", (uint64_t)tree.count * (tree.count - 1) / 2, count_checksum());
    out_figure("jobs_per_s", (double)tree.count * NS_PER_S / wall);
    out_figure("cpu_ns", (double)cpu / (double)tree.count);
    out_figure("inline_percent", 100.0 * (double)tree.ran_inside / (double)tree.count);
    bench_close(bench);
}
