/* daemon/signals.c — the thread that reads signals. Everything here but signals_block(), _start()
 * and _end() runs on it. */
#include "daemon/signals.h"

#include "base/error.h"
#include "base/fd.h"

#include "daemon/say.h"

#include <galley/access_log.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void make_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void signals_block(void)
{
    sigset_t set;
    make_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* fails only for a wrong first argument */
    /* Whoever reads what we print may go: that is an error of write, not the end of the server. */
    signal(SIGPIPE, SIG_IGN);
}

static void stop(struct signals *signals)
{
    if (signals->is_draining) {
        say_info("told to stop again: ending at once");
        galley_server_stop(signals->server, GALLEY_STOP_NOW);
        return;
    }
    signals->is_draining = true;
    if (!signals->is_quiet) {
        say_info("stopping: what runs is finished first; a second signal ends at once");
    }
    galley_server_stop(signals->server, GALLEY_STOP_DRAIN);
}

/* The server watches the files by itself; who asks does not want to wait for that. Reading them blocks,
 * and this thread may. */
static void reload_certificates(galley_tls *tls)
{
    galley_error err = {0};
    if (galley_tls_reload(tls, &err) == GALLEY_OK) {
        say_info("certificates were read again: new connections use them");
    } else {
        say_error("%s; the certificates in use stay", err.message);
    }
}

static void act(struct signals *signals, uint32_t number)
{
    switch (number) {
    case SIGTERM:
    case SIGINT:
        stop(signals);
        break;
    case SIGUSR1:
        if (galley_server_reopen_logs(signals->server) == GALLEY_ESTATE) {
            say_info("SIGUSR1: there is no access log to open again");
        }
        break;
    default:
        if (signals->tls) {
            reload_certificates(signals->tls);
        } else {
            say_info("SIGHUP is ignored: reloading is not supported yet");
        }
    }
}

static void *watch(void *arg)
{
    struct signals *signals = arg;
    for (;;) {
        struct pollfd wait[2] = {{.fd = signals->end_fd, .events = POLLIN},
                                 {.fd = signals->signal_fd, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0) {
            continue; /* EINTR */
        }
        if (wait[0].revents) {
            return NULL;
        }
        struct signalfd_siginfo info;
        if (read(signals->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
            act(signals, info.ssi_signo);
        }
    }
}

int signals_start(struct signals *signals, galley_server *server, galley_tls *tls, bool is_quiet,
                  galley_error *err)
{
    sigset_t set;
    make_set(&set);
    *signals = (struct signals){.server = server, .tls = tls, .is_quiet = is_quiet, .end_fd = -1};
    signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->signal_fd < 0) {
        return error_set_sys(err, errno, "signalfd");
    }
    signals->end_fd = eventfd(0, EFD_CLOEXEC);
    if (signals->end_fd < 0) {
        return error_set_sys(err, errno, "eventfd");
    }
    int failure = pthread_create(&signals->thread, NULL, watch, signals);
    if (failure != 0) {
        return error_set_sys(err, failure, "thread for signals");
    }
    pthread_setname_np(signals->thread, "galley-signals");
    signals->is_running = true;
    return GALLEY_OK;
}

void signals_end(struct signals *signals)
{
    if (signals->is_running) {
        uint64_t one = 1;
        ssize_t rc =
            write(signals->end_fd, &one, sizeof one); /* an eventfd with room: no failure */
        (void)rc;
        pthread_join(signals->thread, NULL);
        signals->is_running = false;
    }
    fd_close(&signals->signal_fd);
    fd_close(&signals->end_fd);
}
