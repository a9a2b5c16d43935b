/* bench/load/handlers.c — a server of handlers for the rows that are no files, with the public API
 * only: an answer made on the loop and on the pool, handlers that sleep, uploads, events to many
 * listeners, and beside them the files of a folder. Prints its URL; ends by a signal.
 *
 * bench_handlers [--io=epoll|--io=uring] PORT FOLDER */
#include <galley/server.h>
#include <galley/static.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LISTENERS = 4096, WORKERS = 4, PORT_TEXT = 32, IDLE_MS = 600 * 1000 };
static unsigned long_us = 100 * 1000; /* while every worker sleeps             */
static unsigned work_us = 10 * 1000;  /* of which WORKERS can do 400 a second  */

struct house {
    pthread_mutex_t lock; /* of the listeners */
    galley_stream *listeners[MAX_LISTENERS];
    unsigned count;
};

static int hello(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_text(rs, 200, "hello\n");
}

static int sleep_a_while(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    usleep(*(const unsigned *)arg);
    return galley_res_text(rs, 200, "awake\n");
}

/* ---- uploads ---- */

static int count_piece(galley_request *rq, galley_response *rs, const void *data, ssize_t len,
                       void *arg)
{
    (void)rq;
    (void)data;
    (void)arg;
    return len == 0 ? galley_res_text(rs, 201, "taken\n") : 0;
}

static int take_in_pieces(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rs;
    return galley_req_sink(rq, count_piece, arg);
}

static int take_as_file(galley_request *rq, galley_response *rs, void *arg)
{
    (void)arg;
    return galley_req_body_fd(rq) < 0 ? GALLEY_ESYS : galley_res_text(rs, 201, "taken\n");
}

/* ---- events ---- */

static void forget(galley_stream *stream, void *arg)
{
    struct house *house = arg;
    pthread_mutex_lock(&house->lock);
    for (unsigned i = 0; i < house->count; i++) {
        if (house->listeners[i] == stream) {
            house->listeners[i] = house->listeners[--house->count];
            galley_stream_unref(stream);
            break;
        }
    }
    pthread_mutex_unlock(&house->lock);
}

static int listen_to_events(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct house *house = arg;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.buffer_bytes = 8192;
    options.closed = forget;
    options.arg = house;
    pthread_mutex_lock(&house->lock);
    int result = house->count < MAX_LISTENERS ? 0 : GALLEY_EFULL;
    if (result == 0) {
        galley_stream *stream = galley_res_stream(rs, 200, NULL, &options);
        result = stream ? galley_stream_event(stream, NULL, NULL, "welcome") : GALLEY_ENOMEM;
        if (stream) {
            house->listeners[house->count++] = stream;
        }
    }
    pthread_mutex_unlock(&house->lock);
    return result;
}

static int tell_all(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct house *house = arg;
    int result = 0;
    pthread_mutex_lock(&house->lock);
    for (unsigned i = 0; i < house->count && result == 0; i++) {
        result = galley_stream_event(house->listeners[i], NULL, NULL,
                                     "an event of a length that is usual: a line or so of text.");
    }
    pthread_mutex_unlock(&house->lock);
    return result != 0 ? result : galley_res_text(rs, 200, "told\n");
}

/* ---- the server ---- */

static void add_routes(galley_server *srv, struct house *house, galley_static *files)
{
    galley_route_options loop = GALLEY_ROUTE_OPTIONS_INIT, sink, spool = GALLEY_ROUTE_OPTIONS_INIT;
    loop.run = GALLEY_ON_LOOP;
    sink = loop;
    sink.body = GALLEY_BODY_STREAM;
    spool.body = GALLEY_BODY_SPOOL;
    sink.max_body_bytes = spool.max_body_bytes = UINT64_C(1) << 30;
    galley_server_route(srv, "GET /loop", hello, NULL, &loop);
    galley_server_route(srv, "GET /pool", hello, NULL, NULL);
    galley_server_route(srv, "GET /sleep", sleep_a_while, &long_us, NULL);
    galley_server_route(srv, "GET /work", sleep_a_while, &work_us, NULL);
    galley_server_route(srv, "PUT /pieces", take_in_pieces, NULL, &sink);
    galley_server_route(srv, "PUT /upload/{name}", take_as_file, NULL, &spool);
    galley_server_route(srv, "GET /events", listen_to_events, house, &loop);
    galley_server_route(srv, "POST /events", tell_all, house, &loop);
    galley_server_route(srv, "GET /{path...}", galley_static_serve, files, NULL);
}

static int serve(galley_server *srv, const char *port, galley_error *err)
{
    char address[PORT_TEXT];
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    if (galley_server_listen(srv, address) == 0) {
        printf("http://%s/\n", galley_server_address(srv, 0).ptr);
        fflush(stdout);
    }
    return galley_server_run(srv, GALLEY_UNTIL_SIGNAL, err);
}

static int io_of(const char *argument)
{
    return strcmp(argument, "--io=epoll") == 0   ? GALLEY_IO_EPOLL
           : strcmp(argument, "--io=uring") == 0 ? GALLEY_IO_URING
                                                 : GALLEY_IO_AUTO;
}

static galley_server *new_server(int io, galley_error *err)
{
    galley_pool_options pool = GALLEY_POOL_OPTIONS_INIT;
    pool.threads = WORKERS;
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.loops = 1;
    options.io = io;
    options.pool_options = &pool;
    options.max_connections = 2 * MAX_LISTENERS;
    options.idle_timeout_ms = IDLE_MS;
    return galley_server_new(&options, err);
}

int main(int argc, char **argv)
{
    static struct house house = {.lock = PTHREAD_MUTEX_INITIALIZER};
    if (argc < 3) {
        fputs("usage: bench_handlers [--io=epoll|--io=uring] PORT FOLDER\n", stderr);
        return 2;
    }
    galley_error err = {0};
    galley_static *files = galley_static_new(argv[argc - 1], NULL, &err);
    galley_server *srv = files ? new_server(io_of(argv[1]), &err) : NULL;
    int result = err.code;
    if (srv) {
        add_routes(srv, &house, files);
        result = serve(srv, argv[argc - 2], &err);
    }
    if (result != 0) {
        fprintf(stderr, "bench_handlers: %s\n", err.message);
    }
    galley_server_free(srv);
    galley_static_free(files);
    return result != 0;
}
