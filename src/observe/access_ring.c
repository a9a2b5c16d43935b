/* observe/access_ring.c — the ring between a loop and the writer thread. One thread on each side;
 * no lock, no waiting. */
#include "observe/access_ring.h"

#include "base/alloc.h"
#include "base/check.h"

int access_ring_init(struct access_ring *ring, uint32_t capacity)
{
    CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0);
    struct access_record *records = mem_alloc_aligned(64, (size_t)capacity * sizeof *records);
    if (!records) {
        return GALLEY_ENOMEM;
    }
    *ring = (struct access_ring){.records = records, .capacity = capacity};
    return GALLEY_OK;
}

void access_ring_finish(struct access_ring *ring)
{
    mem_free(ring->records);
    ring->records = NULL;
}

/* How many records wait, at most; the other side's index is looked at only when the known one says
 * `enough`. */
static uint32_t used_by_loop(struct access_ring *ring, uint32_t head, uint32_t enough)
{
    if (head - ring->known_tail >= enough) {
        ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    }
    return head - ring->known_tail;
}

struct access_record *access_ring_claim(struct access_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (used_by_loop(ring, head, ring->capacity) == ring->capacity) {
        counter_add(&ring->dropped, 1);
        return NULL;
    }
    return &ring->records[head & (ring->capacity - 1)];
}

bool access_ring_publish(struct access_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + 1;
    /* seq_cst: ordered before the loop's look at the waker's state; the record is released with
     * it. */
    atomic_store_explicit(&ring->head, head, memory_order_seq_cst);
    uint32_t half = (ring->capacity + 1) / 2;
    return used_by_loop(ring, head, half) >= half;
}

const struct access_record *access_ring_peek(struct access_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (access_ring_count(ring) == 0) {
        return NULL;
    }
    return &ring->records[tail & (ring->capacity - 1)];
}

void access_ring_pop(struct access_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

uint32_t access_ring_count(const struct access_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    /* seq_cst: ordered behind the writer's change of the waker's state; acquires the record. */
    return atomic_load_explicit(&ring->head, memory_order_seq_cst) - tail;
}
