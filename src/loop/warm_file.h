/* loop/warm_file.h — no loop waits for a disk: before a piece of a file is sent the kernel is asked,
 * without waiting, whether it is in memory, and if not a job on a pool reads it first.
 *
 * Called by operation.c for each try of a send_file, and by the server, which gives the pool. On the
 * loop's thread; only the jobs run elsewhere, with a descriptor of their own: the operation, its
 * socket and its file may go while one reads. A job is bounded (one window), as is how many a loop
 * has; what waits for one stands in line, in order. */
#ifndef LOOP_WARM_FILE_H
#define LOOP_WARM_FILE_H

#include "loop/loop.h"

#include <galley/pool.h>

struct warm_files;

/** How much of a file is asked about, and read, at once: what a stream may send in a turn. */
enum { WARM_WINDOW_BYTES = 512 * 1024, WARM_JOBS = 4 };

/** From now on files that are not in memory are read on the pool. Without this the loop itself
 *  waits for the disk. The pool has to be shut down before loop_destroy(), and the loop turned
 *  afterwards: its jobs post. 0 or GALLEY_ENOMEM. Once a loop; NULL as a pool (tests): the jobs run
 *  at once. */
int warm_files_start(struct loop *loop, galley_pool *pool);
/** What this takes of the memory at most, for a loop. Any thread. */
uint64_t warm_files_bytes(void);
/** How many windows jobs have read for this loop. */
uint64_t warm_files_read_count(const struct loop *loop);

/* ---- for the loop ---- */

/** loop_destroy(): all sockets are closed, no job is under way. */
void warm_files_finish(struct loop *loop);
/** May this part be sent now? It may become shorter: what is known to be in memory. False: the
 *  operation stands in line for a job and will be tried again, or is decided. */
bool warm_file_may_send(struct loop *loop, struct loop_op *op, struct loop_file *part);
/** The operation does not wait any more: cancelled, closed, failed. */
void warm_file_forget(struct loop *loop, struct loop_op *op);

#endif
