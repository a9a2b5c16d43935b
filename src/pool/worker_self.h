/* pool/worker_self.h — which worker the calling thread is. A thread-local pointer, set by the
 * worker's thread and cleared in a forked child. */
#ifndef POOL_WORKER_SELF_H
#define POOL_WORKER_SELF_H

#include <galley/pool.h>

struct worker;

/** NULL on threads that are no workers. */
struct worker *worker_self(void);
void worker_self_set(struct worker *worker);
/** Is the caller a worker of that pool? */
bool worker_self_is_of(const galley_pool *pool);

#endif
