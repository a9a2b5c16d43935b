/* base/alloc.h — the one door through which every allocation of galley passes.
 * Test builds (GALLEY_FAULTS) can make the n-th allocation fail and count the live ones; release
 * builds compile to the C library's calls. Any thread. All return NULL when memory is out or more
 * than PTRDIFF_MAX bytes are asked for; nothing aborts. No bytes give a block that can be freed,
 * not NULL. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *mem_alloc(size_t bytes);
/** count * bytes, zeroed; NULL also when the product overflows. */
void *mem_alloc_zero(size_t count, size_t bytes);
/** As realloc: on NULL the old block is still the caller's. */
void *mem_resize(void *block, size_t bytes);
/** Zeroed, aligned to `alignment` (a power of two, at least sizeof(void *)). */
void *mem_alloc_aligned(size_t alignment, size_t bytes);
/** NULL is allowed. Also for mem_alloc_aligned. */
void mem_free(void *block);
/** NUL-terminated copy of len bytes. */
char *mem_copy_text(const char *text, size_t len);

/** Zeros, for hundreds of bytes on the way of each request: of a length that it knows gcc makes a
 * `rep stos`, which takes longer to begin than the C library's memset() needs for all of it. */
static inline void mem_clear(void *block, size_t bytes)
{
    __asm__("" : "+r"(bytes));
    memset(block, 0, bytes);
}

/** What a block of so many bytes takes of the C library's heap: glibc keeps a word with each and
 *  rounds up to 16. For sums that people read and limits that are checked at the start. */
static inline uint64_t mem_cost(uint64_t bytes)
{
    uint64_t whole = bytes > UINT64_MAX - 32 ? UINT64_MAX - 15 : bytes + sizeof(size_t) + 15;
    return whole < 32 ? 32 : whole & ~UINT64_C(15);
}

/** Does a sanitizer look at each block? Then none should be kept for whoever asks next. */
int mem_is_watched(void);

/** Let the n-th allocation from now on fail (1: the next), once; 0: none. Test builds only, else no
 * effect. */
void mem_fail_nth(uint64_t n);
/** The same, of the calling thread's allocations: other threads may be at work beside it. */
void mem_fail_nth_here(uint64_t n);
/** Did the failure that was planted happen? */
int mem_fail_happened(void);
/** Blocks alive now (test builds; 0 otherwise). */
int64_t mem_live_blocks(void);
/** What they take of the heap, as mem_cost() reckons (test builds; 0 otherwise). */
int64_t mem_live_bytes(void);

#endif
