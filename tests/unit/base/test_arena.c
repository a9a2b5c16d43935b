/* tests/unit/base/test_arena.c — memory that dies together.
 * Random pieces that must be aligned and must not overlap, texts, the limit, what reset keeps; the
 * sweep of failing allocations. */
#include "test.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <stdalign.h>

TEST(test_pieces_are_aligned_and_do_not_overlap)
{
    struct arena arena;
    unsigned char *pieces[300];
    size_t sizes[300];
    arena_init(&arena, 0);
    for (unsigned round = 0; round < test_rounds(20); round++) {
        for (unsigned i = 0; i < 300; i++) {
            sizes[i] = (size_t)test_random_below(i % 50 == 0 ? 9000 : 120);
            pieces[i] = arena_alloc(&arena, sizes[i]);
            EXPECT(pieces[i] != NULL);
            EXPECT_INT((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i & 0xff), sizes[i]);
            EXPECT(arena_copy(&arena, SPAN("odd")).ptr != NULL);
        }
        for (unsigned i = 0; i < 300; i++) {
            for (size_t k = 0; k < sizes[i]; k++) {
                EXPECT_INT(pieces[i][k], i & 0xff);
            }
        }
        arena_reset(&arena);
        EXPECT_INT(arena.used_bytes, 0);
    }
    arena_finish(&arena);
}

TEST(test_texts_are_copied_and_terminated)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct span copy = arena_copy(&arena, span_make("abcdef", 3));
    EXPECT_SPAN(copy, "abc");
    EXPECT_INT(copy.ptr[3], 0);
    struct span empty = arena_copy(&arena, SPAN_NONE);
    EXPECT(empty.ptr != NULL);
    EXPECT_TEXT(empty.ptr, "");
    EXPECT_SPAN(arena_printf(&arena, "%d-%s", 42, "x"), "42-x");
    arena_finish(&arena);
}

TEST(test_long_formats_are_complete)
{
    struct arena arena;
    char expected[5001];
    arena_init(&arena, 0);
    for (int len = 250; len < 5000; len += len < 260 ? 1 : 997) {
        memset(expected, '0', (size_t)len);
        expected[len - 1] = '7';
        expected[len] = '\0';
        struct span text = arena_printf(&arena, "%0*d", len, 7);
        EXPECT_SPAN(text, expected);
        EXPECT_INT(text.ptr[text.len], 0);
    }
    arena_finish(&arena);
}

TEST(test_limit_holds_and_is_given_back_by_reset)
{
    struct arena arena;
    arena_init(&arena, 1000);
    EXPECT(arena_alloc(&arena, 1001) == NULL);
    EXPECT(arena_alloc(&arena, SIZE_MAX) == NULL);
    EXPECT(arena_alloc(&arena, 1000) != NULL);
    EXPECT(arena_alloc(&arena, 1) == NULL);
    EXPECT(arena_copy(&arena, SPAN("x")).ptr == NULL);
    EXPECT(arena_printf(&arena, "x").ptr == NULL);
    arena_reset(&arena);
    EXPECT(arena_alloc(&arena, 1000) != NULL);
    arena_finish(&arena);
}

TEST(test_sizes_near_the_end_of_memory_are_refused_without_a_limit)
{
    struct arena arena;
    arena_init(&arena, 0);
    EXPECT(arena_alloc(&arena, 8) != NULL);
    EXPECT(arena_alloc(&arena, SIZE_MAX) == NULL);
    EXPECT(arena_alloc(&arena, SIZE_MAX - 20) == NULL);
    EXPECT(arena_copy(&arena, span_make("", SIZE_MAX)).ptr == NULL);
    EXPECT(arena_alloc(&arena, 8) != NULL);
    arena_finish(&arena);
}

TEST(test_zeroed_and_finished_arenas_may_be_finished)
{
    struct arena arena = {0};
    arena_finish(&arena);
    arena_reset(&arena);
    EXPECT(arena_alloc(&arena, 10) != NULL);
    arena_finish(&arena);
    arena_finish(&arena);
}

static void use_like_an_exchange(struct arena *arena)
{
    for (int i = 0; i < 10; i++) {
        EXPECT(arena_alloc(arena, 100) != NULL);
        EXPECT(arena_copy(arena, SPAN("text/html; charset=utf-8")).ptr != NULL);
    }
}

#if defined(GALLEY_FAULTS) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(test_steady_state_allocates_nothing)
{
    struct arena arena;
    arena_init(&arena, 0);
    use_like_an_exchange(&arena);
    EXPECT(arena_alloc(&arena, 100000) != NULL); /* the kept block is the ordinary one */
    arena_reset(&arena);
    EXPECT_INT(mem_live_blocks(), 1);
    mem_fail_nth(1);
    use_like_an_exchange(&arena);
    EXPECT_INT(mem_fail_happened(), 0);
    arena_finish(&arena);
}
#else
TEST(test_each_piece_is_a_block_of_its_own)
{
    struct arena arena;
    arena_init(&arena, 0);
    use_like_an_exchange(&arena);
    arena_finish(&arena);
}
#endif

TEST(test_what_an_arena_takes_is_never_more_than_it_says)
{
    static const size_t sizes[] = {1, 24, 1000, 1100, 3000, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct arena arena;
        arena_init(&arena, 100000);
        uint64_t blocks = 0;
        const char *last_end = NULL;
        while (arena_alloc(&arena, sizes[i])) {
            blocks += arena.end != last_end || sizes[i] > 1024;
            last_end = arena.end;
        }
        uint64_t most = sizes[i] > 1024 ? blocks * (sizes[i] + 48) : blocks * 4096;
        EXPECT(most <= arena_most_bytes(100000));
        arena_finish(&arena);
    }
    EXPECT(arena_most_bytes(0) == UINT64_MAX);
    EXPECT(arena_most_bytes(SIZE_MAX) == UINT64_MAX);
}

#ifdef GALLEY_FAULTS
static bool fill(struct arena *arena)
{
    bool ok = arena_alloc(arena, 100) != NULL;
    ok = arena_alloc(arena, 20000) != NULL && ok;
    ok = arena_copy(arena, SPAN("text")).ptr != NULL && ok;
    ok = arena_printf(arena, "%05000d", 1).ptr != NULL && ok;
    ok = arena_alloc(arena, 4000) != NULL && ok;
    return arena_alloc(arena, 1000) != NULL && ok;
}

TEST(test_each_failed_allocation_is_told_and_leaves_a_usable_arena)
{
    for (uint64_t n = 1;; n++) {
        struct arena arena;
        arena_init(&arena, 0);
        mem_fail_nth(n);
        bool ok = fill(&arena);
        bool happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(ok, !happened);
        EXPECT(fill(&arena));
        arena_finish(&arena);
        if (!happened) {
            EXPECT(n > 2);
            return;
        }
    }
}
#endif
