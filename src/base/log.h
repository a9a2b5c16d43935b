/* base/log.h — where low floors tell what happened: a sink given at construction, never a global
 * printer. The sink may be called from any thread, also by several at once; it gets one line
 * without a line end or any other control byte. It must not block for long: the loop is among its
 * callers. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR = 0, LOG_WARNING = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

struct log_sink {
    void (*write)(void *ctx, int level, const char *line); /* NULL: silent */
    void *ctx;
    int level; /* most detailed level wanted */
};

/** sink may be NULL. Control bytes are replaced by '?'; cut at 1023 bytes. */
void log_write(const struct log_sink *sink, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool log_wants(const struct log_sink *sink, enum log_level level)
{
    return sink && sink->write && (int)level <= sink->level;
}

/** For events an attacker can repeat: at most one line a second each; says how many were left
 * out. */
struct log_limit {
    _Atomic int64_t next_ms;  /* relaxed: an extra line now and then does no harm */
    _Atomic uint64_t skipped; /* relaxed: a count for people */
};
void log_write_limited(const struct log_sink *sink, struct log_limit *limit, enum log_level level,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
