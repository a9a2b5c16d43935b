/* tests/unit/observe/support_log.c — see the header. */
#include "support_log.h"

#include "support_exchange.h"
#include "test.h"

#include <poll.h>

void nap(void)
{
    poll(NULL, 0, 2);
}

galley_access_log_stats stats_of(const struct access_log *log)
{
    galley_access_log_stats stats = {.size = sizeof stats};
    EXPECT_INT(access_log_get_stats(log, &stats), 0);
    return stats;
}

struct access_log *create_log(galley_access_log_options *options, const struct log_sink *sink)
{
    galley_error err = {0};
    options->size = sizeof *options;
    struct access_log *log = access_log_create(options, sink, &err);
    if (!log) {
        test_fail(__FILE__, __LINE__, "access_log_create: %s", err.message);
    }
    return log;
}

void start_log(struct access_log *log)
{
    EXPECT_INT(access_log_start(log, NULL), 0);
}

void record_request(struct access_log_source *source, const char *target)
{
    struct ended ended;
    ended_init(&ended);
    ended_target(&ended, span_of(target));
    access_log_record(source, &ended.exchange);
}

void hear(void *ctx, int level, const char *line)
{
    struct heard *heard = ctx;
    (void)level;
    snprintf(heard->last, sizeof heard->last, "%s", line);
    heard->count++;
}

int take_lines(void *ctx, const char *lines, size_t len)
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
