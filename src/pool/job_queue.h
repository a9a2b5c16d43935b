/* pool/job_queue.h — the bounded FIFO queue: a ring of 64-byte slots that many threads fill and
 * many empty. A ticket is a job's place in the order of acceptance, counted from 0; it names the
 * slot and never repeats. Invariants: at most `capacity` tickets are between head and tail; a slot
 * belongs to the one thread whose ticket it carries; once closed, no ticket is given out any more.
 * Nothing here sleeps or wakes: see sleepers.h, gate.h.
 *
 * A slot's seq says whose turn it is, for ticket t:  2t free for t · 2t+1 published · 2(t+capacity)
 * free for the next lap. Doubling keeps "published" and "free for the next lap" apart even in a
 * queue of one slot. */
#ifndef POOL_JOB_QUEUE_H
#define POOL_JOB_QUEUE_H

#include <galley/pool.h>

#include <stdalign.h>
#include <stdatomic.h>

enum { CACHE_LINE = 64 };

struct job_slot {
    _Atomic uint64_t seq; /* partner: itself, in claim, publish and take */
    galley_job job;
    int64_t stamp_ns; /* when it was accepted; 0 if the pool keeps no times */
};
_Static_assert(sizeof(struct job_slot) == CACHE_LINE, "a slot is one cache line");

struct job_queue {
    struct job_slot *slots;
    uint64_t capacity; /* a power of two */
    /* next ticket << 1 | closed: one word, so that a job is accepted before the close or refused
     * after it */
    alignas(CACHE_LINE) _Atomic uint64_t tail;
    alignas(CACHE_LINE) _Atomic uint64_t head; /* next ticket to be taken */
};

/** What take hands out. */
struct queued_job {
    galley_job job;
    uint64_t ticket;
    int64_t stamp_ns;
};

/** capacity: a power of two. 0 or GALLEY_ENOMEM. */
int job_queue_init(struct job_queue *queue, uint64_t capacity);
void job_queue_finish(struct job_queue *queue);

/** Take up to n tickets in a row, the first into *ret_ticket. Their number, GALLEY_EFULL or
 *  GALLEY_ECLOSED. The caller must publish each soon: the jobs behind wait for it. */
ptrdiff_t job_queue_claim(struct job_queue *queue, size_t n, uint64_t *ret_ticket);
/** Hand over the job of a claimed ticket. */
void job_queue_publish(struct job_queue *queue, uint64_t ticket, const galley_job *job,
                       int64_t stamp_ns);
/** The oldest job, if it is published. */
bool job_queue_take(struct job_queue *queue, struct queued_job *ret_job);

/** Would take succeed now? */
bool job_queue_has_job(struct job_queue *queue);
/** Would a claim of one ticket succeed now? */
bool job_queue_has_room(struct job_queue *queue);
/** Give out no more tickets. True for the one call that closed. */
bool job_queue_close(struct job_queue *queue);
/** Closed and every ticket taken: there will never be a job again. */
bool job_queue_is_ended(struct job_queue *queue);
/** Tickets given out so far. */
uint64_t job_queue_accepted(struct job_queue *queue);
/** Tickets given out and not taken. */
size_t job_queue_length(struct job_queue *queue);

#endif
