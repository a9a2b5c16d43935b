/* base/arena.h — memory that dies together: one arena per exchange.
 * Bump allocation from blocks; the first block may be kept over arena_reset so that a steady state
 * allocates nothing. Under sanitizers each piece is a malloc of its own, so that the tools see
 * through it. Owned by one thread at a time. What alignment wastes counts as handed out, so that
 * the limit bounds memory. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *next;                 /* free room in the newest block */
    char *end;
    size_t used_bytes;
    size_t limit_bytes;
};

/** Allocates nothing yet. limit_bytes: most that may be handed out until reset; 0: no limit. */
void arena_init(struct arena *arena, size_t limit_bytes);
/** Free all but one ordinary block; every piece is gone. */
void arena_reset(struct arena *arena);
/** Free everything. Zeroed and finished arenas are allowed. */
void arena_finish(struct arena *arena);

/** Most that an arena of this limit takes of the heap, with what is lost at the ends of blocks; 0
 *  stands for a limit as everywhere: none, UINT64_MAX. */
uint64_t arena_most_bytes(size_t limit_bytes);
/** What a reset arena keeps. */
uint64_t arena_kept_bytes(void);

/** Aligned for any type, not zeroed. NULL when memory or the limit is used up. */
void *arena_alloc(struct arena *arena, size_t bytes);
/** NUL-terminated copy (NUL not in len); ptr NULL when there is no room. A missing span is copied
 * as an empty one. */
struct span arena_copy(struct arena *arena, struct span s);
/** Formatted, NUL-terminated; ptr NULL when there is no room. */
struct span arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct span arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

#endif
