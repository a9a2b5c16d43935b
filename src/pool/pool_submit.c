/* pool/pool_submit.c — execute, try_execute, submit. Any thread. Nothing here allocates; only a
 * caller from outside the pool can wait, for room, at the gate. Accepted or refused is decided by
 * one word, the queue's tail. */
#include "base/clock.h"
#include "pool/futex.h"
#include "pool/pool_state.h"
#include "pool/worker_self.h"

static void tell_accepted(struct galley_pool *pool, const galley_job *job, uint64_t ticket)
{
    pool_tell(pool, (galley_pool_event){.kind = GALLEY_EV_ACCEPT,
                                        .worker = galley_worker_index(),
                                        .job = job_number(ticket),
                                        .label = job->label});
}

/* Accept as many as there is room for, one pass of wake-ups for all. Their number, GALLEY_EFULL or
 * GALLEY_ECLOSED. */
static ptrdiff_t push(struct galley_pool *pool, const galley_job *jobs, size_t n)
{
    uint64_t ticket = 0;
    ptrdiff_t count = job_queue_claim(&pool->queue, n, &ticket);
    if (count < 0) {
        return count;
    }
    int64_t stamp_ns = pool->keeps_times ? clock_mono_ns() : 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        if (pool_wants(pool, GALLEY_EV_ACCEPT)) {
            tell_accepted(pool, &jobs[i],
                          ticket + (uint64_t)i); /* before it can start, so before its START */
        }
        job_queue_publish(&pool->queue, ticket + (uint64_t)i, &jobs[i], stamp_ns);
    }
    sleepers_wake(&pool->sleepers, (uint64_t)count, SLEEPERS_NOBODY);
    return count;
}

static void refuse(struct galley_pool *pool, size_t n, int code)
{
    counter_add_shared(&pool->rejected, n);
    if (code == GALLEY_EFULL) {
        pool_note_length(pool, (size_t)pool->queue.capacity);
    }
    if (pool_wants(pool, GALLEY_EV_REJECT)) {
        pool_tell(pool, (galley_pool_event){.kind = GALLEY_EV_REJECT,
                                            .worker = galley_worker_index(),
                                            .why = code});
    }
}

/* The queue was full: push all n, waiting for room till the deadline. How many were accepted; a
 * code if none. The pool may be closed and freed meanwhile, which lets everybody out of the gate
 * first: so the caller stays inside from the first wait to its last touch of the pool. */
static ptrdiff_t push_waiting(struct galley_pool *pool, const galley_job *jobs, size_t n,
                              int64_t deadline_ns)
{
    size_t accepted = 0;
    ptrdiff_t count = 0;
    gate_enter(&pool->room);
    while (accepted < n) {
        uint32_t seen = gate_look(&pool->room);
        count = push(pool, jobs + accepted, n - accepted);
        if (count > 0) {
            accepted += (size_t)count;
        } else if (count == GALLEY_EFULL && !futex_deadline_passed(deadline_ns)) {
            gate_wait(&pool->room, seen, deadline_ns);
        } else {
            count = count == GALLEY_EFULL ? GALLEY_ETIMEDOUT : count;
            refuse(pool, n - accepted, (int)count);
            break;
        }
    }
    if (job_queue_has_room(&pool->queue)) {
        gate_pass_on(&pool->room); /* takers woke nobody else while this one was on its way */
    }
    gate_leave(&pool->room);
    return accepted ? (ptrdiff_t)accepted : count;
}

/* All n of them, if the time suffices. How many were accepted; a code if none. */
static ptrdiff_t submit_all(struct galley_pool *pool, const galley_job *jobs, size_t n,
                            int64_t timeout_ms)
{
    size_t accepted = 0;
    ptrdiff_t count = 0;
    while (accepted < n && (count = push(pool, jobs + accepted, n - accepted)) > 0) {
        accepted += (size_t)count;
    }
    if (accepted == n) {
        return (ptrdiff_t)n;
    }
    if (count == GALLEY_EFULL && timeout_ms != 0 && !worker_self_is_of(pool)) {
        count = push_waiting(pool, jobs + accepted, n - accepted, futex_deadline(timeout_ms));
    } else {
        refuse(pool, n - accepted, (int)count);
    }
    accepted += count > 0 ? (size_t)count : 0;
    return accepted ? (ptrdiff_t)accepted : count;
}

static int submit_one(struct galley_pool *pool, galley_fn *fn, void *arg, int64_t timeout_ms)
{
    int rc = pool_check(pool);
    if (rc == 0 && !fn) {
        rc = GALLEY_EINVAL;
    }
    if (rc) {
        return rc;
    }
    const galley_job job = {.run = fn, .arg = arg};
    ptrdiff_t accepted = submit_all(pool, &job, 1, timeout_ms);
    return accepted < 0 ? (int)accepted : 0;
}

int galley_pool_execute(galley_pool *pool, galley_fn *fn, void *arg)
{
    return submit_one(pool, fn, arg, GALLEY_FOREVER);
}

int galley_pool_try_execute(galley_pool *pool, galley_fn *fn, void *arg)
{
    return submit_one(pool, fn, arg, 0);
}

ptrdiff_t galley_pool_submit(galley_pool *pool, const galley_job *jobs, size_t n,
                             int64_t timeout_ms)
{
    int rc = pool_check(pool);
    if (rc) {
        return rc;
    }
    if ((!jobs && n > 0) || n > PTRDIFF_MAX) {
        return GALLEY_EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!jobs[i].run || jobs[i].reserved != 0) {
            return GALLEY_EINVAL;
        }
    }
    return submit_all(pool, jobs, n, timeout_ms);
}
