/* tests/unit/observe/support_log.h — what tests of a whole access log need: make it, record to it,
 * count, listen in. */
#ifndef SUPPORT_LOG_H
#define SUPPORT_LOG_H

#include "observe/access_log.h"

#include <pthread.h>

/** For loops that wait until something has become true. */
void nap(void);
galley_access_log_stats stats_of(const struct access_log *log);
/** Sets options->size; a failure fails the test. */
struct access_log *create_log(galley_access_log_options *options, const struct log_sink *sink);
void start_log(struct access_log *log);
/** A GET of target that was answered with 200. */
void record_request(struct access_log_source *source, const char *target);

/** What a sink heard; `hear` is its function. */
struct heard {
    _Atomic unsigned count;
    char last[256];
};
void hear(void *ctx, int level, const char *line);

/** Where lines go: `take_lines` is the write function. */
struct taken {
    pthread_mutex_t lock;
    size_t lines, bytes;
    bool refuses;
};
int take_lines(void *ctx, const char *lines, size_t len);

#endif
