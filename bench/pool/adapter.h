/* bench/pool/adapter.h — the one face that every pool in the comparison shows. Each peer_NAME file
 * fills a `struct peer` called bench_peer; each is linked with the same rows into a program of its
 * own, so no two pools share a process.
 *
 * A job is a struct bench_job inside whatever the row needs; the pool gets a pointer to it. That is
 * how each of these pools is used by people who care, and it spares all of them an allocation. A
 * NULL function means that the pool has no such thing; the rows then do without, or say so. */
#ifndef BENCH_POOL_ADAPTER_H
#define BENCH_POOL_ADAPTER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_job {
    void (*run)(struct bench_job *job);
};

/** The peer's own pool; its file alone knows what is inside. */
struct peer_pool;

typedef void peer_produce_fn(void *arg, unsigned index);
typedef void peer_task_fn(void *arg);
typedef void peer_range_fn(size_t begin, size_t end, void *arg);

/** The most tasks that one fork() call may be given. */
enum { PEER_FORK_MAX = 16 };

struct peer {
    const char *name;
    void (*version)(char *out, size_t size);

    /** A pool of exactly `workers` threads; `capacity` jobs for those that have a bound. NULL if it
     *  could not be made. */
    struct peer_pool *(*create)(unsigned workers, size_t capacity);
    /** End a pool that has nothing to do. NULL: it cannot be ended, why_no_end says why. */
    void (*destroy)(struct peer_pool *pool);
    const char *why_no_end;
    /** Run what is queued, then end the pool. NULL: the rows wait first, then destroy. */
    void (*drain)(struct peer_pool *pool);
    /** Drop what is queued, then end the pool. */
    void (*discard)(struct peer_pool *pool);

    /** 0, or not 0: refused. Waits for room where the pool has a bound. */
    int (*submit)(struct peer_pool *pool, struct bench_job *job);
    /** 0, or not 0: refused because the queue is full. NULL: this pool never refuses. */
    int (*try_submit)(struct peer_pool *pool, struct bench_job *job);
    /** submit() from inside a job. NULL: not possible, why_no_nested says why. */
    int (*submit_nested)(struct peer_pool *pool, struct bench_job *job);
    const char *why_no_nested;
    /** Not NULL: the pool cannot be given more jobs than it has begun, and this says why. */
    const char *why_no_queue;
    /** Submit all of these and return when each has run, by the pool's own means. */
    void (*fan)(struct peer_pool *pool, struct bench_job *const *jobs, size_t count);

    /** Call produce(arg, 0 .. count-1) on `count` threads that may submit; return when all have
     *  returned. NULL: any thread may. */
    void (*producers)(struct peer_pool *pool, unsigned count, peer_produce_fn *produce, void *arg);
    /** At the end of a produce(): what the pool wants of a thread that has submitted. */
    void (*leave)(struct peer_pool *pool);

    /** Fork/join: call fn(arg) where it may fork, return when it has returned. */
    void (*root)(struct peer_pool *pool, peer_task_fn *fn, void *arg);
    /** Call fn on each of `count` elements of `stride` bytes, side by side if the pool likes, and
     *  return when all have returned. Inside root() only. */
    void (*fork)(struct peer_pool *pool, peer_task_fn *fn, void *args, size_t stride, size_t count);
    void (*parallel_for)(struct peer_pool *pool, size_t begin, size_t end, size_t grain,
                         peer_range_fn *fn, void *arg);
};

extern const struct peer bench_peer;

#ifdef __cplusplus
}
#endif
#endif
