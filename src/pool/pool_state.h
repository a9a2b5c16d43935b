/* pool/pool_state.h — what a pool and its workers are made of. Private to this room.
 * Life: pool_create makes everything and every thread, or nothing; workers run worker_main; `refs`
 * counts the threads that have not ended, and one for the owner. The owner joins all threads and
 * releases the pool, or gives its reference up (detach), and then the last worker releases it.
 * Fields say who writes them; those that several threads touch are atomic or under `control`. */
#ifndef POOL_POOL_STATE_H
#define POOL_POOL_STATE_H

#include "base/counter.h"
#include "pool/fork_guard.h"
#include "pool/gate.h"
#include "pool/job_queue.h"
#include "pool/pool_config.h"
#include "pool/seat.h"
#include "pool/sleepers.h"

#include <pthread.h>

/* As galley_worker_info.state counts them. */
enum worker_state { WORKER_SLEEPING = 0, WORKER_LOOKING = 1, WORKER_RUNNING = 2, WORKER_ENDED = 3 };

struct worker {
    /* set before the thread starts */
    alignas(CACHE_LINE) struct galley_pool *pool;
    unsigned index;
    struct seat *seat;
    pthread_t thread;   /* pool->control */
    pthread_t replaces; /* the thread that a job ended; its successor joins it, if */
    bool has_predecessor;

    /* the worker's own */
    bool is_searching; /* counted in the sleepers' word */
    bool is_in_job;    /* `current` is not accounted for yet */
    bool is_ending;    /* past its last job */
    int dropping;      /* GALLEY_DROP_… while `current` is in its drop callback, else 0 */
    struct queued_job current;
    int64_t started_ns; /* of `current`, when the pool keeps times */

    /* written by the worker, read by anybody; relaxed, each a number of its own */
    alignas(CACHE_LINE) _Atomic int state;
    _Atomic(const char *) label;
    _Atomic uint64_t job;
    _Atomic int64_t since_ms;
    struct counter finished;
    struct counter dropped;
    struct counter expired;
    struct counter wait_ns;
    struct counter run_ns;
    struct counter wakeups;
    _Atomic uint64_t done; /* jobs ended in any way. release; partner: acquire in pool_is_idle */
};

enum start_signal { START_WAIT = 0, START_GO = 1, START_ABORT = 2 };

struct galley_pool {
    /* fixed once the threads run */
    struct pool_config config;
    struct worker *workers;
    uint32_t fork_generation;
    bool keeps_times;
    struct seat *seats; /* the workers', then the guests' */
    unsigned seat_count;

    struct job_queue queue;
    struct sleepers sleepers;
    struct gate room;    /* submitters that wait for free slots … */
    uint64_t room_batch; /* … of which so many must be there; 1 .. capacity */
    struct gate idle;    /* galley_pool_wait */

    alignas(CACHE_LINE) _Atomic bool has_forked; /* a group has begun, ever: look for tasks */
    _Atomic bool is_discarding; /* relaxed: makes jobs drop and long ones stop early */
    _Atomic uint32_t start;     /* futex: enum start_signal. Partner: worker_main */
    _Atomic uint32_t refs; /* futex: threads that have not ended + the owner. Partner: shutdown */
    /* what submitters write in an overload, apart from what workers read for each job */
    alignas(CACHE_LINE) struct counter rejected;
    struct counter dropped; /* by threads outside the pool */
    _Atomic uint64_t done;  /* as worker.done, for those */
    _Atomic uint64_t queue_peak;
    _Atomic uint64_t replaced;

    pthread_mutex_t control; /* guards what follows, and the workers' `thread` */
    bool is_closed;
    bool is_joined;
    bool is_detached;
    uint64_t finished_before; /* what the totals were when the pool was closed */
    uint64_t dropped_before;
};

static inline bool pool_is_forked(const struct galley_pool *pool)
{
    return pool->fork_generation != fork_guard_generation();
}

/** What every public call asks first: 0, GALLEY_EINVAL or GALLEY_EFORKED. */
static inline int pool_check(const struct galley_pool *pool)
{
    if (!pool) {
        return GALLEY_EINVAL;
    }
    return pool_is_forked(pool) ? GALLEY_EFORKED : 0;
}

static inline bool pool_wants(const struct galley_pool *pool, uint32_t kind)
{
    return (pool->config.observe & kind) != 0;
}

/** Fills `queued` and calls the observer. Ask pool_wants first. */
void pool_tell(struct galley_pool *pool, galley_pool_event event);

/** The number by which a job is known outside: 1 for the first. */
static inline uint64_t job_number(uint64_t ticket)
{
    return ticket + 1;
}

/** Keep the highest queue length that was seen. */
void pool_note_length(struct galley_pool *pool, size_t length);
/** Sums over the workers. */
uint64_t pool_total_finished(struct galley_pool *pool);
uint64_t pool_total_dropped(struct galley_pool *pool);
uint64_t pool_total_expired(struct galley_pool *pool);
uint64_t pool_total_stolen(const struct galley_pool *pool);
/** Was there a moment during this call at which every accepted job had ended? */
bool pool_is_idle(struct galley_pool *pool);

/** Drop a job that was taken from the queue; worker is the caller's, NULL outside the pool. */
void pool_drop(struct galley_pool *pool, struct worker *worker, const struct queued_job *job,
               int why);
/** Its second half: count it, tell it. */
void pool_account_drop(struct galley_pool *pool, struct worker *worker,
                       const struct queued_job *job, int why);

/** Free everything. No thread may use the pool any more but submitters that were blocked and are on
 * their way out. */
void pool_release(struct galley_pool *pool);

#endif
