/* tests/unit/pool/test_sleepers.c — the sleep/wake word by itself. That the protocol loses no
 * wake-up is shown by tests/model/pool. */
#include "pool/sleepers.h"
#include "support_pool.h"

static bool is_awake(struct sleepers *sleepers, unsigned index)
{
    return atomic_load(&sleepers->places[index].awake) != 0;
}

TEST(test_the_last_to_fall_asleep_is_woken_first)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, 3), 0);
    for (unsigned i = 0; i < 3; i++) {
        sleepers_enter(&sleepers, i, false);
    }
    EXPECT_INT(sleepers_wake(&sleepers, 1, SLEEPERS_NOBODY), 1);
    EXPECT(is_awake(&sleepers, 2));
    EXPECT(!is_awake(&sleepers, 1));
    sleepers_search_end(&sleepers);
    EXPECT_INT(sleepers_wake(&sleepers, 1, SLEEPERS_NOBODY), 1);
    EXPECT(is_awake(&sleepers, 1));
    EXPECT(!is_awake(&sleepers, 0));
    sleepers_finish(&sleepers);
}

TEST(test_nobody_is_woken_while_somebody_searches)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, 2), 0);
    sleepers_enter(&sleepers, 0, false);
    EXPECT(sleepers_search(&sleepers));
    EXPECT(!sleepers_search(&sleepers)); /* one at a time */
    EXPECT_INT(sleepers_wake(&sleepers, 1, SLEEPERS_NOBODY), 0);
    sleepers_enter(&sleepers, 1, true); /* leaves the searching */
    EXPECT_INT(sleepers_wake(&sleepers, 1, SLEEPERS_NOBODY), 1);
    EXPECT(is_awake(&sleepers, 1));
    EXPECT(!is_awake(&sleepers, 0));
    sleepers_finish(&sleepers);
}

TEST(test_for_many_jobs_as_many_searchers_are_made_as_there_are_sleepers)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        sleepers_enter(&sleepers, i, false);
    }
    EXPECT_INT(sleepers_wake(&sleepers, 3, SLEEPERS_NOBODY), 3);
    EXPECT_INT(sleepers_wake(&sleepers, 3, SLEEPERS_NOBODY), 0); /* three search */
    EXPECT_INT(sleepers_wake(&sleepers, 1000000, SLEEPERS_NOBODY), 1);
    EXPECT_INT(sleepers_wake(&sleepers, 1000000, SLEEPERS_NOBODY), 0);
    sleepers_finish(&sleepers);
}

TEST(test_a_worker_that_wakes_itself_does_not_sleep)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, 1), 0);
    for (unsigned round = 0; round < 1000; round++) {
        sleepers_enter(&sleepers, 0, round > 0);
        EXPECT_INT(sleepers_wake(&sleepers, 1, 0), 1);
        sleepers_wait(&sleepers, 0); /* would hang */
    }
    sleepers_finish(&sleepers);
}

TEST(test_wake_all_empties_the_stack)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, 100), 0);
    for (unsigned i = 0; i < 100; i++) {
        sleepers_enter(&sleepers, i, false);
    }
    sleepers_wake_all(&sleepers);
    for (unsigned i = 0; i < 100; i++) {
        EXPECT(is_awake(&sleepers, i));
    }
    EXPECT_INT(sleepers_wake(&sleepers, 1000, SLEEPERS_NOBODY), 0);
    sleepers_finish(&sleepers);
}

TEST(test_the_largest_pool_fits_the_word)
{
    static struct sleepers sleepers; /* not on the stack: gcc 12 misaligns it there under ASan */
    EXPECT_INT(sleepers_init(&sleepers, SLEEPERS_MAX), 0);
    for (unsigned i = 0; i < SLEEPERS_MAX; i++) {
        sleepers_enter(&sleepers, i, false);
    }
    EXPECT_INT(sleepers_wake(&sleepers, UINT64_MAX, SLEEPERS_NOBODY), SLEEPERS_MAX);
    sleepers_finish(&sleepers);
}
