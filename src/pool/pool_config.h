/* pool/pool_config.h — the options of a pool, checked and completed: what pool_create works with.
 * The way a thread is made is part of it, so that a test can let the n-th one fail; so is the
 * number of CPUs. */
#ifndef POOL_POOL_CONFIG_H
#define POOL_POOL_CONFIG_H

#include <galley/pool.h>

#include <pthread.h>

enum { POOL_NAME_BYTES = 16 }; /* the kernel's limit for a thread's name, with NUL */

typedef int create_thread_fn(pthread_t *ret_thread, const pthread_attr_t *attributes,
                             void *(*run)(void *), void *arg);

struct pool_config {
    unsigned threads;
    unsigned min_threads; /* 1 .. threads */
    uint64_t queue_capacity;
    size_t stack_size;
    char name[POOL_NAME_BYTES];
    const int *cpus; /* borrowed: used only while the pool is made */
    size_t cpu_count;
    int64_t spin_ns;
    bool wants_timing;
    void (*thread_start)(unsigned index, void *ctx);
    void (*thread_stop)(unsigned index, void *ctx);
    void *thread_ctx;
    galley_pool_observer *observer;
    uint32_t observe;
    void *observer_ctx;
    create_thread_fn *create_thread;
};

/** From what a user wrote; opt may be NULL. usable_cpus: what this process may use. 0 or a filled
 * error. */
int pool_config_from_options(struct pool_config *config, const galley_pool_options *opt,
                             unsigned usable_cpus, galley_error *err);

/** Does it matter whether a cgroup allows fewer CPUs than the affinity? To find out reads a dozen
 *  files: only for who left the number of threads open, or may spin. */
bool pool_config_needs_quota(const galley_pool_options *opt, unsigned affinity);

/** A running pool, or NULL and an error: then no thread, memory or callback came of it. */
galley_pool *pool_create(const struct pool_config *config, galley_error *err);

#endif
