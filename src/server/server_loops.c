/* server/server_loops.c — the loops of a server: made before they run, each with its connections,
 * exchanges, driver and acceptors; run by a thread each, the first by the caller's; told what to do
 * by orders; taken apart by the thread that ran the first one, when none of them runs any more. */
#include "base/alloc.h"
#include "base/error.h"
#include "exchange/stall_watch.h"
#include "files/file_site.h"
#include "loop/warm_file.h"

#include "server/server_state.h"

#include <signal.h>
#include <stdio.h>

/* ---- what exchanges ask of the server ---- */

/* The last request that max_requests allows stops the server; what comes behind it on the wire is
 * refused. */
static bool is_over_request_limit(struct server_loop *loop, struct exchange *exchange)
{
    galley_server *srv = loop->server;
    unsigned most = srv->config.max_requests;
    if (most == 0) {
        return false;
    }
    unsigned before = atomic_fetch_add_explicit(&srv->dispatched, 1, memory_order_relaxed);
    exchange->response.must_close |= before + 1 >= most;
    if (before + 1 == most) {
        server_acceptors_pause(loop); /* at once: the drain begins with the next turn */
        galley_server_stop(srv, GALLEY_STOP_DRAIN);
    }
    return before >= most;
}

/* RFC 9110 §15.5.20: a host with a rule for clients of its own wants a handshake of its own. */
static bool is_misdirected(const struct request *request)
{
    const struct transport *tls = request->tls.transport;
    const SSL *ssl = tls ? tls_transport_ssl(tls) : NULL;
    return ssl && tls_context_has_rules(ssl) && !tls_context_host_fits(ssl, request_host(request));
}

static void dispatch(void *ctx, struct exchange *exchange)
{
    struct server_loop *loop = ctx;
    counter_add(&loop->counters.begun, 1);
    if (is_over_request_limit(loop, exchange)) {
        counter_add(&loop->counters.refused, 1);
        exchange_answer(exchange, 503);
        return;
    }
    if (is_misdirected(&exchange->request)) {
        counter_add(&loop->counters.misdirected, 1);
        exchange_answer(exchange, 421);
        return;
    }
    router_dispatch(loop->server->routes->router, exchange);
}

static void ended(void *ctx, const struct exchange *exchange)
{
    struct server_loop *loop = ctx;
    int status = exchange->has_responded ? exchange->response.status : 0;
    unsigned class = status >= 100 && status <= 599 ? (unsigned)status / 100 : 0;
    counter_add(&loop->counters.ended, exchange->was_dispatched);
    counter_add(&loop->counters.responses[class], 1);
    access_log_record(loop->log_source, exchange);
}

static void send_file(void *ctx, struct exchange *exchange, struct span path)
{
    struct server_loop *loop = ctx;
    file_site_reply(loop->server->sites.replies, exchange, path);
}

static void fill_services(struct server_loop *loop)
{
    galley_server *srv = loop->server;
    const struct forwarding *forwarding = &srv->addresses.forwarding;
    loop->services = (struct exchange_services){
        .dispatch = dispatch,
        .ended = ended,
        .send_file = send_file,
        .ctx = loop,
        .loop = loop->loop,
        .loop_index = loop->index,
        .pool = atomic_load_explicit(&srv->pool, memory_order_relaxed),
        .file_pool = srv->pools.file,
        .chains = &loop->conns.chains,
        .log = &srv->log,
        .counters = &loop->exchange_counters,
        .queue_timeout_ms = srv->config.queue_timeout_ms,
        .queue_target_ms = srv->config.queue_target_ms,
        .shedder = srv->shedder,
        .spool_dir = srv->config.spool_dir,
        .stall_warn_ms = srv->config.stall_warn_ms,
        .stall_spot = srv->stall_watch ? stall_watch_spot(srv->stall_watch, loop->index) : NULL,
        .max_memory_bytes = srv->config.max_memory_bytes,
        .forwarding = forwarding->networks.count > 0 ? forwarding : NULL,
        .server_name = srv->config.server_name[0] ? srv->config.server_name : NULL,
        .hints_over_http1 = srv->config.hints_over_http1,
        .compressible = srv->config.compressible,
    };
}

/* ---- orders ---- */

void server_loop_report_if_idle(struct server_loop *loop)
{
    galley_server *srv = loop->server;
    bool is_idle = loop->is_draining && loop->open_acceptors == 0 && loop->conns.count == 0 &&
                   loop->exchanges.live == 0;
    if (!is_idle || loop->has_reported) {
        return;
    }
    loop->has_reported = true;
    if (atomic_fetch_add_explicit(&srv->drain.idle_loops, 1, memory_order_acq_rel) + 1 ==
        srv->config.loops) {
        server_loop_order(&srv->loops[0], ORDER_ALL_IDLE);
    }
}

