/* The exercise that galley starts from: a small web server on 127.0.0.1:7878 whose requests are
 * worked through by a fixed pool of threads. GET / is hello.html, GET /sleep the same page after
 * five seconds without delaying anybody else, everything else 404.html; Ctrl+C finishes what runs
 * and joins every worker.
 *
 * book [--port=N] [--workers=N] [--loops=N] [--max-requests=N] [--sleep=S] [--patience=S] [FOLDER]
 * FOLDER holds hello.html and 404.html; default: the current one. Port 0 takes any free port. */
#include <galley/access_log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order of `names`; patience: how long a request may wait for a worker. */
enum { PORT, WORKERS, LOOPS, MAX_REQUESTS, SLEEP, PATIENCE, SETTINGS };
static const char *const names[SETTINGS] = {
    "--port=", "--workers=", "--loops=", "--max-requests=", "--sleep=", "--patience="};
static unsigned settings[SETTINGS] = {7878, 4, 1, 0, 5, 60};

static int page(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 200, "hello.html");
}

static int slow_page(galley_request *rq, galley_response *rs, void *arg)
{
    sleep(settings[SLEEP]); /* on the pool: one worker waits, and nobody else */
    return page(rq, rs, arg);
}

static int missing(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 404, "404.html");
}

/* Only GET gets a page. A path that exists would answer other methods with 405, as the standard has
 * it; the exercise wants 404 for them too, so each path also has a route for every other method. */
static void add_routes(galley_server *server)
{
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run = GALLEY_ON_LOOP; /* / needs no worker: it answers while all of them sleep */
    galley_server_route(server, "GET /", page, NULL, &on_loop);
    galley_server_route(server, "/", missing, NULL, &on_loop);
    galley_server_route(server, "GET /sleep", slow_page, NULL, NULL);
    galley_server_route(server, "/sleep", missing, NULL, &on_loop);
    galley_server_fallback(server, missing, NULL, &on_loop);
}

/* Called on the worker itself. A line is one write, so that lines of several threads do not mix. */
static void tell_worker(void *ctx, const galley_pool_event *event)
{
    (void)ctx;
    if (event->kind == GALLEY_EV_START) {
        printf("Worker %d got a job; executing.\n", (int)event->worker);
    } else if (event->kind == GALLEY_EV_FINISH) {
        printf("Worker %d has done its job.\n", (int)event->worker);
    } else {
        printf("Shutting down worker %d.\n", (int)event->worker);
    }
}

static void tell_server(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "book: %s\n", line);
}

/* Zero in an option means its default, so zero workers go to galley_pool_new(), which refuses. */
static galley_pool *make_pool(galley_error *err)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    options.threads = settings[WORKERS];
    options.observer = tell_worker;
    options.observe = GALLEY_EV_START | GALLEY_EV_FINISH | GALLEY_EV_THREAD_STOP;
    return settings[WORKERS] ? galley_pool_open(&options, err) : galley_pool_new(0, err);
}

/* No result of the set-up calls is looked at: the first failure is kept, and run refuses with it. */
static int serve(galley_pool *pool, galley_error *err)
{
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.pool = pool;
    options.loops = settings[LOOPS];
    options.max_requests = settings[MAX_REQUESTS];
    options.queue_timeout_ms = settings[PATIENCE] * 1000;
    options.queue_target_ms = GALLEY_NO_LIMIT; /* sleepers wait their turn */
    options.log = tell_server;
    galley_server *server = galley_server_new(&options, err);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", settings[PORT]);
    add_routes(server);
    galley_server_access_log(server, NULL);
    galley_server_listen(server, address);
    if (galley_server_address(server, 0).ptr) {
        printf("Listening on http://%s/\n", galley_server_address(server, 0).ptr);
    }
    int result = server ? galley_server_run(server, GALLEY_UNTIL_SIGNAL, err) : err->code;
    galley_server_free(server);
    return result;
}

static bool parse_argument(const char *argument, const char **folder)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        const char *text = argument + strlen(names[i]);
        if (strncmp(argument, names[i], strlen(names[i])) == 0) {
            char *end = NULL;
            unsigned long number = strtoul(text, &end, 10);
            settings[i] = (unsigned)number;
            return *text >= '0' && *text <= '9' && *end == '\0' && number <= 65535;
        }
    }
    *folder = argument;
    return argument[0] != '-';
}

int main(int argc, char **argv)
{
    const char *folder = ".";
    for (int i = 1; i < argc; i++) {
        if (!parse_argument(argv[i], &folder)) {
            fprintf(stderr, "book: what is %s?\n", argv[i]);
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (chdir(folder) != 0) {
        perror(folder);
        return 1;
    }
    galley_error err;
    galley_pool *pool = make_pool(&err);
    int result = pool ? serve(pool, &err) : 1;
    if (result != 0) {
        fprintf(stderr, "book: %s\n", err.message);
    }
    if (result == GALLEY_ECANCELED || result == GALLEY_ETIMEDOUT) {
        galley_pool_detach(pool); /* a second Ctrl+C, or the deadline: nobody waits for sleepers */
    } else {
        galley_pool_free(pool); /* runs what is queued, joins every worker */
    }
    return result != 0;
}
