/* tls/tls_watch.c — see tls_watch.h. Everything on the loop but read_again().
 *
 * A reload begins with watching anew, for what the paths lead through may be something else by now;
 * then the files are read. So a change behind the one shows at the new watch, which the loop takes
 * over when the job is back. The first watch begins long after the first reading, perhaps; so the files
 * are compared with what they were then. */
#include "tls/tls_watch.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/debounce.h"
#include "tls/tls_context.h"
#include "tls/tls_paths.h"

#include <string.h>

enum { QUIET_MS = 300, PATIENCE_MS = 5000 };

struct tls_watch {
    galley_tls *tls; /* a reference: a job that hangs in the file system may outlive the server */
    struct loop *loop;
    galley_pool *pool;
    const struct log_sink *log;
    struct debounce changes;
    struct timer timer;
    struct tls_paths paths; /* fd: the socket's, while it is open */
    struct loop_socket socket;
    struct loop_op op;
    bool is_open;    /* the socket */
    bool is_reading; /* the job has what follows */
    bool is_stopped;
    struct offload job;
    struct tls_paths next;
    int next_result; /* 0 or -errno: what is watched from now on */
    int result;      /* of the reload */
    galley_error err;
};

static void look_again(struct tls_watch *watch, int64_t in_ms);
static void open_socket(struct tls_watch *watch);

/* ---- reading --------------------------------------------------------------------------------- */

/* On a file thread. */
static void read_again(struct offload *job)
{
    struct tls_watch *watch = CONTAINER_OF(job, struct tls_watch, job);
    watch->next_result = tls_paths_open(&watch->next, watch->tls);
    watch->result = galley_tls_reload(watch->tls, &watch->err);
}

static void say_that_it_is_blind(const struct tls_watch *watch, int result)
{
    log_write(watch->log, LOG_WARNING,
              "tls: certificate files cannot be watched (%s): a change needs a reload",
              strerror(-result));
}

static void say(const struct tls_watch *watch)
{
    if (watch->result == GALLEY_OK) {
        log_write(watch->log, LOG_INFO, "certificates were read again: new connections use them");
    } else {
        log_write(watch->log, LOG_ERROR, "%s; the certificates in use stay", watch->err.message);
    }
    if (watch->next_result < 0) {
        say_that_it_is_blind(watch, watch->next_result);
    }
}

/* There may have been changes meanwhile. */
static void go_on(struct tls_watch *watch)
{
    int64_t left_ms = debounce_left_ms(&watch->changes, loop_now_ms(watch->loop));
    if (left_ms >= 0) {
        look_again(watch, left_ms);
    }
}

/* Where the new one could not be had the old one stays: what it sees is better than nothing. */
static void take_next(struct tls_watch *watch)
{
    if (watch->next.fd >= 0 && watch->is_open) {
        loop_socket_close(watch->loop, &watch->socket, false); /* goes on in socket_closed() */
        return;
    }
    if (watch->next.fd >= 0) {
        buf_finish(&watch->paths.names);
        watch->paths = watch->next;
        watch->next = (struct tls_paths){.fd = -1};
        open_socket(watch);
    }
    go_on(watch);
}

static void have_read(struct offload *job)
{
    struct tls_watch *watch = CONTAINER_OF(job, struct tls_watch, job);
    watch->is_reading = false;
    if (watch->is_stopped) {
        return;
    }
    if (job->dropped) {
        look_again(watch, debounce_touch(&watch->changes, loop_now_ms(watch->loop)));
        return;
    }
    say(watch);
    take_next(watch);
}

static void start_reading(struct tls_watch *watch)
{
    static const struct offload_options options = {.label = "certificates"};
    watch->next = (struct tls_paths){.fd = -1};
    watch->err = (galley_error){0};
    watch->is_reading = offload_start(&watch->job, watch->loop, watch->pool, read_again, have_read,
                                      &options) == GALLEY_OK;
    if (!watch->is_reading) { /* the file threads have too much to do: later */
        look_again(watch, debounce_touch(&watch->changes, loop_now_ms(watch->loop)));
    }
}

/* ---- watching -------------------------------------------------------------------------------- */

static void timer_rang(struct timer *timer)
{
    struct tls_watch *watch = CONTAINER_OF(timer, struct tls_watch, timer);
    if (watch->is_reading || watch->next.fd >= 0) {
        return; /* take_next() goes on */
    }
    int64_t left_ms = debounce_due(&watch->changes, loop_now_ms(watch->loop));
    if (left_ms > 0) {
        look_again(watch, left_ms);
    } else if (left_ms == 0) {
        start_reading(watch);
    }
}

static void look_again(struct tls_watch *watch, int64_t in_ms)
{
    loop_timer_start(watch->loop, &watch->timer, loop_now_ms(watch->loop) + in_ms, timer_rang);
}

static void something_happened(struct loop_op *op)
{
    struct tls_watch *watch = CONTAINER_OF(op, struct tls_watch, op);
    if (op->result < 0) {
        return; /* closed */
    }
    if (tls_paths_changed(&watch->paths)) {
        look_again(watch, debounce_touch(&watch->changes, loop_now_ms(watch->loop)));
    }
    loop_poll(watch->loop, &watch->socket, &watch->op, something_happened);
}

static void socket_closed(struct loop_socket *socket)
{
    struct tls_watch *watch = CONTAINER_OF(socket, struct tls_watch, socket);
    watch->is_open = false;
    watch->paths.fd = -1; /* it was the socket's */
    if (!watch->is_stopped) {
        take_next(watch);
    }
}

static void open_socket(struct tls_watch *watch)
{
    int rc = loop_socket_open(watch->loop, &watch->socket, watch->paths.fd, LOOP_SOCKET_FOREIGN,
                              socket_closed);
    if (rc < 0) {
        tls_paths_close(&watch->paths);
        say_that_it_is_blind(watch, rc);
        return;
    }
    watch->is_open = true;
    loop_poll(watch->loop, &watch->socket, &watch->op, something_happened);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct tls_watch *tls_watch_create(galley_tls *tls, struct loop *loop, galley_pool *pool,
                                   const struct log_sink *log)
{
    struct tls_watch *watch = mem_alloc_zero(1, sizeof *watch);
    if (!watch) {
        return NULL;
    }
    watch->tls = tls_context_ref(tls);
    watch->loop = loop;
    watch->pool = pool;
    watch->log = log;
    watch->changes = (struct debounce){.quiet_ms = QUIET_MS, .most_ms = PATIENCE_MS};
    watch->next.fd = -1;
    int rc = tls_paths_open(&watch->paths, tls);
    if (rc < 0) {
        say_that_it_is_blind(watch, rc);
    } else {
        open_socket(watch);
    }
    if (tls_context_is_outdated(tls)) { /* what happened before nobody watched */
        look_again(watch, debounce_touch(&watch->changes, loop_now_ms(loop)));
    }
    return watch;
}

void tls_watch_stop(struct tls_watch *watch)
{
    if (watch->is_stopped) {
        return;
    }
    watch->is_stopped = true;
    loop_timer_stop(watch->loop, &watch->timer);
    if (watch->is_open) {
        loop_socket_close(watch->loop, &watch->socket, false);
    }
}

void tls_watch_destroy(struct tls_watch *watch)
{
    if (watch) {
        CHECK(!watch->is_open && !watch->is_reading);
        tls_paths_close(&watch->paths);
        tls_paths_close(&watch->next);
        tls_context_unref(watch->tls);
        mem_free(watch);
    }
}
