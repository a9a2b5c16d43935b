/* bench/pool/measure.c — see measure.h. */
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SLOTS = 512,
    LINE = 64,
    MIN_POLL_NS = 50 * NS_PER_US,
    MAX_POLL_NS = 50 * NS_PER_MS,
    OUT_SIZE = 4096
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t own_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void sleep_until(uint64_t when_ns)
{
    struct timespec when = {.tv_sec = (time_t)(when_ns / NS_PER_S),
                            .tv_nsec = (long)(when_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR) {
    }
}

void sleep_for(uint64_t ns)
{
    sleep_until(now_ns() + ns);
}

void spin_for(uint64_t ns)
{
    uint64_t until = now_ns() + ns;
    while (now_ns() < until) {
    }
}

uint64_t work(uint64_t seed, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        seed ^= seed >> 29;
    }
    return seed;
}

unsigned work_rounds(uint64_t ns)
{
    enum { PROBE = 20000, TRIES = 60 };
    uint64_t best = UINT64_MAX, sink = 0;
    for (int i = 0; i < TRIES; i++) {
        uint64_t begin = now_ns();
        sink += work(sink, PROBE);
        uint64_t took = now_ns() - begin;
        best = took < best ? took : best;
    }
    volatile uint64_t keep = sink;
    (void)keep;
    uint64_t rounds = ns * PROBE / best;
    return rounds ? (unsigned)rounds : 1;
}

/* One a thread; only its thread writes it. */
struct slot {
    _Alignas(LINE) _Atomic uint64_t count, checksum;
};
static struct slot slots[SLOTS];
static atomic_uint slots_used;
static _Thread_local struct slot *my_slot;

static struct slot *take_slot(void)
{
    unsigned index = atomic_fetch_add(&slots_used, 1);
    if (index >= SLOTS) {
        fprintf(stderr, "bench: more than %d threads ran jobs\n", SLOTS);
        _exit(3);
    }
    return &slots[index];
}

void count_one(uint64_t value)
{
    if (!my_slot) {
        my_slot = take_slot();
    }
    uint64_t sum = atomic_load_explicit(&my_slot->checksum, memory_order_relaxed);
    atomic_store_explicit(&my_slot->checksum, sum + value, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&my_slot->count, memory_order_relaxed);
    atomic_store_explicit(&my_slot->count, count + 1, memory_order_release); /* count_sum */
}

uint64_t count_sum(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SLOTS && i < atomic_load(&slots_used); i++) {
        sum += atomic_load_explicit(&slots[i].count, memory_order_acquire); /* count_one */
    }
    return sum;
}

uint64_t count_mine(void)
{
    return my_slot ? atomic_load_explicit(&my_slot->count, memory_order_relaxed) : 0;
}

uint64_t count_checksum(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SLOTS && i < atomic_load(&slots_used); i++) {
        sum += atomic_load_explicit(&slots[i].checksum, memory_order_relaxed);
    }
    return sum;
}

/* On one CPU every look takes the CPU from the worker, so they are few: after each, sleep for half
 * of what is left at the pace so far. */
void count_wait(uint64_t n)
{
    uint64_t begin = now_ns(), first = count_sum();
    for (uint64_t count = first; count < n; count = count_sum()) {
        double passed = (double)(now_ns() - begin), done = (double)(count - first);
        double half = done > 0 ? passed / done * (double)(n - count) / 2 : MIN_POLL_NS;
        half = half < MIN_POLL_NS ? MIN_POLL_NS : half > MAX_POLL_NS ? MAX_POLL_NS : half;
        sleep_for((uint64_t)half);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double percentile(double *values, size_t n, double part)
{
    if (n == 0) {
        return 0;
    }
    qsort(values, n, sizeof *values, compare_doubles);
    return values[(size_t)(part * (double)(n - 1))];
}

uint64_t resident_bytes(void)
{
    unsigned long long whole = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%llu %llu", &whole, &resident) != 2) {
        resident = 0;
    }
    if (file) {
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

unsigned thread_count(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) {
        return 0;
    }
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

void *must_alloc(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (!memory) {
        fprintf(stderr, "bench: no memory\n");
        _exit(3);
    }
    return memory;
}

static char out[OUT_SIZE];
static size_t out_length;
static bool is_wrong;

static void out_add(const char *name, const char *value)
{
    size_t room = sizeof out - out_length;
    int length =
        snprintf(out + out_length, room, "%s\"%s\": %s", out_length ? ", " : "", name, value);
    if (length > 0 && (size_t)length < room) {
        out_length += (size_t)length;
    }
}

void out_figure(const char *name, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.6g", value);
    out_add(name, text);
}

void out_text(const char *name, const char *value)
{
    char text[512];
    snprintf(text, sizeof text, "\"%s\"", value);
    out_add(name, text);
}

void out_absent(const char *why)
{
    out_text("absent", why);
}

void out_wrong(const char *what, uint64_t expected, uint64_t found)
{
    char text[256];
    snprintf(text, sizeof text, "%s: %llu, not %llu", what, (unsigned long long)found,
             (unsigned long long)expected);
    if (!is_wrong) {
        out_text("wrong", text);
    }
    is_wrong = true;
}

void out_check(const char *what, uint64_t expected, uint64_t found)
{
    if (expected != found) {
        out_wrong(what, expected, found);
    }
}

void out_end(void)
{
    printf("{%s}\n", out);
    fflush(stdout);
}
