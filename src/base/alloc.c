/* base/alloc.c — the C library's allocator behind one door; see alloc.h.
 * With GALLEY_FAULTS some atomics stand in the door: which allocation shall fail, on which thread,
 * whether one did, and how many blocks live. They are shared by all threads; but for whose
 * failure it is they are numbers of their own and order nothing. */
#include "base/alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef GALLEY_FAULTS

/* Partner of fail_countdown: mem_fail_nth stores, every allocation takes one off. 0: nothing
 * planted. */
static _Atomic uint64_t fail_countdown;
static _Atomic(const void *) fail_thread; /* whose allocations count; NULL: everybody's */
static _Thread_local const char thread_mark;
static _Atomic int fail_happened; /* set by the thread that met the fault, read by the test */
static _Atomic int64_t live_blocks;
static _Atomic int64_t live_bytes;

static void plant(uint64_t n, const void *thread)
{
    atomic_store_explicit(&fail_countdown, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_happened, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_thread, thread, memory_order_relaxed);
    /* Release: who sees the count sees whose it is. */
    atomic_store_explicit(&fail_countdown, n, memory_order_release);
}

void mem_fail_nth(uint64_t n)
{
    plant(n, NULL);
}

void mem_fail_nth_here(uint64_t n)
{
    plant(n, &thread_mark);
}

static bool is_spared(void)
{
    const void *thread = atomic_load_explicit(&fail_thread, memory_order_relaxed);
    return thread && thread != &thread_mark;
}

int mem_fail_happened(void)
{
    return atomic_load_explicit(&fail_happened, memory_order_relaxed);
}

int64_t mem_live_blocks(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

/* Only the thread that takes the count from 1 to 0 fails, so that exactly one allocation does. */
static bool must_fail(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_acquire);
    if (left != 0 && is_spared()) {
        return false;
    }
    while (left != 0) {
        if (atomic_compare_exchange_weak_explicit(&fail_countdown, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            break;
        }
    }
    if (left != 1) {
        return false;
    }
    atomic_store_explicit(&fail_happened, 1, memory_order_relaxed);
    return true;
}

int64_t mem_live_bytes(void)
{
    return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

static int64_t size_of(void *block)
{
    return (int64_t)mem_cost(malloc_usable_size(block));
}

static void *count_new(void *block)
{
    if (block) {
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&live_bytes, size_of(block), memory_order_relaxed);
    }
    return block;
}

static void *count_resized(int64_t before, void *block)
{
    if (block) {
        atomic_fetch_add_explicit(&live_bytes, size_of(block) - before, memory_order_relaxed);
    }
    return block;
}

static void count_freed(void *block)
{
    if (block) {
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&live_bytes, size_of(block), memory_order_relaxed);
    }
}

#else

void mem_fail_nth(uint64_t n)
{
    (void)n;
}

void mem_fail_nth_here(uint64_t n)
{
    (void)n;
}

int mem_fail_happened(void)
{
    return 0;
}

int64_t mem_live_blocks(void)
{
    return 0;
}

int64_t mem_live_bytes(void)
{
    return 0;
}

static inline bool must_fail(void)
{
    return false;
}

static inline int64_t size_of(void *block)
{
    (void)block;
    return 0;
}

static inline void *count_new(void *block)
{
    return block;
}

static inline void *count_resized(int64_t before, void *block)
{
    (void)before;
    return block;
}

static inline void count_freed(void *block)
{
    (void)block;
}

#endif

/* malloc(0) may return NULL, which the callers would take for a lack of memory. */
static inline size_t at_least_one(size_t bytes)
{
    return bytes ? bytes : 1;
}

/* No object may be larger than a pointer difference; sanitizers stop the program where malloc says
 * no. */
static inline bool is_refused(size_t bytes)
{
    return bytes > PTRDIFF_MAX || must_fail();
}

void *mem_alloc(size_t bytes)
{
    return is_refused(bytes) ? NULL : count_new(malloc(at_least_one(bytes)));
}

void *mem_alloc_zero(size_t count, size_t bytes)
{
    size_t product = 0;
    if (__builtin_mul_overflow(count, bytes, &product) || is_refused(product)) {
        return NULL;
    }
    return count_new(calloc(1, at_least_one(product)));
}

void *mem_resize(void *block, size_t bytes)
{
    if (!block) {
        return mem_alloc(bytes);
    }
    if (is_refused(bytes)) {
        return NULL;
    }
    int64_t before = size_of(block);
    return count_resized(before, realloc(block, at_least_one(bytes)));
}

void *mem_alloc_aligned(size_t alignment, size_t bytes)
{
    void *block = NULL;
    if (is_refused(bytes) || posix_memalign(&block, alignment, at_least_one(bytes)) != 0) {
        return NULL;
    }
    memset(block, 0, bytes);
    return count_new(block);
}

void mem_free(void *block)
{
    count_freed(block);
    free(block);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOC_IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOC_IS_WATCHED 1
#endif
#endif
#ifndef ALLOC_IS_WATCHED
#define ALLOC_IS_WATCHED 0
#endif

int mem_is_watched(void)
{
    return ALLOC_IS_WATCHED;
}

char *mem_copy_text(const char *text, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = mem_alloc(len + 1);
    if (!copy) {
        return NULL;
    }
    if (len) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}
