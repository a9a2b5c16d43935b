/* tests/unit/pool/test_parallel_for.c — loops in pieces: every item once, pieces no larger than
 * asked for, every documented code. */
#include "support_pool.h"

enum { ITEMS = 5000 };

struct loop {
    _Atomic unsigned char times[ITEMS];
    size_t grain; /* no piece may be larger */
    _Atomic unsigned pieces;
    galley_pool *pool;
};

static void mark(size_t begin, size_t end, void *arg)
{
    struct loop *loop = arg;
    EXPECT(begin < end);
    EXPECT(end - begin <= loop->grain);
    atomic_fetch_add(&loop->pieces, 1);
    for (size_t i = begin; i < end; i++) {
        atomic_fetch_add(&loop->times[i], 1);
    }
}

static void check_loop(galley_pool *pool, size_t begin, size_t end, size_t grain)
{
    struct loop *loop = calloc(1, sizeof *loop);
    loop->grain = grain ? grain : ITEMS;
    EXPECT_INT(galley_parallel_for(pool, begin, end, grain, mark, loop), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        EXPECT_INT(loop->times[i], i >= begin && i < end);
    }
    if (grain) {
        EXPECT_INT(loop->pieces, (end - begin + grain - 1) / grain);
    }
    free(loop);
}

static void check_loops(void *pool)
{
    for (size_t grain = 0; grain < 40; grain += 13) {
        check_loop(pool, 0, ITEMS, grain);
        check_loop(pool, 17, 18, grain);
        check_loop(pool, 100, 100, grain);
        check_loop(pool, 1, ITEMS - 1, grain);
    }
    check_loop(pool, 3, ITEMS, (size_t)2 * ITEMS);
}

TEST(test_a_loop_covers_every_item_once_in_pieces_of_the_grain)
{
    for (unsigned threads = 1; threads <= 3; threads++) {
        galley_pool *pool = pool_of(threads, 4);
        check_loops(pool);
        EXPECT_INT(galley_pool_execute(pool, check_loops, pool), 0);
        galley_pool_free(pool);
    }
}

static void note_size(size_t begin, size_t end, void *largest)
{
    if (*(size_t *)largest < end - begin) {
        *(size_t *)largest = end - begin;
    }
}

TEST(test_the_grain_chosen_here_makes_about_32_pieces_for_each_worker)
{
    struct latch latch;
    size_t largest = 0;
    galley_pool *pool = pool_all_busy(2, 4, &latch); /* so the caller runs all */
    EXPECT_INT(galley_parallel_for(pool, 0, 6400, 0, note_size, &largest), 0);
    EXPECT_INT(largest, 100);
    largest = 0;
    EXPECT_INT(galley_parallel_for(pool, 0, 6400, SIZE_MAX, note_size, &largest), 0);
    EXPECT_INT(largest, 6400);
    EXPECT_INT(galley_parallel_for(pool, SIZE_MAX - 5, SIZE_MAX, 0, note_size, &largest), 0);
    latch_release(&latch);
    latch_release(&latch);
    galley_pool_free(pool);
}

static void loop_in_loop(size_t begin, size_t end, void *arg)
{
    struct loop *loop = arg;
    for (size_t i = begin; i < end; i++) {
        EXPECT_INT(galley_parallel_for(loop->pool, i * 50, i * 50 + 50, 7, mark, loop), 0);
    }
}

TEST(test_a_loop_in_a_loop)
{
    galley_pool *pool = pool_of(3, 4);
    struct loop *loop = calloc(1, sizeof *loop);
    loop->pool = pool;
    loop->grain = 7;
    EXPECT_INT(galley_parallel_for(pool, 0, ITEMS / 50, 1, loop_in_loop, loop), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        EXPECT_INT(loop->times[i], 1);
    }
    galley_pool_free(pool);
    free(loop);
}

static void raise_flag(size_t begin, size_t end, void *flag)
{
    (void)begin;
    (void)end;
    galley_stop_flag_raise(flag);
}

TEST(test_a_loop_that_is_not_wanted_any_more_leaves_pieces_out_and_says_so)
{
    galley_stop_flag flag = {0};
    galley_pool *pool = pool_of(2, 4);
    (void)galley_stop_flag_watch(&flag);
    EXPECT_INT(galley_parallel_for(pool, 0, 1000, 1, raise_flag, &flag), GALLEY_ECANCELED);
    (void)galley_stop_flag_watch(NULL);
    EXPECT_INT(galley_parallel_for(pool, 0, 1000, 1, raise_flag, &flag), 0);
    galley_pool_free(pool);
}

TEST(test_a_loops_arguments_are_checked)
{
    struct loop loop = {.grain = 1};
    galley_pool *pool = pool_of(1, 4);
    EXPECT_INT(galley_parallel_for(NULL, 0, 1, 1, mark, &loop), GALLEY_EINVAL);
    EXPECT_INT(galley_parallel_for(pool, 0, 1, 1, NULL, &loop), GALLEY_EINVAL);
    EXPECT_INT(galley_parallel_for(pool, 2, 1, 1, mark, &loop), GALLEY_EINVAL);
    EXPECT_INT(loop.pieces, 0);
    galley_pool_free(pool);
}
