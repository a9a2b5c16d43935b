/* server/test_client.c — a server in a simulated world (galley/test.h): made, turned until it is
 * quiet, stopped. The thread that calls is the loop; handlers run on a pool as always, so that they
 * may block, and the count of errands (loop/errand.h) says when they have all come back. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#include "server/test_client.h"

enum {
    PATIENCE_MS = 10000,
    SLICE_MS = 20,     /* inotify and the stop event wake nobody: look at them so often */
    TURNING_MS = 1000, /* beyond the patience: turns that find work are no waiting */
    GIVE_UP_MS = 60000 /* of virtual time: server_drain.c has let go of everything by then */
};

/* ---- life ---- */

/* One handler after the other, unless the program says how many workers there are to be; and no
 * rule that a real clock would decide. */
void test_client_adjust(struct server_config *config)
{
    config->loops = 1;
    config->file_threads = 1;
    config->queue_timeout_ms = 0;
    config->queue_target_ms = 0;
    if (!config->pool && !config->has_pool_options) {
        config->has_pool_options = true;
        config->pool_options = (galley_pool_options)GALLEY_POOL_OPTIONS_INIT;
        config->pool_options.threads = 1;
    }
}

const struct listener *test_client_listener(struct galley_test *test, struct loop *loop)
{
    test->listener = (struct listener){.fd = sim_listener(loop), .name = "test"};
    return test->listener.fd >= 0 ? &test->listener : NULL;
}

static galley_test *make(void)
{
    galley_test *t = mem_alloc_zero(1, sizeof *t);
    if (t) {
        list_init(&t->conns);
        atomic_init(&t->is_busy, false);
        buf_init(&t->body, 0);
        arena_init(&t->memory, 0);
        t->patience_ms = PATIENCE_MS;
    }
    return t;
}

static void release(galley_test *t)
{
    test_conns_free(t);
    buf_finish(&t->body);
    arena_finish(&t->memory);
    mem_free(t);
}

static int begin(galley_test *t, galley_server *srv, galley_error *err)
{
    int rc = server_begin(srv, t, err);
    if (rc == GALLEY_OK) {
        t->server = srv;
        loop_adopt(test_loop(t));
        (void)test_settle(t, 0, NULL, NULL); /* a file thread that begins late is heard later */
    }
    return rc;
}

galley_test *galley_test_new(galley_server *srv, galley_error *ret_err)
{
    galley_error err = {0};
    galley_test *t = NULL;
    if (!srv) {
        error_set(&err, GALLEY_EINVAL, "test client: no server was given");
    } else if (!(t = make())) {
        error_set(&err, GALLEY_ENOMEM, "test client: out of memory");
    } else if (begin(t, srv, &err) != GALLEY_OK) {
        release(t);
        t = NULL;
    }
    if (!t && ret_err) {
        *ret_err = err;
    }
    return t;
}

/* The server's own way to stop at once; its graces are virtual time. */
static void stop(galley_test *t)
{
    galley_server *srv = t->server;
    test_conns_hang_up(t);
    galley_server_stop(srv, GALLEY_STOP_NOW);
    (void)test_settle(t, 0, NULL, NULL);
    int64_t until_ms = loop_now_ms(test_loop(t)) + GIVE_UP_MS;
    while (srv->drain.is_watching && sim_step(test_loop(t), until_ms)) {
        t->patience_ms = 0; /* it has been waited for */
        (void)test_settle(t, 0, NULL, NULL);
    }
}

static void end(galley_test *t)
{
    galley_error err;
    galley_server *srv = t->server;
    stop(t);
    (void)server_end(srv, &err); /* that requests were cut is what was asked for */
    server_enter_thread(NULL);
    t->server = NULL;
}

void test_client_lose_server(struct galley_test *test)
{
    if (test_enter(test) == GALLEY_OK) {
        end(test);
        atomic_store_explicit(&test->is_busy, false, memory_order_release);
    }
}

void galley_test_free(galley_test *t)
{
    if (!t) {
        return;
    }
    int rc = test_enter(t);
    if (rc == GALLEY_ESTATE) {
        return;
    }
    if (rc == GALLEY_OK) {
        end(t);
    }
    release(t);
}

int galley_test_set_patience(galley_test *t, uint32_t ms)
{
    int rc = test_enter(t);
    if (rc != GALLEY_OK) {
        return rc;
    }
    t->patience_ms = ms;
    return test_leave(t, GALLEY_OK);
}

/* ---- turning ---- */

int test_enter(galley_test *t)
{
    if (!t) {
        return GALLEY_EINVAL;
    }
    /* A handler is inside of the call that made it run, whatever its thread. */
    if (atomic_exchange_explicit(&t->is_busy, true, memory_order_acq_rel)) {
        return GALLEY_ESTATE;
    }
    if (!t->server) {
        return test_leave(t, GALLEY_ECLOSED);
    }
    loop_adopt(test_loop(t));
    return GALLEY_OK;
}

int test_leave(galley_test *t, int rc)
{
    atomic_store_explicit(&t->is_busy, false, memory_order_release);
    return rc;
}

static int64_t deadline_after(int64_t now_ms, uint32_t ms)
{
    return ms == GALLEY_NO_LIMIT ? INT64_MAX : now_ms + ms;
}

/* False when there was more to do than there is time for. */
static bool turn_while_busy(galley_test *t, int64_t deadline_ms)
{
    server_enter_thread(t->server);
    bool has_work = true;
    for (unsigned turns = 1; has_work; turns++) {
        has_work = sim_turn(test_loop(t));
        if (has_work && turns % 64 == 0 && clock_mono_ms() > deadline_ms) {
            break;
        }
    }
    server_enter_thread(NULL);
    return !has_work;
}

static void write_access_log(galley_test *t)
{
    struct access_log *log = atomic_load(&t->server->access_log);
    if (log) {
        access_log_write_now(log, sim_wall_minus_mono_ms());
    }
}

int test_settle(galley_test *t, unsigned allowed, test_done_fn *done, void *ctx)
{
    int64_t until_ms = deadline_after(clock_mono_ms(), t->patience_ms);
    int64_t turning_ms = until_ms == INT64_MAX ? until_ms : until_ms + TURNING_MS;
    int rc = GALLEY_OK;
    for (;;) {
        bool is_idle = turn_while_busy(t, turning_ms);
        bool is_quiet = is_idle && sim_is_quiet(test_loop(t), allowed);
        if (is_quiet && (!done || done(ctx))) {
            break;
        }
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0) {
            rc = GALLEY_ETIMEDOUT;
            break;
        }
        if (is_idle) {
            sim_sleep(test_loop(t), left_ms < SLICE_MS ? left_ms : SLICE_MS);
        }
    }
    write_access_log(t);
    return rc;
}

/* ---- time ---- */

int galley_test_advance(galley_test *t, uint32_t ms)
{
    int rc = test_enter(t);
    if (rc != GALLEY_OK) {
        return rc;
    }
    uint32_t patience_ms = t->patience_ms;
    int64_t until_ms = 0;
    rc = test_settle(t, 0, NULL, NULL);
    until_ms = loop_now_ms(test_loop(t)) + ms;
    bool goes_on = true;
    while (goes_on) {
        /* Whoever is still under way has been waited for once. */
        t->patience_ms = rc == GALLEY_OK ? patience_ms : 0;
        goes_on = sim_step(test_loop(t), until_ms);
        rc = test_settle(t, 0, NULL, NULL);
    }
    t->patience_ms = patience_ms;
    return test_leave(t, rc);
}
