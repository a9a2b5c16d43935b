/* tests/unit/base/test_alloc.c — the door to memory.
 * Plain behaviour of each kind of block, sizes that overflow, the planted failure (also among
 * threads), the count of live blocks. */
#include "test.h"

#include "base/alloc.h"

#include <pthread.h>

TEST(test_every_kind_of_block_can_be_written_and_given_back)
{
    char *plain = mem_alloc(3);
    char *zeroed = mem_alloc_zero(4, 5);
    char *aligned = mem_alloc_aligned(64, 100);
    char *text = mem_copy_text("galley", 3);
    EXPECT(plain && zeroed && aligned && text);
    memset(plain, 'x', 3);
    for (int i = 0; i < 20; i++) {
        EXPECT_INT(zeroed[i], 0);
    }
    for (int i = 0; i < 100; i++) {
        EXPECT_INT(aligned[i], 0);
    }
    EXPECT_INT((uintptr_t)aligned % 64, 0);
    EXPECT_TEXT(text, "gal");
    plain = mem_resize(plain, 1000);
    EXPECT(plain && plain[2] == 'x');
    mem_free(plain);
    mem_free(zeroed);
    mem_free(aligned);
    mem_free(text);
    mem_free(NULL);
}

TEST(test_no_bytes_are_not_taken_for_no_memory)
{
    void *blocks[] = {mem_alloc(0), mem_alloc_zero(0, 8), mem_resize(NULL, 0),
                      mem_alloc_aligned(16, 0), mem_copy_text(NULL, 0)};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        EXPECT(blocks[i] != NULL);
        mem_free(blocks[i]);
    }
}

TEST(test_sizes_that_overflow_are_refused)
{
    volatile size_t huge = SIZE_MAX / 2 + 1; /* volatile: or the compiler sees it and warns */
    EXPECT(mem_alloc_zero(huge, 2) == NULL);
    EXPECT(mem_copy_text("", SIZE_MAX) == NULL);
}

#ifdef GALLEY_FAULTS

TEST(test_exactly_the_planted_allocation_fails)
{
    mem_fail_nth(2);
    void *first = mem_alloc(1);
    EXPECT(first != NULL);
    EXPECT_INT(mem_fail_happened(), 0);
    EXPECT(mem_resize(first, 100) == NULL); /* the old block stays the caller's */
    EXPECT_INT(mem_fail_happened(), 1);
    void *third = mem_alloc(1);
    EXPECT(third != NULL);
    mem_free(first);
    mem_free(third);
}

TEST(test_each_kind_of_allocation_can_fail)
{
    mem_fail_nth(1);
    EXPECT(mem_alloc(1) == NULL);
    mem_fail_nth(1);
    EXPECT(mem_alloc_zero(1, 1) == NULL);
    mem_fail_nth(1);
    EXPECT(mem_resize(NULL, 1) == NULL);
    mem_fail_nth(1);
    EXPECT(mem_alloc_aligned(16, 1) == NULL);
    mem_fail_nth(1);
    EXPECT(mem_copy_text("x", 1) == NULL);
    mem_fail_nth(1);
    mem_fail_nth(0); /* 0 takes a planted failure back */
    void *block = mem_alloc(1);
    EXPECT(block != NULL);
    mem_free(block);
}

TEST(test_live_bytes_are_counted)
{
    int64_t before = mem_live_bytes();
    void *block = mem_alloc(1000);
    EXPECT(block);
    EXPECT(mem_live_bytes() - before >= 1000 && mem_live_bytes() - before < 2000);
    block = mem_resize(block, 5000);
    EXPECT(block);
    EXPECT(mem_live_bytes() - before >= 5000 && mem_live_bytes() - before < 6000);
    mem_free(block);
    EXPECT_INT(mem_live_bytes(), before);
}

TEST(test_live_blocks_are_counted)
{
    int64_t before = mem_live_blocks();
    void *one = mem_alloc(1);
    void *two = mem_resize(NULL, 1);
    EXPECT_INT(mem_live_blocks() - before, 2);
    two = mem_resize(two, 1000);
    EXPECT_INT(mem_live_blocks() - before, 2);
    mem_free(one);
    mem_free(two);
    EXPECT_INT(mem_live_blocks() - before, 0);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *allocate_often(void *arg)
{
    intptr_t failures = 0;
    for (int i = 0; i < ROUNDS; i++) {
        void *block = mem_alloc(16);
        failures += block == NULL;
        mem_free(block);
    }
    (void)arg;
    return (void *)failures;
}

TEST(test_one_of_many_threads_meets_the_planted_failure)
{
    pthread_t threads[THREADS];
    intptr_t failures = 0;
    mem_fail_nth(THREADS * ROUNDS / 2);
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, allocate_often, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        EXPECT_INT(pthread_join(threads[i], &result), 0);
        failures += (intptr_t)result;
    }
    EXPECT_INT(failures, 1);
    EXPECT_INT(mem_fail_happened(), 1);
}

TEST(test_a_failure_of_this_threads_spares_the_others)
{
    pthread_t thread;
    void *failures = NULL;
    mem_fail_nth_here(2);
    EXPECT_INT(pthread_create(&thread, NULL, allocate_often, NULL), 0);
    EXPECT_INT(pthread_join(thread, &failures), 0);
    EXPECT_INT((intptr_t)failures, 0);
    EXPECT_INT(mem_fail_happened(), 0);
    void *one = mem_alloc(16);
    EXPECT(one != NULL);
    EXPECT(mem_alloc(16) == NULL);
    EXPECT_INT(mem_fail_happened(), 1);
    mem_free(one);
}

#endif
