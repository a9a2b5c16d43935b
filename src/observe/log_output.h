/* observe/log_output.h — where finished lines go: a file that can be opened again, a descriptor, or
 * a function. Used by the writer thread only, after log_output_open(). A disk that is full, or a
 * reader that is gone, costs lines, which are counted; as soon as there is room lines go on, and a
 * line that was cut in its middle is completed first, so that no two lines ever run into each
 * other. */
#ifndef OBSERVE_LOG_OUTPUT_H
#define OBSERVE_LOG_OUTPUT_H

#include "base/counter.h"
#include "base/log.h"
#include "base/span.h"

#include <galley/access_log.h>

enum { LOG_LINE_MAX = 4096 /* bytes of one line, at most */ };

struct log_output {
    galley_log_write_fn *write;
    void *write_ctx;
    char *path; /* owned; NULL: fd is the caller's */
    int fd;
    bool is_regular;  /* write(2) cannot wait for a reader */
    const char *name; /* for messages: the path or "the access log" */
    int interrupt_fd; /* readable: somebody wants the writer's attention */
    /* Asked while a reader is slow, when interrupt_fd is readable (it makes it unreadable) and
     * every 100 ms. */
    bool (*give_up)(void *ctx);
    void *give_up_ctx;
    const struct log_sink *sink;
    struct log_limit limit;
    struct counter written, lost, reopens;
    size_t torn_len; /* rest of a line that was written in part */
    char torn[LOG_LINE_MAX];
};

/** Opens the path, if there is one. 0, GALLEY_ENOMEM, GALLEY_ESYS with a sentence.
 * log_output_close() also after a failure. */
int log_output_open(struct log_output *output, const galley_access_log_options *options,
                    galley_error *err);
void log_output_close(struct log_output *output);
/** Whole lines. Blocks while a pipe or terminal takes nothing, until give_up() says so. */
void log_output_write(struct log_output *output, struct span lines);
/** Open the path again; the old file is kept when that fails. */
void log_output_reopen(struct log_output *output);
/** Is it a terminal? */
bool log_output_is_terminal(const struct log_output *output);

#endif
