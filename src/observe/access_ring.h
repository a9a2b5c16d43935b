/* observe/access_ring.h — a bounded ring of records between one loop (puts) and the writer thread
 * (takes). Full means refused and counted, never waited for. Each side keeps to its own cache line
 * and looks at the other's index only when it must. The indices run freely and wrap by themselves;
 * the capacity is a power of two. */
#ifndef OBSERVE_ACCESS_RING_H
#define OBSERVE_ACCESS_RING_H

#include "base/counter.h"

#include "observe/access_record.h"

struct access_ring {
    /* The loop's line. */
    _Alignas(64) _Atomic uint32_t head; /* stored by the loop, seq_cst; see log_waker.h for why */
    uint32_t known_tail;                /* the loop's idea of tail; never ahead of it */
    struct counter dropped;
    /* The writer's line. */
    _Alignas(64) _Atomic uint32_t tail; /* release here pairs with acquire in claim and publish */
    /* Read by both, changed by none. */
    _Alignas(64) struct access_record *records;
    uint32_t capacity;
};

/** capacity: a power of two. 0 or GALLEY_ENOMEM. */
int access_ring_init(struct access_ring *ring, uint32_t capacity);
void access_ring_finish(struct access_ring *ring);

/** On the loop. The place for the next record, to be filled and published; NULL: full, counted. */
struct access_record *access_ring_claim(struct access_ring *ring);
/** On the loop. Is the ring now at least half full? */
bool access_ring_publish(struct access_ring *ring);

/** On the writer. The oldest record; NULL: none. Valid until access_ring_pop(). */
const struct access_record *access_ring_peek(struct access_ring *ring);
void access_ring_pop(struct access_ring *ring);
/** On the writer: how many wait. */
uint32_t access_ring_count(const struct access_ring *ring);

#endif
