/* tests/unit/base/test_debounce.c — when to act after things have changed. */
#include "base/debounce.h"

#include "test.h"

enum { QUIET_MS = 500, MOST_MS = 5000 };

TEST(test_a_reload_waits_until_it_is_quiet)
{
    struct debounce debounce = {.quiet_ms = QUIET_MS, .most_ms = MOST_MS};
    EXPECT_INT(debounce_due(&debounce, 0), -1);
    EXPECT_INT(debounce_touch(&debounce, 1000), QUIET_MS);
    EXPECT_INT(debounce_touch(&debounce, 1300), QUIET_MS);
    EXPECT_INT(debounce_due(&debounce, 1500), 300);
    EXPECT_INT(debounce_due(&debounce, 1800), 0);
    EXPECT_INT(debounce_due(&debounce, 1800), -1); /* once */
    EXPECT_INT(debounce_touch(&debounce, 9000), QUIET_MS);
}

TEST(test_a_reload_does_not_wait_for_ever)
{
    struct debounce debounce = {.quiet_ms = QUIET_MS, .most_ms = MOST_MS};
    int64_t now_ms = 0;
    for (; now_ms < MOST_MS; now_ms += 100) {
        EXPECT(debounce_touch(&debounce, now_ms) > 0);
        EXPECT(debounce_due(&debounce, now_ms) > 0);
    }
    EXPECT_INT(debounce_touch(&debounce, now_ms), 0);
    EXPECT_INT(debounce_due(&debounce, now_ms), 0);
}
