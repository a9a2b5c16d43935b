/* daemon/main.c — the program galley: reads the command line, serves a folder until told to stop,
 * and says by its exit status how that went. It uses the public headers and base/ only: proof that
 * the public API suffices. */
#include "base/fd.h"

#include "daemon/apply.h"
#include "daemon/banner.h"
#include "daemon/doctor.h"
#include "daemon/help.h"
#include "daemon/machine.h"
#include "daemon/options.h"
#include "daemon/say.h"
#include "daemon/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum exit_status {
    EXIT_CLEAN = 0,
    EXIT_FAILED = 1, /* could not start, or broke */
    EXIT_USAGE = 2,
    EXIT_CUT =
        3, /* the drain's deadline passed, or it was told to end at once, and requests were cut */
};

static int status_of(int rc, const galley_error *err)
{
    switch (rc) {
    case GALLEY_OK:
        return EXIT_CLEAN;
    case GALLEY_ETIMEDOUT:
    case GALLEY_ECANCELED:
        say_error("%s", err->message);
        return EXIT_CUT;
    default:
        say_error("%s", err->message);
        return EXIT_FAILED;
    }
}

static const char *hint_for(const galley_error *err)
{
    if (strncmp(err->message, "listen ", 7) != 0) {
        return "";
    }
    switch (err->sys_errno) {
    case EADDRINUSE:
        return " (another program listens there; --listen chooses another address)";
    case EACCES:
        return " (it needs privileges; ports below 1024 do)";
    default:
        return "";
    }
}

static int run(struct service *service, struct signals *signals, const struct options *options,
               galley_error *err)
{
    int rc = signals_start(signals, service->server, service->tls, options->quiet, err);
    if (rc == GALLEY_OK) {
        rc = galley_server_start(service->server, err);
    }
    if (rc != GALLEY_OK) {
        say_error("%s%s", err->message, hint_for(err));
        return EXIT_FAILED;
    }
    if (!options->quiet) {
        banner_print(service, options);
    }
    return status_of(galley_server_join(service->server, GALLEY_FOREVER, err), err);
}

static int serve(const struct plan *plan, const struct options *options)
{
    struct service service = {0};
    struct signals signals = {.signal_fd = -1, .end_fd = -1};
    galley_error err = {0};
    int status = EXIT_FAILED;
    if (service_open_site(&service, plan, options, &err) != GALLEY_OK ||
        service_open_server(&service, plan, options, &err) != GALLEY_OK) {
        say_error("%s", err.message);
    } else {
        status = run(&service, &signals, options, &err);
    }
    signals_end(&signals);
    service_close(&service);
    return status;
}

/* Results go to standard output; one that cannot be written was not given. */
static int print(struct buf *out, int status)
{
    bool is_written = !out->failed && fd_write_all(STDOUT_FILENO, out->data, out->len) == 0;
    buf_finish(out);
    return is_written || status != EXIT_CLEAN ? status : EXIT_FAILED;
}

static int show_help(const char *format)
{
    struct buf out;
    buf_init(&out, 0);
    if (!help_append(&out, format)) {
        buf_finish(&out);
        say_error("--help: '%s' is not one of text, man, markdown, bash", format);
        return EXIT_USAGE;
    }
    return print(&out, EXIT_CLEAN);
}

static int show_version(void)
{
    struct buf out;
    buf_init(&out, 0);
    buf_append_text(&out, "galley ");
    help_append_version(&out);
    buf_append_char(&out, '\n');
    return print(&out, EXIT_CLEAN);
}

static int act_on_plan(const struct plan *plan, const struct options *options)
{
    struct buf out;
    buf_init(&out, 0);
    if (options->doctor) {
        bool is_good = doctor_append_report(&out, plan, options);
        return print(&out, is_good ? EXIT_CLEAN : EXIT_FAILED);
    }
    if (options->print_config) {
        doctor_append_config(&out, plan, options);
        return print(&out, EXIT_CLEAN);
    }
    return serve(plan, options);
}

static int act(const struct options *options)
{
    struct plan plan;
    if (options->help) {
        return show_help(options->help);
    }
    if (options->version) {
        return show_version();
    }
    machine_raise_fds();
    int status = EXIT_FAILED;
    if (plan_make(&plan, options) == GALLEY_OK) {
        status = act_on_plan(&plan, options);
    } else {
        say_error("out of memory");
    }
    plan_finish(&plan);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char complaint[512];
    signals_block();
    int status = EXIT_USAGE;
    if (options_parse(&options, argc, argv, complaint, sizeof complaint) < 0) {
        say_error("%s", complaint);
        say_info("see galley --help");
    } else {
        status = act(&options);
    }
    options_finish(&options);
    return status;
}
