/* bench/pool/row_fork.c — fork/join: fib(30) without a cut-off, n queens, and a loop whose rounds
 * differ a thousandfold. Only for pools that have fork/join of their own. */
#include "measure.h"
#include "rows.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    FIB_N = 30,
    FIB_N_SHORT = 20,
    QUEENS = 12,
    QUEENS_SHORT = 8,
    FORK_ROWS = 5, /* queens placed by forks; the rest of the tree is serial */
    LOOP = 4096,
    LOOP_GRAIN = 16,
    LOOP_UNIT = 2 /* steps of work() for each unit of a round's weight */
};

static struct bench *the_bench; /* one measurement a process */

static bool begin_fork(struct bench *bench)
{
    if (!bench_peer.fork) {
        out_absent("no fork/join");
        return false;
    }
    the_bench = bench;
    bench_open(bench, DEFAULT_CAPACITY);
    return true;
}

static void report(uint64_t begin, uint64_t cpu, double forks)
{
    double wall = (double)(now_ns() - begin);
    out_figure("ms", wall / NS_PER_MS);
    out_figure("cpu_ms", (double)(cpu_ns() - cpu) / NS_PER_MS);
    if (forks > 0) {
        out_figure("fork_ns", wall / forks);
    }
}

/* ---- fib ------------------------------------------------------------------------------------- */

struct fib {
    unsigned n;
    uint64_t value;
};

static void fib_task(void *arg)
{
    struct fib *fib = arg;
    if (fib->n < 2) {
        fib->value = fib->n;
        return;
    }
    struct fib parts[2] = {{.n = fib->n - 1}, {.n = fib->n - 2}};
    bench_peer.fork(the_bench->pool, fib_task, parts, sizeof parts[0], 2);
    fib->value = parts[0].value + parts[1].value;
}

static uint64_t fib_serial(unsigned n)
{
    uint64_t a = 0, b = 1;
    for (unsigned i = 0; i < n; i++) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

void row_fib(struct bench *bench)
{
    if (!begin_fork(bench)) {
        return;
    }
    struct fib fib = {.n = bench->divisor > 1 ? FIB_N_SHORT : FIB_N};
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_peer.root(bench->pool, fib_task, &fib);
    report(begin, cpu, (double)fib_serial(fib.n + 1)); /* about one fork for each leaf */
    out_check("fib", fib_serial(fib.n), fib.value);
    bench_close(bench);
}

/* ---- queens ---------------------------------------------------------------------------------- */

struct board {
    unsigned size, row;
    uint32_t columns, left, right; /* attacked, as seen from this row */
    uint64_t solutions;
};

static uint32_t free_columns(const struct board *board)
{
    return ~(board->columns | board->left | board->right) & ((1u << board->size) - 1);
}

static struct board place(const struct board *board, uint32_t queen)
{
    return (struct board){.size = board->size,
                          .row = board->row + 1,
                          .columns = board->columns | queen,
                          .left = (board->left | queen) << 1,
                          .right = (board->right | queen) >> 1};
}

static uint64_t count_solutions(const struct board *board)
{
    if (board->row == board->size) {
        return 1;
    }
    uint64_t solutions = 0;
    for (uint32_t open = free_columns(board); open; open &= open - 1) {
        struct board next = place(board, open & -open);
        solutions += count_solutions(&next);
    }
    return solutions;
}

static void queens_task(void *arg)
{
    struct board *board = arg;
    if (board->row >= FORK_ROWS) {
        board->solutions = count_solutions(board);
        return;
    }
    struct board next[PEER_FORK_MAX];
    size_t count = 0;
    for (uint32_t open = free_columns(board); open; open &= open - 1) {
        next[count++] = place(board, open & -open);
    }
    bench_peer.fork(the_bench->pool, queens_task, next, sizeof next[0], count);
    for (size_t i = 0; i < count; i++) {
        board->solutions += next[i].solutions;
    }
}

void row_queens(struct bench *bench)
{
    if (!begin_fork(bench)) {
        return;
    }
    bool is_short = bench->divisor > 1;
    struct board board = {.size = is_short ? QUEENS_SHORT : QUEENS};
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_peer.root(bench->pool, queens_task, &board);
    report(begin, cpu, 0);
    out_check("solutions", is_short ? 92 : 14200, board.solutions); /* known numbers */
    bench_close(bench);
}

/* ---- a loop of uneven rounds ----------------------------------------------------------------- */

static _Atomic uint64_t loop_sum;

/* Heavy rounds lie together, so that an even split of the range is a bad one. */
static unsigned weight_of(size_t i)
{
    return i < LOOP / 8 ? 1000 : 1 + (unsigned)(i % 64);
}

static void loop_range(size_t begin, size_t end, void *arg)
{
    unsigned divisor = *(const unsigned *)arg;
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++) {
        sum += work(i, weight_of(i) * LOOP_UNIT * 10 / divisor);
    }
    atomic_fetch_add_explicit(&loop_sum, sum, memory_order_relaxed);
}

static void loop_root(void *arg)
{
    bench_peer.parallel_for(the_bench->pool, 0, LOOP, LOOP_GRAIN, loop_range, arg);
}

void row_uneven(struct bench *bench)
{
    if (!begin_fork(bench)) {
        return;
    }
    unsigned divisor = bench->divisor;
    uint64_t cpu = cpu_ns(), begin = now_ns();
    bench_peer.root(bench->pool, loop_root, &divisor);
    report(begin, cpu, 0);
    uint64_t found = atomic_exchange(&loop_sum, 0);
    loop_range(0, LOOP, &divisor);
    out_check("sum", atomic_load(&loop_sum), found);
    bench_close(bench);
}
