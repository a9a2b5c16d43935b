/* Tests of the access log as a whole: rings and writer thread, counts, options, memory. Files are
 * in test_log_output.c. */
#include "observe/access_log.h"

#include "base/alloc.h"

#include "support_log.h"
#include "test.h"

#include <poll.h>

TEST(a_line_is_written_soon_and_without_a_stop)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {.write = take_lines, .write_ctx = &taken};
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    for (unsigned expected = 1; expected <= 3; expected++) {
        record_request(source, "/");
        while (stats_of(log).written < expected) {
            nap();
        }
    }
    access_log_destroy(log);
    EXPECT_INT(taken.lines, 3);
}

TEST(what_is_in_the_rings_is_written_at_the_end)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {.write = take_lines, .write_ctx = &taken};
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *first = access_log_add_source(log);
    struct access_log_source *second = access_log_add_source(log);
    start_log(log);
    for (unsigned i = 0; i < 1000; i++) {
        record_request(i % 3 ? first : second, "/some/page");
    }
    access_log_destroy(log);
    EXPECT_INT(taken.lines, 1000);
}

TEST(a_full_ring_drops_and_counts)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_DEBUG};
    galley_access_log_options options = {
        .write = take_lines, .write_ctx = &taken, .ring_records = 5};
    struct access_log *log = create_log(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    for (unsigned i = 0; i < 20; i++) { /* nobody empties it yet */
        record_request(source, "/");
    }
    EXPECT_INT(stats_of(log).dropped, 12); /* the ring has 8 places */
    start_log(log);
    access_log_destroy(log);
    EXPECT_INT(taken.lines, 8);
    EXPECT_TEXT(heard.last, "access log: 12 lines dropped so far, the writer is too slow");
}

TEST(a_function_that_refuses_loses_the_lines_and_they_are_counted)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER, .refuses = true};
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_ERROR};
    galley_access_log_options options = {.write = take_lines, .write_ctx = &taken};
    struct access_log *log = create_log(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    record_request(source, "/");
    record_request(source, "/");
    while (stats_of(log).lost < 2) {
        nap();
    }
    EXPECT_INT(stats_of(log).written, 0);
    access_log_destroy(log);
    EXPECT(heard.count >= 1);
}

struct recorder {
    struct access_log_source *source;
    unsigned count;
};

static void *record_many(void *arg)
{
    struct recorder *recorder = arg;
    for (unsigned i = 0; i < recorder->count; i++) {
        record_request(recorder->source, "/page");
        if (i % 512 == 0) {
            nap(); /* also the way through asleep and napping */
        }
    }
    return NULL;
}

TEST(every_record_of_every_loop_is_written_or_counted_under_stress)
{
    enum { THREADS = 3, COUNT = 20000 };
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {
        .write = take_lines, .write_ctx = &taken, .ring_records = 256};
    struct access_log *log = create_log(&options, NULL);
    struct recorder recorders[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        recorders[i] = (struct recorder){access_log_add_source(log), COUNT};
    }
    start_log(log);
    for (unsigned i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, record_many, &recorders[i]), 0);
    }
    access_log_reopen(log); /* nothing to open: does nothing */
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t dropped = stats_of(log).dropped;
    access_log_destroy(log);
    EXPECT_INT(taken.lines + dropped, THREADS * COUNT);
}

/* The waker's promise: a record that comes while the writer lies down is written without another
 * one behind it. */
TEST(no_wake_up_is_lost)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {.write = take_lines, .write_ctx = &taken};
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    for (unsigned i = 1; i <= 40; i++) {
        poll(NULL, 0, (int)test_random_below(120)); /* around the end of a nap of 50 ms */
        record_request(source, "/");
        while (stats_of(log).written < i) {
            nap();
        }
    }
    access_log_destroy(log);
}

TEST(bad_options_are_refused_with_a_sentence)
{
    galley_error err = {0};
    galley_access_log_options options = GALLEY_ACCESS_LOG_OPTIONS_INIT;
    options.format = 3;
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
    EXPECT_TEXT(err.message, "access log: no such format: 3");
    options = (galley_access_log_options){.size = sizeof options, .colour = 7};
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    options = (galley_access_log_options){.size = sizeof options, .fd = -1};
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    options = (galley_access_log_options){.size = sizeof options, .ring_records = 1u << 21};
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    options = (galley_access_log_options){.size = 0};
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    options = (galley_access_log_options){.size = sizeof options, .path = "/nowhere/at/all"};
    EXPECT(access_log_create(&options, NULL, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_ESYS);
    EXPECT_TEXT(err.message, "access log /nowhere/at/all: No such file or directory");
}

TEST(options_of_a_newer_program_are_taken_when_they_ask_for_nothing_unknown)
{
    struct {
        galley_access_log_options known;
        uint64_t newer;
    } options = {.known = GALLEY_ACCESS_LOG_OPTIONS_INIT};
    galley_error err = {0};
    options.known.size = sizeof options;
    struct access_log *log = access_log_create(&options.known, NULL, &err);
    EXPECT(log != NULL);
    access_log_destroy(log);
    options.newer = 1;
    EXPECT(access_log_create(&options.known, NULL, &err) == NULL);
    EXPECT_INT(err.code, GALLEY_EINVAL);
}

TEST(a_log_that_runs_takes_no_more_loops_and_does_not_start_twice)
{
    galley_access_log_options options = {.path = "/dev/null"};
    struct access_log *log = create_log(&options, NULL);
    start_log(log);
    EXPECT(access_log_add_source(log) == NULL);
    EXPECT_INT(access_log_start(log, NULL), GALLEY_ESTATE);
    access_log_destroy(log);
    access_log_destroy(NULL);
    access_log_record(NULL, NULL);
}

TEST(stats_of_an_older_program_are_refused)
{
    galley_access_log_stats stats = {.size = 8};
    galley_access_log_options options = {.path = "/dev/null"};
    struct access_log *log = create_log(&options, NULL);
    EXPECT_INT(access_log_get_stats(log, &stats), GALLEY_EINVAL);
    EXPECT_INT(access_log_get_stats(log, NULL), GALLEY_EINVAL);
    EXPECT_INT(access_log_get_stats(NULL, &stats), GALLEY_EINVAL);
    access_log_destroy(log);
}

TEST(running_out_of_memory_at_any_allocation_leaves_nothing)
{
    galley_access_log_options options = {.size = sizeof options, .path = "/dev/null"};
    for (uint64_t n = 1;; n++) {
        galley_error err = {0};
        mem_fail_nth(n);
        struct access_log *log = access_log_create(&options, NULL, &err);
        bool has_source = log && access_log_add_source(log);
        bool happened = mem_fail_happened();
        mem_fail_nth(0);
        EXPECT(happened == !has_source);
        if (!log) {
            EXPECT_INT(err.code, GALLEY_ENOMEM);
        }
        access_log_destroy(log);
        if (!happened) {
            EXPECT(n > 4);
            break;
        }
    }
}
