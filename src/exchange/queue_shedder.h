/* exchange/queue_shedder.h — sheds what waits for a pool's workers by the time it has waited, so
 * that an overload costs those who are refused and not those who are served.
 *
 * One for each pool that handlers run on, shared by all loops. After the idea of CoDel (RFC 8289),
 * turned from packets to requests: a queue is a good thing as long as it goes away. Only when every
 * job that was started for 100 ms had waited longer than the target, and the queue has not become
 * shorter meanwhile, there is too much to do. From then on
 * - who comes when there is no room within the target is refused, before his body is read;
 * - who has waited for twice the target when a worker comes to him is not started;
 * until nobody had to be refused for a while. A burst that the workers get rid of is left alone.
 *
 * While all is well a job costs two additions to a number that all share and, on the worker, one
 * look at the clock. Freed after the last worker that may still have a job of it: see the keeper. */
#ifndef EXCHANGE_QUEUE_SHEDDER_H
#define EXCHANGE_QUEUE_SHEDDER_H

#include <galley/pool.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct queue_shedder;

/** target_ms > 0: a longer wait is too long. workers: of the pool. NULL: out of memory. */
struct queue_shedder *queue_shedder_create(unsigned workers, uint32_t target_ms);
/** NULL is allowed. */
void queue_shedder_destroy(struct queue_shedder *shedder);

/** The one of that pool in a list that begins at *list, made if there is none. NULL: out of memory.
 *  Set-up thread. */
struct queue_shedder *queue_shedder_of_pool(struct queue_shedder **list, galley_pool *pool,
                                            uint32_t target_ms);
/** Destroy all of a list. */
void queue_shedder_destroy_list(struct queue_shedder *list);

/** A hint: is there too much to do? Else nobody needs to be asked more. Any thread. */
bool queue_shedder_is_shedding(const struct queue_shedder *shedder);
/** One more wants to come, at now_ms: is he to be refused? Any thread. */
bool queue_shedder_refuses(struct queue_shedder *shedder, int64_t now_ms);

/** One is about to be given to the pool. Any thread. */
void queue_shedder_add(struct queue_shedder *shedder);
/** The pool did not take him, or dropped him. Any thread. */
void queue_shedder_remove(struct queue_shedder *shedder);
/** A worker came to him at now_ms, after waited_ms. False: do not start him, he waited too long.
 *  Instead of queue_shedder_remove(). */
bool queue_shedder_start(struct queue_shedder *shedder, int64_t waited_ms, int64_t now_ms);

/** How many are queued. A hint; any thread. */
uint32_t queue_shedder_queued(const struct queue_shedder *shedder);

#endif