static void conns_emptied(struct conn_set *set, void *ctx)
{
    (void)set;
    server_loop_report_if_idle(ctx);
}

static void exchanges_emptied(struct exchange_pool *pool, void *ctx)
{
    (void)pool;
    server_loop_report_if_idle(ctx);
}

static void drain(struct server_loop *loop)
{
    if (loop->is_draining) {
        return;
    }
    loop->is_draining = true;
    server_acceptors_close(loop);
    exchange_pool_hint_stop(&loop->exchanges);
    conn_set_drain(&loop->conns);
}

static unsigned count_working(const struct conn_set *set)
{
    static const enum conn_state working[] = {CONN_BODY, CONN_BUSY, CONN_SENDING};
    unsigned count = 0;
    for (unsigned i = 0; i < sizeof working / sizeof *working; i++) {
        const struct list *head = &set->by_state[working[i]];
        for (const struct list *at = head->next; at != head; at = at->next) {
            count++;
        }
    }
    return count;
}

/* A request is cut if its answer is not out, or its handler has not returned. */
static void cut(struct server_loop *loop)
{
    unsigned conns = count_working(&loop->conns);
    unsigned requests = loop->exchanges.live > conns ? loop->exchanges.live : conns;
    atomic_fetch_add_explicit(&loop->server->drain.cut, requests, memory_order_relaxed);
    exchange_pool_abandon(&loop->exchanges);
    conn_set_close_all(&loop->conns, CLOSE_STOP_NOW);
}

/* Nobody may let go of an exchange that a connection still knows, or whose pieces are on the way in
 * the mailbox: a loop that hears late of the cut, because a handler held it, makes the turns for
 * both first. */
static void let_go_after(struct server_loop *loop, bool was_just_cut)
{
    if (was_just_cut || loop->conns.count > 0) {
        server_loop_order(loop, ORDER_ORPHAN);
        return;
    }
    server_drain_report_held(loop);
    unsigned orphans = exchange_pool_orphan(&loop->exchanges, &loop->server->routes->keeper);
    counter_add(&loop->counters.ended, orphans);
}

static void obey(struct loop_post *post)
{
    struct server_loop *loop = CONTAINER_OF(post, struct server_loop, post);
    unsigned orders = atomic_exchange_explicit(&loop->orders, 0, memory_order_acq_rel);
    if (orders & ORDER_DRAIN) {
        drain(loop);
    }
    if (orders & ORDER_CUT) {
        cut(loop);
    }
    if (orders & ORDER_ORPHAN) {
        let_go_after(loop, (orders & ORDER_CUT) != 0);
    }
    if (orders & ORDER_ALL_IDLE) {
        server_drain_all_idle(loop->server);
    }
    if (orders & ORDER_END) {
        loop_stop(loop->loop);
    }
    server_loop_report_if_idle(loop);
}

void server_loop_order(struct server_loop *loop, unsigned order)
{
    if (atomic_fetch_or_explicit(&loop->orders, order, memory_order_acq_rel) == 0) {
        loop_post(loop->loop, &loop->post);
    }
}

void server_order_all(struct galley_server *srv, unsigned order)
{
    for (unsigned i = 0; i < srv->config.loops; i++) {
        server_loop_order(&srv->loops[i], order);
    }
}

/* ---- making ---- */

static int make_log_source(struct server_loop *loop, galley_error *err)
{
    struct access_log *log = atomic_load(&loop->server->access_log);
    loop->log_source = log ? access_log_add_source(log) : NULL;
    return !log || loop->log_source ? GALLEY_OK
                                    : error_set(err, GALLEY_ENOMEM, "access log: out of memory");
}

static void say_how_it_waits(const struct server_loop *loop)
{
    bool is_usual = loop->server->config.io == GALLEY_IO_AUTO;
    log_write(&loop->server->log, is_usual ? LOG_DEBUG : LOG_INFO, "event loops wait by %s",
              loop_backend_name(loop->loop));
}

static int make_loop(struct server_loop *loop, galley_error *err)
{
    galley_server *srv = loop->server;
    struct loop_options options = {
        .backend = srv->test ? LOOP_BACKEND_SIM : server_backend(&srv->config),
        .log = &srv->log,
        .shares_listeners = srv->config.loops > 1,
    };
    loop->loop = loop_create(&options, err);
    if (!loop->loop) {
        return err->code;
    }
    if (loop->index == 0 && !srv->test) {
        say_how_it_waits(loop);
    }
    srv->loop_handles[loop->index] = loop->loop;
    if (warm_files_start(loop->loop, srv->pools.file) < 0) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    loop->post.run = obey;
    conn_set_init(&loop->conns, loop->loop, &srv->config.conn_limits, &srv->log);
    loop->conns.emptied = conns_emptied;
    loop->conns.removed = server_conn_removed;
    loop->conns.ctx = loop;
    fill_services(loop);
    exchange_pool_init(&loop->exchanges, &loop->services);
    loop->exchanges.emptied = exchanges_emptied;
    loop->exchanges.emptied_ctx = loop;
    loop->is_made = true;
    int rc = server_drivers_make(loop, err);
    return rc == GALLEY_OK ? make_log_source(loop, err) : rc;
}

