/* server/server_run.c — from set-up to the end: prepare, run, take apart. The thread that calls
 * galley_server_run(), or the one that galley_server_start() makes, is the first loop and takes the
 * server apart; join waits for it. */
#include "base/clock.h"
#include "base/error.h"

#include "server/server_signals.h"
#include "server/server_state.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };

/* ---- before ---- */

bool server_is_forked(const struct galley_server *srv)
{
    int runs_in = atomic_load_explicit(&srv->progress.runs_in, memory_order_relaxed);
    return runs_in != 0 && runs_in != getpid();
}

static bool is_setting_up(galley_server *srv)
{
    pthread_mutex_lock(&srv->lock);
    bool is_so = srv->progress.phase == SERVER_SETTING_UP;
    pthread_mutex_unlock(&srv->lock);
    return is_so;
}

static int check_ready(galley_server *srv, bool needs_listener, galley_error *err)
{
    if (srv->first_error.code != GALLEY_OK) {
        *err = srv->first_error;
        return err->code;
    }
    /* One that has begun without a listener, under test, is not asked for it. */
    if (needs_listener && srv->addresses.count == 0 && is_setting_up(srv)) {
        return error_set(err, GALLEY_EINVAL,
                         "nothing to listen on: call galley_server_listen() first");
    }
    return GALLEY_OK;
}

static int start_log(galley_server *srv, galley_error *err)
{
    struct access_log *log = atomic_load(&srv->access_log);
    return log && !srv->test ? access_log_start(log, err) : GALLEY_OK;
}

/* Under the lock: others may be looking at the counters. */
static int make_parts(galley_server *srv, galley_error *err)
{
    router_seal(srv->routes->router);
    pthread_mutex_lock(&srv->lock);
    int rc = server_loops_make(srv, err);
    if (rc == GALLEY_OK) {
        rc = server_sites_attach(srv, err);
    }
    pthread_mutex_unlock(&srv->lock);
    return rc;
}

