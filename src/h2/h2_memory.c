/* h2/h2_memory.c — nghttp2's allocations, through base/alloc. On the loop.
 *
 * nghttp2 1.52 frees an answer's DATA item twice if the array of a priority's queue cannot grow
 * (nghttp2_pq_push() behind nghttp2_stream_attach_item()). So growing does not fail: what is small comes
 * from a reserve of the session's when the heap has none, and the session, which has been told, ends. */
#include "base/alloc.h"

#include "h2/h2_session.h"

static bool is_reserve(const struct h2_reserve *reserve, const void *block)
{
    uintptr_t at = (uintptr_t)block;
    uintptr_t begin = (uintptr_t)reserve->bytes;
    return at >= begin && at < begin + sizeof reserve->bytes;
}

static void *ng_malloc(size_t bytes, void *ctx)
{
    (void)ctx;
    return mem_alloc(bytes);
}

static void *ng_calloc(size_t count, size_t bytes, void *ctx)
{
    (void)ctx;
    return mem_alloc_zero(count, bytes);
}

static void ng_free(void *block, void *ctx)
{
    if (!is_reserve(ctx, block)) {
        mem_free(block);
    }
}

/* Arrays double, so that what was there is half. */
static void *take_reserve(struct h2_reserve *reserve, void *block, size_t bytes)
{
    size_t whole = (bytes + 15) & ~(size_t)15;
    if (whole > sizeof reserve->bytes - reserve->used) {
        return NULL;
    }
    char *to = reserve->bytes + reserve->used;
    reserve->used += whole;
    if (block) {
        memcpy(to, block, bytes / 2);
        ng_free(block, reserve);
    }
    return to;
}

static void *ng_realloc(void *block, size_t bytes, void *ctx)
{
    void *grown = is_reserve(ctx, block) ? NULL : mem_resize(block, bytes);
    return grown ? grown : take_reserve(ctx, block, bytes);
}

nghttp2_mem h2_memory(struct h2_reserve *reserve)
{
    return (nghttp2_mem){reserve, ng_malloc, ng_free, ng_calloc, ng_realloc};
}
