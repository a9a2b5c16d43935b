/* base/chain.c — the queue of output; see chain.h. One thread at a time.
 * Parts stand in parts[first .. first + count), no part is empty, and bytes is their sum. The array
 * and the packs of small copies are blocks of one size, so that one free list serves both; a pack
 * goes back to the pool of the chain that holds it then, whoever made it. Only chains of more than
 * BLOCK_PARTS parts have an array of their own. Before a release function runs, its part is out of
 * the chain: it may look at the chain, or add to it. */
#include "base/chain.h"

#include "base/alloc.h"
#include "base/check.h"

#include <galley/base.h>

enum {
    BLOCK_BYTES = 1024,
    BLOCK_PARTS = BLOCK_BYTES / (int)sizeof(struct chain_part),
    POOL_MAX_FREE = 256 /* blocks kept by one loop: 256 KiB at most */
};

struct free_block {
    struct free_block *next;
};

void chain_pool_init(struct chain_pool *pool)
{
    *pool = (struct chain_pool){0};
}

void chain_pool_finish(struct chain_pool *pool)
{
    struct free_block *block = pool->free_blocks;
    while (block) {
        struct free_block *next = block->next;
        mem_free(block);
        block = next;
    }
    chain_pool_init(pool);
}

/* pool may be NULL: then every block is an allocation. */
static inline void *block_get(struct chain_pool *pool)
{
    if (!pool || !pool->free_blocks) {
        return mem_alloc(BLOCK_BYTES);
    }
    struct free_block *block = pool->free_blocks;
    pool->free_blocks = block->next;
    pool->free_count--;
    return block;
}

static inline void block_put(struct chain_pool *pool, void *block)
{
    if (!pool || pool->free_count >= POOL_MAX_FREE) {
        mem_free(block);
        return;
    }
    struct free_block *freed = block;
    freed->next = pool->free_blocks;
    pool->free_blocks = freed;
    pool->free_count++;
}

/* Marks a part whose arg is a pack; never called, because the block goes to the chain's pool
 * instead. */
static void pack_mark(void *arg)
{
    CHECK(arg == NULL); /* it is the pack: this cannot be reached */
}

static void release_part(struct chain_pool *pool, const struct chain_part *part)
{
    if (part->release == pack_mark) {
        block_put(pool, part->arg);
    } else if (part->release) {
        part->release(part->arg);
    }
}

static inline void put_parts(struct chain *chain)
{
    if (chain->capacity == BLOCK_PARTS) {
        block_put(chain->pool, chain->parts);
    } else {
        mem_free(chain->parts);
    }
    chain->parts = NULL;
    chain->first = 0;
    chain->capacity = 0;
}

/* The first ones of an empty chain. */
static inline int take_parts(struct chain *chain)
{
    chain->parts = block_get(chain->pool);
    chain->capacity = chain->parts ? BLOCK_PARTS : 0;
    return chain->parts ? GALLEY_OK : GALLEY_ENOMEM;
}

static int grow_parts(struct chain *chain, uint32_t need)
{
    uint32_t capacity = BLOCK_PARTS;
    while (capacity < need && capacity <= UINT32_MAX / 2) {
        capacity *= 2;
    }
    struct chain_part *parts = NULL;
    if (capacity == BLOCK_PARTS) {
        parts = block_get(chain->pool);
    } else if (capacity >= need) {
        parts = mem_alloc(capacity * sizeof *parts);
    }
    if (!parts) {
        return GALLEY_ENOMEM;
    }
    uint32_t count = chain->count;
    if (count) {
        memcpy(parts, chain->parts + chain->first, count * sizeof *parts);
    }
    if (chain->parts) {
        put_parts(chain);
    }
    chain->parts = parts;
    chain->first = 0;
    chain->capacity = capacity;
    return GALLEY_OK;
}

static int reserve_more(struct chain *chain, uint32_t more)
{
    if (more > UINT32_MAX - chain->count) {
        return GALLEY_ENOMEM;
    }
    /* Moving to the front pays only if much room is gained, else a long queue would be moved for
     * each part. */
    if (chain->first >= chain->capacity / 2 && chain->count + more <= chain->capacity &&
        chain->parts) {
        memmove(chain->parts, chain->parts + chain->first, chain->count * sizeof *chain->parts);
        chain->first = 0;
        return GALLEY_OK;
    }
    return grow_parts(chain, chain->count + more);
}

/* Room for `more` parts behind the last one. */
static inline int reserve(struct chain *chain, uint32_t more)
{
    if (more <= chain->capacity - chain->first - chain->count) {
        return GALLEY_OK;
    }
    bool is_first = !chain->parts && more <= BLOCK_PARTS;
    return is_first ? take_parts(chain) : reserve_more(chain, more);
}

static inline int append(struct chain *chain, const struct chain_part *part)
{
    if (part->len == 0) {
        release_part(chain->pool, part);
        return GALLEY_OK;
    }
    int rc = reserve(chain, 1);
    if (rc == GALLEY_OK) {
        chain->parts[chain->first + chain->count++] = *part;
        chain->bytes += part->len;
    }
    return rc;
}

void chain_init(struct chain *chain, struct chain_pool *pool)
{
    *chain = (struct chain){.pool = pool};
}

/* Take the first part out and release it. */
static void drop_front(struct chain *chain)
{
    struct chain_part part = chain->parts[chain->first];
    chain->first++;
    chain->count--;
    chain->bytes -= part.len;
    if (chain->count == 0) {
        put_parts(chain);
    }
    release_part(chain->pool, &part);
}

