/* examples/book — the exercise that galley starts from: a small web server on 127.0.0.1:7878 whose
 * requests are worked through by a fixed pool of threads. GET / is hello.html, GET /sleep the same
 * page after five seconds without delaying anybody else, everything else 404.html; Ctrl+C finishes
 * what runs and joins every worker.
 *
 * book [--port=N] [--workers=N] [--loops=N] [--max-requests=N] [--sleep=SECONDS]
 *      [--patience=SECONDS] [FOLDER]
 * FOLDER holds hello.html and 404.html; default: the current one. Port 0 takes any free port. */
#include <galley/access_log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    unsigned port;
    unsigned workers;
    unsigned loops;
    unsigned max_requests;
    unsigned sleep_s;
    unsigned patience_s; /* how long a request may wait for a worker */
    const char *folder;
};

/* ---- what is served ---- */

static int page(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 200, "hello.html");
}

static int slow_page(galley_request *rq, galley_response *rs, void *arg)
{
    const struct settings *settings = arg;
    sleep(settings->sleep_s); /* on the pool: one worker waits, and nobody else */
    return page(rq, rs, NULL);
}

static int missing(galley_request *rq, galley_response *rs, void *arg)
{
    (void)rq;
    (void)arg;
    return galley_res_file(rs, 404, "404.html");
}

/* Only GET gets a page. A path that exists would answer other methods with 405, as the standard has
 * it; the exercise wants 404 for them too, so each path also has a route for every other method. */
static void add_routes(galley_server *server, struct settings *settings)
{
    galley_route_options on_loop = GALLEY_ROUTE_OPTIONS_INIT;
    on_loop.run =
        GALLEY_ON_LOOP; /* never blocks, needs no worker: / answers while all of them sleep */
    galley_server_route(server, "GET /", page, NULL, &on_loop);
    galley_server_route(server, "/", missing, NULL, &on_loop);
    galley_server_route(server, "GET /sleep", slow_page, settings, NULL);
    galley_server_route(server, "/sleep", missing, NULL, &on_loop);
    galley_server_fallback(server, missing, NULL, &on_loop);
}

/* ---- what is told ---- */

/* Called on the worker itself. A line is one write, so that lines of several threads do not mix. */
static void tell_worker(void *ctx, const galley_pool_event *event)
{
    (void)ctx;
    if (event->kind == GALLEY_EV_START) {
        printf("Worker %d got a job; executing.\n", (int)event->worker);
    } else if (event->kind == GALLEY_EV_FINISH) {
        printf("Worker %d has done its job.\n", (int)event->worker);
    } else if (event->kind == GALLEY_EV_THREAD_STOP) {
        printf("Shutting down worker %d.\n", (int)event->worker);
    }
}

static void tell_server(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "book: %s\n", line);
}

/* ---- the pool and the server ---- */

/* Zero in an option means its default, so zero workers go to galley_pool_new(), which refuses
 * them. */
static galley_pool *make_pool(unsigned workers, galley_error *err)
{
    galley_pool_options options = GALLEY_POOL_OPTIONS_INIT;
    if (workers == 0) {
        return galley_pool_new(workers, err);
    }
    options.threads = workers;
    options.observer = tell_worker;
    options.observe = GALLEY_EV_START | GALLEY_EV_FINISH | GALLEY_EV_THREAD_STOP;
    return galley_pool_open(&options, err);
}

/* No result of the calls after new is looked at: the first failure is kept, and galley_server_run()
 * refuses with it. */
static galley_server *make_server(struct settings *settings, galley_pool *pool, galley_error *err)
{
    galley_server_options options = GALLEY_SERVER_OPTIONS_INIT;
    options.pool = pool;
    options.loops = settings->loops;
    options.max_requests = settings->max_requests;
    options.queue_timeout_ms =
        settings->patience_s * 1000; /* then the request is refused with 503 */
    options.log = tell_server;
    galley_server *server = galley_server_new(&options, err);
    if (!server) {
        return NULL;
    }
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", settings->port);
    galley_server_listen(server, address);
    galley_server_access_log(server, NULL);
    add_routes(server, settings);
    return server;
}

/* Returns after the drain. */
static int run_server(galley_server *server, galley_error *err)
{
    galley_str address = galley_server_address(server, 0);
    if (address.ptr) {
        printf("Listening on http://%s/\n", address.ptr);
    }
    return galley_server_run(server, GALLEY_UNTIL_SIGNAL, err);
}

static int serve(struct settings *settings, galley_pool *pool)
{
    galley_error err;
    galley_server *server = make_server(settings, pool, &err);
    int result = server ? run_server(server, &err) : err.code;
    if (result) {
        fprintf(stderr, "book: %s\n", err.message);
    }
    galley_server_free(server);
    return result;
}

/* ---- the command line ---- */

static bool parse_number(const char *text, unsigned *ret)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number > 65535) {
        return false;
    }
    *ret = (unsigned)number;
    return true;
}

static bool parse_argument(struct settings *settings, const char *argument)
{
    const struct {
        const char *name;
        unsigned *value;
    } options[] = {
        {"--port=", &settings->port},     {"--workers=", &settings->workers},
        {"--loops=", &settings->loops},   {"--max-requests=", &settings->max_requests},
        {"--sleep=", &settings->sleep_s}, {"--patience=", &settings->patience_s},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        size_t len = strlen(options[i].name);
        if (strncmp(argument, options[i].name, len) == 0) {
            return parse_number(argument + len, options[i].value);
        }
    }
    settings->folder = argument;
    return argument[0] != '-';
}

static const char usage[] = "usage: book [--port=N] [--workers=N] [--loops=N] [--max-requests=N] "
                            "[--sleep=SECONDS] [--patience=SECONDS] [FOLDER]\n";

int main(int argc, char **argv)
{
    struct settings settings = {
        .port = 7878, .workers = 4, .loops = 1, .sleep_s = 5, .patience_s = 60, .folder = "."};
    for (int i = 1; i < argc; i++) {
        if (!parse_argument(&settings, argv[i])) {
            fprintf(stderr, "book: what is %s?\n%s", argv[i], usage);
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (chdir(settings.folder) != 0) {
        perror(settings.folder);
        return 1;
    }
    galley_error err;
    galley_pool *pool = make_pool(settings.workers, &err);
    if (!pool) {
        fprintf(stderr, "book: %s\n", err.message);
        return 1;
    }
    int result = serve(&settings, pool);
    if (result == GALLEY_ECANCELED || result == GALLEY_ETIMEDOUT) {
        galley_pool_detach(
            pool); /* a second Ctrl+C, or the deadline: nobody waits for those who still sleep */
    } else {
        galley_pool_free(pool); /* runs what is queued, joins every worker */
    }
    return result != 0;
}
