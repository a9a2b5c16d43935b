/* Tests of the access log as a whole: rings, writer thread, files that are full, renamed, or not read. */
#include "observe/access_log.h"

#include "base/alloc.h"
#include "base/clock.h"

#include "support_exchange.h"
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

static const char *path_in_folder(const char *name)
{
    static char path[128];
    if (!folder[0]) {
        memcpy(folder, "/tmp/galley-log-XXXXXX", sizeof "/tmp/galley-log-XXXXXX");
        EXPECT(mkdtemp(folder) != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    unlink(path_in_folder("log"));
    unlink(path_in_folder("log.1"));
    rmdir(folder);
}

static size_t read_file(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    ssize_t len = read(fd, out, room - 1);
    close(fd);
    EXPECT(len >= 0);
    out[len] = '\0';
    return (size_t)len;
}

static void nap(void)
{
    poll(NULL, 0, 2);
}

static galley_access_log_stats stats_of(const struct access_log *log)
{
    galley_access_log_stats stats = {.size = sizeof stats};
    EXPECT_INT(access_log_get_stats(log, &stats), 0);
    return stats;
}

static struct access_log *create(galley_access_log_options *options, const struct log_sink *sink)
{
    galley_error err = {0};
    options->size = sizeof *options;
    struct access_log *log = access_log_create(options, sink, &err);
    if (!log) {
        test_fail(__FILE__, __LINE__, "access_log_create: %s", err.message);
    }
    return log;
}

static void start(struct access_log *log)
{
    EXPECT_INT(access_log_start(log, NULL), 0);
}

static void record(struct access_log_source *source, const char *target)
{
    struct ended ended;
    ended_init(&ended);
    ended_target(&ended, span_of(target));
    access_log_record(source, &ended.exchange);
}

/* What a sink heard. */
struct heard {
    _Atomic unsigned count;
    char last[256];
};
static void hear(void *ctx, int level, const char *line)
{
    struct heard *heard = ctx;
    (void)level;
    snprintf(heard->last, sizeof heard->last, "%s", line);
    heard->count++;
}

/* A function that takes lines. */
struct taken {
    pthread_mutex_t lock;
    size_t lines, bytes;
    bool refuses;
};
static int take(void *ctx, const char *lines, size_t len)
{
    struct taken *taken = ctx;
    pthread_mutex_lock(&taken->lock);
    EXPECT(len > 0 && lines[len - 1] == '\n');
    for (size_t i = 0; i < len; i++) {
        taken->lines += lines[i] == '\n';
    }
    taken->bytes += len;
    int result = taken->refuses ? -1 : 0;
    pthread_mutex_unlock(&taken->lock);
    return result;
}

TEST(a_line_is_written_soon_and_without_a_stop)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {.write = take, .write_ctx = &taken};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    for (unsigned expected = 1; expected <= 3; expected++) {
        record(source, "/");
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
    galley_access_log_options options = {.write = take, .write_ctx = &taken};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *first = access_log_add_source(log);
    struct access_log_source *second = access_log_add_source(log);
    start(log);
    for (unsigned i = 0; i < 1000; i++) {
        record(i % 3 ? first : second, "/some/page");
    }
    access_log_destroy(log);
    EXPECT_INT(taken.lines, 1000);
}

TEST(a_full_ring_drops_and_counts)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_DEBUG};
    galley_access_log_options options = {.write = take, .write_ctx = &taken, .ring_records = 5};
    struct access_log *log = create(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    for (unsigned i = 0; i < 20; i++) { /* nobody empties it yet */
        record(source, "/");
    }
    EXPECT_INT(stats_of(log).dropped, 12); /* the ring has 8 places */
    start(log);
    access_log_destroy(log);
    EXPECT_INT(taken.lines, 8);
    EXPECT_TEXT(heard.last, "access log: 12 lines dropped so far, the writer is too slow");
}

TEST(a_function_that_refuses_loses_the_lines_and_they_are_counted)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER, .refuses = true};
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_ERROR};
    galley_access_log_options options = {.write = take, .write_ctx = &taken};
    struct access_log *log = create(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    record(source, "/");
    record(source, "/");
    while (stats_of(log).lost < 2) {
        nap();
    }
    EXPECT_INT(stats_of(log).written, 0);
    access_log_destroy(log);
    EXPECT(heard.count >= 1);
}

