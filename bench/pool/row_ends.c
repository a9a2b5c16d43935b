/* bench/pool/row_ends.c — beginnings and ends: a full queue drained or discarded, pools made and
 * ended, a thread that the system refuses, memory of a queued job, an idle pool, a forked child. */
#include "measure.h"
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    QUEUED = 65536, /* a power of two: the bound is exactly this */
    CYCLES = 100,
    MANY_THREADS = 32,
    CYCLES_MANY = 15,
    SETTLE_MS = 30,
    HOLD_MS = 20,
    IDLE_MS = 400,
    LIMIT_MS = 1000,
    POLL_MS = 1
};

/* ---- a queue that is full, behind workers that are held -------------------------------------- */

struct holding {
    struct bench_job job;
    atomic_uint held;
    sem_t let_go;
    uint64_t until_ns;
};

static struct holding holding;

static void hold(struct bench_job *job)
{
    (void)job;
    atomic_fetch_add(&holding.held, 1);
    while (sem_wait(&holding.let_go) != 0) {
    }
}

static void count_job(struct bench_job *job)
{
    (void)job;
    count_one(1);
}

static struct bench_job counted = {count_job};

static void fill_queue(struct bench *bench, unsigned jobs)
{
    holding.job.run = hold;
    sem_init(&holding.let_go, 0, 0);
    for (unsigned i = 0; i < bench->workers; i++) {
        bench_submit(bench, &holding.job);
    }
    while (atomic_load(&holding.held) < bench->workers) {
        sleep_for(NS_PER_MS);
    }
    for (unsigned i = 0; i < jobs; i++) {
        bench_submit(bench, &counted);
    }
    out_check("jobs that ran too early", 0, count_sum());
}

static void let_go(const struct bench *bench)
{
    for (unsigned i = 0; i < bench->workers; i++) {
        sem_post(&holding.let_go);
    }
}

static void *let_go_at(void *arg)
{
    const struct bench *bench = arg;
    sleep_until(holding.until_ns);
    let_go(bench);
    return NULL;
}

/* The discard shall find the workers held and the queue full: they are let go a little later. */
static uint64_t let_go_later(struct bench *bench)
{
    pthread_t thread;
    holding.until_ns = now_ns() + HOLD_MS * NS_PER_MS;
    if (pthread_create(&thread, NULL, let_go_at, bench) != 0) {
        fprintf(stderr, "bench: no thread\n");
        exit(3);
    }
    pthread_detach(thread);
    return holding.until_ns;
}

static bool has_queue(void)
{
    if (bench_peer.why_no_queue) {
        out_absent(bench_peer.why_no_queue);
    }
    return !bench_peer.why_no_queue;
}

void row_drain(struct bench *bench)
{
    if (!has_queue()) {
        return;
    }
    unsigned jobs = QUEUED / bench->divisor;
    bench_open(bench, QUEUED);
    fill_queue(bench, jobs);
    uint64_t cpu = cpu_ns(), begin = now_ns();
    let_go(bench);
    if (bench_peer.drain) {
        bench_peer.drain(bench->pool);
    } else {
        bench_leave(bench);
        count_wait(jobs);
        bench_close(bench);
    }
    out_figure("ms", (double)(now_ns() - begin) / NS_PER_MS);
    out_figure("cpu_ns", (double)(cpu_ns() - cpu) / jobs);
    out_check("jobs run", jobs, count_sum());
}

void row_discard(struct bench *bench)
{
    if (!bench_peer.discard) {
        out_absent("no way to drop what is queued");
        return;
    }
    unsigned jobs = QUEUED / bench->divisor;
    bench_open(bench, QUEUED);
    fill_queue(bench, jobs);
    uint64_t end_of_hold = let_go_later(bench);
    bench_peer.discard(bench->pool);
    uint64_t now = now_ns();
    out_figure("ms", now > end_of_hold ? (double)(now - end_of_hold) / NS_PER_MS : 0);
    out_figure("ran_after", (double)count_sum());
    if (count_sum() > jobs) {
        out_wrong("jobs run", jobs, count_sum());
    }
}

void row_memory(struct bench *bench)
{
    if (!has_queue()) {
        return;
    }
    unsigned jobs = QUEUED / bench->divisor;
    uint64_t before = resident_bytes();
    bench_open(bench, jobs);
    fill_queue(bench, jobs);
    out_figure("bytes", (double)(resident_bytes() - before) / jobs);
    let_go(bench);
    bench_leave(bench);
    count_wait(jobs);
    bench_close(bench);
    out_check("jobs run", jobs, count_sum());
}

/* ---- make and end ---------------------------------------------------------------------------- */

static void use_and_end(struct bench *bench)
{
    bench_open(bench, DEFAULT_CAPACITY);
    uint64_t before = count_sum();
    bench_submit(bench, &counted);
    bench_leave(bench);
    while (count_sum() == before) {
        sched_yield();
    }
    bench_close(bench);
}

void row_create(struct bench *bench)
{
    if (!bench_peer.destroy) {
        out_absent(bench_peer.why_no_end);
        return;
    }
    bench->workers = bench->variant;
    unsigned cycles = (bench->variant >= MANY_THREADS ? CYCLES_MANY : CYCLES) / bench->divisor;
    cycles = cycles ? cycles : 1;
    uint64_t cpu = cpu_ns(), begin = now_ns();
    for (unsigned i = 0; i < cycles; i++) {
        use_and_end(bench);
    }
    double wall = (double)(now_ns() - begin);
    cpu = cpu_ns() - cpu;
    unsigned left = thread_count() - 1; /* at this moment: "ended" means that they are gone */
    out_check("jobs run", cycles, count_sum());
    out_figure("us", wall / cycles / NS_PER_US);
    out_figure("cpu_us", (double)cpu / cycles / NS_PER_US);
    out_figure("threads_left", left);
}

