/* tests/unit/loop/test_timer_wheel.c — the wheel against a naive model, and its promises one by
 * one. */
#include "loop/timer_wheel.h"

#include "test.h"

enum { MODEL_TIMERS = 40 };

static struct timer_wheel wheel;
static unsigned fired_count;
static int64_t fired_at[64];
static struct timer *fired_order[64];

static void note(struct timer *timer)
{
    EXPECT(!timer_is_armed(timer));
    EXPECT(timer->deadline_ms <= wheel.now_ms);
    fired_at[fired_count % 64] = wheel.now_ms;
    fired_order[fired_count % 64] = timer;
    fired_count++;
}

TEST(a_timer_fires_at_its_deadline_and_not_before)
{
    const int64_t spans[] = {
        1, 2, 63, 64, 65, 4095, 4096, 262144, 16777216, 1 << 30, INT64_C(1) << 40};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct timer timer = {0};
        int64_t start = 123456789;
        fired_count = 0;
        timer_wheel_init(&wheel, start);
        timer_wheel_start(&wheel, &timer, start + spans[i], note);
        EXPECT_INT(timer_wheel_advance(&wheel, start + spans[i] - 1), 0);
        EXPECT_INT(timer_wheel_advance(&wheel, start + spans[i]), 1);
        EXPECT_INT(fired_count, 1);
        EXPECT_INT(wheel.armed, 0);
        EXPECT_INT(timer_wheel_next_ms(&wheel), INT64_MAX);
    }
}

TEST(a_long_jump_fires_everything_in_order_of_deadlines)
{
    struct timer timers[8] = {0};
    const int64_t deadlines[8] = {5, 70, 5000, 300000, 20000000, 1500000000, INT64_C(1) << 35, 6};
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    for (int i = 7; i >= 0; i--) {
        timer_wheel_start(&wheel, &timers[i], deadlines[i], note);
    }
    EXPECT_INT(timer_wheel_advance(&wheel, INT64_C(1) << 36), 8);
    struct timer *expected[8] = {&timers[0], &timers[7], &timers[1], &timers[2],
                                 &timers[3], &timers[4], &timers[5], &timers[6]};
    for (int i = 0; i < 8; i++) {
        EXPECT(fired_order[i] == expected[i]);
    }
}

TEST(a_deadline_in_the_past_fires_at_the_next_advance_even_at_the_same_time)
{
    struct timer timer = {0};
    fired_count = 0;
    timer_wheel_init(&wheel, 1000);
    timer_wheel_start(&wheel, &timer, 10, note);
    EXPECT_INT(timer_wheel_next_ms(&wheel), 1000);
    EXPECT_INT(timer_wheel_advance(&wheel, 1000), 1);
}

TEST(a_timer_without_end_never_fires)
{
    struct timer timer = {0};
    timer_wheel_init(&wheel, 1000);
    timer_wheel_start(&wheel, &timer, INT64_MAX, note);
    EXPECT_INT(timer_wheel_advance(&wheel, INT64_C(1) << 50), 0);
    timer_wheel_stop(&wheel, &timer);
    EXPECT_INT(timer_wheel_next_ms(&wheel), INT64_MAX);
}

TEST(moving_a_deadline_later_touches_no_list_and_is_kept)
{
    struct timer timer = {0};
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    timer_wheel_start(&wheel, &timer, 100, note);
    struct list *neighbour = timer.link.next;
    timer_wheel_start(&wheel, &timer, 9000, note);
    EXPECT(timer.link.next == neighbour);
    EXPECT_INT(timer_wheel_advance(&wheel, 8999), 0);
    EXPECT_INT(timer_wheel_advance(&wheel, 9000), 1);
}

TEST(moving_a_deadline_earlier_is_kept)
{
    struct timer timer = {0};
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    timer_wheel_start(&wheel, &timer, 9000, note);
    timer_wheel_start(&wheel, &timer, 10, note);
    EXPECT_INT(timer_wheel_next_ms(&wheel), 10);
    EXPECT_INT(timer_wheel_advance(&wheel, 10), 1);
    EXPECT_INT(timer_wheel_advance(&wheel, 10000), 0);
}

TEST(stopping_is_allowed_for_a_timer_that_is_not_armed)
{
    struct timer timer = {0};
    timer_wheel_init(&wheel, 0);
    timer_wheel_stop(&wheel, &timer);
    timer_wheel_start(&wheel, &timer, 5, note);
    timer_wheel_stop(&wheel, &timer);
    timer_wheel_stop(&wheel, &timer);
    EXPECT_INT(wheel.armed, 0);
    EXPECT_INT(timer_wheel_advance(&wheel, 100), 0);
}

static struct timer others[3];

static void stop_the_others(struct timer *timer)
{
    fired_count++;
    for (int i = 0; i < 3; i++) {
        if (&others[i] != timer) {
            timer_wheel_stop(&wheel, &others[i]);
        }
    }
}

TEST(a_callback_may_stop_timers_that_are_due_in_the_same_advance)
{
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    for (int i = 0; i < 3; i++) {
        timer_wheel_start(&wheel, &others[i], 50, stop_the_others);
    }
    EXPECT_INT(timer_wheel_advance(&wheel, 60), 1);
    EXPECT_INT(fired_count, 1);
    EXPECT_INT(wheel.armed, 0);
}

