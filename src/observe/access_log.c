/* observe/access_log.c — the access log as server/ sees it: made, given a ring for each loop,
 * started, recorded to, destroyed. Recording is on a loop, reopening anywhere, the rest on the
 * thread that sets the server up and stops it. */
#include "observe/access_log.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"

#include "observe/log_writer.h"

#include <signal.h>
#include <stdlib.h>

enum { RING_RECORDS = 4096, RING_RECORDS_MAX = 1 << 20 };

/* ---- options --------------------------------------------------------------------------------- */

static const struct options_kind options_kind = {
    sizeof(galley_access_log_options), "access log options", "GALLEY_ACCESS_LOG_OPTIONS_INIT"};

static int check_options(const galley_access_log_options *options, galley_error *err)
{
    if (options->format < GALLEY_ACCESS_DEV || options->format > GALLEY_ACCESS_JSON) {
        return error_set(err, GALLEY_EINVAL, "access log: no such format: %d", options->format);
    }
    if (options->colour < GALLEY_COLOUR_AUTO || options->colour > GALLEY_COLOUR_ALWAYS) {
        return error_set(err, GALLEY_EINVAL, "access log: no such colour: %d", options->colour);
    }
    if (options->fd < 0) {
        return error_set(err, GALLEY_EINVAL, "access log: no descriptor: %d", options->fd);
    }
    if (options->ring_records > RING_RECORDS_MAX) {
        return error_set(err, GALLEY_EINVAL, "access log: at most %d records in a ring",
                         RING_RECORDS_MAX);
    }
    return GALLEY_OK;
}

static uint32_t round_up(size_t wanted)
{
    uint32_t records = 1;
    while (records < wanted) {
        records *= 2;
    }
    return records;
}

static bool wants_colours(const galley_access_log_options *options, const struct log_output *output)
{
    if (options->colour != GALLEY_COLOUR_AUTO) {
        return options->colour == GALLEY_COLOUR_ALWAYS;
    }
    const char *no_color = getenv("NO_COLOR");
    return !(no_color && no_color[0]) && log_output_is_terminal(output);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int open_parts(struct access_log *log, const galley_access_log_options *options,
                      galley_error *err)
{
    int rc = log_output_open(&log->output, options, err);
    if (rc != GALLEY_OK) {
        return rc;
    }
    int failure = log_waker_init(&log->waker);
    if (failure < 0) {
        return error_set_sys(err, -failure, "access log: eventfd");
    }
    log->output.interrupt_fd = log->waker.event_fd;
    if (!buf_reserve(&log->batch, LOG_BATCH_BYTES + 2 * LOG_LINE_MAX)) {
        return error_set(err, GALLEY_ENOMEM, "access log: out of memory");
    }
    log->wants_tls = options->format == GALLEY_ACCESS_JSON;
    access_format_init(&log->format, options->format, wants_colours(options, &log->output));
    return GALLEY_OK;
}

struct access_log *access_log_create(const galley_access_log_options *options,
                                     const struct log_sink *sink, galley_error *err)
{
    galley_access_log_options taken;
    if (options_copy(&taken, &options_kind, options, NULL) != GALLEY_OK) {
        error_set(err, GALLEY_EINVAL, "access log: options of an unknown size");
        return NULL;
    }
    if (check_options(&taken, err) != GALLEY_OK) {
        return NULL;
    }
    struct access_log *log = mem_alloc_zero(1, sizeof *log);
    if (!log) {
        error_set(err, GALLEY_ENOMEM, "access log: out of memory");
        return NULL;
    }
    log->waker.event_fd = -1;
    log->output.fd = -1;
    log->sink = sink ? *sink : (struct log_sink){0};
    log->output.sink = &log->sink;
    log->output.give_up = log_writer_gives_up;
    log->output.give_up_ctx = log;
    log->ring_records = round_up(taken.ring_records ? taken.ring_records : RING_RECORDS);
    buf_init(&log->batch, 0);
    if (open_parts(log, &taken, err) != GALLEY_OK) {
        access_log_destroy(log);
        return NULL;
    }
    return log;
}

uint64_t access_log_bytes(const struct access_log *log, unsigned sources)
{
    uint64_t ring = mem_cost((uint64_t)log->ring_records * sizeof(struct access_record));
    uint64_t whole = mem_cost(sizeof *log) + mem_cost(log->batch.capacity);
    return whole + sources * (ring + mem_cost(sizeof(struct access_log_source)));
}

struct access_log_source *access_log_add_source(struct access_log *log)
{
    if (log->is_running) {
        return NULL;
    }
    struct access_log_source *source = mem_alloc_aligned(64, sizeof *source);
    if (!source) {
        return NULL;
    }
    if (access_ring_init(&source->ring, log->ring_records) != GALLEY_OK) {
        mem_free(source);
        return NULL;
    }
    source->log = log;
    source->next = log->sources;
    log->sources = source;
    return source;
}

int access_log_start(struct access_log *log, galley_error *err)
{
    if (log->is_running) {
        return error_set(err, GALLEY_ESTATE, "access log: started twice");
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&log->thread, NULL, log_writer_main, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return error_set_sys(err, failure, "access log: thread");
    }
    pthread_setname_np(log->thread, "galley-log");
    log->is_running = true;
    return GALLEY_OK;
}

void access_log_write_now(struct access_log *log, int64_t wall_minus_mono_ms)
{
    CHECK(!log->is_running);
    log->format.wall_minus_mono_ms = wall_minus_mono_ms;
    (void)log_writer_round(log);
}

static void stop_writer(struct access_log *log)
{
    if (!log->is_running) {
        return;
    }
    atomic_store_explicit(&log->must_stop, true, memory_order_release);
    log_waker_call(&log->waker);
    int failure = pthread_join(log->thread, NULL);
    CHECK(failure == 0);
    log->is_running = false;
}

void access_log_destroy(struct access_log *log)
{
    if (!log) {
        return;
    }
    stop_writer(log);
    while (log->sources) {
        struct access_log_source *source = log->sources;
        log->sources = source->next;
        access_ring_finish(&source->ring);
        mem_free(source);
    }
    log_output_close(&log->output);
    log_waker_finish(&log->waker);
    buf_finish(&log->batch);
    mem_free(log);
}

/* ---- use ------------------------------------------------------------------------------------- */

void access_log_record(struct access_log_source *source, const struct exchange *exchange)
{
    if (!source) {
        return;
    }
    struct access_record *record = access_ring_claim(&source->ring);
    if (!record) {
        return;
    }
    const struct loop *loop = exchange->services->loop;
    access_record_fill(record, exchange, loop ? loop_now_ms(loop) : clock_mono_ms(),
                       source->log->wants_tls);
    if (exchange->services->forwarding) {
        access_record_add_client(record, exchange);
    }
    bool is_half_full = access_ring_publish(&source->ring);
    log_waker_tell(&source->log->waker, is_half_full);
}

void access_log_reopen(struct access_log *log)
{
    if (log) {
        atomic_store_explicit(&log->must_reopen, true, memory_order_release);
        log_waker_call(&log->waker);
    }
}

int access_log_get_stats(const struct access_log *log, galley_access_log_stats *stats)
{
    if (!log || !stats || stats->size < sizeof *stats) {
        return GALLEY_EINVAL;
    }
    stats->written = counter_read(&log->output.written);
    stats->lost = counter_read(&log->output.lost);
    stats->reopens = counter_read(&log->output.reopens);
    stats->dropped = log_writer_dropped(log);
    return GALLEY_OK;
}