TEST(a_full_disk_costs_lines_and_is_said_at_most_once_a_second)
{
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_ERROR};
    galley_access_log_options options = {.path = "/dev/full"};
    struct access_log *log = create(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    int64_t began_ms = clock_mono_ms();
    for (unsigned i = 1; i <= 20; i++) {
        record(source, "/");
        while (stats_of(log).lost < i) {
            nap();
        }
    }
    uint64_t seconds = (uint64_t)(clock_mono_ms() - began_ms) / 1000;
    EXPECT(heard.count >= 1 && heard.count <= seconds + 2);
    EXPECT(strstr(heard.last, "access log /dev/full: No space left on device; ") != NULL);
    access_log_destroy(log);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    EXPECT_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Room for one line and a half: the half one is completed as soon as there is room, and no line runs into another. */
TEST(lines_stay_whole_when_the_disk_is_full_in_the_middle_of_one)
{
    char text[65536];
    galley_access_log_options options = {.path = path_in_folder("log"),
                                         .format = GALLEY_ACCESS_COMBINED};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(100); /* a line has 72 bytes */
    for (unsigned i = 0; i < 10; i++) {
        record(source, "/first");
    }
    start(log);
    while (stats_of(log).lost < 8) {
        nap();
    }
    EXPECT_INT(stats_of(log).written, 1);
    limit_file_size(RLIM_INFINITY);
    record(source, "/second");
    while (stats_of(log).written < 3) {
        nap();
    }
    access_log_destroy(log);
    read_file(path_in_folder("log"), text, sizeof text);
    char *line = text;
    for (unsigned i = 0; i < 3; i++) {
        char *end = strchr(line, '\n');
        EXPECT(end != NULL);
        *end = '\0';
        const char *tail = i < 2 ? "\"GET /first HTTP/1.1\" 200 5 \"-\" \"-\""
                                 : "\"GET /second HTTP/1.1\" 200 5 \"-\" \"-\"";
        EXPECT_TEXT(strchr(line, '"'), tail);
        line = end + 1;
    }
    EXPECT_TEXT(line, "");
    remove_folder();
}

TEST(after_a_rename_reopening_begins_a_new_file)
{
    char text[4096], old_path[128];
    galley_access_log_options options = {.path = path_in_folder("log"),
                                         .format = GALLEY_ACCESS_JSON};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    record(source, "/old");
    snprintf(old_path, sizeof old_path, "%s", path_in_folder("log.1"));
    EXPECT_INT(rename(path_in_folder("log"), old_path), 0);
    access_log_reopen(log);
    while (stats_of(log).reopens < 1) {
        nap();
    }
    record(source, "/new");
    access_log_destroy(log);
    read_file(old_path, text, sizeof text);
    EXPECT(strstr(text, "/old") && !strstr(text, "/new"));
    read_file(path_in_folder("log"), text, sizeof text);
    EXPECT(strstr(text, "/new") && !strstr(text, "/old"));
    struct stat info;
    EXPECT_INT(stat(path_in_folder("log"), &info), 0);
    EXPECT_INT(info.st_mode & 07777 & 0137, 0); /* others read nothing: addresses are in it */
    remove_folder();
}

TEST(when_reopening_fails_the_old_file_goes_on)
{
    char text[4096];
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_ERROR};
    galley_access_log_options options = {.path = path_in_folder("log")};
    struct access_log *log = create(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    int fd = open(path_in_folder("log"), O_RDONLY | O_CLOEXEC);
    EXPECT_INT(unlink(path_in_folder("log")), 0);
    EXPECT_INT(mkdir(path_in_folder("log"), 0700), 0);
    access_log_reopen(log);
    while (heard.count < 1) {
        nap();
    }
    EXPECT(strstr(heard.last, "cannot be opened again: Is a directory") != NULL);
    record(source, "/still-here");
    access_log_destroy(log);
    ssize_t len = read(fd, text, sizeof text - 1);
    EXPECT(len > 0);
    text[len] = '\0';
    EXPECT(strstr(text, "/still-here") != NULL);
    close(fd);
    rmdir(path_in_folder("log"));
    remove_folder();
}

TEST(a_reader_that_does_not_read_cannot_hold_the_stop)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    galley_access_log_options options = {.fd = ends[1]};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    for (unsigned i = 0; i < 4000; i++) { /* more than a pipe takes */
        record(source, "/a/long/path/so/that/the/pipe/is/full/soon");
    }
    access_log_destroy(log); /* or the test's deadline passes */
    close(ends[0]);
    close(ends[1]);
}

TEST(a_reader_that_is_gone_costs_lines_and_no_signal)
{
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    close(ends[0]);
    galley_access_log_options options = {.fd = ends[1]};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    record(source, "/");
    while (stats_of(log).lost < 1) {
        nap();
    }
    access_log_destroy(log);
    close(ends[1]);
}

TEST(a_slow_reader_gets_every_line_of_a_nonblocking_pipe)
{
    int ends[2];
    char piece[1000];
    size_t lines = 0;
    EXPECT_INT(pipe2(ends, O_NONBLOCK), 0);
    galley_access_log_options options = {.fd = ends[1]};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    for (unsigned i = 0; i < 4000; i++) {
        record(source, "/a/long/path/so/that/the/pipe/is/full/soon");
    }
    start(log);
    while (lines < 4000) {
        ssize_t len = read(ends[0], piece, sizeof piece);
        for (ssize_t i = 0; i < len; i++) {
            lines += piece[i] == '\n';
        }
    }
    access_log_destroy(log);
    close(ends[0]);
    close(ends[1]);
}

struct recorder {
    struct access_log_source *source;
    unsigned count;
};

static void *record_many(void *arg)
{
    struct recorder *recorder = arg;
    for (unsigned i = 0; i < recorder->count; i++) {
        record(recorder->source, "/page");
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
    galley_access_log_options options = {.write = take, .write_ctx = &taken, .ring_records = 256};
    struct access_log *log = create(&options, NULL);
    struct recorder recorders[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        recorders[i] = (struct recorder){access_log_add_source(log), COUNT};
    }
    start(log);
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

/* The waker's promise: a record that comes while the writer lies down is written without another one behind it. */
TEST(no_wake_up_is_lost)
{
    struct taken taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    galley_access_log_options options = {.write = take, .write_ctx = &taken};
    struct access_log *log = create(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start(log);
    for (unsigned i = 1; i <= 40; i++) {
        poll(NULL, 0, (int)test_random_below(120)); /* around the end of a nap of 50 ms */
        record(source, "/");
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
    struct access_log *log = create(&options, NULL);
    start(log);
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
    struct access_log *log = create(&options, NULL);
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
