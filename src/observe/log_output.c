/* observe/log_output.c — writes lines, counts those that were not taken, keeps lines whole. On the
 * writer thread. */
#include "observe/log_output.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOW_READER_TICK_MS = 100 };

static uint64_t count_lines(struct span lines)
{
    uint64_t count = 0;
    while (lines.len > 0) {
        size_t end = span_find(lines, '\n');
        count++;
        lines = span_from(lines, end < lines.len ? end + 1 : lines.len);
    }
    return count;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_path(const char *path)
{
    int fd;
    do {
        /* O_NONBLOCK: a FIFO without a reader must not hold the start up. */
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static void look_at_kind(struct log_output *output)
{
    struct stat info;
    output->is_regular = fstat(output->fd, &info) == 0 && S_ISREG(info.st_mode);
}

int log_output_open(struct log_output *output, const galley_access_log_options *options,
                    galley_error *err)
{
    output->fd = -1;
    output->name = "access log";
    output->write = options->write;
    output->write_ctx = options->write_ctx;
    if (options->write) {
        return GALLEY_OK;
    }
    if (!options->path) {
        output->fd = options->fd == 0 ? STDOUT_FILENO : options->fd;
        look_at_kind(output);
        return GALLEY_OK;
    }
    output->path = mem_copy_text(options->path, strlen(options->path));
    if (!output->path) {
        return error_set(err, GALLEY_ENOMEM, "access log %s: out of memory", options->path);
    }
    output->fd = open_path(output->path);
    if (output->fd < 0) {
        return error_set_sys(err, errno, "access log %s", output->path);
    }
    output->name = output->path;
    look_at_kind(output);
    return GALLEY_OK;
}

/* A torn line can never be completed any more. */
static void forget_torn(struct log_output *output)
{
    if (output->torn_len > 0) {
        counter_add(&output->lost, 1);
        output->torn_len = 0;
    }
}

void log_output_close(struct log_output *output)
{
    forget_torn(output);
    if (output->path) {
        fd_close(&output->fd);
    }
    mem_free(output->path);
    output->path = NULL;
}

void log_output_reopen(struct log_output *output)
{
    if (!output->path) {
        return;
    }
    int fd = open_path(output->path);
    if (fd < 0) {
        log_write(output->sink, LOG_ERROR, "access log %s: cannot be opened again: %s",
                  output->path, strerror(errno));
        return;
    }
    forget_torn(output);
    fd_close(&output->fd);
    output->fd = fd;
    look_at_kind(output);
    counter_add(&output->reopens, 1);
}

bool log_output_is_terminal(const struct log_output *output)
{
    return output->fd >= 0 && isatty(output->fd) == 1;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Until a slow reader takes more. False: not any longer. */
static bool wait_for_reader(struct log_output *output)
{
    for (;;) {
        struct pollfd wait[2] = {{.fd = output->fd, .events = POLLOUT},
                                 {.fd = output->interrupt_fd, .events = POLLIN}};
        int ready = poll(wait, 2, SLOW_READER_TICK_MS);
        if (ready > 0 && wait[0].revents) {
            return true;
        }
        if (output->give_up && output->give_up(output->give_up_ctx)) {
            return false;
        }
    }
}

/* Bytes taken; less than all of them with *ret_errno set. ETIMEDOUT: given up. */
static size_t write_bytes(struct log_output *output, struct span bytes, int *ret_errno)
{
    size_t done = 0;
    while (done < bytes.len) {
        size_t share = bytes.len - done;
        if (!output->is_regular) {
            if (!wait_for_reader(output)) {
                *ret_errno = ETIMEDOUT;
                return done;
            }
            /* pipe(7): poll promises room for so much, and then a blocking pipe does not block. */
            share = share < PIPE_BUF ? share : PIPE_BUF;
        }
        ssize_t taken = write(output->fd, bytes.ptr + done, share);
        if (taken >= 0) {
            done += (size_t)taken;
        } else if (errno != EINTR && errno != EAGAIN) {
            *ret_errno = errno;
            return done;
        }
    }
    return done;
}

static void say_lost(struct log_output *output, const char *why)
{
    log_write_limited(output->sink, &output->limit, LOG_ERROR, "%s%s: %s; %llu lines lost so far",
                      output->path ? "access log " : "", output->name, why,
                      (unsigned long long)counter_read(&output->lost));
}

/* The lines from `done` on were not taken. If one of them was cut, its rest is kept: it is the
 * first to be written when there is room again. */
static void keep_torn(struct log_output *output, struct span lines, size_t done)
{
    struct span rest = span_from(lines, done);
    bool is_whole = done == 0 || lines.ptr[done - 1] == '\n';
    if (!is_whole) {
        size_t torn_len = span_find(rest, '\n') + 1;
        CHECK(torn_len <= rest.len && torn_len <= LOG_LINE_MAX);
        memcpy(output->torn, rest.ptr, torn_len);
        output->torn_len = torn_len;
        rest = span_from(rest, torn_len);
    }
    counter_add(&output->lost, count_lines(rest));
    counter_add(&output->written, count_lines(span_make(lines.ptr, done)) - (is_whole ? 0 : 1));
}

/* False: there is still no room for it. */
static bool finish_torn(struct log_output *output, int *ret_errno)
{
    if (output->torn_len == 0) {
        return true;
    }
    struct span torn = span_make(output->torn, output->torn_len);
    size_t done = write_bytes(output, torn, ret_errno);
    output->torn_len -= done;
    memmove(output->torn, output->torn + done, output->torn_len);
    if (output->torn_len > 0) {
        return false;
    }
    counter_add(&output->written, 1);
    return true;
}

static void write_to_function(struct log_output *output, struct span lines)
{
    uint64_t count = count_lines(lines);
    if (output->write(output->write_ctx, lines.ptr, lines.len) == 0) {
        counter_add(&output->written, count);
        return;
    }
    counter_add(&output->lost, count);
    say_lost(output, "not taken");
}

void log_output_write(struct log_output *output, struct span lines)
{
    if (lines.len == 0) {
        return;
    }
    if (output->write) {
        write_to_function(output, lines);
        return;
    }
    int error = 0;
    if (!finish_torn(output, &error)) {
        counter_add(&output->lost, count_lines(lines));
        say_lost(output, strerror(error));
        return;
    }
    size_t done = write_bytes(output, lines, &error);
    if (done == lines.len) {
        counter_add(&output->written, count_lines(lines));
        return;
    }
    keep_torn(output, lines, done);
    say_lost(output, error == ETIMEDOUT ? "nobody reads it" : strerror(error));
}
