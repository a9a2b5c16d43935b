/* daemon/doctor_memory.c — the memory plan of the server (galley/server.h) for people: which option
 * it comes from, what it comes to. Nothing is started for it. Main thread. */
#include "daemon/doctor_memory.h"

enum { KIB = 1024, STEP = 1024 };

/* "352 B", "64.0 KiB", "1.2 GiB" */
static void append_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes == UINT64_MAX) {
        buf_printf(out, "%13s  ", "no bound");
        return;
    }
    if (bytes < KIB) {
        buf_printf(out, "%11llu B  ", (unsigned long long)bytes);
        return;
    }
    double number = (double)bytes / KIB;
    size_t unit = 0;
    while (number >= STEP && unit + 1 < sizeof units / sizeof *units) {
        number /= STEP;
        unit++;
    }
    buf_printf(out, "%9.1f %s  ", number, units[unit]);
}

static void append_line(struct buf *out, uint64_t bytes, const char *what)
{
    append_bytes(out, bytes);
    buf_append_text(out, what);
    buf_append_char(out, '\n');
}

static void append_fixed(struct buf *out, const galley_memory_plan *memory)
{
    append_line(out, memory->cache_bytes,
                "contents of files (--cache-size), and of answers made of files");
    append_bytes(out, memory->loops * memory->loop_bytes);
    buf_printf(out, "%u loops and what they keep for the next request (--loops)\n", memory->loops);
    if (memory->log_bytes > 0) {
        append_line(out, memory->log_bytes, "access log (--log-buffer, for each of --loops)");
    }
    append_line(out, memory->pool_bytes, "workers and queues (--workers, --queue, --file-threads)");
    append_bytes(out, memory->stack_bytes);
    buf_printf(out, "stacks of %u threads at least; they may grow to ", memory->threads);
    struct buf reserved;
    buf_init(&reserved, 0);
    append_bytes(&reserved, memory->stack_reserved_bytes);
    buf_printf(out, "%.*s\n", SPAN_ARGS(span_trim(buf_span(&reserved))));
    buf_finish(&reserved);
}

static void append_connections(struct buf *out, const galley_memory_plan *memory)
{
    append_bytes(out, memory->connections * memory->idle_bytes);
    buf_printf(out, "%u connections, %llu B each (--max-connections)\n", memory->connections,
               (unsigned long long)memory->idle_bytes);
    buf_append_text(out, "  and for each that has a request at its limits\n");
    append_line(out, memory->input_bytes, "what was received (--max-head)");
    append_line(out, memory->memory_bytes, "what is made to answer it (--max-memory)");
    append_line(out, memory->body_bytes, "its body (--max-body)");
    append_line(out, memory->output_bytes, "answers that wait to be sent");
}

static void append_sums(struct buf *out, const galley_memory_plan *memory)
{
    buf_append_text(out, "  together\n");
    append_line(out, memory->least_bytes,
                "must fit: one such request for each loop and worker, all connections, the rest");
    append_bytes(out, memory->most_bytes);
    buf_printf(out, "at worst: every connection has %u of them at once%s\n", memory->streams,
               memory->streams > 1 ? " (--max-streams)" : "");
    if (memory->limit_bytes > 0) {
        append_line(out, memory->limit_bytes, "is what the control group allows");
    }
}

bool doctor_append_plan(struct buf *out, const galley_memory_plan *memory)
{
    buf_append_text(out, "memory, at most\n");
    append_fixed(out, memory);
    append_connections(out, memory);
    append_sums(out, memory);
    bool fits = memory->limit_bytes == 0 || memory->least_bytes <= memory->limit_bytes;
    if (!fits) {
        buf_append_text(out, "  this cannot fit\n");
    }
    return fits;
}

static int make_plan(struct service *service, const struct plan *plan,
                     const struct options *options, galley_memory_plan *memory)
{
    galley_error err = {0};
    struct plan own = *plan;
    own.log.path = NULL; /* a log file is not made for this */
    int rc = service_open_site(service, &own, options, &err);
    if (rc == GALLEY_OK) {
        rc = service_make_server(service, &own, &err);
    }
    return rc == GALLEY_OK ? galley_server_get_memory_plan(service->server, memory) : rc;
}

bool doctor_append_memory(struct buf *out, const struct plan *plan, const struct options *options)
{
    galley_memory_plan memory = {.size = sizeof memory};
    struct service service = {0};
    bool fits = true;
    if (make_plan(&service, plan, options, &memory) == GALLEY_OK) {
        fits = doctor_append_plan(out, &memory);
    }
    service_close(&service);
    return fits;
}
