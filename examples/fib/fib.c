/* fib — fork/join: Fibonacci numbers the slow way, a task for each call that could run elsewhere,
 * and the same without tasks beside it. The work of a call is a few additions, so the difference
 * shows what a fork and a join cost. A real program stops to fork where the work gets small: with
 * --leaf=20, calls below 20 are plain calls.
 * usage: fib [--threads=N] [--leaf=N] [NUMBER]   (default: every CPU, 2, 32) */
#include <galley/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fib {
    galley_pool *pool;
    unsigned n, leaf;
    uint64_t result;
};

static uint64_t fib_serial(unsigned n)
{
    return n < 2 ? n : fib_serial(n - 1) + fib_serial(n - 2);
}

/* A task: what it needs and what it finds are in the caller's frame, which waits for it. */
static void fib(void *arg)
{
    struct fib *self = arg;
    if (self->n < self->leaf) {
        self->result = fib_serial(self->n);
        return;
    }
    struct fib a = {self->pool, self->n - 1, self->leaf, 0};
    struct fib b = {self->pool, self->n - 2, self->leaf, 0};
    galley_group group; /* on the stack: nothing is allocated */
    galley_task task;
    galley_group_init(&group, self->pool);
    galley_group_spawn(&group, &task, fib, &a); /* an idle worker may take it … */
    fib(&b);
    galley_group_wait(&group, GALLEY_FOREVER); /* … else it runs here */
    self->result = a.result + b.result;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void report(const char *how, unsigned n, uint64_t result, double ms)
{
    printf("%-9s fib(%u) = %" PRIu64 "  %9.2f ms\n", how, n, result, ms);
}

static int compare(const struct fib *wanted)
{
    struct fib forked = *wanted;
    double start = now_ms();
    fib(&forked); /* this thread takes part */
    report("fork/join", forked.n, forked.result, now_ms() - start);

    galley_pool_stats stats = {.size = sizeof stats};
    if (galley_pool_get_stats(wanted->pool, &stats) == 0) {
        printf("%-9s %" PRIu64 " tasks were taken by another thread\n", "", stats.stolen);
    }

    start = now_ms();
    uint64_t result = fib_serial(wanted->n);
    report("serial", wanted->n, result, now_ms() - start);
    return result == forked.result ? 0 : 1;
}

/* "--name=12": 12 into *ret. */
static bool is_option(const char *arg, const char *name, unsigned *ret)
{
    size_t len = strlen(name);
    char *end;
    if (strncmp(arg, name, len) != 0) {
        return false;
    }
    unsigned long value = strtoul(arg + len, &end, 10);
    *ret = (unsigned)value;
    return end != arg + len && *end == '\0' && value <= 90; /* fib(90) would take centuries */
}

int main(int argc, char **argv)
{
    struct fib wanted = {.n = 32, .leaf = 2};
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    for (int i = 1; i < argc; i++) {
        if (!is_option(argv[i], "--threads=", &options.threads) &&
            !is_option(argv[i], "--leaf=", &wanted.leaf) && !is_option(argv[i], "", &wanted.n)) {
            fprintf(stderr, "usage: fib [--threads=N] [--leaf=N] [NUMBER]\n");
            return 2;
        }
    }
    if (wanted.leaf < 2) {
        wanted.leaf = 2;
    }
    galley_error err;
    wanted.pool = galley_pool_open(&options, &err);
    if (!wanted.pool) {
        fprintf(stderr, "fib: %s\n", err.message);
        return 1;
    }
    int failed = compare(&wanted);
    galley_pool_free(wanted.pool);
    return failed;
}
