/* tests/programs/stream_server.c — the server of the whole-server tests of answers that come later
 * or bit by bit.
 *
 *     stream_server [drain_ms=NUMBER] [heartbeat_ms=NUMBER]
 *
 * Prints its URL, serves until a signal; exit 0 after a clean drain, 3 when requests were cut. Four
 * workers, two loops. Only public headers. */
#include "wanted_io.h"
#include "wanted_way.h"

#include <galley/server.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_STREAMS = 4096, MAX_DEFERRED = 64, BLOCK = 16 * 1024 };

/* ---- streams: a hub ---- */

static pthread_mutex_t hub_lock = PTHREAD_MUTEX_INITIALIZER;
static galley_stream *streams[MAX_STREAMS]; /* under hub_lock, with a reference each */
static unsigned stream_count;
static unsigned closed_count;
static uint32_t heartbeat_ms = 500;

/* On the loop: the hub's reference goes. */
static void forget(galley_stream *st, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&hub_lock);
    closed_count++;
    for (unsigned i = 0; i < stream_count; i++) {
        if (streams[i] == st) {
            streams[i] = streams[--stream_count];
            galley_stream_unref(st);
            break;
        }
    }
    pthread_mutex_unlock(&hub_lock);
}

/* GET /events (on the loop), /events-pool: an event at once, then whatever is published. */
static int reply_events(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.closed = forget;
    options.heartbeat_ms = heartbeat_ms;
    pthread_mutex_lock(&hub_lock); /* forget() comes after it has been noted */
    galley_stream *st =
        stream_count < MAX_STREAMS ? galley_res_stream(rs, 200, NULL, &options) : NULL;
    if (st) {
        streams[stream_count++] = st;
    }
    pthread_mutex_unlock(&hub_lock);
    if (!st) {
        return GALLEY_EFULL;
    }
    (void)galley_stream_event(st, "0", "hello", arg);
    return 0;
}

/* POST /publish?data=TEXT: to all; answers how many took it. */
static int reply_publish(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    galley_str data = galley_req_query_param(rq, "data");
    unsigned took = 0;
    pthread_mutex_lock(&hub_lock);
    for (unsigned i = 0; i < stream_count; i++) {
        took += galley_stream_event(streams[i], NULL, NULL, data.ptr ? data.ptr : "") == 0;
    }
    pthread_mutex_unlock(&hub_lock);
    return galley_res_printf(rs, 200, NULL, "%u\n", took);
}

/* GET /endless: as much as fits, whenever it fits, from a source. */
static ssize_t give_block(void *buf, size_t len, void *arg)
{
    (void)arg;
    size_t n = len < BLOCK ? len : BLOCK;
    memset(buf, 'x', n);
    return (ssize_t)n;
}

static int reply_endless(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_source(rs, 200, "text/plain", -1, give_block, NULL, NULL);
}

/* ---- deferrals: finished by a thread of the program ---- */

static galley_deferred *waiting[MAX_DEFERRED]; /* under hub_lock */
static unsigned waiting_count;
static unsigned unwanted_count;

static int reply_later(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    pthread_mutex_lock(&hub_lock);
    galley_deferred *d = waiting_count < MAX_DEFERRED ? galley_res_defer(rs) : NULL;
    if (d) {
        waiting[waiting_count++] = d;
    }
    pthread_mutex_unlock(&hub_lock);
    return d ? 0 : GALLEY_EFULL;
}

static void *finish_all(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&hub_lock);
    for (unsigned i = 0; i < waiting_count; i++) {
        (void)galley_res_printf(galley_deferred_response(waiting[i]), 200, NULL, "finished %u\n",
                                i);
        unwanted_count += galley_deferred_finish(waiting[i], 0) == GALLEY_ECLOSED;
    }
    waiting_count = 0;
    pthread_mutex_unlock(&hub_lock);
    return NULL;
}

/* POST /finish: all that wait, from another thread; answers how many nobody waited for so far. */
static int reply_finish(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    pthread_t thread;
    if (pthread_create(&thread, NULL, finish_all, NULL) != 0) {
        return GALLEY_EFULL;
    }
    pthread_join(thread, NULL);
    pthread_mutex_lock(&hub_lock);
    unsigned unwanted = unwanted_count;
    pthread_mutex_unlock(&hub_lock);
    return galley_res_printf(rs, 200, NULL, "%u\n", unwanted);
}

