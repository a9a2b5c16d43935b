/* observe/log_writer.c — the writer thread: empties the rings, formats, writes in batches, sleeps.
 * One thread a log; it runs with all signals blocked, so that a reader that is gone is EPIPE and no
 * SIGPIPE. It allocates nothing. */
#include "observe/log_writer.h"

#include "base/clock.h"

static void flush(struct access_log *log)
{
    log_output_write(&log->output, buf_span(&log->batch));
    buf_clear(&log->batch);
}

/* What is in the ring now, but not what comes meanwhile: so nobody waits for a busy loop. */
static uint32_t empty_ring(struct access_log *log, struct access_ring *ring)
{
    uint32_t count = access_ring_count(ring);
    for (uint32_t i = 0; i < count; i++) {
        access_format_append(&log->batch, access_ring_peek(ring), &log->format);
        access_ring_pop(ring);
        if (log->batch.len > LOG_BATCH_BYTES) {
            flush(log);
        }
    }
    return count;
}

static bool empty_rings(struct access_log *log)
{
    uint64_t taken = 0;
    for (struct access_log_source *source = log->sources; source; source = source->next) {
        taken += empty_ring(log, &source->ring);
    }
    flush(log);
    return taken > 0;
}

uint64_t log_writer_dropped(const struct access_log *log)
{
    uint64_t dropped = 0;
    for (const struct access_log_source *source = log->sources; source; source = source->next) {
        dropped += counter_read(&source->ring.dropped);
    }
    return dropped;
}

static void say_dropped(struct access_log *log)
{
    uint64_t dropped = log_writer_dropped(log);
    if (dropped != log->dropped_told) {
        log->dropped_told = dropped;
        log_write_limited(&log->sink, &log->dropped_limit, LOG_WARNING,
                          "access log: %llu lines dropped so far, the writer is too slow",
                          (unsigned long long)dropped);
    }
}

bool log_writer_gives_up(void *ctx)
{
    struct access_log *log = ctx;
    log_waker_clear(&log->waker);
    if (!atomic_load_explicit(&log->must_stop, memory_order_acquire)) {
        return false;
    }
    if (log->stop_deadline_ms == 0) {
        log->stop_deadline_ms = clock_mono_ms() + LOG_STOP_MS;
    }
    return clock_mono_ms() >= log->stop_deadline_ms;
}

static bool has_work(struct access_log *log, enum log_waker_state state)
{
    if (atomic_load_explicit(&log->must_stop, memory_order_acquire) ||
        atomic_load_explicit(&log->must_reopen, memory_order_acquire)) {
        return true;
    }
    uint32_t enough = state == LOG_ASLEEP ? 1 : (log->ring_records + 1) / 2;
    for (struct access_log_source *source = log->sources; source; source = source->next) {
        if (access_ring_count(&source->ring) >= enough) {
            return true;
        }
    }
    return false;
}

/* The order is what makes it safe: first say so, then look, then sleep. See log_waker.h. */
static void rest(struct access_log *log, enum log_waker_state state)
{
    log_waker_lie_down(&log->waker, state);
    if (has_work(log, state)) {
        log_waker_get_up(&log->waker);
    } else {
        log_waker_wait(&log->waker);
    }
}

bool log_writer_round(struct access_log *log)
{
    /* Read before the rings are: what was recorded before the request is written before it is
     * met. */
    bool must_reopen = atomic_exchange_explicit(&log->must_reopen, false, memory_order_acq_rel);
    bool was_busy = empty_rings(log);
    say_dropped(log);
    if (must_reopen) {
        log_output_reopen(&log->output);
    }
    return was_busy;
}

void *log_writer_main(void *arg)
{
    struct access_log *log = arg;
    for (;;) {
        /* Before the rings are read, as above. */
        bool must_stop = atomic_load_explicit(&log->must_stop, memory_order_acquire);
        log->format.wall_minus_mono_ms = clock_wall_ms() - clock_mono_ms(); /* it may be set */
        bool was_busy = log_writer_round(log);
        if (must_stop) {
            return NULL;
        }
        rest(log, was_busy ? LOG_NAPPING : LOG_ASLEEP);
    }
}
