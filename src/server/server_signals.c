/* server/server_signals.c — see server_signals.h. The one global of the room, because a signal
 * handler gets no argument. The handler only reads the slots and calls galley_server_stop(), which
 * is made for that. `inside` counts running handlers: a slot is cleared first and then waited for,
 * so that a server is not freed under a handler. */
#include "server/server_signals.h"

#include "base/error.h"
#include "base/sanitizer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { MAX_SERVERS = 16 };

struct watched {
    _Atomic(galley_server *) server;
    atomic_uint signals; /* since it is watched: the second one ends at once */
};

static struct watched slots[MAX_SERVERS];
static atomic_uint inside; /* seq_cst with slots: counted in before a slot is read */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* watched_count, old actions */
static unsigned watched_count;
static struct sigaction old_int, old_term;

static void on_signal(int number)
{
    (void)number;
    int saved_errno = errno;
    atomic_fetch_add(&inside, 1);
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        galley_server *srv = atomic_load(&slots[i].server);
        if (srv) {
            bool is_first = atomic_fetch_add(&slots[i].signals, 1) == 0;
            galley_server_stop(srv, is_first ? GALLEY_STOP_DRAIN : GALLEY_STOP_NOW);
        }
    }
    atomic_fetch_sub(&inside, 1);
    errno = saved_errno;
}

static int take_dispositions(void)
{
    sanitizer_settle_signals();
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, &old_int) < 0) {
        return -errno;
    }
    if (sigaction(SIGTERM, &action, &old_term) < 0) {
        int result = -errno;
        (void)sigaction(SIGINT, &old_int, NULL);
        return result;
    }
    return 0;
}

static struct watched *find_slot(const galley_server *srv)
{
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (atomic_load(&slots[i].server) == srv) {
            return &slots[i];
        }
    }
    return NULL;
}

static int watch_locked(galley_server *srv, galley_error *err)
{
    struct watched *slot = find_slot(NULL);
    if (!slot) {
        return error_set(err, GALLEY_EFULL, "server: %d servers wait for signals already",
                         MAX_SERVERS);
    }
    int rc = watched_count == 0 ? take_dispositions() : 0;
    if (rc < 0) {
        return error_set_sys(err, -rc, "server: signal handler");
    }
    watched_count++;
    atomic_store(&slot->signals, 0);
    atomic_store(&slot->server, srv);
    return GALLEY_OK;
}

int server_signals_watch(galley_server *srv, galley_error *err)
{
    pthread_mutex_lock(&lock);
    int rc = watch_locked(srv, err);
    pthread_mutex_unlock(&lock);
    return rc;
}

void server_signals_unwatch(galley_server *srv)
{
    pthread_mutex_lock(&lock);
    struct watched *slot = find_slot(srv);
    if (slot) {
        atomic_store(&slot->server, NULL);
        watched_count--;
        if (watched_count == 0) {
            (void)sigaction(SIGINT, &old_int, NULL);
            (void)sigaction(SIGTERM, &old_term, NULL);
        }
        while (atomic_load(&inside) != 0) {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&lock);
}
