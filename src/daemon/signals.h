/* daemon/signals.h — signals become calls. They are blocked in every thread and read from a
 * signalfd by one of its own, so that no handler ever interrupts anything.
 *   TERM, INT   drain; the second one ends at once
 *   USR1        open the access log again, after it was renamed
 *   HUP         read the certificates again; what else a reload would do is said to be ignored */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <galley/server.h>
#include <galley/tls.h>

#include <pthread.h>

struct signals {
    galley_server *server;
    galley_tls *tls; /* NULL: none */
    int signal_fd;
    int end_fd; /* readable: signals_end() was called */
    pthread_t thread;
    bool is_running;
    bool is_draining;
    bool is_quiet;
};

/** First of all, before any thread is made. */
void signals_block(void);
/** tls may be NULL. 0, GALLEY_ESYS. signals_end() also after a failure. */
int signals_start(struct signals *signals, galley_server *server, galley_tls *tls, bool is_quiet,
                  galley_error *err);
/** Before the server is freed. */
void signals_end(struct signals *signals);

#endif
