/* overloaded — a server whose one pool route can do so much a second and no more: 4 workers, 10 ms a
 * request. Prints its URL. For tests/integration/test_overload_pool.py.
 *
 *   /work      on the pool: sleeps for JOB_MS
 *   /few       the same with max_running 1 and max_waiting 2
 *   /slow      on the pool: sleeps until it is told to stop, with timeout_ms 300
 *   /stuck     on the pool: ignores everything, for ever
 *   /hold      on the loop: holds it for 300 ms
 *   /hello     on the loop
 *   /counters  on the loop: every counter, "name value" a line, and the pool's sums
 *
 * usage: overloaded [target_ms [drain_ms]]   queue_target_ms, 0: the default, -1: off */
#include "wanted_io.h"
#include "wanted_way.h"

#include <galley/server.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORKERS = 4, JOB_MS = 10, HOLD_MS = 300, TIMEOUT_MS = 300 };

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int work(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    sleep_ms(JOB_MS);
    return galley_res_text(rs, 200, "done\n");
}

static int until_told(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    while (!galley_should_stop()) {
        sleep_ms(1);
    }
    return galley_res_text(rs, 200, "too late\n");
}

static int stuck(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)rs;
    while (arg) {
        sleep_ms(*(long *)arg);
    }
    return 0;
}

static int hold(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    sleep_ms(HOLD_MS);
    return galley_res_text(rs, 200, "held\n");
}

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "hello\n");
}

static int counters(galley_request *rq, galley_response *rs, void *arg)
{
    galley_server *srv = *(galley_server **)arg;
    char *text = galley_alloc(rq, 16384);
    size_t len = 0, it = 0;
    const char *name = NULL;
    uint64_t value = 0;
    while (text && galley_server_next_counter(srv, &it, &name, &value) && len < 16000) {
        len +=
            (size_t)snprintf(text + len, 16384 - len, "%s %llu\n", name, (unsigned long long)value);
    }
    galley_pool_stats pool = {.size = sizeof pool};
    if (!text || galley_pool_get_stats(galley_server_pool(srv), &pool) != 0) {
        return 500;
    }
    snprintf(text + len, 16384 - len,
             "pool_finished %llu\npool_wait_us %llu\npool_queue_peak %zu\n",
             (unsigned long long)pool.finished, (unsigned long long)pool.wait_ns / 1000,
             pool.queue_peak);
    return galley_res_text(rs, 200, text);
}

static void print_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static void add_routes(galley_server **srv)
{
    static long minute_ms = 60000;
    galley_route_options few = GALLEY_ROUTE_OPTIONS_INIT, slow = GALLEY_ROUTE_OPTIONS_INIT;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    few.max_running = 1;
    few.max_waiting = 2;
    slow.timeout_ms = TIMEOUT_MS;
    on_loop.run = GALLEY_ON_LOOP;
    galley_server_route(*srv, "/work", work, NULL, NULL);
    galley_server_route(*srv, "/few", work, NULL, &few);
    galley_server_route(*srv, "/slow", until_told, NULL, &slow);
    galley_server_route(*srv, "/stuck", stuck, &minute_ms, NULL);
    galley_server_route(*srv, "/hold", hold, NULL, &on_loop);
    galley_server_route(*srv, "/hello", hello, NULL, &on_loop);
    galley_server_route(*srv, "/counters", counters, srv, &on_loop);
}

int main(int argc, char **argv)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    pool.threads = WORKERS;
    pool.flags = GALLEY_POOL_TIMING;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.io = wanted_io();
    options.pool_options = &pool;
    options.queue_target_ms = argc > 1 ? (uint32_t)strtol(argv[1], NULL, 10) : 0;
    options.drain_ms = argc > 2 ? (uint32_t)strtol(argv[2], NULL, 10) : 0;
    options.log = print_log;
    galley_error err = {0};
    galley_server *srv = galley_server_new(&options, &err);
    if (srv) {
        add_routes(&srv);
        wanted_listen(srv, "127.0.0.1:0");
        printf("%s://127.0.0.1:%d/\n", wanted_scheme(), galley_server_port(srv, 0));
        fflush(stdout);
    }
    int rc = srv ? galley_server_run(srv, GALLEY_UNTIL_SIGNAL, &err) : err.code;
    if (rc != 0) {
        fprintf(stderr, "end: %s\n", err.message);
    }
    wanted_free(srv);
    return rc == 0 ? 0 : 3;
}
