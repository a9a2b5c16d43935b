/* daemon/main.c — the program galley: reads the command line, serves a folder until told to stop, and says by its exit
 * status how that went. It uses the public headers and base/ only: proof that the public API suffices. */
#include "daemon/apply.h"
#include "daemon/banner.h"
#include "daemon/machine.h"
#include "daemon/options.h"
#include "daemon/say.h"
#include "daemon/signals.h"

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

static int run(struct service *service, struct signals *signals, const struct options *options,
               galley_error *err)
{
    int rc = signals_start(signals, service->server, options->quiet, err);
    if (rc == GALLEY_OK) {
        rc = galley_server_start(service->server, err);
    }
    if (rc != GALLEY_OK) {
        say_error("%s", err->message);
        return EXIT_FAILED;
    }
    if (!options->quiet) {
        banner_print(service->server, service->site, options);
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

static int act(const struct options *options)
{
    struct plan plan;
    machine_raise_fds();
    int status = EXIT_FAILED;
    if (plan_make(&plan, options) == GALLEY_OK) {
        status = serve(&plan, options);
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
