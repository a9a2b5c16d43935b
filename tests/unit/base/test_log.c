/* tests/unit/base/test_log.c — lines for the sink.
 * Levels, lines that cannot be forged or grow, and the limit for what an attacker can repeat, with
 * a flood from many threads. */
#include "test.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>

struct record {
    pthread_mutex_t lock;
    int lines;
    int level;
    uint64_t left_out; /* sum of the "(n more left out)" */
    char last[2048];
};

static void keep(void *ctx, int level, const char *line)
{
    struct record *record = ctx;
    const char *open = strrchr(line, '(');
    pthread_mutex_lock(&record->lock);
    record->lines++;
    record->level = level;
    record->left_out += open ? strtoull(open + 1, NULL, 10) : 0;
    snprintf(record->last, sizeof record->last, "%s", line);
    pthread_mutex_unlock(&record->lock);
}

TEST(test_only_wanted_levels_reach_the_sink)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_sink sink = {keep, &record, LOG_WARNING};
    log_write(&sink, LOG_INFO, "no");
    EXPECT_INT(record.lines, 0);
    log_write(&sink, LOG_WARNING, "%s %d", "yes", 1);
    EXPECT_TEXT(record.last, "yes 1");
    EXPECT_INT(record.level, LOG_WARNING);
    log_write(&sink, LOG_ERROR, "too");
    EXPECT_INT(record.lines, 2);
    EXPECT(log_wants(&sink, LOG_ERROR) && !log_wants(&sink, LOG_DEBUG));
}

TEST(test_without_a_sink_nothing_happens)
{
    struct log_sink silent = {NULL, NULL, LOG_DEBUG};
    struct log_limit limit = {0};
    log_write(NULL, LOG_ERROR, "x");
    log_write(&silent, LOG_ERROR, "x");
    log_write_limited(NULL, &limit, LOG_ERROR, "x");
    EXPECT(!log_wants(NULL, LOG_ERROR) && !log_wants(&silent, LOG_ERROR));
    EXPECT_INT(atomic_load(&limit.next_ms), 0); /* what nobody wants uses up no turn */
}

TEST(test_a_name_from_outside_cannot_forge_a_line)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_sink sink = {keep, &record, LOG_DEBUG};
    log_write(&sink, LOG_INFO, "file %s", "a\nERROR all is lost\x1b[2J");
    EXPECT_TEXT(record.last, "file a?ERROR all is lost?[2J");
}

TEST(test_long_lines_are_cut)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_sink sink = {keep, &record, LOG_DEBUG};
    log_write(&sink, LOG_INFO, "%02000d", 0);
    EXPECT_INT(strlen(record.last), 1023);
}

TEST(test_repeated_events_are_counted_and_told_with_the_next_line)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_sink sink = {keep, &record, LOG_DEBUG};
    struct log_limit limit = {0};
    atomic_store(&limit.skipped, 41);
    log_write_limited(&sink, &limit, LOG_WARNING, "out of %s", "descriptors");
    EXPECT_TEXT(record.last, "out of descriptors (41 more left out)");
    atomic_store(&limit.next_ms, clock_mono_ms() + 1000000); /* the second never ends */
    log_write_limited(&sink, &limit, LOG_WARNING, "out of %s", "descriptors");
    log_write_limited(&sink, &limit, LOG_WARNING, "out of %s", "descriptors");
    EXPECT_INT(record.lines, 1);
    atomic_store(&limit.next_ms, clock_mono_ms()); /* now it has */
    log_write_limited(&sink, &limit, LOG_WARNING, "%02000d", 0);
    EXPECT_INT(record.lines, 2);
    EXPECT(strlen(record.last) <= 1023);
    EXPECT(strstr(record.last, " (2 more left out)") != NULL);
}

TEST(test_the_limit_opens_again_after_one_second)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_sink sink = {keep, &record, LOG_DEBUG};
    struct log_limit limit = {0};
    int64_t before_ms = clock_mono_ms();
    log_write_limited(&sink, &limit, LOG_WARNING, "x");
    int64_t next_ms = atomic_load(&limit.next_ms);
    EXPECT(next_ms >= before_ms + 1000 && next_ms <= clock_mono_ms() + 1000);
}

enum { THREADS = 6, EVENTS = 3000 };

struct flood {
    struct log_sink sink;
    struct log_limit limit;
};

static void *flood_log(void *arg)
{
    struct flood *flood = arg;
    for (int i = 0; i < EVENTS; i++) {
        log_write_limited(&flood->sink, &flood->limit, LOG_WARNING, "bad request");
    }
    return NULL;
}

TEST(test_a_flood_from_many_threads_is_one_line_a_second_and_none_is_forgotten)
{
    struct record record = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct flood flood = {.sink = {keep, &record, LOG_DEBUG}};
    pthread_t threads[THREADS];
    int64_t started_ms = clock_mono_ms();
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, flood_log, &flood), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_join(threads[i], NULL), 0);
    }
    int64_t seconds = (clock_mono_ms() - started_ms) / 1000;
    EXPECT(record.lines >= 1 && record.lines <= seconds + 2);
    uint64_t told = (uint64_t)record.lines + record.left_out + atomic_load(&flood.limit.skipped);
    EXPECT_INT(told, THREADS * EVENTS);
}
