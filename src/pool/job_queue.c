/* pool/job_queue.c — the ring. Any thread; lock-free but for one thing: a producer that is stopped
 * between claim and publish holds up the jobs behind it, and a consumer stopped inside take holds
 * up that slot's next lap. Both are a copy of 48 bytes long.
 *
 * Memory order. seq carries the job: publish releases it, take acquires it; take releases the free
 * slot, claim acquires it. Where a store here is followed by "does anybody sleep?" (publish, take)
 * and where a load here comes after "I am about to sleep" (has_job, claim), both are sequentially
 * consistent: either the sleeper sees the store or the storer sees the sleeper. Their partners are
 * in sleepers.c and gate.c. */
#include "pool/job_queue.h"

#include "base/alloc.h"
#include "base/check.h"

enum { CLOSED = 1 };

static struct job_slot *slot_of(struct job_queue *queue, uint64_t ticket)
{
    return &queue->slots[ticket & (queue->capacity - 1)];
}

static bool is_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

int job_queue_init(struct job_queue *queue, uint64_t capacity)
{
    CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0);
    queue->slots = NULL;
    if (capacity <= SIZE_MAX / sizeof(struct job_slot)) {
        queue->slots = mem_alloc_aligned(CACHE_LINE, (size_t)capacity * sizeof(struct job_slot));
    }
    if (!queue->slots) {
        return GALLEY_ENOMEM;
    }
    queue->capacity = capacity;
    for (uint64_t ticket = 0; ticket < capacity; ticket++) {
        atomic_init(&queue->slots[ticket].seq, 2 * ticket);
    }
    atomic_init(&queue->tail, 0);
    atomic_init(&queue->head, 0);
    return 0;
}

void job_queue_finish(struct job_queue *queue)
{
    mem_free(queue->slots);
    queue->slots = NULL;
}

/* How many slots from `ticket` on are free for it and its followers, at most n. What is free for a
 * ticket that nobody holds stays free, so the count is still right when the claim succeeds. */
static uint64_t count_free(struct job_queue *queue, uint64_t ticket, uint64_t n)
{
    uint64_t count = 0;
    while (count < n && count < queue->capacity &&
           atomic_load(&slot_of(queue, ticket + count)->seq) == 2 * (ticket + count)) {
        count++;
    }
    return count;
}

ptrdiff_t job_queue_claim(struct job_queue *queue, size_t n, uint64_t *ret_ticket)
{
    uint64_t tail = atomic_load(&queue->tail);
    for (;;) {
        if (tail & CLOSED) {
            return GALLEY_ECLOSED;
        }
        uint64_t ticket = tail >> 1;
        uint64_t count = count_free(queue, ticket, n);
        if (count == 0) {
            /* Full, unless the slot is taken because the tail has moved on. */
            uint64_t now = atomic_load(&queue->tail);
            if (now == tail) {
                return GALLEY_EFULL;
            }
            tail = now;
        } else if (atomic_compare_exchange_weak(&queue->tail, &tail, (ticket + count) << 1)) {
            *ret_ticket = ticket;
            return (ptrdiff_t)count;
        }
    }
}

void job_queue_publish(struct job_queue *queue, uint64_t ticket, const galley_job *job,
                       int64_t stamp_ns)
{
    struct job_slot *slot = slot_of(queue, ticket);
    slot->job = *job;
    slot->stamp_ns = stamp_ns;
    atomic_store(&slot->seq, 2 * ticket + 1); /* partner: has_job, after sleepers_enter */
}

bool job_queue_take(struct job_queue *queue, struct queued_job *ret_job)
{
    uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        struct job_slot *slot = slot_of(queue, head);
        uint64_t seq = atomic_load_explicit(&slot->seq, memory_order_acquire);
        if (seq == 2 * head + 1) {
            if (atomic_compare_exchange_weak(&queue->head, &head, head + 1)) {
                ret_job->job = slot->job;
                ret_job->ticket = head;
                ret_job->stamp_ns = slot->stamp_ns;
                atomic_store(&slot->seq,
                             2 * (head + queue->capacity)); /* partner: claim, after gate_enter */
                return true;
            }
        } else if (is_before(seq, 2 * head + 1)) {
            return false; /* not published, or the slot's last job is still being taken out */
        } else {
            head = atomic_load_explicit(&queue->head, memory_order_relaxed);
        }
    }
}

bool job_queue_has_job(struct job_queue *queue)
{
    for (;;) {
        uint64_t head = atomic_load(&queue->head);
        uint64_t seq = atomic_load(&slot_of(queue, head)->seq); /* partner: publish */
        if (seq == 2 * head + 1) {
            return true;
        }
        if (is_before(seq, 2 * head + 1)) {
            return false;
        }
    }
}

bool job_queue_has_room(struct job_queue *queue)
{
    uint64_t tail = atomic_load(&queue->tail);
    return !(tail & CLOSED) && count_free(queue, tail >> 1, 1) == 1;
}

bool job_queue_close(struct job_queue *queue)
{
    return !(atomic_fetch_or(&queue->tail, CLOSED) & CLOSED);
}

bool job_queue_is_ended(struct job_queue *queue)
{
    uint64_t tail = atomic_load(&queue->tail); /* closed: final, so the head is read after it */
    return (tail & CLOSED) && atomic_load(&queue->head) == tail >> 1;
}

uint64_t job_queue_accepted(struct job_queue *queue)
{
    return atomic_load(&queue->tail) >> 1;
}

size_t job_queue_length(struct job_queue *queue)
{
    uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed) >> 1;
    /* Two looks are not one instant: the head may have passed the tail that is read after it only
     * by growing. */
    uint64_t length = is_before(tail, head) ? 0 : tail - head;
    return (size_t)(length < queue->capacity ? length : queue->capacity);
}
