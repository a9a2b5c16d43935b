/* Tests of where the lines go: files that are full, renamed or cannot be opened, pipes that are not
 * read. */
#include "observe/access_log.h"

#include "base/clock.h"

#include "support_log.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

TEST(a_full_disk_costs_lines_and_is_said_at_most_once_a_second)
{
    struct heard heard = {0};
    struct log_sink sink = {.write = hear, .ctx = &heard, .level = LOG_ERROR};
    galley_access_log_options options = {.path = "/dev/full"};
    struct access_log *log = create_log(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    int64_t began_ms = clock_mono_ms();
    for (unsigned i = 1; i <= 20; i++) {
        record_request(source, "/");
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

/* Room for one line and a half: the half one is completed as soon as there is room, and no line
 * runs into another. */
TEST(lines_stay_whole_when_the_disk_is_full_in_the_middle_of_one)
{
    char text[65536];
    galley_access_log_options options = {.path = path_in_folder("log"),
                                         .format = GALLEY_ACCESS_COMBINED};
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(100); /* a line has 72 bytes */
    for (unsigned i = 0; i < 10; i++) {
        record_request(source, "/first");
    }
    start_log(log);
    while (stats_of(log).lost < 8) {
        nap();
    }
    EXPECT_INT(stats_of(log).written, 1);
    limit_file_size(RLIM_INFINITY);
    record_request(source, "/second");
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
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    record_request(source, "/old");
    snprintf(old_path, sizeof old_path, "%s", path_in_folder("log.1"));
    EXPECT_INT(rename(path_in_folder("log"), old_path), 0);
    access_log_reopen(log);
    while (stats_of(log).reopens < 1) {
        nap();
    }
    record_request(source, "/new");
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
    struct access_log *log = create_log(&options, &sink);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    int fd = open(path_in_folder("log"), O_RDONLY | O_CLOEXEC);
    EXPECT_INT(unlink(path_in_folder("log")), 0);
    EXPECT_INT(mkdir(path_in_folder("log"), 0700), 0);
    access_log_reopen(log);
    while (heard.count < 1) {
        nap();
    }
    EXPECT(strstr(heard.last, "cannot be opened again: Is a directory") != NULL);
    record_request(source, "/still-here");
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
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    for (unsigned i = 0; i < 4000; i++) { /* more than a pipe takes */
        record_request(source, "/a/long/path/so/that/the/pipe/is/full/soon");
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
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    start_log(log);
    record_request(source, "/");
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
    struct access_log *log = create_log(&options, NULL);
    struct access_log_source *source = access_log_add_source(log);
    for (unsigned i = 0; i < 4000; i++) {
        record_request(source, "/a/long/path/so/that/the/pipe/is/full/soon");
    }
    start_log(log);
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
