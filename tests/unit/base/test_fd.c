/* tests/unit/base/test_fd.c — the small wrappers around system calls.
 * Descriptors with signals, short counts and errors; the two clocks against the system's; random
 * bytes and their bounds. */
#include "test.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

TEST(test_close_forgets_the_number_and_keeps_errno)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    int copy = fd;
    errno = EINTR;
    fd_close(&fd);
    EXPECT_INT(fd, -1);
    fd_close(&fd);
    EXPECT_INT(errno, EINTR);
    EXPECT_INT(fcntl(copy, F_GETFD), -1);
    errno = EINTR;
    fd_close(&copy); /* EBADF */
    EXPECT_INT(errno, EINTR);
}

TEST(test_nonblocking_is_set_or_the_error_told)
{
    int ends[2];
    char byte;
    EXPECT_INT(pipe2(ends, O_CLOEXEC), 0);
    EXPECT_INT(fd_set_nonblocking(ends[0]), 0);
    EXPECT_INT(read(ends[0], &byte, 1), -1);
    EXPECT_INT(errno, EAGAIN);
    fd_close(&ends[0]);
    fd_close(&ends[1]);
    EXPECT_INT(fd_set_nonblocking(-1), -EBADF);
}

enum { PIPE_BYTES = 300000 };

static void ignore_signal(int number)
{
    (void)number;
}

struct reader {
    int fd;
    pthread_t writer;
    size_t got;
};

/* Interrupts the writer while the pipe is full: the first signal ends its write short, the next
 * ones find it with nothing written, which is EINTR. Then reads, with a signal now and then. */
static void *read_slowly(void *arg)
{
    static char data[10000];
    struct reader *reader = arg;
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 6; i++) {
        nanosleep(&pause, NULL);
        pthread_kill(reader->writer, SIGUSR1);
    }
    ssize_t n = 0;
    while ((n = read(reader->fd, data, sizeof data)) > 0) {
        reader->got += (size_t)n;
        if (reader->got < PIPE_BYTES / 2) { /* while the writer surely runs */
            pthread_kill(reader->writer, SIGUSR1);
        }
    }
    return NULL;
}

TEST(test_write_all_goes_on_after_short_counts_and_signals)
{
    static char data[PIPE_BYTES];
    struct sigaction action = {.sa_handler = ignore_signal}; /* no SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    int ends[2];
    pthread_t thread;
    EXPECT_INT(pipe2(ends, O_CLOEXEC), 0);
    struct reader reader = {.fd = ends[0], .writer = pthread_self()};
    EXPECT_INT(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    EXPECT_INT(fd_write_all(ends[1], data, sizeof data), 0);
    fd_close(&ends[1]);
    EXPECT_INT(pthread_join(thread, NULL), 0);
    EXPECT_INT(reader.got, PIPE_BYTES);
    fd_close(&ends[0]);
}

TEST(test_write_errors_are_told)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    EXPECT_INT(fd_write_all(full, "x", 1), -ENOSPC);
    fd_close(&full);
    EXPECT_INT(fd_write_all(-1, "x", 1), -EBADF);
    EXPECT_INT(fd_write_all(-1, "", 0), 0);
}

TEST(test_read_at_stops_at_the_end_of_the_file)
{
    char data[16];
    int fd = memfd_create("test", MFD_CLOEXEC);
    EXPECT_INT(fd_write_all(fd, "0123456789", 10), 0);
    EXPECT_INT(fd_read_at(fd, data, 4, 2), 4);
    EXPECT_SPAN(((struct {
                    const char *ptr;
                    size_t len;
                }){data, 4}),
                "2345");
    EXPECT_INT(fd_read_at(fd, data, sizeof data, 5), 5);
    EXPECT_INT(fd_read_at(fd, data, sizeof data, 50), 0);
    EXPECT_INT(fd_read_at(fd, data, 0, 0), 0);
    fd_close(&fd);
    EXPECT_INT(fd_read_at(-1, data, 1, 0), -EBADF);
}

TEST(test_clocks_agree_with_the_system_and_with_themselves)
{
    int64_t wall_s = clock_wall_s();
    EXPECT(wall_s - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - wall_s <= 1);
    EXPECT(clock_wall_ms() / 1000 >= wall_s);
    int64_t ms = clock_mono_ms();
    int64_t ns = clock_mono_ns();
    EXPECT(ns / 1000000 >= ms);
    EXPECT(clock_mono_ms() >= ns / 1000000);
}

TEST(test_random_bytes_fill_exactly_what_was_asked)
{
    char data[1000];
    for (size_t len = 0; len < 900; len += 13) {
        memset(data, 0x55, sizeof data);
        random_bytes(data + 8, len);
        for (size_t i = 0; i < 8; i++) {
            EXPECT_INT(data[i], 0x55);
            EXPECT_INT(data[8 + len + i], 0x55);
        }
    }
}

TEST(test_random_numbers_differ_and_use_every_bit)
{
    uint64_t ones = 0;
    uint64_t zeros = 0;
    uint64_t last = random_u64();
    for (int i = 0; i < 200; i++) {
        uint64_t number = random_u64();
        EXPECT(number != last);
        ones |= number;
        zeros |= ~number;
        last = number;
    }
    EXPECT(ones == UINT64_MAX && zeros == UINT64_MAX);
}