static void again_at_once(struct timer *timer)
{
    fired_count++;
    timer_wheel_start(&wheel, timer, wheel.now_ms - 1, again_at_once);
}

TEST(a_callback_that_starts_with_a_past_deadline_waits_for_the_next_advance)
{
    struct timer timer = {0}, other = {0};
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    timer_wheel_start(&wheel, &timer, 10, again_at_once);
    timer_wheel_start(&wheel, &other, 20, note);
    timer_wheel_advance(&wheel, 100);
    EXPECT_INT(fired_count, 2);
    timer_wheel_advance(&wheel, 100);
    EXPECT_INT(fired_count, 3);
    timer_wheel_stop(&wheel, &timer);
}

static struct timer moved;

static void move_the_other(struct timer *timer)
{
    (void)timer;
    fired_count++;
    timer_wheel_start(&wheel, &moved, 500, note);
}

TEST(a_callback_may_move_later_a_timer_that_is_due_in_the_same_advance)
{
    struct timer first = {0};
    fired_count = 0;
    timer_wheel_init(&wheel, 0);
    timer_wheel_start(&wheel, &first, 50, move_the_other);
    timer_wheel_start(&wheel, &moved, 50, note);
    EXPECT_INT(timer_wheel_advance(&wheel, 50), 1);
    EXPECT_INT(timer_wheel_advance(&wheel, 499), 0);
    EXPECT_INT(timer_wheel_advance(&wheel, 500), 1);
}

/* ---- against a model: an array searched from end to end ---- */

struct model_timer {
    struct timer timer;
    int64_t deadline_ms; /* -1: not armed */
    int64_t started_ms;  /* the model's time at the start */
};
static struct model_timer model[MODEL_TIMERS];
static bool in_advance;
static int64_t advance_to;

static void random_action(struct model_timer *m);

static void model_fired(struct timer *timer)
{
    struct model_timer *m = CONTAINER_OF(timer, struct model_timer, timer);
    EXPECT(m->deadline_ms >= 0 && m->deadline_ms <= advance_to);
    m->deadline_ms = -1;
    fired_count++;
    if (test_random_below(3) == 0) {
        random_action(&model[test_random_below(MODEL_TIMERS)]);
    }
}

static int64_t random_span(void)
{
    return (int64_t)(test_random() >> (24 + test_random_below(40)));
}

static void random_action(struct model_timer *m)
{
    if (test_random_below(3) == 0) {
        timer_wheel_stop(&wheel, &m->timer);
        m->deadline_ms = -1;
        return;
    }
    int64_t past = (int64_t)test_random_below(8) == 0 ? 5 : 0;
    m->deadline_ms = wheel.now_ms + random_span() - past;
    m->deadline_ms = m->deadline_ms < 0 ? 0 : m->deadline_ms;
    m->started_ms = in_advance ? advance_to : -1;
    timer_wheel_start(&wheel, &m->timer, m->deadline_ms, model_fired);
}

static void check_against_model(int64_t now_ms)
{
    unsigned armed = 0;
    int64_t earliest = INT64_MAX;
    for (unsigned i = 0; i < MODEL_TIMERS; i++) {
        const struct model_timer *m = &model[i];
        EXPECT(timer_is_armed(&m->timer) == (m->deadline_ms >= 0));
        if (m->deadline_ms < 0) {
            continue;
        }
        armed++;
        earliest = m->deadline_ms < earliest ? m->deadline_ms : earliest;
        /* overdue only if it was started, already overdue, inside this very advance */
        EXPECT(m->deadline_ms > now_ms || m->started_ms == now_ms);
    }
    EXPECT_INT(wheel.armed, armed);
    int64_t next_ms = timer_wheel_next_ms(&wheel);
    EXPECT(armed == 0 ? next_ms == INT64_MAX : next_ms <= (earliest > now_ms ? earliest : now_ms));
    EXPECT(next_ms >= now_ms);
}

TEST(the_wheel_does_what_a_naive_model_does)
{
    for (unsigned round = 0; round < test_rounds(60); round++) {
        int64_t now_ms = random_span();
        timer_wheel_init(&wheel, now_ms);
        memset(model, 0, sizeof(model));
        for (unsigned i = 0; i < MODEL_TIMERS; i++) {
            model[i].deadline_ms = -1;
        }
        for (unsigned step = 0; step < 300; step++) {
            for (uint64_t n = test_random_below(4); n > 0; n--) {
                random_action(&model[test_random_below(MODEL_TIMERS)]);
            }
            int64_t next_ms = timer_wheel_next_ms(&wheel);
            bool jump_to_next = next_ms != INT64_MAX && test_random_below(2);
            now_ms = jump_to_next ? next_ms : now_ms + (random_span() >> test_random_below(20));
            in_advance = true;
            advance_to = now_ms;
            timer_wheel_advance(&wheel, now_ms);
            in_advance = false;
            check_against_model(now_ms);
        }
    }
    EXPECT(fired_count > 1000);
}