void chain_clear(struct chain *chain)
{
    while (chain->count > 0) {
        drop_front(chain);
    }
}

int chain_add(struct chain *chain, const void *data, size_t len, chain_release_fn *release,
              void *arg)
{
    struct chain_part part = {.ptr = data, .len = len, .fd = -1, .release = release, .arg = arg};
    return append(chain, &part);
}

bool chain_ends_at(const struct chain *chain, const void *end)
{
    if (chain->count == 0) {
        return false;
    }
    const struct chain_part *last = &chain->parts[chain->first + chain->count - 1];
    return last->ptr && last->ptr + last->len == end;
}

void chain_lengthen(struct chain *chain, size_t len)
{
    CHECK(chain->count > 0);
    struct chain_part *last = &chain->parts[chain->first + chain->count - 1];
    CHECK(last->ptr);
    last->len += len;
    chain->bytes += len;
}

int chain_add_file(struct chain *chain, int fd, off_t offset, uint64_t len,
                   chain_release_fn *release, void *arg)
{
    struct chain_part part = {
        .len = (size_t)len, .offset = offset, .fd = fd, .release = release, .arg = arg};
    if (part.len != len) {
        return GALLEY_ETOOBIG; /* only where size_t is smaller than a file */
    }
    return append(chain, &part);
}

/* The bytes behind a pack at the end of the chain; 0 when the last part is none. */
static size_t room_in_last_pack(const struct chain *chain, struct chain_part **ret_part)
{
    if (chain->count == 0) {
        return 0;
    }
    struct chain_part *last = &chain->parts[chain->first + chain->count - 1];
    if (last->release != pack_mark) {
        return 0;
    }
    *ret_part = last;
    return BLOCK_BYTES - (size_t)(last->ptr + last->len - (const char *)last->arg);
}

char *chain_add_room(struct chain *chain, size_t len)
{
    struct chain_part *last = NULL;
    if (len <= room_in_last_pack(chain, &last)) {
        char *room = (char *)last->arg + (last->ptr + last->len - (const char *)last->arg);
        last->len += len;
        chain->bytes += len;
        return room;
    }
    bool is_small = len <= BLOCK_BYTES;
    char *room = is_small ? block_get(chain->pool) : mem_alloc(len);
    if (!room) {
        return NULL;
    }
    struct chain_part part = {
        .ptr = room, .len = len, .fd = -1, .release = is_small ? pack_mark : mem_free, .arg = room};
    if (reserve(chain, 1) != GALLEY_OK) {
        release_part(chain->pool, &part);
        return NULL;
    }
    chain->parts[chain->first + chain->count++] = part;
    chain->bytes += len;
    return room;
}

int chain_add_copy(struct chain *chain, const void *data, size_t len)
{
    if (len == 0) {
        return GALLEY_OK;
    }
    char *room = chain_add_room(chain, len);
    if (!room) {
        return GALLEY_ENOMEM;
    }
    memcpy(room, data, len);
    return GALLEY_OK;
}

int chain_move(struct chain *to, struct chain *from)
{
    CHECK(to != from);
    if (from->count == 0) {
        return GALLEY_OK;
    }
    if (to->count == 0 && to->pool == from->pool) {
        *to = *from;
        chain_init(from, from->pool);
        return GALLEY_OK;
    }
    int rc = reserve(to, from->count);
    if (rc != GALLEY_OK) {
        return rc;
    }
    memcpy(to->parts + to->first + to->count, from->parts + from->first,
           from->count * sizeof *to->parts);
    to->count += from->count;
    to->bytes += from->bytes;
    from->count = 0;
    from->bytes = 0;
    put_parts(from);
    return GALLEY_OK;
}

int chain_iov(const struct chain *chain, struct iovec *iov, int max)
{
    int n = 0;
    const struct chain_part *part = chain->parts ? chain->parts + chain->first : NULL;
    for (uint32_t left = chain->count; left > 0 && n < max && part->ptr; left--, part++, n++) {
        iov[n].iov_base = (char *)(uintptr_t)part->ptr; /* only read: iovec knows no const */
        iov[n].iov_len = part->len;
    }
    return n;
}

const struct chain_part *chain_front(const struct chain *chain)
{
    return chain->count ? &chain->parts[chain->first] : NULL;
}

void chain_consume(struct chain *chain, uint64_t n)
{
    CHECK(n <= chain->bytes);
    while (n > 0) {
        struct chain_part *part = &chain->parts[chain->first];
        if (n >= part->len) {
            n -= part->len;
            drop_front(chain);
            continue;
        }
        part->ptr = part->ptr ? part->ptr + n : NULL;
        part->offset += part->ptr ? 0 : (off_t)n;
        part->len -= (size_t)n;
        chain->bytes -= n;
        n = 0;
    }
}

uint64_t chain_pool_kept_bytes(void)
{
    return POOL_MAX_FREE * mem_cost(BLOCK_BYTES);
}

/* A pack is left half empty at worst, and the array of parts has twice the room that they need. */
uint64_t chain_most_bytes(uint64_t bytes)
{
    uint64_t blocks = bytes / (BLOCK_BYTES / 2) + 1;
    return blocks * (mem_cost(BLOCK_BYTES) + 2 * sizeof(struct chain_part));
}
