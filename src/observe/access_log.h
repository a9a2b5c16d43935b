/* observe/access_log.h — the access log: a ring for each loop, one writer thread, one place where
 * lines go.
 *
 * Life, driven by server/: access_log_create() while the server is set up (opens the file), one
 * access_log_add_source() for each loop, access_log_start(), then access_log_record() on each loop
 * for each exchange that ended (from exchange_services.ended, where the request's spans are still
 * valid), access_log_destroy() once no loop runs any more.
 *
 * access_log_record() costs the loop a few copies into its ring: no lock, no allocation, no clock
 * read, and no system call but one write(2) to an eventfd when the writer sleeps: at most one for a
 * batch (see log_writer.c for the protocol). */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include "base/log.h"

#include <galley/access_log.h>

#include <stdint.h>

struct access_log;
struct access_log_source; /* one loop's ring */
struct exchange;

/** options NULL: defaults. sink (copied; may be NULL) is told of lost lines, at most one line a
 *  second of each kind. NULL on failure: GALLEY_EINVAL, GALLEY_ENOMEM, GALLEY_ESYS with a sentence.
 *  No thread yet. */
struct access_log *access_log_create(const galley_access_log_options *options,
                                     const struct log_sink *sink, galley_error *err);
/** One for each loop, before access_log_start(); freed with the log. NULL: out of memory, or the
 * log runs. */
struct access_log_source *access_log_add_source(struct access_log *log);
/** What it takes with so many sources. */
uint64_t access_log_bytes(const struct access_log *log, unsigned sources);
/** Start the writer thread (all signals blocked in it). 0, GALLEY_ESTATE (it runs), GALLEY_ESYS. */
int access_log_start(struct access_log *log, galley_error *err);

/** Instead of access_log_start(), where one thread does everything: write what was recorded, now.
 *  wall_minus_mono_ms: what to add to the loops' milliseconds for those since 1970. */
void access_log_write_now(struct access_log *log, int64_t wall_minus_mono_ms);

/** On the source's loop. source may be NULL. A full ring drops the record and counts it. */
void access_log_record(struct access_log_source *source, const struct exchange *exchange);

/** Any thread, async-signal-safe; the writer opens the path again. */
void access_log_reopen(struct access_log *log);
/** Any thread. 0, or GALLEY_EINVAL when stats->size is too small. */
int access_log_get_stats(const struct access_log *log, galley_access_log_stats *stats);
/** Write what is in the rings (for at most a second where the reader of a pipe does not read), end
 *  the thread, close. No loop may record any more. NULL and a log that was never started are
 *  fine. */
void access_log_destroy(struct access_log *log);

#endif
