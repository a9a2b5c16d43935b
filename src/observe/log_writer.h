/* observe/log_writer.h — the access log from inside: its parts, and the thread that empties the
 * rings. Included by access_log.c and log_writer.c only. What a field belongs to is said beside it;
 * atomics are the requests that other threads make of the writer. */
#ifndef OBSERVE_LOG_WRITER_H
#define OBSERVE_LOG_WRITER_H

#include "base/buf.h"

#include "observe/access_format.h"
#include "observe/access_log.h"
#include "observe/access_ring.h"
#include "observe/log_output.h"
#include "observe/log_waker.h"

#include <pthread.h>

enum {
    LOG_BATCH_BYTES = 64 * 1024,
    LOG_STOP_MS = 1000 /* patience with a slow reader at the end */
};

struct access_log_source {
    struct access_ring ring;
    struct access_log *log;
    struct access_log_source *next;
};

struct access_log {
    struct access_log_source *sources; /* fixed before the thread starts */
    uint32_t ring_records;
    bool wants_tls; /* the format has a place for it */
    struct log_sink sink;
    pthread_t thread;
    bool is_running;
    struct log_waker waker;
    _Atomic bool
        must_stop; /* release in destroy, acquire in the writer: no record comes after it */
    _Atomic bool must_reopen; /* release in reopen, acq_rel in the writer */
    /* The writer's, once it runs. */
    struct log_output output;
    struct access_format format;
    struct buf batch; /* allocated once: the writer never asks for memory */
    struct log_limit dropped_limit;
    uint64_t dropped_told;
    int64_t stop_deadline_ms; /* 0: not asked to stop while a reader was slow */
};

/** The thread; arg is the log. Ends when must_stop is set and every ring is empty. */
void *log_writer_main(void *arg);
/** Write what is in the rings, and open the file again if that was asked for. True: there was
 *  something. */
bool log_writer_round(struct access_log *log);
/** The give_up of the log's output; ctx is the log. */
bool log_writer_gives_up(void *ctx);
/** Records that found their ring full. Any thread. */
uint64_t log_writer_dropped(const struct access_log *log);

#endif
