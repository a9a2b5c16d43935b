/* bench/pool/main.c — one measurement of one pool, as a process of its own: the runner (bench/pool/
 * run) starts it, gives it a time limit, and reads one line of JSON.
 *     bench_pool_PEER ROW VARIANT WORKERS DIVISOR
 *     bench_pool_PEER info */
#include "measure.h"
#include "rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct row {
    const char *name;
    row_fn *run;
};

static const struct row rows[] = {
    {"empty", row_empty},
    {"idle_latency", row_idle_latency},
    {"loaded_latency", row_loaded_latency},
    {"mixed", row_mixed},
    {"work", row_work},
    {"fib", row_fib},
    {"queens", row_queens},
    {"uneven", row_uneven},
    {"fan", row_fan},
    {"nested", row_nested},
    {"overload", row_overload},
    {"drain", row_drain},
    {"discard", row_discard},
    {"create", row_create},
    {"refused_thread", row_refused_thread},
    {"memory", row_memory},
    {"idle_cpu", row_idle_cpu},
    {"forked", row_forked},
    {"signals", row_signals},
};

void bench_open(struct bench *bench, size_t capacity)
{
    bench->pool = bench_peer.create(bench->workers, capacity);
    if (!bench->pool) {
        fprintf(stderr, "%s: no pool\n", bench_peer.name);
        exit(3);
    }
}

void bench_close(struct bench *bench)
{
    if (bench_peer.destroy) {
        bench_peer.destroy(bench->pool);
    }
}

void bench_leave(struct bench *bench)
{
    if (bench_peer.leave) {
        bench_peer.leave(bench->pool);
    }
}

void bench_submit(struct bench *bench, struct bench_job *job)
{
    if (bench_peer.submit(bench->pool, job) != 0) {
        out_wrong("jobs refused", 0, 1);
    }
}

struct producer {
    pthread_t thread;
    peer_produce_fn *produce;
    void *arg;
    unsigned index;
};

static void *run_producer(void *arg)
{
    struct producer *producer = arg;
    producer->produce(producer->arg, producer->index);
    return NULL;
}

void bench_producers(struct bench *bench, unsigned count, peer_produce_fn *produce, void *arg)
{
    if (bench_peer.producers) {
        bench_peer.producers(bench->pool, count, produce, arg);
        return;
    }
    struct producer *producers = must_alloc(count, sizeof *producers);
    for (unsigned i = 0; i < count; i++) {
        producers[i] = (struct producer){.produce = produce, .arg = arg, .index = i};
        if (pthread_create(&producers[i].thread, NULL, run_producer, &producers[i]) != 0) {
            fprintf(stderr, "bench: no thread\n");
            exit(3);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(producers[i].thread, NULL);
    }
    free(producers);
}

static int print_info(void)
{
    char version[128] = "";
    bench_peer.version(version, sizeof version);
    out_text("name", bench_peer.name);
    out_text("version", version);
    out_end();
    return 0;
}

static unsigned parse_number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "info") == 0) {
        return print_info();
    }
    if (argc != 5) {
        fprintf(stderr, "usage: %s ROW VARIANT WORKERS DIVISOR | info\n", argv[0]);
        return 2;
    }
    struct bench bench = {.variant = parse_number(argv[2]),
                          .workers = parse_number(argv[3]),
                          .divisor = parse_number(argv[4])};
    prctl(PR_SET_TIMERSLACK, 1UL); /* the pacing rows ask for exact sleeps */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, argv[1]) == 0) {
            rows[i].run(&bench);
            out_end();
            fflush(stdout);
            _exit(0); /* what the pool left behind is not this measurement's business */
        }
    }
    fprintf(stderr, "%s: no such row\n", argv[1]);
    return 2;
}
