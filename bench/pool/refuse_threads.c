/* bench/pool/refuse_threads.c — preloaded: the first BENCH_THREADS threads are made, every later
 * pthread_create() fails with EAGAIN, as it does at the limit of a container. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attr,
                                                          void *(*start)(void *), void *arg)
{
    static atomic_long made;
    const char *limit = getenv("BENCH_THREADS");
    if (limit && atomic_fetch_add(&made, 1) >= strtol(limit, NULL, 10)) {
        return EAGAIN;
    }
    create_fn *next;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return next(thread, attr, start, arg);
}