static int prepare(galley_server *srv, galley_error *err)
{
    int rc = server_pools_make(srv, err);
    if (rc == GALLEY_OK) {
        rc = server_admission_make(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = make_parts(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = server_drain_watch(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = server_tls_watch(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = start_log(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = server_loops_start(srv, err);
    }
    if (rc == GALLEY_OK) {
        rc = server_admission_start(srv, err);
    }
    return rc;
}

/* ---- after ---- */

/* No loop runs a handler any more. Workers may still post, so the other loops run until the pools
 * have ended. */
static void take_apart(galley_server *srv)
{
    server_pools_drain(srv);
    server_loops_join(srv);
    server_admission_stop(srv);
    if (!srv->file_system_hangs) {
        server_loops_finish(srv);
        server_tls_forget(srv);
    }
    server_listeners_close(srv);
    server_log_finish(srv);
}

/* Could not start: as if it had not been tried, but for the listeners, which stay closed. */
static void undo(galley_server *srv)
{
    server_loops_join(srv);
    server_admission_stop(srv);
    if (srv->loops && srv->loops[0].loop) {
        server_sites_stop(srv);
        server_tls_unwatch(srv);
        server_drain_unwatch(srv);
    }
    galley_pool *pool = atomic_load(&srv->pool);
    if (srv->owns_pool && pool) {
        (void)galley_pool_shutdown(pool, GALLEY_DISCARD, GALLEY_FOREVER, NULL);
    }
    if (srv->pools.idle) {
        (void)galley_pool_shutdown(srv->pools.idle, GALLEY_DISCARD, GALLEY_FOREVER, NULL);
    }
    if (srv->pools.file) {
        (void)galley_pool_shutdown(srv->pools.file, GALLEY_DRAIN, GALLEY_FOREVER, NULL);
    }
    server_pools_end_tls(srv);
    server_loops_finish(srv);
    server_tls_forget(srv);
    server_listeners_close(srv); /* after the acceptors on them */
    server_log_finish(srv);
}

static int enter_phase(galley_server *srv, struct galley_test *test, galley_error *err)
{
    pthread_mutex_lock(&srv->lock);
    bool is_first = srv->progress.phase == SERVER_SETTING_UP;
    if (is_first) {
        srv->progress.phase = SERVER_RUNNING;
        atomic_store_explicit(&srv->progress.runs_in, getpid(), memory_order_relaxed);
        srv->test = test;
    }
    pthread_mutex_unlock(&srv->lock);
    return is_first ? GALLEY_OK
                    : error_set(err, GALLEY_ESTATE, "a server runs once: this one runs or has run");
}

static void end_phase(galley_server *srv, int result, const galley_error *err)
{
    pthread_mutex_lock(&srv->lock);
    srv->test = NULL;
    srv->progress.phase = SERVER_ENDED;
    srv->progress.result = result;
    srv->progress.error = *err;
    pthread_cond_broadcast(&srv->ended);
    pthread_mutex_unlock(&srv->lock);
}

int server_begin(galley_server *srv, struct galley_test *test, galley_error *err)
{
    if (server_is_forked(srv)) {
        return error_set(err, GALLEY_EFORKED,
                         "server: it runs in the process that forked this one");
    }
    int rc = check_ready(srv, test == NULL, err);
    if (rc == GALLEY_OK) {
        rc = enter_phase(srv, test, err);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    if (test) {
        test_client_adjust(&srv->config);
    }
    rc = test ? GALLEY_OK : server_memory_settle(srv, err);
    if (rc == GALLEY_OK) {
        rc = prepare(srv, err);
    }
    if (rc != GALLEY_OK) {
        undo(srv);
        end_phase(srv, rc, err);
    }
    return rc;
}

int server_end(galley_server *srv, galley_error *err)
{
    take_apart(srv);
    int rc = server_drain_result(srv, err);
    end_phase(srv, rc, err);
    return rc;
}

static int serve(galley_server *srv, galley_error *err)
{
    server_enter_thread(srv);
    loop_run(srv->loops[0].loop);
    server_enter_thread(NULL);
    return server_end(srv, err);
}

static int hand_out(galley_error *ret_err, const galley_error *err, int rc)
{
    if (ret_err && rc != GALLEY_OK) {
        *ret_err = *err;
    }
    return rc;
}

int galley_server_run(galley_server *srv, int until, galley_error *ret_err)
{
    galley_error err = {0};
    if (!srv || (until != GALLEY_UNTIL_STOPPED && until != GALLEY_UNTIL_SIGNAL)) {
        return error_set(ret_err, GALLEY_EINVAL, "server run: %s",
                         srv ? "until what?" : "no server was given");
    }
    int rc = until == GALLEY_UNTIL_SIGNAL ? server_signals_watch(srv, &err) : GALLEY_OK;
    if (rc == GALLEY_OK) {
        rc = server_begin(srv, NULL, &err);
        if (rc == GALLEY_OK) {
            rc = serve(srv, &err);
        }
    }
    if (until == GALLEY_UNTIL_SIGNAL) {
        server_signals_unwatch(srv);
    }
    return hand_out(ret_err, &err, rc);
}

/* ---- on a thread of its own ---- */

static void *serve_on_thread(void *arg)
{
    galley_error err = {0};
    /* By itself: whoever made it may be late, and then it may have been joined. Only for people who
     * look. */
    (void)pthread_setname_np(pthread_self(), "galley-loop-0");
    (void)serve(arg, &err);
    return NULL;
}

/* Its own mask: signals are for the program's threads. */
static int create_thread(galley_server *srv)
{
    sigset_t all, before;
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&srv->progress.thread, NULL, serve_on_thread, srv);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int galley_server_start(galley_server *srv, galley_error *ret_err)
{
    galley_error err = {0};
    if (!srv) {
        return error_set(ret_err, GALLEY_EINVAL, "server start: no server was given");
    }
    int rc = server_begin(srv, NULL, &err);
    if (rc != GALLEY_OK) {
        return hand_out(ret_err, &err, rc);
    }
    pthread_mutex_lock(&srv->lock);
    int result = create_thread(srv);
    srv->progress.has_thread = result == 0;
    pthread_mutex_unlock(&srv->lock);
    if (result != 0) {
        rc = error_set_sys(&err, result, "server: thread of the first event loop");
        undo(srv);
        end_phase(srv, rc, &err);
    }
    return hand_out(ret_err, &err, rc);
}

static struct timespec time_in(int64_t ms)
{
    int64_t at_ms = clock_mono_ms() + ms;
    return (struct timespec){.tv_sec = at_ms / MS_PER_S,
                             .tv_nsec = (long)(at_ms % MS_PER_S) * NS_PER_MS};
}

/* Lock held. True when it has ended. */
static bool wait_for_end(galley_server *srv, int64_t timeout_ms)
{
    struct timespec until = time_in(timeout_ms > 0 ? timeout_ms : 0);
    int rc = 0;
    while (srv->progress.phase != SERVER_ENDED && rc != ETIMEDOUT) {
        rc = timeout_ms < 0 ? pthread_cond_wait(&srv->ended, &srv->lock)
                            : pthread_cond_timedwait(&srv->ended, &srv->lock, &until);
    }
    return srv->progress.phase == SERVER_ENDED;
}

/* Lock held. The thread has said its last word; several may wait, one joins. */
static void join_thread(galley_server *srv)
{
    if (srv->progress.has_thread) {
        srv->progress.has_thread = false;
        pthread_join(srv->progress.thread, NULL);
    }
}

static int join_locked(galley_server *srv, int64_t timeout_ms, galley_error *err)
{
    if (srv->progress.phase == SERVER_SETTING_UP || srv->test) {
        return error_set(err, GALLEY_ESTATE, "join: the server was not started");
    }
    if (server_is_own_thread(srv)) {
        return error_set(err, GALLEY_EDEADLK, "join: called on one of the server's own threads");
    }
    if (!wait_for_end(srv, timeout_ms)) {
        return error_set(err, GALLEY_ETIMEDOUT, "join: the server is still running");
    }
    join_thread(srv);
    return hand_out(err, &srv->progress.error, srv->progress.result);
}

int galley_server_join(galley_server *srv, int64_t timeout_ms, galley_error *err)
{
    if (!srv) {
        return error_set(err, GALLEY_EINVAL, "join: no server was given");
    }
    if (server_is_forked(srv)) {
        return error_set(err, GALLEY_EFORKED, "join: it runs in the process that forked this one");
    }
    pthread_mutex_lock(&srv->lock);
    int rc = join_locked(srv, timeout_ms, err);
    pthread_mutex_unlock(&srv->lock);
    return rc;
}
