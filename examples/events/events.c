/* A live clock: GET /events is a stream of server-sent events, GET / a page that shows them. Any
 * number of watchers costs no thread; whoever is too slow misses ticks, and nobody waits for him.
 *
 * events [ADDRESS] */
#include <galley/server.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_WATCHERS = 10000, TICK_MS = 1000 };

struct clock {
    galley_server *server;
    pthread_mutex_t lock;
    galley_stream *watchers[MAX_WATCHERS]; /* a reference each */
    unsigned count;
};

/* ---- watchers ---- */

static void forget(galley_stream *stream, void *arg)
{
    struct clock *clock = arg;
    pthread_mutex_lock(&clock->lock);
    for (unsigned i = 0; i < clock->count; i++) {
        if (clock->watchers[i] == stream) {
            clock->watchers[i] = clock->watchers[--clock->count];
            galley_stream_unref(stream);
            break;
        }
    }
    pthread_mutex_unlock(&clock->lock);
}

static int watch(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    struct clock *clock = arg;
    galley_stream_options options = GALLEY_STREAM_OPTIONS_INIT;
    options.buffer_bytes = 4096;
    options.closed = forget; /* on this loop, so not before this handler has returned */
    options.arg = clock;
    pthread_mutex_lock(&clock->lock);
    int result = clock->count < MAX_WATCHERS ? 0 : GALLEY_EFULL;
    if (result == 0) {
        galley_stream *stream = galley_res_stream(rs, 200, NULL, &options);
        result = stream ? 0 : GALLEY_ENOMEM;
        if (stream) {
            clock->watchers[clock->count++] = stream;
            (void)galley_stream_event(stream, NULL, "hello", "The clock ticks each second.");
        }
    }
    pthread_mutex_unlock(&clock->lock);
    return result;
}

/* Each second, on a loop: writing to a stream never waits. */
static void tick(void *arg)
{
    struct clock *clock = arg;
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(text, sizeof text, "%H:%M:%S", gmtime_r(&now, &parts));
    pthread_mutex_lock(&clock->lock);
    for (unsigned i = 0; i < clock->count; i++) {
        (void)galley_stream_event(clock->watchers[i], NULL, "tick", text); /* EFULL: he misses it */
    }
    pthread_mutex_unlock(&clock->lock);
    (void)galley_server_after(clock->server, TICK_MS, tick, clock); /* fails once it has stopped */
}

/* ---- the page ---- */

static const char page_text[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Clock</title>\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<h1 id=\"time\">…</h1>\n<p id=\"state\" role=\"status\">connecting</p>\n"
    "<script>\n"
    "const source = new EventSource('/events');\n"
    "const show = (id, text) => document.getElementById(id).textContent = text;\n"
    "source.addEventListener('tick', e => show('time', e.data));\n"
    "source.addEventListener('hello', e => show('state', e.data));\n"
    "source.onerror = () => show('state', 'the server has gone; trying again');\n"
    "</script>\n";

static int page(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_data(rs, 200, "text/html; charset=utf-8", page_text, sizeof page_text - 1,
                           NULL, NULL);
}

/* ---- the server ---- */

static int serve(struct clock *clock, const char *address, galley_error *err)
{
    galley_server *srv = clock->server;
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP; /* neither handler blocks */
    galley_server_route(srv, "GET /", page, NULL, &on_loop);
    galley_server_route(srv, "GET /events", watch, clock, &on_loop);
    galley_server_after(srv, TICK_MS, tick, clock);
    galley_server_listen(srv, address);
    printf("Listening on http://%s/\n", galley_server_address(srv, 0).ptr);
    fflush(stdout);
    return galley_server_run(srv, GALLEY_UNTIL_SIGNAL, err); /* streams end with the drain */
}

int main(int argc, char **argv)
{
    galley_error err;
    struct clock *clock = calloc(1, sizeof *clock);
    if (!clock) {
        return 1;
    }
    pthread_mutex_init(&clock->lock, NULL);
    clock->server = galley_server_new(NULL, &err);
    int result =
        clock->server ? serve(clock, argc > 1 ? argv[1] : "127.0.0.1:7878", &err) : err.code;
    if (result != 0) {
        fprintf(stderr, "events: %s\n", err.message);
    }
    galley_server_free(clock->server);
    pthread_mutex_destroy(&clock->lock);
    free(clock);
    return result != 0;
}
