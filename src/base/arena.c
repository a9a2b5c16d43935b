/* base/arena.c — bump allocation; see arena.h.
 * Blocks stand in one list, newest first; the first one is half as large as the rest. Only the head is bumped; a piece too large for an
 * ordinary block gets one of its own behind the head, so that the room left in the head is not
 * lost. Texts are packed without padding, everything else is aligned for any type. */
#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    alignas(max_align_t) char bytes[];
};

enum {
    /* With the header and malloc's own word still below one page. */
    ARENA_BLOCK_BYTES = 4096 - (int)sizeof(struct arena_block) - 16,
    /* The first block: a head fits, and that is all that most who wait for long need. */
    ARENA_FIRST_BYTES = ARENA_BLOCK_BYTES / 2,
    ARENA_LARGE_BYTES = ARENA_BLOCK_BYTES / 4,
    ARENA_SHORT_TEXT = 256
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARENA_PIECEWISE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ARENA_PIECEWISE 1
#endif
#endif

static struct arena_block *block_create(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct arena_block)) {
        return NULL;
    }
    struct arena_block *block = mem_alloc(sizeof *block + capacity);
    if (block) {
        block->next = NULL;
        block->capacity = capacity;
    }
    return block;
}

/* The block to bump from now on: its whole room is free. */
static void start_block(struct arena *arena, struct arena_block *block)
{
    arena->blocks = block;
    arena->next = block->bytes;
    arena->end = block->bytes + block->capacity;
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
}

static bool is_over_limit(const struct arena *arena, size_t bytes)
{
    return arena->limit_bytes != 0 && bytes > arena->limit_bytes - arena->used_bytes;
}

#ifdef ARENA_PIECEWISE

/* Each piece is a malloc, so that the sanitizer sees a read past its end. */
static void *take(struct arena *arena, size_t bytes, size_t alignment)
{
    (void)alignment;
    struct arena_block *block = is_over_limit(arena, bytes) ? NULL : block_create(bytes);
    if (!block) {
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used_bytes += bytes;
    return block->bytes;
}

static struct arena_block *block_worth_keeping(const struct arena *arena)
{
    (void)arena;
    return NULL;
}

#else

static void *take_from_block_of_its_own(struct arena *arena, size_t bytes)
{
    struct arena_block *block = block_create(bytes);
    if (!block) {
        return NULL;
    }
    if (arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        arena->blocks = block;
    }
    arena->used_bytes += bytes;
    return block->bytes;
}

static bool add_block(struct arena *arena)
{
    struct arena_block *block = block_create(arena->blocks ? ARENA_BLOCK_BYTES : ARENA_FIRST_BYTES);
    if (!block) {
        return false;
    }
    block->next = arena->blocks;
    start_block(arena, block);
    return true;
}

static size_t padding_for(const char *next, size_t alignment)
{
    return (size_t)(-(uintptr_t)next & (alignment - 1));
}

static void *take(struct arena *arena, size_t bytes, size_t alignment)
{
    if (is_over_limit(arena, bytes)) {
        return NULL;
    }
    size_t padding = padding_for(arena->next, alignment);
    if (bytes + padding > (size_t)(arena->end - arena->next) || bytes > ARENA_BLOCK_BYTES) {
        if (bytes > ARENA_LARGE_BYTES) {
            return take_from_block_of_its_own(arena, bytes);
        }
        if (!add_block(arena)) {
            return NULL;
        }
        padding = 0;
    }
    if (is_over_limit(arena, bytes + padding)) {
        return NULL;
    }
    char *piece = arena->next + padding;
    arena->next = piece + bytes;
    arena->used_bytes += padding + bytes;
    return piece;
}

/* A whole block if there is one, so that who needs that many bytes each time allocates none; else
 * the first. Unlinked from the list; NULL when there is none. */
static struct arena_block *block_worth_keeping(struct arena *arena)
{
    struct arena_block **best = NULL;
    for (struct arena_block **link = &arena->blocks; *link; link = &(*link)->next) {
        size_t capacity = (*link)->capacity;
        if (capacity == ARENA_BLOCK_BYTES || (capacity == ARENA_FIRST_BYTES && !best)) {
            best = link;
        }
    }
    struct arena_block *block = best ? *best : NULL;
    if (block) {
        *best = block->next;
        block->next = NULL;
    }
    return block;
}

#endif

void arena_init(struct arena *arena, size_t limit_bytes)
{
    *arena = (struct arena){.limit_bytes = limit_bytes};
}

void arena_finish(struct arena *arena)
{
    free_blocks(arena->blocks);
    arena_init(arena, arena->limit_bytes);
}

void arena_reset(struct arena *arena)
{
    if (arena->used_bytes == 0) {
        return; /* the kept block is whole */
    }
    struct arena_block *kept = block_worth_keeping(arena);
    arena_finish(arena);
    if (kept) {
        start_block(arena, kept);
    }
}

uint64_t arena_kept_bytes(void)
{
    return mem_cost(sizeof(struct arena_block) + ARENA_BLOCK_BYTES);
}

/* A block is left for a new one when a piece of up to a quarter of it does not fit. */
uint64_t arena_most_bytes(size_t limit_bytes)
{
    uint64_t limit = limit_bytes;
    if (limit == 0 || limit > UINT64_MAX / 2) {
        return UINT64_MAX;
    }
    uint64_t least_used = ARENA_BLOCK_BYTES - ARENA_LARGE_BYTES;
    return (limit / least_used + 1) * arena_kept_bytes();
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    return take(arena, bytes ? bytes : 1, alignof(max_align_t));
}

/* Room for len characters and a NUL. */
static char *take_text(struct arena *arena, size_t len)
{
    char *text = len == SIZE_MAX ? NULL : take(arena, len + 1, 1);
    if (text) {
        text[len] = '\0';
    }
    return text;
}

struct span arena_copy(struct arena *arena, struct span s)
{
    char *text = take_text(arena, s.len);
    if (!text) {
        return SPAN_NONE;
    }
    if (s.len) {
        memcpy(text, s.ptr, s.len);
    }
    return span_make(text, s.len);
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct span text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

struct span arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    char short_text[ARENA_SHORT_TEXT];
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(short_text, sizeof short_text, format, args);
    struct span result = SPAN_NONE;
    if (len >= 0 && (size_t)len < sizeof short_text) {
        result = arena_copy(arena, span_make(short_text, (size_t)len));
    } else if (len >= 0) {
        char *text = take_text(arena, (size_t)len);
        if (text) {
            vsnprintf(text, (size_t)len + 1, format, again);
            result = span_make(text, (size_t)len);
        }
    }
    va_end(again);
    return result;
}
