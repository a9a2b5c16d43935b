/* Shedding by time waited: when an overload is seen, whom it costs, when it is over. The clock is a
 * number here; so are the workers. */
#include "test.h"

#include "base/alloc.h"
#include "exchange/queue_shedder.h"

enum { TARGET_MS = 20, WORKERS = 4, JOB_MS = 10, MAX_QUEUE = 8192 };

/* A pool in numbers: WORKERS jobs end every JOB_MS. */
struct line {
    struct queue_shedder *shedder;
    int64_t came_ms[MAX_QUEUE];
    unsigned head, tail;
    unsigned refused, late, started;
    int64_t longest_ms, now_ms;
};

static void open_line(struct line *line)
{
    memset(line, 0, sizeof *line);
    line->shedder = queue_shedder_create(WORKERS, TARGET_MS);
    EXPECT(line->shedder);
    line->now_ms = 1000;
}

static void come(struct line *line, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (queue_shedder_refuses(line->shedder, line->now_ms)) {
            line->refused++;
            continue;
        }
        EXPECT(line->tail - line->head < MAX_QUEUE);
        queue_shedder_add(line->shedder);
        line->came_ms[line->tail++ % MAX_QUEUE] = line->now_ms;
    }
}

/* A worker is free: it takes the first that may be started. */
static void take(struct line *line)
{
    while (line->head != line->tail) {
        int64_t waited_ms = line->now_ms - line->came_ms[line->head++ % MAX_QUEUE];
        if (queue_shedder_start(line->shedder, waited_ms, line->now_ms)) {
            line->started++;
            line->longest_ms = waited_ms > line->longest_ms ? waited_ms : line->longest_ms;
            return;
        }
        line->late++;
    }
}

/* `coming` arrive each JOB_MS, spread over it. */
static void go_on(struct line *line, unsigned coming, int64_t ms)
{
    unsigned arrived = 0, taken = 0;
    for (int64_t i = 0; i < ms; i++) {
        line->now_ms++;
        unsigned due = (unsigned)((i + 1) * coming / JOB_MS);
        come(line, due - arrived);
        arrived = due;
        unsigned free = (unsigned)((i + 1) * WORKERS / JOB_MS);
        for (; taken < free; taken++) {
            take(line);
        }
    }
}

static void forget_what_was(struct line *line)
{
    line->refused = line->late = line->started = 0;
    line->longest_ms = 0;
}

TEST(test_a_burst_that_goes_away_is_not_shed)
{
    struct line line;
    open_line(&line);
    come(&line, 1000); /* 2.5 s of work: far longer than an interval, but it gets shorter */
    go_on(&line, 0, 2600);
    EXPECT_INT(line.refused, 0);
    EXPECT_INT(line.late, 0);
    EXPECT_INT(line.started, 1000);
    EXPECT(!queue_shedder_is_shedding(line.shedder));
    queue_shedder_destroy(line.shedder);
}

TEST(test_a_load_that_fits_is_not_shed_behind_a_burst)
{
    struct line line;
    open_line(&line);
    come(&line, 400);
    go_on(&line, WORKERS - 1, 5000);
    EXPECT_INT(line.refused + line.late, 0);
    EXPECT_INT(queue_shedder_queued(line.shedder), 0);
    queue_shedder_destroy(line.shedder);
}

TEST(test_twice_what_the_workers_can_do_costs_those_who_are_refused)
{
    struct line line;
    open_line(&line);
    go_on(&line, 2 * WORKERS, 300); /* until it is seen */
    EXPECT(queue_shedder_is_shedding(line.shedder));
    EXPECT(line.refused > 0);
    EXPECT(line.late > 0); /* what was queued until then */
    forget_what_was(&line);
    go_on(&line, 2 * WORKERS, 10000);
    EXPECT_INT(line.late, 0);
    EXPECT(line.longest_ms <= JOB_MS + 1); /* twice the time of an answer without a queue */
    EXPECT_INT(line.started, 10000 / JOB_MS * WORKERS); /* the workers have no pause */
    EXPECT(line.refused >= line.started - WORKERS && line.refused <= line.started + WORKERS);
    queue_shedder_destroy(line.shedder);
}

TEST(test_a_little_too_much_is_seen_as_well)
{
    struct line line;
    open_line(&line);
    come(&line, 50);
    go_on(&line, WORKERS + 1, 1000);
    EXPECT(queue_shedder_is_shedding(line.shedder));
    queue_shedder_destroy(line.shedder);
}

TEST(test_an_overload_is_over_when_nobody_had_to_be_refused)
{
    struct line line;
    open_line(&line);
    go_on(&line, 2 * WORKERS, 1000);
    EXPECT(queue_shedder_is_shedding(line.shedder));
    go_on(&line, WORKERS - 1, 500);
    EXPECT(!queue_shedder_is_shedding(line.shedder));
    forget_what_was(&line);
    come(&line, 100);
    go_on(&line, 0, 300);
    EXPECT_INT(line.refused + line.late, 0);
    queue_shedder_destroy(line.shedder);
}

TEST(test_after_a_silence_the_first_who_comes_ends_the_overload)
{
    struct line line;
    open_line(&line);
    go_on(&line, 2 * WORKERS, 1000);
    go_on(&line, 0, 2000);
    EXPECT(queue_shedder_is_shedding(line.shedder)); /* nobody came to find out */
    forget_what_was(&line);
    come(&line, 100);
    EXPECT_INT(line.refused, 0);
    EXPECT(!queue_shedder_is_shedding(line.shedder));
    queue_shedder_destroy(line.shedder);
}

TEST(test_jobs_longer_than_the_target_still_have_one_queued)
{
    struct queue_shedder *shedder = queue_shedder_create(1, TARGET_MS);
    int64_t now_ms = 1;
    for (unsigned i = 0; i < 10; i++) {
        queue_shedder_add(shedder);
        queue_shedder_add(shedder);
        now_ms += 1000; /* each takes a second */
        EXPECT(queue_shedder_start(shedder, 1000, now_ms));
    }
    EXPECT(queue_shedder_is_shedding(shedder));
    EXPECT(queue_shedder_refuses(shedder, now_ms));
    while (queue_shedder_queued(shedder) > 0) {
        queue_shedder_remove(shedder);
    }
    EXPECT(!queue_shedder_refuses(shedder, now_ms));
    queue_shedder_add(shedder);
    EXPECT(queue_shedder_refuses(shedder, now_ms));
    /* A wait as long as two jobs take is nobody's fault. */
    EXPECT(queue_shedder_start(shedder, 2000, now_ms));
    queue_shedder_add(shedder);
    EXPECT(!queue_shedder_start(shedder, 2001, now_ms));
    queue_shedder_destroy(shedder);
}

TEST(test_each_pool_has_one)
{
    galley_pool *one = galley_pool_new(1, NULL);
    galley_pool *two = galley_pool_new(2, NULL);
    EXPECT(one && two);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct queue_shedder *list = NULL;
        mem_fail_nth(n);
        struct queue_shedder *of_one = queue_shedder_of_pool(&list, one, TARGET_MS);
        struct queue_shedder *of_two = queue_shedder_of_pool(&list, two, TARGET_MS);
        failed = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT_INT(of_one == NULL || of_two == NULL, failed);
        EXPECT(failed || of_one != of_two);
        EXPECT(failed || queue_shedder_of_pool(&list, one, TARGET_MS) == of_one);
        queue_shedder_destroy_list(list);
    }
    galley_pool_free(one);
    galley_pool_free(two);
}
