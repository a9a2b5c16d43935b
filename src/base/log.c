/* base/log.c — makes one clean line and hands it to the sink; see log.h.
 * Any thread: the line is on the caller's stack, the sink does its own locking. Nothing is
 * allocated, so that an ENOMEM can be logged. */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINE_BYTES = 1024, LOG_LIMIT_MS = 1000, LOG_SUFFIX_BYTES = 48 };

static void hand_over(const struct log_sink *sink, enum log_level level, char *line)
{
    text_mask_controls(line, strlen(line));
    sink->write(sink->ctx, (int)level, line);
}

void log_write(const struct log_sink *sink, enum log_level level, const char *format, ...)
{
    if (!log_wants(sink, level)) {
        return;
    }
    char line[LOG_LINE_BYTES] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hand_over(sink, level, line);
}

/* True for one caller a second; the others are counted. */
static bool may_pass(struct log_limit *limit)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = atomic_load_explicit(&limit->next_ms, memory_order_relaxed);
    if (now_ms >= next_ms &&
        atomic_compare_exchange_strong_explicit(&limit->next_ms, &next_ms, now_ms + LOG_LIMIT_MS,
                                                memory_order_relaxed, memory_order_relaxed)) {
        return true;
    }
    atomic_fetch_add_explicit(&limit->skipped, 1, memory_order_relaxed);
    return false;
}

void log_write_limited(const struct log_sink *sink, struct log_limit *limit, enum log_level level,
                       const char *format, ...)
{
    if (!log_wants(sink, level) || !may_pass(limit)) {
        return;
    }
    char line[LOG_LINE_BYTES] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - LOG_SUFFIX_BYTES, format, args);
    va_end(args);
    uint64_t skipped = atomic_exchange_explicit(&limit->skipped, 0, memory_order_relaxed);
    if (skipped) {
        size_t len = strlen(line);
        snprintf(line + len, sizeof line - len, " (%" PRIu64 " more left out)", skipped);
    }
    hand_over(sink, level, line);
}
