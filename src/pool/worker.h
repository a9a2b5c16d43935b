/* pool/worker.h — a worker's thread: what it does from its start to its end. */
#ifndef POOL_WORKER_H
#define POOL_WORKER_H

struct worker;

/** Make the worker's thread. It waits for pool->start before it does anything. 0 or a positive
 * errno. */
int worker_create_thread(struct worker *worker);

/** The worker's jobs: returns when the queue has ended, or in a forked child. (worker_loop.c) */
void worker_loop(struct worker *worker);
/** Account for the job in `current`, which returned or ended its thread. (worker_loop.c) */
void worker_finish_job(struct worker *worker);

#endif