/* ---- looking in ---- */

static galley_server *server;

static int reply_hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    return galley_res_text(rs, 200, "hello\n");
}

static unsigned unwanted_now(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < waiting_count; i++) {
        count += !galley_deferred_is_wanted(waiting[i]);
    }
    return count;
}

/* GET /stats, on the loop: no worker is needed to look. */
static int reply_stats(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq, (void)arg;
    galley_pool_stats pool = {.size = sizeof pool};
    galley_server_stats stats = {.size = sizeof stats};
    if (galley_pool_get_stats(galley_server_pool(server), &pool) != 0 ||
        galley_server_get_stats(server, &stats) != 0) {
        return 500;
    }
    pthread_mutex_lock(&hub_lock);
    int rc = galley_res_printf(
        rs, 200, "application/json",
        "{\"running\":%u,\"queued\":%u,\"hub\":%u,\"closed\":%u,\"waiting\":%u,\"unwanted\":%u,"
        "\"deferred\":%u,\"streams\":%u,\"mistakes\":%u}\n",
        (unsigned)pool.running, (unsigned)pool.queued, stream_count, closed_count, waiting_count,
        unwanted_now(), stats.deferred, stats.streams, (unsigned)stats.mistakes);
    pthread_mutex_unlock(&hub_lock);
    return rc;
}

static const galley_route_options on_loop = {.size = sizeof on_loop, .run = GALLEY_ON_LOOP};

static void add_routes(galley_server *srv)
{
    (void)galley_server_route(srv, "GET /hello", reply_hello, NULL, NULL);
    (void)galley_server_route(srv, "GET /events", reply_events, "loop", &on_loop);
    (void)galley_server_route(srv, "GET /events-pool", reply_events, "pool", NULL);
    (void)galley_server_route(srv, "POST /publish", reply_publish, NULL, NULL);
    (void)galley_server_route(srv, "GET /endless", reply_endless, NULL, NULL);
    (void)galley_server_route(srv, "GET /endless-loop", reply_endless, NULL, &on_loop);
    (void)galley_server_route(srv, "GET /later", reply_later, NULL, &on_loop);
    (void)galley_server_route(srv, "GET /later-pool", reply_later, NULL, NULL);
    (void)galley_server_route(srv, "POST /finish", reply_finish, NULL, NULL);
    (void)galley_server_route(srv, "GET /stats", reply_stats, NULL, &on_loop);
}

static int result_of(int rc, const galley_error *err)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", err->message);
    }
    return rc == 0 ? 0 : rc == GALLEY_ETIMEDOUT || rc == GALLEY_ECANCELED ? 3 : 1;
}

int main(int argc, char **argv)
{
    galley_error err = {0};
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    pool.threads = 4;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.io = wanted_io();
    options.send_grace_ms = 10 * 60 * 1000; /* who does not read is a part of the tests */
    options.pool_options = &pool;
    options.queue_target_ms = GALLEY_NO_LIMIT; /* hundreds at once, and all are served */
    options.queue_timeout_ms = GALLEY_NO_LIMIT;
    options.loops = 2;
    options.max_connections = 3000;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "drain_ms=", 9) == 0) {
            options.drain_ms = (uint32_t)strtoul(argv[i] + 9, NULL, 10);
        } else if (strncmp(argv[i], "heartbeat_ms=", 13) == 0) {
            heartbeat_ms = (uint32_t)strtoul(argv[i] + 13, NULL, 10);
        }
    }
    server = galley_server_new(&options, &err);
    if (!server) {
        return result_of(err.code, &err);
    }
    add_routes(server);
    if (wanted_listen(server, "127.0.0.1:0") == 0) {
        printf("%s://127.0.0.1:%d/\n", wanted_scheme(), galley_server_port(server, 0));
        fflush(stdout);
    }
    int rc = result_of(galley_server_run(server, GALLEY_UNTIL_SIGNAL, &err), &err);
    wanted_free(server);
    return rc;
}