/* ---- a thread that the system refuses -------------------------------------------------------- */

static bool runs_a_job(struct bench *bench)
{
    if (bench_peer.submit(bench->pool, &counted) != 0) {
        return false;
    }
    for (unsigned waited_ms = 0; count_sum() == 0 && waited_ms < LIMIT_MS; waited_ms += POLL_MS) {
        sleep_for(POLL_MS * NS_PER_MS);
    }
    return count_sum() > 0;
}

/* The runner has preloaded refuse_threads.so: from the third pthread_create on there is none. */
void row_refused_thread(struct bench *bench)
{
    bench->workers = bench->variant;
    bench->pool = bench_peer.create(bench->workers, DEFAULT_CAPACITY);
    char text[96];
    if (!bench->pool) {
        sleep_for(SETTLE_MS * NS_PER_MS);
        unsigned left = thread_count() - 1;
        snprintf(text, sizeof text, left ? "error, %u threads left" : "error, nothing left", left);
    } else if (runs_a_job(bench)) {
        snprintf(text, sizeof text, "goes on with %u", thread_count() - 1);
    } else {
        snprintf(text, sizeof text, "a pool that runs nothing");
    }
    out_text("outcome", text);
}

/* ---- idle ------------------------------------------------------------------------------------ */

void row_idle_cpu(struct bench *bench)
{
    bench_open(bench, DEFAULT_CAPACITY);
    bench_submit(bench, &counted);
    bench_leave(bench);
    count_wait(1);
    sleep_for(SETTLE_MS * NS_PER_MS);
    struct rusage before, after;
    uint64_t length_ns = (uint64_t)IDLE_MS * NS_PER_MS / bench->divisor;
    getrusage(RUSAGE_SELF, &before);
    double own = (double)own_cpu_ns(), cpu = (double)cpu_ns() - own;
    sleep_for(length_ns);
    own = (double)own_cpu_ns();
    cpu = (double)cpu_ns() - own - cpu;
    getrusage(RUSAGE_SELF, &after);
    double seconds = (double)length_ns / NS_PER_S;
    out_figure("cpu_us_per_s", cpu / NS_PER_US / seconds);
    /* One switch is this thread's own sleep. */
    out_figure("wakeups_per_s", (double)(after.ru_nvcsw - before.ru_nvcsw - 1) / seconds);
    bench_close(bench);
}

/* ---- a forked child -------------------------------------------------------------------------- */

struct forked {
    struct bench *bench;
    bool is_refused;
};

static void produce_forked(void *arg, unsigned index)
{
    (void)index;
    struct forked *forked = arg;
    forked->is_refused = bench_peer.submit(forked->bench->pool, &counted) != 0;
}

static const char *say_forked(struct bench *bench)
{
    uint64_t before = count_sum();
    struct forked forked = {.bench = bench};
    bench_producers(bench, 1, produce_forked, &forked);
    if (forked.is_refused) {
        return "refuses";
    }
    for (unsigned waited_ms = 0; waited_ms < LIMIT_MS / 4; waited_ms += POLL_MS) {
        if (count_sum() > before) {
            return "runs it";
        }
        sleep_for(POLL_MS * NS_PER_MS);
    }
    return "accepts, never runs it";
}

void row_forked(struct bench *bench)
{
    bench_open(bench, DEFAULT_CAPACITY);
    bench_submit(bench, &counted);
    bench_leave(bench);
    count_wait(1);
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) {
        out_wrong("pipe", 0, 1);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        const char *said = say_forked(bench);
        ssize_t written = write(pipe_fds[1], said, strlen(said));
        _exit(written > 0 ? 0 : 1);
    }
    close(pipe_fds[1]);
    char said[64] = "ends the child";
    ssize_t length = read(pipe_fds[0], said, sizeof said - 1);
    if (length > 0) {
        said[length] = '\0';
    }
    waitpid(child, NULL, 0);
    out_text("outcome", said);
}

/* ---- signals in a worker --------------------------------------------------------------------- */

static atomic_uint blocked_in_job; /* of the four below; more while the job has not run */

static const int usual_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2};
enum { USUAL_SIGNALS = sizeof usual_signals / sizeof usual_signals[0] };

static void count_blocked(struct bench_job *job)
{
    (void)job;
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    unsigned blocked = 0;
    for (unsigned i = 0; i < USUAL_SIGNALS; i++) {
        blocked += sigismember(&mask, usual_signals[i]) == 1;
    }
    atomic_store(&blocked_in_job, blocked);
    count_one(1);
}

/* Can a handler of the program run on a worker, in the middle of a job? And did the pool install
 * one of its own? */
void row_signals(struct bench *bench)
{
    static struct bench_job job = {count_blocked};
    bench_open(bench, DEFAULT_CAPACITY);
    bench_submit(bench, &job);
    bench_leave(bench);
    count_wait(1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    unsigned blocked = atomic_load(&blocked_in_job);
    char text[64];
    snprintf(text, sizeof text, "%s%s",
             blocked == USUAL_SIGNALS ? "all blocked"
             : blocked == 0           ? "none blocked"
                                      : "some blocked",
             action.sa_handler != SIG_DFL ? ", handles SIGUSR1" : "");
    out_text("outcome", text);
}
