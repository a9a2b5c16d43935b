/*
 * galley/access_log.h — one line for each answered request, written by a thread of its own.
 *
 * The event loops only leave a fixed-size record in a ring of theirs: no system call, no lock, no
 * allocation, no formatting on the request's path. Where the writer cannot keep up, or a disk is
 * full, lines are lost and counted, never waited for.
 */
#ifndef GALLEY_ACCESS_LOG_H
#define GALLEY_ACCESS_LOG_H

#include <galley/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Formats. In each of them, one request is one line whatever bytes the client sent: control bytes,
 * quotes and the backslash are escaped, in COMBINED and DEV also every byte above 7E; text over the
 * record's bounds is cut.
 */
enum {
    GALLEY_ACCESS_DEV = 0,      /* for a person who watches: 12:34:56 200 GET /path 1.2 kB 3 ms   */
    GALLEY_ACCESS_COMBINED = 1, /* Apache's combined log format, times in UTC                     */
    GALLEY_ACCESS_JSON = 2      /* an RFC 8259 object a line, valid UTF-8, times as in RFC 3339;
                                   with "tls" for what came over TLS: version, cipher, server_name
                                   and, by its certificate, client                                */
};

/** Colours, in GALLEY_ACCESS_DEV only. */
enum {
    GALLEY_COLOUR_AUTO = 0, /* if the log is a terminal and the environment has no NO_COLOR */
    GALLEY_COLOUR_NEVER = 1,
    GALLEY_COLOUR_ALWAYS = 2
};

/**
 * Takes whole lines: len bytes, ending in a line end. Called on the log's writer thread, never by
 * two threads at once; it may block, at the price of lost lines. 0, or anything else when the lines
 * were lost.
 */
typedef int galley_log_write_fn(void *ctx, const char *lines, size_t len);

/**
 * Start from GALLEY_ACCESS_LOG_OPTIONS_INIT; zero means the default everywhere. The lines go to
 * `write` if it is given, else to the file `path`, else to the descriptor `fd`.
 */
typedef struct galley_access_log_options {
    size_t size;      /* sizeof(galley_access_log_options): tells versions apart           */
    int format;       /* GALLEY_ACCESS_...                                                 */
    int colour;       /* GALLEY_COLOUR_...                                                 */
    const char *path; /* appended to, made with mode 0640; opened again on request; copied */
    int fd;           /* stays the caller's, open until the server is freed; default 1     */
    /* instead of a file */
    galley_log_write_fn *write;
    void *write_ctx;
    size_t ring_records; /* of each loop, 512 bytes each; default 4096; rounded up to a
                            power of two; at most 2^20                                     */
} galley_access_log_options;
#define GALLEY_ACCESS_LOG_OPTIONS_INIT                                                             \
    {                                                                                              \
        sizeof(galley_access_log_options), 0, 0, 0, 0, 0, 0, 0                                     \
    }

/** Counts since the start; a line is in exactly one of the first three once the log is flushed. */
typedef struct galley_access_log_stats {
    size_t size;      /* sizeof(galley_access_log_stats), set by the caller               */
    uint64_t written; /* lines handed to the file or to write                             */
    uint64_t dropped; /* a loop's ring was full: the writer was too slow                  */
    uint64_t lost;    /* the file did not take them: disk full, reader gone, write failed */
    uint64_t reopens; /* files opened again with success                                  */
} galley_access_log_stats;

/**
 * Set-up call: write an access log. Opens the file now, so that a wrong path is told at once and
 * privileges can be dropped before the start; the writer thread runs from start to stop, and what
 * is in the rings at the stop is written.
 *
 * opt: NULL for coloured lines to standard output. A second call replaces the first.
 *
 * Returns 0; GALLEY_EINVAL (a bad option, srv NULL), GALLEY_ENOMEM, GALLEY_ESYS (the file cannot be
 * opened), GALLEY_ESTATE (the server runs). Like every set-up failure it is remembered, and
 * galley_server_run() tells it. The thread that sets the server up; may block on the file system.
 */
GALLEY_API int galley_server_access_log(galley_server *srv, const galley_access_log_options *opt);

/**
 * Let go of the log's file and open its path again: after a rename, for log rotation. Lines that
 * were recorded before the call go to the old file. When the path cannot be opened the old file is
 * kept and the server's log says so. Does nothing for a log without a path.
 *
 * Returns 0; GALLEY_EINVAL (srv NULL), GALLEY_ESTATE (no access log). Any thread,
 * async-signal-safe; does not block: the writer thread does it.
 */
GALLEY_API int galley_server_reopen_logs(galley_server *srv);

/**
 * What became of the lines.
 *
 * Returns 0; GALLEY_EINVAL (NULL, or stats->size too small), GALLEY_ESTATE (no access log). Any
 * thread; does not block.
 */
GALLEY_API int galley_server_access_log_stats(const galley_server *srv,
                                              galley_access_log_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
