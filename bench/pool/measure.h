/* bench/pool/measure.h — clocks, work of a known length, counting what ran, and the one line of
 * JSON that a measurement prints. Any thread may count; the rest belongs to the main thread. */
#ifndef BENCH_POOL_MEASURE_H
#define BENCH_POOL_MEASURE_H

#include <stddef.h>
#include <stdint.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/** CLOCK_MONOTONIC. */
uint64_t now_ns(void);
/** User and system time of the whole process so far. */
uint64_t cpu_ns(void);
/** That of the calling thread. */
uint64_t own_cpu_ns(void);
/** Sleep to an absolute now_ns(); returns at once when it has passed. */
void sleep_until(uint64_t when_ns);
void sleep_for(uint64_t ns);

/** Keep the CPU until `ns` of wall time have passed: a job of that length, whoever else runs. */
void spin_for(uint64_t ns);
/** `rounds` steps that depend on each other; the result must be used. */
uint64_t work(uint64_t seed, unsigned rounds);
/** How many steps of work() take `ns` here and now, undisturbed. */
unsigned work_rounds(uint64_t ns);

/** Note on this thread that something ran; `value` goes into the checksum. Costs the same for every
 *  pool, and threads do not disturb each other. */
void count_one(uint64_t value);
/** How many were counted so far, on all threads. */
uint64_t count_sum(void);
/** How many this thread counted: ran itself. */
uint64_t count_mine(void);
/** Sum of the values. */
uint64_t count_checksum(void);
/** Sleep and look again until `n` were counted. */
void count_wait(uint64_t n);

/** Sorts; part is 0 .. 1. */
double percentile(double *values, size_t n, double part);
/** Pages of this process in memory, in bytes. */
uint64_t resident_bytes(void);
/** Threads of this process. */
unsigned thread_count(void);

/** Memory, or the end of the program. */
void *must_alloc(size_t n, size_t size);

/** What a measurement found. */
void out_figure(const char *name, double value);
void out_text(const char *name, const char *value);
/** The pool has no such thing. */
void out_absent(const char *why);
/** What ran was not what was asked for: no figure of this measurement counts. */
void out_wrong(const char *what, uint64_t expected, uint64_t found);
void out_check(const char *what, uint64_t expected, uint64_t found);
/** Print it. */
void out_end(void);

#endif
