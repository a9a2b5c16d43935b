/* h2/h2_memory.c — nghttp2's allocations, through base/alloc. On the loop.
 *
 * A request makes nghttp2 take and give back about ten small blocks: a driver keeps some for the next.
 * Each block knows its size, so that what connections take is counted (driver->blocks.used_bytes).
 *
 * nghttp2 1.52 frees an answer's DATA item twice if the array of a priority's queue cannot grow
 * (nghttp2_pq_push() behind nghttp2_stream_attach_item()). So growing does not fail: what is small comes
 * from a reserve of the session's when the heap has none, and the session, which has been told, ends. */
#include "base/alloc.h"

#include "h2/h2_session.h"

enum { STEP_BYTES = 32, MAX_KEPT_BYTES = 192 * 1024 };

/* In front of each. Behind it memory is aligned as malloc's. */
struct block {
    size_t bytes; /* behind this */
    struct block *next_free;
};
_Static_assert(sizeof(struct block) % 16 == 0, "what is behind a block's head must be aligned");

static struct block *block_of(void *memory)
{
    return (struct block *)memory - 1;
}

static bool is_reserve(const struct h2_reserve *reserve, const void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t begin = (uintptr_t)reserve->bytes;
    return at >= begin && at < begin + sizeof reserve->bytes;
}

static size_t rounded(size_t bytes)
{
    return bytes <= H2_BLOCK_CLASSES * STEP_BYTES
               ? (bytes + STEP_BYTES - 1) & ~(size_t)(STEP_BYTES - 1)
               : bytes;
}

/* NULL: of blocks of this size none are kept. */
static struct block **free_list_of(struct h2_blocks *blocks, size_t bytes)
{
    size_t class = bytes / STEP_BYTES;
    bool is_small = bytes > 0 && bytes % STEP_BYTES == 0 && class <= H2_BLOCK_CLASSES;
    return is_small ? &blocks->free[class - 1] : NULL;
}

/* ---- taking and giving back ------------------------------------------------------------------ */

static struct block *take(struct h2_blocks *blocks, size_t bytes)
{
    struct block **list = free_list_of(blocks, bytes);
    struct block *block = list ? *list : NULL;
    if (block) {
        *list = block->next_free;
        blocks->free_bytes -= sizeof *block + bytes;
    } else if (bytes <= SIZE_MAX - sizeof *block) {
        block = mem_alloc(sizeof *block + bytes);
    }
    return block;
}

static void *ng_malloc(size_t bytes, void *ctx)
{
    struct h2_blocks *blocks = &((struct h2_session *)ctx)->driver->blocks;
    size_t whole = rounded(bytes);
    struct block *block = take(blocks, whole);
    if (!block) {
        return NULL;
    }
    block->bytes = whole;
    blocks->used_bytes += mem_cost(sizeof *block + whole);
    return block + 1;
}

static void *ng_calloc(size_t count, size_t bytes, void *ctx)
{
    size_t whole = 0;
    void *memory = __builtin_mul_overflow(count, bytes, &whole) ? NULL : ng_malloc(whole, ctx);
    if (memory) {
        memset(memory, 0, whole);
    }
    return memory;
}

static void ng_free(void *memory, void *ctx)
{
    struct h2_session *session = ctx;
    struct h2_blocks *blocks = &session->driver->blocks;
    if (!memory || is_reserve(&session->reserve, memory)) {
        return;
    }
    struct block *block = block_of(memory);
    size_t bytes = sizeof *block + block->bytes;
    struct block **list = free_list_of(blocks, block->bytes);
    blocks->used_bytes -= mem_cost(bytes);
    if (!list || blocks->free_bytes + bytes > MAX_KEPT_BYTES || mem_is_watched()) {
        mem_free(block);
        return;
    }
    block->next_free = *list;
    *list = block;
    blocks->free_bytes += bytes;
}

/* ---- growing --------------------------------------------------------------------------------- */

static void *take_reserve(struct h2_reserve *reserve, size_t bytes)
{
    size_t whole = (sizeof(struct block) + bytes + 15) & ~(size_t)15;
    if (bytes > sizeof reserve->bytes || whole > sizeof reserve->bytes - reserve->used) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)(reserve->bytes + reserve->used);
    reserve->used += whole;
    block->bytes = bytes;
    return block + 1;
}

static void *ng_realloc(void *memory, size_t bytes, void *ctx)
{
    struct h2_session *session = ctx;
    size_t before = memory ? block_of(memory)->bytes : 0;
    if (memory && bytes <= before) {
        return memory;
    }
    void *grown = ng_malloc(bytes, ctx);
    grown = grown ? grown : take_reserve(&session->reserve, bytes);
    if (grown && memory) {
        memcpy(grown, memory, before);
        ng_free(memory, ctx);
    }
    return grown;
}

/* ---- the tables ------------------------------------------------------------------------------ */

nghttp2_mem h2_memory(struct h2_session *session)
{
    return (nghttp2_mem){session, ng_malloc, ng_free, ng_calloc, ng_realloc};
}

uint64_t h2_blocks_kept_bytes(void)
{
    size_t least = sizeof(struct block) + STEP_BYTES; /* whose cost is most beside its size */
    return MAX_KEPT_BYTES / least * mem_cost(least);
}

void h2_blocks_finish(struct h2_blocks *blocks)
{
    for (size_t i = 0; i < H2_BLOCK_CLASSES; i++) {
        while (blocks->free[i]) {
            struct block *next = blocks->free[i]->next_free;
            mem_free(blocks->free[i]);
            blocks->free[i] = next;
        }
    }
}
