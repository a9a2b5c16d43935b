/* pool/worker_self.h — what the calling thread is to the pools: a worker, a guest, neither. One
 * thread-local struct, set by the worker's thread and cleared in a forked child. It is in the
 * header for fork/join, which asks for it at every spawn and wait. */
#ifndef POOL_WORKER_SELF_H
#define POOL_WORKER_SELF_H

#include <galley/pool.h>

struct worker;
struct seat;
struct group;

struct thread_self {
    struct worker *worker; /* NULL on threads that are no workers */
    struct seat *seat;     /* where it spawns: the newest of its chain, linked by seat->outer */
    struct group *current; /* of the task that it runs, the innermost; NULL: none */
    const galley_stop_flag *watched;
};

/* initial-exec: one load instead of a call of the dynamic linker for each access */
extern _Thread_local struct thread_self thread_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** NULL on threads that are no workers. */
struct worker *worker_self(void);
/** The thread's first word as a worker; NULL: it is none any more, and sits nowhere. */
void worker_self_set(struct worker *worker);
/** Is the caller a worker of that pool? */
bool worker_self_is_of(const galley_pool *pool);

#endif