static unsigned share_of(unsigned total, unsigned index, unsigned parts)
{
    unsigned share = total / parts + (index < total % parts);
    return share ? share : 1;
}

int server_loops_make(struct galley_server *srv, galley_error *err)
{
    unsigned count = srv->config.loops;
    srv->loops = mem_alloc_aligned(_Alignof(struct server_loop), count * sizeof *srv->loops);
    srv->loop_handles = mem_alloc_zero(count, sizeof(*srv->loop_handles));
    if (!srv->loops || !srv->loop_handles) {
        return error_set(err, GALLEY_ENOMEM, "server: out of memory");
    }
    int rc = GALLEY_OK;
    for (unsigned i = 0; i < count && rc == GALLEY_OK; i++) {
        struct server_loop *loop = &srv->loops[i];
        loop->server = srv;
        loop->index = i;
        loop->max_connections = share_of(srv->config.max_connections, i, count);
        rc = make_loop(loop, err);
    }
    for (unsigned i = 0; i < count && rc == GALLEY_OK; i++) {
        rc = server_acceptors_make(&srv->loops[i], err);
    }
    if (rc == GALLEY_OK) {
        server_posts_open(&srv->posts, srv->loops[0].loop);
    }
    return rc;
}

/* ---- threads ---- */

static _Thread_local const galley_server *serving;

void server_enter_thread(const galley_server *srv)
{
    serving = srv;
}

bool server_is_own_thread(galley_server *srv)
{
    galley_pool *pool = galley_server_pool(srv);
    return serving == srv || (pool && galley_worker_pool() == pool);
}

static void *run_loop(void *arg)
{
    struct server_loop *loop = arg;
    server_enter_thread(loop->server);
    loop_run(loop->loop);
    return NULL;
}

/* Signals belong to the program: none is delivered to a thread of the server, but what a fault of
 * its own raises. */
static int create_thread(struct server_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&loop->thread, NULL, run_loop, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        char name[16];
        snprintf(name, sizeof name, "galley-loop-%u", loop->index % 1000);
        (void)pthread_setname_np(loop->thread, name); /* only for people who look */
    }
    return rc;
}

int server_loops_start(struct galley_server *srv, galley_error *err)
{
    for (unsigned i = 1; i < srv->config.loops; i++) {
        int rc = create_thread(&srv->loops[i]);
        if (rc != 0) {
            return error_set_sys(err, rc, "server: thread of event loop %u", i);
        }
        srv->loops[i].has_thread = true;
    }
    return GALLEY_OK;
}

void server_loops_join(struct galley_server *srv)
{
    for (unsigned i = 1; srv->loops && i < srv->config.loops; i++) {
        if (srv->loops[i].has_thread) {
            server_loop_order(&srv->loops[i], ORDER_END);
            pthread_join(srv->loops[i].thread, NULL);
            srv->loops[i].has_thread = false;
        }
    }
    server_posts_close(&srv->posts);
}

/* ---- taking apart ---- */

static void run_out(struct galley_server *srv)
{
    for (unsigned i = 0; i < srv->config.loops; i++) {
        while (srv->loops[i].loop && loop_turn(srv->loops[i].loop, 0)) {
            /* what is in the mailbox, and what closing still has to say */
        }
    }
}

static void finish_loop(struct server_loop *loop)
{
    server_drivers_finish(&loop->drivers);
    if (loop->is_made) {
        exchange_pool_finish(&loop->exchanges);
        conn_set_finish(&loop->conns);
        loop->is_made = false;
    }
    loop_destroy(loop->loop);
    loop->loop = NULL;
    server_doors_free(loop);
}

void server_loops_finish(struct galley_server *srv)
{
    if (!srv->loops || !srv->loop_handles) {
        return;
    }
    for (unsigned i = 0; i < srv->config.loops; i++) {
        if (srv->loops[i].loop) {
            server_acceptors_close(&srv->loops[i]);
        }
        if (srv->loops[i].is_made) {
            conn_set_close_all(&srv->loops[i].conns,
                               CLOSE_STOP_NOW); /* none, but when it could not start */
        }
    }
    run_out(srv);
    pthread_mutex_lock(&srv->lock);
    server_sites_detach(srv);
    run_out(srv);
    for (unsigned i = 0; i < srv->config.loops; i++) {
        finish_loop(&srv->loops[i]);
    }
    pthread_mutex_unlock(&srv->lock);
}
