/* daemon/doctor.c — looks at the machine, tries the addresses, walks the folder, and tells; nothing
 * is served. Addresses are tried by listening for a moment, but for unix sockets and inherited
 * ones, where trying would disturb. Main thread. */
#include "daemon/doctor.h"

#include "daemon/banner.h"
#include "daemon/doctor_memory.h"
#include "daemon/help.h"
#include "daemon/https.h"
#include "daemon/machine.h"
#include "daemon/option_table.h"
#include "daemon/tls.h"

/* ---- the configuration ----------------------------------------------------------------------- */

/* Where a value that was not given and has no fixed default comes from. */
static const char *computed_value(struct buf *out, size_t id, const struct plan *plan)
{
    static const char *const formats[] = {"dev", "combined", "json"};
    switch (id) {
    case OPTION_ID_loops:
        buf_append_u64(out, plan->server.loops);
        return "this machine";
    case OPTION_ID_threads:
        buf_append_u64(out, machine_cpus());
        return "this machine";
    case OPTION_ID_max_connections: {
        struct machine machine;
        machine_look(&machine);
        buf_append_u64(out, machine.fds_now / 5 * 4);
        return "this machine";
    }
    case OPTION_ID_access_log:
        buf_append_text(out, plan->has_log ? "-" : "off");
        return "where it runs";
    case OPTION_ID_log_format:
        buf_append_text(out, formats[plan->log.format]);
        return "where it runs";
    default:
        return "default";
    }
}

static void append_setting(struct buf *out, size_t id, const struct plan *plan,
                           const struct options *options)
{
    const struct option_row *row = &option_rows[id];
    struct buf value;
    buf_init(&value, 0);
    const char *origin = "default";
    if (options->is_given[id]) {
        origin = "command line";
        option_print_value(&value, row, options);
    } else if (row->usual[0]) {
        option_print_value(&value, row, options);
    } else {
        origin = computed_value(&value, id, plan);
    }
    if (value.len == 0 && row->kind == OPTION_KIND_SWITCH) {
        buf_append_text(&value, "off");
    }
    buf_printf(out, "%-30s %-24.*s # %s\n", row->name, SPAN_ARGS(buf_span(&value)), origin);
    buf_finish(&value);
}

void doctor_append_config(struct buf *out, const struct plan *plan, const struct options *options)
{
    buf_printf(out, "%-30s %-24s # %s\n", "directory", options->directory,
               options->has_directory ? "command line" : "default");
    for (size_t id = 0; id < OPTION_COUNT; id++) {
        if (option_rows[id].group != OPTION_GROUP_ABOUT) {
            append_setting(out, id, plan, options);
        }
    }
}

/* ---- the report ------------------------------------------------------------------------------ */

static void append_machine(struct buf *out, const struct plan *plan)
{
    struct machine machine;
    machine_look(&machine);
    buf_printf(out, "machine\n  kernel       %s\n  CPUs         %u", machine.kernel,
               machine.cpus_by_affinity);
    if (machine.cpus_by_quota > 0) {
        buf_printf(out, ", but the control group gives %.2f", machine.cpus_by_quota);
    }
    buf_printf(out, "\n  loops        %u\n", plan->server.loops);
    if (machine.memory_limit > 0) {
        buf_printf(out, "  memory       at most %llu MiB (control group)\n",
                   (unsigned long long)(machine.memory_limit >> 20));
    }
    buf_printf(out, "  descriptors  %llu\n", (unsigned long long)machine.fds_now);
    buf_printf(out, "  openat2      %s\n",
               machine.has_openat2 ? "yes" : "no: names are looked up part by part, more slowly");
    if (machine.has_inotify) {
        buf_printf(out, "  inotify      yes, %llu watches\n", (unsigned long long)machine.watches);
    } else {
        buf_append_text(out, "  inotify      no: changes of files are seen within a second\n");
    }
}

static bool can_be_tried(const char *address)
{
    return !span_starts_with(span_of(address), SPAN("unix:")) &&
           !span_starts_with(span_of(address), SPAN("fd:"));
}

static bool append_address(struct buf *out, const char *listen)
{
    char address[TLS_ADDRESS_MAX];
    bool is_tls = tls_address(listen, address);
    galley_error err = {0};
    if (!can_be_tried(address)) {
        buf_printf(out, "  %s: not tried\n", listen);
        return true;
    }
    galley_server *server = galley_server_new(NULL, &err);
    bool is_good = server && galley_server_listen(server, address) == GALLEY_OK;
    if (is_good) {
        buf_printf(out, "  %s: good%s\n", address, is_tls ? ", with TLS" : "");
    } else if (server && galley_server_start(server, &err) != GALLEY_OK) {
        buf_printf(out, "  %s\n", err.message); /* the sentence was kept for the start */
    }
    galley_server_free(server);
    return is_good;
}

static bool append_certificates(struct buf *out, const struct options *options)
{
    galley_tls *tls;
    galley_error err = {0};
    if (tls_open(&tls, options, &err) != GALLEY_OK) {
        buf_printf(out, "certificates\n  %s\n", err.message);
        return false;
    }
    if (tls) {
        buf_append_text(out, "certificates\n");
        tls_append_report(out, tls);
    }
    galley_tls_free(tls);
    return true;
}

static bool append_https(struct buf *out, const struct options *options)
{
    galley_error err = {0};
    bool is_good = https_check(options, &err) == GALLEY_OK;
    if (!is_good) {
        buf_printf(out, "headers\n  %s\n", err.message);
    }
    return is_good;
}

static bool append_folder(struct buf *out, const struct plan *plan, const struct options *options)
{
    struct service service = {0};
    galley_error err = {0};
    bool is_good = service_open_site(&service, plan, options, &err) == GALLEY_OK;
    if (is_good) {
        banner_folder(out, service.site, options->directory, false);
    } else {
        buf_printf(out, "  %s\n", err.message);
    }
    service_close(&service);
    return is_good;
}

bool doctor_append_report(struct buf *out, const struct plan *plan, const struct options *options)
{
    bool is_good = true;
    buf_append_text(out, "galley ");
    help_append_version(out);
    buf_append_char(out, '\n');
    append_machine(out, plan);
    buf_append_text(out, "addresses\n");
    for (size_t i = 0; i < options->listen.count; i++) {
        is_good &= append_address(out, options->listen.items[i]);
    }
    is_good &= append_certificates(out, options);
    is_good &= append_https(out, options);
    buf_append_text(out, "folder\n");
    is_good &= append_folder(out, plan, options);
    is_good &= doctor_append_memory(out, plan, options);
    buf_append_text(out, "settings\n");
    doctor_append_config(out, plan, options);
    buf_append_text(out, is_good ? "ready to serve\n" : "cannot serve like this\n");
    return is_good;
}
