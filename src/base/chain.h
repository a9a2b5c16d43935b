/* base/chain.h — output waiting to be sent: a queue of memory pieces and file ranges, in order.
 * A piece's release function is called exactly once, when its last byte has been consumed or the
 * chain is cleared. The array of parts comes from a chain_pool (one per loop) and goes back when
 * the chain is empty, so that a steady state allocates nothing and an idle connection holds
 * nothing. One thread at a time, the pool's; a chain without a pool (NULL) may be filled on any one
 * thread and then moved to one with a pool. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include "base/span.h"

#include <sys/types.h>
#include <sys/uio.h>

/** Runs inside chain_consume, chain_clear or chain_add*, when its part is out of the chain: it may
 *  look at the chain and add to it, but not consume, clear, move or init it. */
typedef void chain_release_fn(void *arg);

struct chain_part {
    const char *ptr; /* memory; NULL for a file range */
    size_t len;      /* bytes left */
    off_t offset;    /* of the file range's next byte */
    int fd;          /* -1 for memory; borrowed: release closes it if it is to be closed */
    chain_release_fn *release; /* may be NULL */
    void *arg;
};

struct chain_pool {
    void *free_blocks;
    unsigned free_count;
};

struct chain {
    struct chain_pool *pool;
    struct chain_part *parts; /* NULL when empty */
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
    uint64_t bytes; /* left in all parts */
};

/** Nothing is allocated yet; at most 256 KiB are kept. */
void chain_pool_init(struct chain_pool *pool);
/** After every chain that uses it is empty. */
void chain_pool_finish(struct chain_pool *pool);

/** pool may be NULL: then every array and copy is an allocation. */
void chain_init(struct chain *chain, struct chain_pool *pool);
/** Release everything that is left; the chain is empty and usable afterwards. */
void chain_clear(struct chain *chain);
static inline bool chain_is_empty(const struct chain *chain)
{
    return chain->count == 0;
}

/** What the pool keeps, at most. */
uint64_t chain_pool_kept_bytes(void);
/** Most that a chain of so many copied bytes takes of the heap. */
uint64_t chain_most_bytes(uint64_t bytes);

/** Append memory. On GALLEY_ENOMEM nothing was appended and release was NOT called. len 0: release
 *  is called at once and 0 returned. */
int chain_add(struct chain *chain, const void *data, size_t len, chain_release_fn *release,
              void *arg);
/** Append a copy of the bytes (owned by the chain; small pieces are packed together where
 * possible). */
int chain_add_copy(struct chain *chain, const void *data, size_t len);
/** The same, for who writes the bytes, len of them and at least one, itself: at once, to where the
 * result points. NULL: out of memory, nothing was appended. */
char *chain_add_room(struct chain *chain, size_t len);
/** Does the memory of the last part end there? */
bool chain_ends_at(const struct chain *chain, const void *end);
/** The last part has len bytes more: those that lie behind its own, and live as long. */
void chain_lengthen(struct chain *chain, size_t len);
/** Append len bytes of fd from offset; same rules as chain_add. */
int chain_add_file(struct chain *chain, int fd, off_t offset, uint64_t len,
                   chain_release_fn *release, void *arg);
/** Move all parts of `from` behind those of `to`; on GALLEY_ENOMEM both stay as they were. Their
 * pools may differ. */
int chain_move(struct chain *to, struct chain *from);

/** Fill iov with the memory pieces at the front, up to the first file range; returns how many (0:
 *  the front is a file range or the chain is empty). */
int chain_iov(const struct chain *chain, struct iovec *iov, int max);
/** The front part; NULL when empty. */
const struct chain_part *chain_front(const struct chain *chain);
/** n bytes were sent: release what is done. n <= bytes. */
void chain_consume(struct chain *chain, uint64_t n);

#endif
